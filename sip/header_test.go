package sip

import (
	"slices"
	"testing"
	"time"
)

func TestHeaders(t *testing.T) {
	var h Headers
	h.Add("supported", "outbound")
	h.Add("X-Door", "1")
	h.Add("k", "path,  Gruu")
	h.Add("SUBJECT", "bell")
	if want := []Header{{"Supported", "outbound"}, {"X-Door", "1"}, {"Supported", "path,  Gruu"},
		{"Subject", "bell"}}; !slices.Equal(h.Other, want) {
		t.Fatalf("Other = %q, want %q", h.Other, want)
	}
	for name, want := range map[string]string{"Supported": "outbound", "K": "outbound", "x-door": "1",
		"s": "bell", "Via": "", "": "", "X": ""} {
		if got := h.Get(name); got != want {
			t.Errorf("Get(%q) = %q, want %q", name, got, want)
		}
	}
	if got := h.Values("k"); !slices.Equal(got, []string{"outbound", "path,  Gruu"}) {
		t.Errorf("Values = %q", got)
	}
	h.Set("k", "timer")
	h.Set("Require", "100rel")
	if want := []Header{{"Supported", "timer"}, {"X-Door", "1"}, {"Subject", "bell"},
		{"Require", "100rel"}}; !slices.Equal(h.Other, want) {
		t.Fatalf("Other = %q, want %q", h.Other, want)
	}
	h.Del("x-DOOR")
	h.Del("nothing")
	if want := []Header{{"Supported", "timer"}, {"Subject", "bell"},
		{"Require", "100rel"}}; !slices.Equal(h.Other, want) {
		t.Fatalf("Other = %q, want %q", h.Other, want)
	}
	n := len(h.Other)
	for _, name := range []string{"Via", "v", "From", "to", "Call-ID", "CSEQ", "Max-Forwards", "Expires",
		"Contact", "Route", "Record-Route", "Content-Type", "l",
		"", "X Y", "X:", "X\r\nVia"} {
		h.Add(name, "1")
		h.Set(name, "1")
	}
	if len(h.Other) != n {
		t.Errorf("typed or broken names were added: %q", h.Other[n:])
	}
}

func TestTokens(t *testing.T) {
	for in, want := range map[string][]string{
		"": nil, " , ,": nil, "INVITE,ACK , BYE": {"INVITE", "ACK", "BYE"},
		`a;x="1,2", b`: {`a;x="1,2"`, "b"}, `"open, b`: {`"open`, "b"},
	} {
		if got := slices.Collect(Tokens(in)); !slices.Equal(got, want) {
			t.Errorf("Tokens(%q) = %q, want %q", in, got, want)
		}
	}
	for range Tokens("a,b") {
		break
	}
}

// Every name is found in any case, and by its compact form of IANA's registry.
func TestNames(t *testing.T) {
	for _, n := range headerNames {
		for _, s := range []string{n.text, upperTransport(n.text)} {
			if id, known, canonical := lookupName(s); id != n.id || !known || canonical != n.text {
				t.Errorf("lookupName(%q) = %d, %v, %q", s, id, known, canonical)
			}
		}
	}
	for letter, long := range map[string]string{
		"a": "Accept-Contact", "u": "Allow-Events", "i": "Call-ID", "m": "Contact", "e": "Content-Encoding",
		"l": "Content-Length", "c": "Content-Type",
		"o": "Event", "f": "From", "y": "Identity", "n": "Identity-Info", "r": "Refer-To", "b": "Referred-By",
		"j": "Reject-Contact",
		"d": "Request-Disposition", "x": "Session-Expires", "s": "Subject", "k": "Supported", "t": "To",
		"v": "Via", "V": "Via",
	} {
		if _, known, got := lookupName(letter); got != long || !known {
			t.Errorf("lookupName(%q) = %q, want %q", letter, got, long)
		}
	}
	for _, s := range []string{"", "z", "\xFF", "X-Unknown", "A-Name-Much-Longer-Than-Any-Known-One"} {
		if id, known, got := lookupName(s); id != fieldOther || known || got != s {
			t.Errorf("lookupName(%q) = %d, %v, %q", s, id, known, got)
		}
	}
}

func TestDeltaSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0", time.Nanosecond: "1", time.Second: "1",
		90*time.Second + time.Millisecond: "91"} {
		if got := DeltaSeconds(d); got != want {
			t.Errorf("DeltaSeconds(%v) = %s, want %s", d, got, want)
		}
	}
}

func TestMediaType(t *testing.T) {
	for s, want := range map[string]string{"": "", "Application/SDP": "application/sdp",
		" text/plain ; charset=utf-8": "text/plain"} {
		if got := MediaType(s); got != want {
			t.Errorf("MediaType(%q) = %q, want %q", s, got, want)
		}
	}
}
