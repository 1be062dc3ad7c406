package sip

import (
	"fmt"
	"strings"
	"testing"
)

const oddResponse = "SIP/2.0 200 OK\r\n" +
	"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\n" +
	"From: <sip:door@example.net>;tag=1\r\n" +
	"To: <sip:610@example.com>;tag=2\r\n" +
	"Call-ID: c@192.0.2.1\r\n" +
	"CSeq: 8 INVITE\r\n" +
	"Contact: <sip:610@192.0.2.7>\r\n" +
	"Content-Length: 4\r\n" +
	"\r\n" +
	"body"

// A response is read as long as its transaction and its body are known (RFC 3261 §18.3); what is odd is told.
// Sources of some: SIP.js issues 419 and 560, JsSIP 698, linphone-android 1366, Metaswitch sprout 373.
func TestOddResponses(t *testing.T) {
	contact := func(r *Response) any { return fmt.Sprint(r.Contact) }
	body := func(r *Response) any { return string(r.Body) }
	own := "<sip:610@192.0.2.7>"
	for _, tt := range []struct {
		old, new string
		check    func(*Response) any
		want     any
	}{
		// Contact: one value costs that value, all of them the field.
		{own, own + ";", contact, "[<sip:610@192.0.2.7>]"},
		{own, own + ";;x=1;=;+y=\"<z>\";", contact, `[<sip:610@192.0.2.7>;x=1;+y="<z>"]`},
		{own, "< sip:610@192.0.2.7 >", contact, "[<sip:610@192.0.2.7>]"},
		{own, `"Kitchen <sip:610@192.0.2.7>`, contact, `["Kitchen" <sip:610@192.0.2.7>]`},
		{own, "Doe, Jane " + own, contact, `["Jane" <sip:610@192.0.2.7>]`},
		{own, "<sip:living room@192.0.2.9>;expires=60, " + own, contact, "[<sip:610@192.0.2.7>]"},
		{own, own + ";expires=390,: <sip:r2@x.invalid;transport=ws>;expires=30", contact,
			`[<sip:610@192.0.2.7>;expires=390 ":" <sip:r2@x.invalid;transport=ws>;expires=30]`},
		{own, own + `,<sip:192.0.2.8:443;transport=wss;thinfo="VG8+/BCEaSdGA=">`, contact,
			"[<sip:610@192.0.2.7>]"},
		{own, own + ";expires=60,<sip:a.b@x.x.x.x>;expires=25,24 May 2018 05:52:55 GMT", contact,
			"[<sip:610@192.0.2.7>;expires=60 <sip:a.b@x.x.x.x>;expires=25]"},
		{own, own + ", *", contact, "[<sip:610@192.0.2.7>]"},
		{own, "<sip:610@fe80::1>", contact, "[<sip:610@[fe80::1]>]"},
		{own, "<sip:610@2001:db8:0:0:0:0:0:1:5070;lr>", contact, "[<sip:610@[2001:db8::1]:5070;lr>]"},
		{own, "", contact, "[]"},
		{own, "<>", contact, "[]"},
		{own, "<610@192.0.2.7>", contact, "[]"},
		{own, "<sip:610@192.0.2.7:0>", contact, "[]"},
		{own, "sip:610@192.0.2.7?a=b;x", contact, "[]"},
		// Other fields that may be absent.
		{"Contact: ", "Record-Route:\r\nContact: ", contact, "[<sip:610@192.0.2.7>]"},
		{"Contact: ", "Record-Route: <sip:p1;lr>,,<sip:p2;lr>\r\nContact: ",
			func(r *Response) any { return fmt.Sprint(r.RecordRoute) }, "[<sip:p1;lr> <sip:p2;lr>]"},
		{"Contact: ", "Max-Forwards: many\r\nContact: ", func(r *Response) any { return r.MaxForwards }, -1},
		{"Contact: ", "Expires: 300\r\nExpires: 300\r\nContact: ", func(r *Response) any { return r.Expires }, 300},
		{"Contact: ", "Expires: 300\r\nExpires: 60\r\nContact: ",
			func(r *Response) any { return r.Expires }, 300},
		{"Contact: ", "Content-Type:\r\nContact: ", func(r *Response) any { return r.ContentType }, ""},
		{"Contact: ", "CSeq: 8 INVITE\r\nContact: ", func(r *Response) any { return r.CSeq.Seq }, uint32(8)},
		{"Content-Length: 4", "Content-Length: 4\r\nl: 4", body, "body"},
		{"Content-Length: 4", "Content-Length: -4", body, "body"},
		{"Content-Length: 4", "Content-Length:", body, "body"},
		// What names the transaction is read as far as it goes.
		{"Via: ", "Via: SIP/2.0/UDP fe80::1:20000;branch=z9hG4bK0\r\nVia: ",
			func(r *Response) any { return r.Via[0].Branch() + r.Via[0].Host }, "z9hG4bK0[fe80::1]"},
		{"From: ", "Via: SIP/2.0/UDP\r\nFrom: ", func(r *Response) any { return len(r.Via) }, 1},
		{"From: ", "From: Doe, Jane ", func(r *Response) any { return r.From.Tag() }, "1"},
		{"To: ", `To: "Kitchen `, func(r *Response) any { return r.To.Tag() }, "2"},
		{"tag=2", "tag=2;;", func(r *Response) any { return r.To.Tag() }, "2"},
		{"example.com>;tag=2", "2001:db8::1>;tag=2", func(r *Response) any { return r.To.URI.Host },
			"[2001:db8::1]"},
		// Lines.
		{"Contact: ", "X-Strange line without colon\r\nContact: ", contact, "[<sip:610@192.0.2.7>]"},
		{"Contact: ", ": x\r\nX A: 1\r\nX/B: 2\r\nContact: ", contact, "[<sip:610@192.0.2.7>]"},
		{"Contact: ", "Subject: a\nContact: ", contact, "[<sip:610@192.0.2.7>]"},
		{"Contact: ", "Subject: a\rb\r\nContact: ", func(r *Response) any { return r.Get("Subject") }, "a b"},
		{"SIP/2.0 200", "\uFEFFSIP/2.0 200", contact, "[<sip:610@192.0.2.7>]"},
	} {
		wire := strings.Replace(oddResponse, tt.old, tt.new, 1)
		_, res, err := Parse([]byte(wire))
		if wire == oddResponse || err != nil {
			t.Errorf("%q: %v", tt.new, err)
			continue
		}
		if got := tt.check(res); got != tt.want {
			t.Errorf("%q: got %v, want %v", tt.new, got, tt.want)
		}
		if len(res.Odd) == 0 && !strings.HasPrefix(tt.new, "\uFEFF") && !strings.Contains(tt.new, ",: ") {
			t.Errorf("%q: nothing is told", tt.new)
		}
		roundTrip(t, nil, res)
	}
	lf := strings.ReplaceAll(oddResponse, "\r\n", "\n")
	if _, res, err := Parse([]byte(lf)); err != nil || string(res.Body) != "body" || len(res.Odd) != 1 {
		t.Errorf("lines that end with LF: %v, %v", res, err)
	}
}

