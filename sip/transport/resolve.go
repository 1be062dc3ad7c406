package transport

import (
	"errors"
	"net/netip"
	"strings"

	"portero/sip"
)

// ErrNotSIP is no failure that waiting would heal.
var ErrNotSIP = errors.New("not a SIP URI")

// LiteralTarget returns the target of a URI whose host is an IP address.
func LiteralTarget(u sip.URI) (Target, bool) {
	host, _ := u.HostPort()
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return Target{}, false
	}
	return Target{Proto: ProtoOf(u), Addr: netip.AddrPortFrom(addr, portOf(u)), Host: u.Host}, true
}

// ProtoOf returns the transport that a URI asks for: its parameter, TLS of sips, else UDP (RFC 3263 §4.1).
func ProtoOf(u sip.URI) sip.Proto {
	if t, ok := u.Params.Get("transport"); ok {
		return sip.Proto(strings.ToUpper(t))
	}
	if u.Scheme == "sips" {
		return sip.TLS
	}
	return sip.UDP
}

func portOf(u sip.URI) uint16 {
	switch {
	case u.Port != 0:
		return u.Port
	case ProtoOf(u) == sip.TLS:
		return 5061
	}
	return 5060
}
