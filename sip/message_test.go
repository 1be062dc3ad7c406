package sip

import (
	"reflect"
	"slices"
	"testing"
)

func parseRequest(t *testing.T, wire string) *Request {
	t.Helper()
	req, res, err := Parse([]byte(wire))
	if err != nil || req == nil || res != nil {
		t.Fatalf("Parse(%q) = %v, %v, %v", wire, req, res, err)
	}
	return req
}

func TestNewRequest(t *testing.T) {
	req := NewRequest(OPTIONS, URI{Scheme: "sip", Host: "example.com"})
	req.Via = []Via{{Transport: "UDP", Host: "192.0.2.1", Params: ";branch=z9hG4bK1"}}
	req.From = Address{URI: URI{Scheme: "sip", User: "a", Host: "b"}, Params: ";tag=1"}
	req.To = Address{URI: URI{Scheme: "sip", User: "c", Host: "d"}}
	req.CallID, req.CSeq.Seq = "x@y", 7
	want := "OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP " +
		"192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\n" +
		"To: <sip:c@d>\r\nCall-ID: x@y\r\nCSeq: 7 OPTIONS\r\nContent-Length: 0\r\n\r\n"
	if got := req.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestNewResponse(t *testing.T) {
	req := parseRequest(t, inviteWire)
	req.Via = append(req.Via, Via{Transport: "TCP", Host: "h"})
	req.Add("Timestamp", "54")
	res := NewResponse(req, 180, "")
	if res.Status != 180 || res.Reason != "Ringing" || !slices.Equal(res.Via, req.Via) ||
		res.From != req.From || res.To != req.To ||
		res.CallID != req.CallID || res.CSeq != req.CSeq || res.MaxForwards != -1 || res.Expires != -1 ||
		res.Contact != nil || res.Other != nil || res.Body != nil {
		t.Errorf("response %+v", res)
	}
	res.Via[0].Host = "elsewhere"
	if req.Via[0].Host != "192.168.178.42" {
		t.Error("the response shares its Via with the request")
	}
	if res := NewResponse(req, 100, "Hold on"); res.Reason != "Hold on" || res.Get("Timestamp") != "54" {
		t.Errorf("100 response %+v", res)
	}
	for status, want := range map[int]string{100: "Trying", 486: "Busy Here", 299: "OK", 499: "Bad Request",
		699: "Busy Everywhere", 700: "", 0: "", -1: ""} {
		if got := ReasonPhrase(status); got != want {
			t.Errorf("ReasonPhrase(%d) = %q, want %q", status, got, want)
		}
	}
}

// A proxy alters its copy; the transaction keeps the original.
func TestClone(t *testing.T) {
	wire := "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h1, SIP/2.0/UDP h2\r\nRoute: <sip:r1>, " +
		"<sip:r2>\r\nRecord-Route: <sip:q1>\r\n" +
		"Contact: <sip:c1>\r\nFrom: <sip:f>;tag=1\r\nTo: <sip:t>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nX: " +
		"1\r\nContent-Length: 1\r\n\r\nB"
	req := parseRequest(t, wire)
	before := req.String()
	c := req.Clone()
	if !reflect.DeepEqual(c, req) {
		t.Fatalf("clone %+v of %+v", c, req)
	}
	c.Via[0].Host, c.Route[0].Star, c.RecordRoute[0].Star, c.Contact[0].Star, c.Other[0].Value,
		c.CallID = "x", true, true, true, "2", "2"
	c.Via = append(c.Via, Via{})
	if got := req.String(); got != before {
		t.Errorf("the original changed: %q", got)
	}
	_, res, err := Parse([]byte(okWire))
	if err != nil {
		t.Fatal(err)
	}
	before = res.String()
	d := res.Clone()
	d.Via[0].Host, d.Status = "x", 500
	if got := res.String(); got != before {
		t.Errorf("the original changed: %q", got)
	}
}
