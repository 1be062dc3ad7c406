package sip

import (
	"reflect"
	"strings"
	"testing"
)

func TestAppend(t *testing.T) {
	wire := crlfWire(`INVITE sip:u@example.com;lr?x=y SIP/2.0
l: 2
c: a/b
Subject: hi
k: x
Expires: 60
m: <sip:a@b>, <sip:c@d>
CSeq: 1 INVITE
i: 1
t: "q\"" <sip:t@u>
f: F<sip:f@g>;tag=1
Record-Route: <sip:rr>
Route: <sip:r;lr>
Max-Forwards: 5
v: SIP/2.0/UDP h1, SIP/2.0/TCP h2:1

`) + "BO"
	wire = strings.Replace(wire, "?x=y", "", 1)
	want := crlfWire(`INVITE sip:u@example.com;lr SIP/2.0
Via: SIP/2.0/UDP h1
Via: SIP/2.0/TCP h2:1
Route: <sip:r;lr>
Record-Route: <sip:rr>
Max-Forwards: 5
From: "F" <sip:f@g>;tag=1
To: "q\"" <sip:t@u>
Call-ID: 1
CSeq: 1 INVITE
Contact: <sip:a@b>
Contact: <sip:c@d>
Expires: 60
Subject: hi
Supported: x
Content-Type: a/b
Content-Length: 2

`) + "BO"
	req := parseRequest(t, wire)
	if got := string(req.Append([]byte("before"))); got != "before"+want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	res := NewResponse(req, 486, "")
	want = crlfWire(`SIP/2.0 486 Busy Here
Via: SIP/2.0/UDP h1
Via: SIP/2.0/TCP h2:1
From: "F" <sip:f@g>;tag=1
To: "q\"" <sip:t@u>
Call-ID: 1
CSeq: 1 INVITE
Content-Length: 0

`)
	if got := res.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// No string of a message, wherever it stands, may end its line and begin another.
func TestAppendInjection(t *testing.T) {
	const evil = "x\r\nContact: <sip:evil@example.com>\r\n\r\nbody\n\r"
	clean := func() *Request {
		a := Address{DisplayName: "n", URI: URI{Scheme: "sip", User: "u", Password: "p", Host: "h",
			Params: ";a", Headers: "b=c"}, Params: ";tag=1"}
		tel := Address{URI: URI{Scheme: "tel", Opaque: "1"}}
		return &Request{Method: "M", URI: URI{Scheme: "sip", Host: "h"}, Headers: Headers{
			Via: []Via{{"UDP", "h", 1, ";branch=1"}}, From: a, To: tel, CallID: "1", CSeq: CSeq{1, "M"},
			MaxForwards: 1, Expires: 1, Contact: []Address{a},
			Route: []Address{a}, RecordRoute: []Address{a}, ContentType: "a/b", Other: []Header{{"X", "y"}},
		}}
	}
	lines := strings.Count(clean().String(), "\r\n")
	tried := 0
	check := func(wire string) {
		tried++
		if n := strings.Count(wire, "\r\n"); n != lines || strings.Count(wire, "\r") != n ||
			strings.Count(wire, "\n") != n {
			t.Errorf("%d lines instead of %d: %q", n, lines, wire)
		}
	}
	var visit func(v reflect.Value, wire func() string)
	visit = func(v reflect.Value, wire func() string) {
		switch v.Kind() {
		case reflect.String:
			old := v.String()
			v.SetString(evil)
			check(wire())
			v.SetString(old)
		case reflect.Struct:
			for i := range v.NumField() {
				visit(v.Field(i), wire)
			}
		case reflect.Slice:
			if v.Type().Elem().Kind() == reflect.Uint8 {
				return
			}
			for i := range v.Len() {
				visit(v.Index(i), wire)
			}
		}
	}
	req := clean()
	visit(reflect.ValueOf(req).Elem(), req.String)
	res := &Response{Status: 200, Reason: "OK", Headers: req.Headers}
	visit(reflect.ValueOf(res).Elem(), res.String)
	if tried < 100 {
		t.Errorf("only %d strings tried", tried)
	}
	if got := req.String(); got != clean().String() {
		t.Errorf("the walk left %q", got)
	}
}