// What makes a response void (RFC 3261 §18.3, §17.1.3).
func TestVoidResponses(t *testing.T) {
	for old, new := range map[string]string{
		"Length: 4": "Length: 5", "Via: ": "X-Via: ", "From: ": "X: ", "To: ": "X: ", "Call-ID: ": "X: ",
		"CSeq: ": "X: ", "CSeq: 8": "CSeq: x", "8 INVITE": "8", "Call-ID: c@192.0.2.1": "Call-ID:",
		"SIP/2.0/UDP 192": "SIP/2.0/UDP ,192", "<sip:610@example.com>;tag=2": "610;tag=2", "200 OK": "2x0 OK",
	} {
		wire := strings.Replace(oddResponse, old, new, 1)
		if _, res, err := Parse([]byte(wire)); err == nil || wire == oddResponse {
			t.Errorf("%q: %v", new, res)
		}
	}
}

// A request is read where the odd part is nothing that RFC 4475 wants refused. Sources of some: janus-gateway
// issue 3164, ringcentral-web-phone 104, pjproject 2417, kamailio 2646, Telephone 644.
func TestOddRequests(t *testing.T) {
	from := func(r *Request) any { return r.From.URI.User + "|" + r.From.DisplayName + "|" + r.From.Tag() }
	contact := func(r *Request) any { return fmt.Sprint(r.Contact) }
	for _, tt := range []struct {
		old, new string
		check    func(*Request) any
		want     any
		told     bool
	}{
		{"<sip:a@", `"Jane "J" Doe" <sip:a@`, from, `a|Jane "J" Doe|1`, false},
		{"<sip:a@", "sip:610 <sip:a@", from, "a|sip:610|1", false},
		{"<sip:a@", "<sip:Türe@", from, "Türe||1", false},
		{"<sip:a@", "<sip:T\xFCr@", from, "T\xFCr||1", false},
		{"<sip:a@", "<sip:@", from, "||1", false},
		{"<sip:a@example.net>", "<tel:0039-06;phone-context=+39>",
			func(r *Request) any { return r.From.URI.Number() }, "003906", false},
		{"sip:u@example.com SIP", "tel:460010120073501;phone-context=ims.example SIP",
			func(r *Request) any { return r.URI.Opaque }, "460010120073501;phone-context=ims.example", false},
		{"sip:u@example.com SIP", "sip:tür^1|2%zz@example.com SIP",
			func(r *Request) any { return r.URI.Username() }, "tür^1|2%zz", false},
		{"sip:u@example.com SIP", "sip:u@[fe80::1%25eth0]:5062 SIP",
			func(r *Request) any { return r.URI.String() }, "sip:u@[fe80::1]:5062", false},
		{"Call-ID: c@192.0.2.1", "Call-ID: c d", func(r *Request) any { return r.CallID }, "c d", false},
		{"CSeq: 8", "CSeq: 3994029403", func(r *Request) any { return r.CSeq.Seq }, uint32(3994029403), false},
		{"8 OPTIONS", "8 options", func(r *Request) any { return r.CSeq.Method }, OPTIONS, false},
		{"To:", "Max-Forwards: 70\r\nTo:", func(r *Request) any { return r.MaxForwards }, 70, true},
		{"To:", "Expires: 5\r\nExpires: 5\r\nTo:", func(r *Request) any { return r.Expires }, 5, true},
		{"To:", "Content-Type: a/b\r\nc: a/b\r\nTo:", func(r *Request) any { return r.ContentType }, "a/b", true},
		{"To:", "L: 4\r\nTo:", func(r *Request) any { return string(r.Body) }, "body", true},
		{"To:", "Content-Type:\r\nTo:", func(r *Request) any { return r.ContentType }, "", true},
		{"To:", "Contact: \"Joe\" <sip:joe@example.org>;;;;\r\nTo:", contact,
			`["Joe" <sip:joe@example.org>]`, true},
		{"To:", "Contact: sip:u@e.com?Route=%3Csip:e.com%3E\r\nTo:", contact, "[]", true},
		{"To:", "Contact: <sip:a@b>\r\nContact: *\r\nTo:", contact, "[<sip:a@b>]", true},
		{"To:", "Route:\r\nTo:", func(r *Request) any { return len(r.Route) }, 0, true},
		{"To:", "Route: *\r\nTo:", func(r *Request) any { return len(r.Route) }, 0, true},
		{"To:", "Route: <sip:a>,\r\nTo:", func(r *Request) any { return fmt.Sprint(r.Route) }, "[<sip:a>]", true},
		{"To:", "Record-Route: sip:a?b\r\nTo:", func(r *Request) any { return len(r.RecordRoute) }, 0, true},
		{"To:", "no colon\r\n: x\r\nbad name: x\r\nTo:", func(r *Request) any { return len(r.Odd) }, 3, true},
	} {
		wire := strings.Replace(baseWire, tt.old, tt.new, 1)
		req, _, err := Parse([]byte(wire))
		if wire == baseWire || err != nil {
			t.Errorf("%q: %v", tt.new, err)
			continue
		}
		if got := tt.check(req); got != tt.want || len(req.Odd) > 0 != tt.told {
			t.Errorf("%q: got %v, odd %q, want %v", tt.new, got, req.Odd, tt.want)
		}
		roundTrip(t, req, nil)
	}
	lf := strings.ReplaceAll(baseWire, "\r\n", "\n")
	if req, _, err := Parse([]byte(lf)); err != nil || len(req.Odd) != 1 {
		t.Errorf("lines that end with LF: %v, %v", req, err)
	}
}

