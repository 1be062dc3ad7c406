package sip

import (
	"net/netip"
	"testing"
)

func TestParseVia(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Via
		out  string
	}{
		{"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1", Via{"UDP", "192.0.2.1", 5060, ";branch=z9hG4bK1"},
			"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1"},
		{"SIP  / 2.0 / \t TCP     spindle.example.com   ; branch  =   z9 ", Via{"TCP", "spindle.example.com",
			0, ";branch=z9"}, "SIP/2.0/TCP spindle.example.com;branch=z9"},
		{"sip/2.0/tls [2001:db8::1] : 5061 ;rport", Via{"TLS", "[2001:db8::1]", 5061, ";rport"},
			"SIP/2.0/TLS [2001:db8::1]:5061;rport"},
		{"SIP/2.0/unknown host_1", Via{"UNKNOWN", "host_1", 0, ""}, "SIP/2.0/UNKNOWN host_1"},
	} {
		got, err := ParseVia(tt.in)
		if err != nil || got != tt.want || got.String() != tt.out {
			t.Errorf("ParseVia(%q) = %+v (%s), %v", tt.in, got, got, err)
		}
	}
	for _, s := range []string{
		"", "SIP/2.0/UDP", "SIP/2.0/UDP ", "SIP/2.0 host", "SIP/2.0/ host", "SIP/3.0/UDP host",
		"SIP/7.0/UDP host", "HTTP/2.0/UDP host", "SIP/2.0/UDP host:",
		"SIP/2.0/UDP host:0", "SIP/2.0/UDP host:99999", "SIP/2.0/UDP host : x", "SIP/2.0/UDP ;branch=a",
		"SIP/2.0/UDP a b", "SIP/2.0/UDP host;;", "SIP/2.0/UDP [::1",
		"SIP/2.0/UDP a, SIP/2.0/UDP b", "SIP/2.0/UDP 2001:db8::1", "SIP/2.0/U@P host",
	} {
		if v, err := ParseVia(s); err == nil {
			t.Errorf("ParseVia(%q) = %+v, want an error", s, v)
		}
	}
}

func TestViaParams(t *testing.T) {
	v := Via{Transport: "UDP", Host: "h", Params: ";branch=z9hG4bK1;rport=5062;received=2001:db8::1"}
	if got := v.Branch(); got != "z9hG4bK1" {
		t.Errorf("Branch = %q", got)
	}
	if got, ok := v.Received(); got != netip.MustParseAddr("2001:db8::1") || !ok {
		t.Errorf("Received = %v, %v", got, ok)
	}
	for p, want := range map[Params]netip.Addr{";received=[::1]": netip.MustParseAddr("::1"),
		";received=192.0.2.3": netip.MustParseAddr("192.0.2.3"), ";received=x": {}, "": {}} {
		if got, ok := (Via{Params: p}).Received(); got != want || ok != want.IsValid() {
			t.Errorf("Received of %q = %v, %v", p, got, ok)
		}
	}
	type rport struct {
		port    uint16
		present bool
	}
	for p, want := range map[Params]rport{"": {}, ";rport": {0, true}, ";rport=": {0, true},
		";rport=5062": {5062, true}, ";rport=70000": {0, true}, ";rport=x": {0, true}} {
		if port, present := (Via{Params: p}).RPort(); (rport{port, present}) != want {
			t.Errorf("RPort of %q = %d, %v", p, port, present)
		}
	}
	for _, tt := range []struct {
		v            Via
		sentBy, host string
		port         uint16
	}{
		{Via{Transport: "UDP", Host: "h"}, "h", "h", 5060},
		{Via{Transport: "TLS", Host: "h"}, "h", "h", 5061},
		{Via{Transport: "TCP", Host: "[::1]", Port: 5070}, "[::1]:5070", "::1", 5070},
	} {
		if host, port := tt.v.HostPort(); host != tt.host || port != tt.port || tt.v.SentBy() != tt.sentBy {
			t.Errorf("%v: HostPort %q, %d, SentBy %q", tt.v, host, port, tt.v.SentBy())
		}
	}
}
