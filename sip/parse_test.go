package sip

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The message that the tests below break in one place.
const baseWire = "OPTIONS sip:u@example.com SIP/2.0\r\n" +
	"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\n" +
	"Max-Forwards: 70\r\n" +
	"From: <sip:a@example.net>;tag=1\r\n" +
	"To: <sip:u@example.com>\r\n" +
	"Call-ID: c@192.0.2.1\r\n" +
	"CSeq: 8 OPTIONS\r\n" +
	"Content-Length: 4\r\n" +
	"\r\n" +
	"body"

func TestParseRequest(t *testing.T) {
	req := parseRequest(t, inviteWire)
	want := &Request{
		Method: "INVITE", URI: URI{Scheme: "sip", User: "**9", Host: "fritz.box"},
		Headers: Headers{
			Via: []Via{{"UDP", "192.168.178.42", 5060, ";branch=z9hG4bK3a6f8cd70a0fbb1c;rport"}},
			From: Address{DisplayName: "Front Door", URI: URI{Scheme: "sip", User: "620", Host: "fritz.box"},
				Params: ";tag=0d1f2a3b4c5d6e7f"},
			To:     Address{URI: URI{Scheme: "sip", User: "**9", Host: "fritz.box"}},
			CallID: "6f1f8a0f0d6a4b2c9e8d7c6b5a493827", CSeq: CSeq{21344, "INVITE"}, MaxForwards: 70,
			Expires: -1,
			Contact: []Address{{
				URI: URI{Scheme: "sip", User: "front-door-0x1a2b3c", Host: "192.168.178.42", Port: 5060,
					Params: ";transport=udp"},
				Params: `;+sip.instance="<urn:uuid:6a0fcb1e-8d22-4f8e-9d0c-9f2a5f1f1b2c>"`}},
			ContentType: "application/sdp",
			Other: []Header{
				{"User-Agent", "baresip v3.20.0 (aarch64/Linux)"},
				{"Allow", "INVITE,ACK,BYE,CANCEL,OPTIONS,NOTIFY,INFO,MESSAGE,UPDATE,REFER"},
				{"Supported", "gruu,replaces,norefersub,timer"}, {"Session-Expires", "1800;refresher=uas"},
				{"Min-SE", "90"},
			},
		},
		Body: []byte(inviteSDP),
	}
	if !reflect.DeepEqual(req, want) {
		t.Errorf("got  %+v\nwant %+v", req, want)
	}
}

func TestParseResponse(t *testing.T) {
	for _, tt := range []struct {
		line   string
		status int
		reason string
	}{
		{"SIP/2.0 200 OK", 200, "OK"}, {"sip/2.0 100 ", 100, ""}, {"SIP/2.0 100", 100, ""},
		{"SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое", 200,
			"= 2**3 * 5**2 но сто девяносто девять - простое"},
		{"SIP/2.0 699 x", 699, "x"},
	} {
		wire := strings.Replace(baseWire, "OPTIONS sip:u@example.com SIP/2.0", tt.line, 1)
		req, res, err := Parse([]byte(wire))
		if err != nil || req != nil || res.Status != tt.status || res.Reason != tt.reason ||
			string(res.Body) != "body" || res.CSeq != (CSeq{8, "OPTIONS"}) {
			t.Errorf("%q: %v, %+v, %v", tt.line, req, res, err)
		}
	}
	for _, line := range []string{
		"SIP/2.0 4294967301 better not break the receiver", "SIP/2.0 99 x", "SIP/2.0 099 x", "SIP/2.0 700 x",
		"SIP/2.0  200 OK", "SIP/2.0 +20 OK", "SIP/2.0 20 OK",
		"SIP/3.0 200 OK", "SIP/2.0", "SIP/2.0 2000 OK",
	} {
		refused(t, strings.Replace(baseWire, "OPTIONS sip:u@example.com SIP/2.0", line, 1), 400, false)
	}
	response := strings.Replace(baseWire, "OPTIONS sip:u@example.com SIP/2.0", "SIP/2.0 503 x", 1)
	refused(t, strings.Replace(response, "CSeq: 8", "CSeq: 9292394834772304023312", 1), 400, false)
	refused(t, strings.Replace(response, "Length: 4", "Length: 5", 1), 400, false)
}