// A REGISTER is about its Contact: half of it would bind something else (RFC 4475 §3.1.2.13); and an IPv6
// address in a Request-URI keeps its brackets (RFC 5118 §4.2).
func TestOddRequestsRefused(t *testing.T) {
	register := strings.ReplaceAll(baseWire, OPTIONS, REGISTER)
	for _, contact := range []string{"", "sip:user@example.com?Route=x", "*, <sip:a@b>",
		"<sip:a@b>\r\nContact: *",
		"<sip:a@b>, <>", "<sip:a b@c>"} {
		refused(t, strings.Replace(register, "To:", "Contact: "+contact+"\r\nTo:", 1), 400, true)
	}
	refused(t, strings.Replace(register, "sip:u@example.com SIP", "sip:2001:db8::10 SIP", 1), 400, true)
}

// The list of oddities is bounded however odd a message is.
func TestOddIsBounded(t *testing.T) {
	junk := strings.Repeat(strings.Repeat("x", 200)+"\r\n", 200)
	wire := strings.Replace(oddResponse, "Contact: ", junk+"Contact: ", 1)
	_, res, err := Parse([]byte(wire))
	if err != nil || len(res.Odd) != maxOdd || len(strings.Join(res.Odd, "")) > 200*maxOdd {
		t.Fatalf("%q, %v", res.Odd, err)
	}
}

func TestTelURIs(t *testing.T) {
	for _, tt := range []struct {
		a, b  string
		equal bool
	}{
		{"tel:+1-201-555-0123", "tel:+12015550123", true},
		{"tel:+1(201)555.0123;ext=1;isub=2", "TEL:+12015550123;isub=2;EXT=1", true},
		{"tel:7042;phone-context=example.com", "tel:7042;phone-context=EXAMPLE.com", true},
		{"tel:7042;phone-context=example.com", "tel:7042", false},
		{"tel:7042", "tel:7042;phone-context=example.com", false},
		{"tel:7042", "tel:7043", false},
		{"tel:7042", "sip:7042@h", false},
	} {
		a, err1 := ParseURI(tt.a)
		b, err2 := ParseURI(tt.b)
		if err1 != nil || err2 != nil || a.Equal(b) != tt.equal {
			t.Errorf("%q, %q: %v, %v, equal %v", tt.a, tt.b, err1, err2, a.Equal(b))
		}
	}
}