// refused checks the status of a refusal, and whether the request comes with it to be answered.
func refused(t *testing.T, wire string, status int, answerable bool) {
	t.Helper()
	req, res, err := Parse([]byte(wire))
	var e *ParseError
	if !errors.As(err, &e) || e.Status != status || e.Reason == "" || e.Err == nil || res != nil {
		t.Errorf("%q: %v, %v, %v, want status %d", wire, req, res, err, status)
	} else if (req != nil) != answerable {
		t.Errorf("%q: request %v, want it: %v (%v)", wire, req, answerable, err)
	} else if req != nil {
		out := NewResponse(req, e.Status, e.Reason).String()
		if _, again, err := Parse([]byte(out)); err != nil || again.CSeq != req.CSeq ||
			again.CallID != req.CallID || len(again.Via) != len(req.Via) {
			t.Errorf("%q: the answer %q is no response: %v", wire, out, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct {
		old, new   string
		status     int
		answerable bool
	}{
		// Start line.
		{"OPTIONS sip:", "OPTIONS  sip:", 400, true},
		{".com SIP/2.0", ".com  SIP/2.0", 400, true},
		{"SIP/2.0\r\nVia", "SIP/2.0  \r\nVia", 400, true},
		{"OPTIONS sip:", " OPTIONS sip:", 400, true},
		{"sip:u@example.com SIP", "<sip:u@example.com> SIP", 400, true},
		{"sip:u@example.com SIP", "sip:u@example.com; lr SIP", 400, true},
		{"sip:u@example.com SIP", "sip:u@example.com?Route=%3Csip:example.com%3E SIP", 400, true},
		{"sip:u@example.com SIP", "u@example.com SIP", 400, true},
		{"sip:u@example.com SIP", "sip:u@exa mple.com SIP", 400, true},
		{"sip:u@example.com SIP", "* SIP", 400, true},
		{"SIP/2.0\r\nVia", "SIP/7.0\r\nVia", 505, true},
		{"SIP/2.0\r\nVia: SIP/2.0", "SIP/7.0\r\nVia: SIP/7.0", 505, true},
		{"SIP/2.0\r\nVia", "HTTP/1.1\r\nVia", 400, true},
		{"SIP/2.0\r\nVia", "\r\nVia", 400, true},
		{"OPTIONS", "OPT@IONS", 400, true},
		{"Via: SIP/2.0", "Via: SIP/7.0", 400, false},
		// Mandatory fields, and those that may occur once.
		{"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\n", "", 400, false},
		{"From: <sip:a@example.net>;tag=1\r\n", "", 400, false},
		{"To: <sip:u@example.com>\r\n", "", 400, false},
		{"Call-ID: c@192.0.2.1\r\n", "", 400, false},
		{"CSeq: 8 OPTIONS\r\n", "", 400, false},
		{"CSeq: 8", "CSeq: 59 OPTIONS\r\nCSeq: 8", 400, true},
		{"To:", "t: <sip:x@y>\r\nTo:", 400, true},
		{"To:", "From: <sip:x@y>;tag=2\r\nTo:", 400, true},
		{"To:", "i: z\r\nTo:", 400, true},
		{"To:", "Max-Forwards: 5\r\nTo:", 400, true},
		{"To:", "Expires: 5\r\nExpires: 6\r\nTo:", 400, true},
		{"To:", "Content-Type: a/b\r\nc: a/c\r\nTo:", 400, true},
		{"To:", "L: 3\r\nTo:", 400, true},
		{"CSeq: 8", "CSeq: 4294967296", 400, false},
		{"To: <sip:u@example.com>", "To: <sip:u@example.com>, <sip:v@example.com>", 400, false},
		{"From: <sip:a@example.net>;tag=1", "From: *", 400, false},
		// Numbers.
		{"Content-Length: 4", "Content-Length: 5", 400, true},
		{"Content-Length: 4", "Content-Length: -999", 400, true},
		{"Content-Length: 4", "Content-Length: 4x", 400, true},
		{"Content-Length: 4", "Content-Length:", 400, true},
		{"Content-Length: 4", "Content-Length: 18446744073709551620", 400, true},
		{"CSeq: 8", "CSeq: 36893488147419103232", 400, false},
		{"CSeq: 8", "CSeq: -8", 400, false},
		{"CSeq: 8 ", "CSeq: 8", 400, false},
		{"CSeq: 8 OPTIONS", "CSeq: 8", 400, false},
		{"CSeq: 8 OPTIONS", "CSeq: 8 OPTIONS x", 400, false},
		{"CSeq: 8 OPTIONS", "CSeq: 8 INVITE", 400, true},
		{"Max-Forwards: 70", "Max-Forwards: 300", 400, true},
		{"Max-Forwards: 70", "Max-Forwards: -1", 400, true},
		{"Max-Forwards: 70", "Max-Forwards: many", 400, true},
		// Values.
		{";branch=z9hG4bK1", ";;,;,,", 400, false},
		{";branch=z9hG4bK1", ",", 400, false},
		{"Via:", "Via: SIP/2.0/UDP\r\nVia:", 400, false},
		{"To: <sip:u@example.com>", `To: "Mr. J. User <sip:j.user@example.com>`, 400, false},
		{"To: <sip:u@example.com>", `To: "Watson, Thomas" < sip:t.watson@example.org >`, 400, false},
		{"From: <sip:a", "From: Bell, Alexander <sip:a", 400, false},
		{"Call-ID: c@192.0.2.1", "Call-ID: ", 400, false},
		// Lines.
		{"To:", "Subject: a\nTo:", 400, false},
		{"To:", "Subject: a\rb\r\nTo:", 400, false},
		{"To:", "Subject: a\r\r\nTo:", 400, false},
		{"Call-ID: c", "Subject: a\nCall-ID: c\rd", 400, false},
		{"CSeq: 8 OPTIONS\r\n", "X: a\n\r\nCSeq: 8 OPTIONS\r\nX: \r\r\n", 400, false},
		{"\r\n\r\nbody", "\r\nSubject: a\rb\r\n", 400, false},
		{"\r\n\r\nbody", "\r\n", 400, true},
		{"\r\n\r\nbody", "", 400, true},
		{"\r\n\r\nbody", "\n\nbody", 400, true},
		{"body", "bod", 400, true},
		{"To:", strings.Repeat("X: y\r\n", 300) + "To:", 513, false},
		{"To:", "Contact: " + strings.Repeat("<sip:a@b>,", 200) + "<sip:c@d>\r\nTo:", 400, true},
		{"body", strings.Repeat("b", MaxMessageSize), 513, true},
	} {
		if strings.Count(baseWire, tt.old) == 0 {
			t.Fatalf("%q is not in the message", tt.old)
		}
		refused(t, strings.Replace(baseWire, tt.old, tt.new, 1), tt.status, tt.answerable)
	}
	for _, junk := range []string{"x", "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"\x00\x01\x00\x08\x21\x12\xA4\x42", "\r\n \r\n", "SIP/2.0", "INVITE"} {
		refused(t, junk, 400, false)
	}
}

// What is unusual and still right; the RFC 4475 cases that are upper layers' to judge are here too: unknown
// methods, schemes, transports, extensions, a Max-Forwards of 0, a Via without cookie, a Date that is not
// GMT.
func TestParseAccepts(t *testing.T) {
	for _, tt := range []struct {
		old, new string
		check    func(*Request) any
		want     any
	}{
		{"OPTIONS sip:u@", "\r\n\r\nOPTIONS sip:u@", func(r *Request) any { return r.Method }, "OPTIONS"},
		{" SIP/2.0\r\nVia", " sip/2.0\r\nVia", func(r *Request) any { return r.URI.Host }, "example.com"},
		{"sip:u@example.com SIP", "nobodyKnowsThisScheme:totallyopaquecontent SIP",
			func(r *Request) any { return r.URI }, URI{Scheme: "nobodyknowsthisscheme",
				Opaque: "totallyopaquecontent"}},
		{"Max-Forwards: 70", "mAX-fORWARDS  :\t0068 ", func(r *Request) any { return r.MaxForwards }, 68},
		{"Max-Forwards: 70\r\n", "", func(r *Request) any { return r.MaxForwards }, -1},
		{"Max-Forwards: 70", "Max-Forwards: 0", func(r *Request) any { return r.MaxForwards }, 0},
		{"Max-Forwards: 70", "Max-Forwards: 255", func(r *Request) any { return r.MaxForwards }, 255},
		{"CSeq: 8 OPTIONS", "CSeq: 0009\r\n \t OPTIONS", func(r *Request) any { return r.CSeq },
			CSeq{9, "OPTIONS"}},
		{"CSeq: 8", "CSeq: 2147483647", func(r *Request) any { return r.CSeq.Seq }, uint32(1<<31 - 1)},
		{"To:", "TO :\r\n", func(r *Request) any { return r.To.URI.User }, "u"},
		{"To: <sip:u@example.com>", "t: sip:u@example.com ;\r\n tag    = 1918181833n",
			func(r *Request) any { return r.To },
			Address{URI: URI{Scheme: "sip", User: "u", Host: "example.com"}, Params: ";tag=1918181833n"}},
		{"From: ", "f: \"J Rosenberg \\\\\\\"\" ", func(r *Request) any { return r.From.DisplayName },
			`J Rosenberg \"`},
		{"From: ", "From: \"a\r\n b\" ", func(r *Request) any { return r.From.DisplayName }, "a b"},
		{"Call-ID: c", "i :  c", func(r *Request) any { return r.CallID }, "c@192.0.2.1"},
		{"Via: ", "v:  SIP  / 2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw,  SIP/2.0/UNKNOWN h ; " +
			"x\r\nVIA: ", func(r *Request) any { return fmt.Sprint(r.Via) },
			"[SIP/2.0/UDP 192.0.2.2;branch=390skdjuw SIP/2.0/UNKNOWN h;x SIP/2.0/UDP " +
				"192.0.2.1:5060;branch=z9hG4bK1]"},
		{";branch=z9hG4bK1", ";branch=z9hG4bK", func(r *Request) any { return r.Via[0].Branch() }, "z9hG4bK"},
		{";branch=z9hG4bK1", "", func(r *Request) any { return r.Via[0].Branch() }, ""},
		{"To:", "m: <sip:a@b>;q=1, \"c, d\" <sip:e@f>\r\nContact: g<sip:h@i>\r\nTo:",
			func(r *Request) any { return fmt.Sprint(r.Contact) },
			`[<sip:a@b>;q=1 "c, d" <sip:e@f> "g" <sip:h@i>]`},
		{"To:", "Contact: *\r\nTo:", func(r *Request) any { return r.Contact[0].Star }, true},
		{"To:", "Contact: <sip:u@e.com?Route=%3Csip:x%3E>\r\nTo:",
			func(r *Request) any { return r.Contact[0].URI.Headers }, "Route=%3Csip:x%3E"},
		{"To:", "Contact: sip:u@e.com;unknownparam\r\nTo:",
			func(r *Request) any { return r.Contact[0].Params }, Params(";unknownparam")},
		{"To:", "Contact: <sip:u@e.com;unknownparam>\r\nTo:",
			func(r *Request) any { return r.Contact[0].URI.Params }, Params(";unknownparam")},
		{"To:", "Record-Route: <sip:q1;lr>\r\nRoute: <sip:r1;lr>,<sip:r2>\r\nRecord-Route: " +
			"<sip:q2>\r\nRoute: <sip:r3>\r\nTo:",
			func(r *Request) any { return fmt.Sprint(r.Route, r.RecordRoute) },
			"[<sip:r1;lr> <sip:r2> <sip:r3>] [<sip:q1;lr> <sip:q2>]"},
		{"To:", "Expires: 10000000000000000000000000000000000000\r\nTo:",
			func(r *Request) any { return r.Expires }, 1<<31 - 1},
		{"To:", "Expires: Thu, 01 Dec 1994 16:00:00 GMT\r\nTo:", func(r *Request) any { return r.Expires },
			3600},
		{"To:", "Expires: 0\r\nTo:", func(r *Request) any { return r.Expires }, 0},
		{"To:", "Date: Fri, 01 Jan 2010 16:00:00 EST\r\nTo:", func(r *Request) any { return r.Get("Date") },
			"Fri, 01 Jan 2010 16:00:00 EST"},
		{"To:", "s :\r\nTo:", func(r *Request) any { return r.Other[0] }, Header{"Subject", ""}},
		{"To:", "NewFangledHeader:   newfangled value\r\n continued newfangled value\r\nTo:",
			func(r *Request) any { return r.Get("newfangledheader") },
			"newfangled value continued newfangled value"},
		{"To:", "UnknownHeaderWithUnusualValue: ;;,,;;,;\r\nTo:",
			func(r *Request) any { return r.Get("UnknownHeaderWithUnusualValue") }, ";;,,;;,;"},
		{"To:", "extensionHeader-!.%*+_`'~:\xEF\xBB\xBF大停電\r\nTo:",
			func(r *Request) any { return r.Get("extensionHeader-!.%*+_`'~") }, "\uFEFF大停電"},
		{"To:", "Require: nothing, other\r\nProxy-Require: x\r\nTo:",
			func(r *Request) any { return r.HasToken("Require", "OTHER") }, true},
		{"To:", "Authorization: NoOneKnowsThisScheme opaque-data=here\r\nTo:",
			func(r *Request) any { return r.Get("Authorization") }, "NoOneKnowsThisScheme opaque-data=here"},
		{"To:", "c: application/unknownformat\r\nTo:", func(r *Request) any { return r.ContentType },
			"application/unknownformat"},
		{"Length: 4", "Length: 3", func(r *Request) any { return string(r.Body) }, "bod"},
		{"Length: 4", "Length: 000", func(r *Request) any { return r.Body == nil }, true},
		{"Content-Length: 4\r\n", "", func(r *Request) any { return string(r.Body) }, "body"},
		{"Content-Length: 4", "L:4", func(r *Request) any { return string(r.Body) }, "body"},
		{"body", "bodyINVITE sip:joe@example.com SIP/2.0\r\n", func(r *Request) any { return string(r.Body) },
			"body"},
		{"body", "\x00\r\n\r", func(r *Request) any { return string(r.Body) }, "\x00\r\n\r"},
	} {
		if strings.Count(baseWire, tt.old) == 0 {
			t.Fatalf("%q is not in the message", tt.old)
		}
		req := parseRequest(t, strings.Replace(baseWire, tt.old, tt.new, 1))
		if got := tt.check(req); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: got %v, want %v", tt.new, got, tt.want)
		}
		roundTrip(t, req, nil)
	}
	// A method may be any token (RFC 3261 §25.1), and long values are values.
	method := "!odd-Method0123456789_*+`.%ind'~"
	req := parseRequest(t, strings.ReplaceAll(baseWire, "OPTIONS", method))
	if req.Method != method || req.CSeq.Method != method {
		t.Errorf("method %q, %q", req.Method, req.CSeq.Method)
	}
	long := strings.Repeat("longvalue", 900)
	req = parseRequest(t, strings.Replace(strings.Replace(baseWire, "tag=1", "tag="+long, 1), "sip:u@",
		"sip:"+long+"@", 1))
	if req.From.Tag() != long || req.URI.User != long {
		t.Error("long values are cut")
	}
	var vias []string
	for i := range 40 {
		vias = append(vias, fmt.Sprintf("SIP/2.0/TCP h%d;branch=z9hG4bK%d", i, i))
	}
	req = parseRequest(t, strings.Replace(baseWire, "Via: ", "Via: "+strings.Join(vias, ",")+"\r\nVia: ", 1))
	if len(req.Via) != 41 || req.Via[39].Host != "h39" || req.Via[40].Host != "192.0.2.1" {
		t.Errorf("%d Vias: %v", len(req.Via), req.Via)
	}
}

func TestParseKeepAlive(t *testing.T) {
	for _, s := range []string{"", "\r\n", "\r\n\r\n", "\x00\x00\x00\x00", "\n"} {
		if req, res, err := Parse([]byte(s)); err != ErrKeepAlive || req != nil || res != nil {
			t.Errorf("Parse(%q) = %v, %v, %v", s, req, res, err)
		}
	}
}

// The receive buffer is used again at once.
func TestParseCopies(t *testing.T) {
	data := []byte(inviteWire)
	req, _, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	want := req.String()
	for i := range data {
		data[i] = 'X'
	}
	if got := req.String(); got != want {
		t.Errorf("the message changed with the buffer: %q", got)
	}
}

// A message cut short anywhere is refused; one with any byte missing (in the shortest: altered) is refused or
// survives a round trip.
func TestParseMutations(t *testing.T) {
	for _, wire := range []string{inviteWire, registerWire, okWire, baseWire} {
		for n := range len(wire) {
			req, res, err := Parse([]byte(wire[:n]))
			if err == nil || n > 0 && err == ErrKeepAlive {
				t.Fatalf("%q: %v, %v, %v", wire[:n], req, res, err)
			}
			survives(t, wire[:n]+wire[n+1:])
			if len(wire) > len(baseWire) {
				continue
			}
			for _, c := range "\r\n \",;:<>@%\x00[]=\xFF0" {
				survives(t, wire[:n]+string(byte(c))+wire[n+1:])
			}
		}
	}
}

func survives(t *testing.T, wire string) {
	t.Helper()
	req, res, err := Parse([]byte(wire))
	if err == nil {
		roundTrip(t, req, res)
	} else if res != nil {
		t.Fatalf("%q: a response with the error %v", wire, err)
	} else if req != nil {
		NewResponse(req, 400, "").Append(nil)
	}
}

// roundTrip checks that a message reads as it was written.
func roundTrip(t *testing.T, req *Request, res *Response) {
	t.Helper()
	var wire []byte
	if req != nil {
		req.Odd = nil
		wire = req.Append(nil)
	} else {
		res.Odd = nil
		wire = res.Append(nil)
	}
	req2, res2, err := Parse(wire)
	if err != nil || !reflect.DeepEqual(req2, req) || !reflect.DeepEqual(res2, res) {
		t.Fatalf("%q: %v\ngot  %+v %+v\nfrom %+v %+v", wire, err, req2, res2, req, res)
	}
	var f Framer
	if _, err := f.Write(wire); err != nil {
		t.Fatal(err)
	}
	if msg, err := f.Next(); err != nil || !slices.Equal(msg, wire) {
		t.Fatalf("%q: framed as %q, %v", wire, msg, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{inviteWire, registerWire, okWire, baseWire, "\r\n\r\n", "SIP/2.0 100 \r\n"} {
		f.Add([]byte(s))
	}
	f.Add([]byte("INVITE sip:[::1];a=b?c=d SIP/2.0\r\nv: SIP / 2.0 / tcp h : 1 ; x = \"y\\\"\" , " +
		"SIP/2.0/UDP [::1]\r\nf:a b<tel:1>;tag=x\r\n" +
		"t:sip:%41:b@c\r\ni:x\r\nCSeq: 1\r\n INVITE\r\nm:*\r\nk:a,b\r\nRoute:<sip:x;lr>,\"\\\x00\" " +
		"<sip:y>\r\nExpires: x\r\nl: 1\r\n\r\nab"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > MaxMessageSize/2 {
			return // its long form may be over the limit
		}
		survives(t, string(data))
	})
}
