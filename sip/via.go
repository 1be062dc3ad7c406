package sip

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Via is one value of a Via header (RFC 3261 §20.42).
type Via struct {
	Transport string // "UDP", "TCP", ... in upper case
	Host      string
	Port      uint16 // 0: none given
	Params    Params
}

var (
	errViaProtocol = errors.New("no SIP/2.0/transport")
	errViaSentBy   = errors.New("invalid sent-by")
)

// ParseVia parses one value, such as "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK87a".
func ParseVia(s string) (Via, error) {
	var v Via
	rest, err := v.parse(s, false)
	if err == nil && rest != "" {
		err = errManyValues
	}
	if err != nil {
		return Via{}, fmt.Errorf("sip: parse Via %q: %w", s, err)
	}
	return v, nil
}

// parse fills v, which must be zero, from the start of s, and returns what follows: "" or the comma before
// the next value. With anyVersion the version need not be 2.0: a request of another one must be answered by
// way of its Via, too.
func (v *Via) parse(s string, anyVersion bool) (rest string, err error) {
	s = s[skipSpace(s, 0):]
	if s == "" {
		return "", errNoValue
	}
	if strings.HasPrefix(s, "SIP/2.0/") {
		s = s[len("SIP/2.0/"):]
	} else {
		name, after, ok := strings.Cut(s, "/")
		version, transport, ok2 := strings.Cut(after, "/")
		version = trimSpace(version)
		if !ok || !ok2 || !equalFold(trimSpace(name), "SIP") || version != "2.0" && !(anyVersion &&
			isToken(version)) {
			return "", errViaProtocol
		}
		s = transport
	}
	i := skipSpace(s, 0)
	end := span(s, i, charToken)
	host := skipSpace(s, end)
	if end == i || host == end {
		return "", errViaProtocol
	}
	v.Transport = upperTransport(s[i:end])
	s = s[host:]
	n, err := scanHostPort(s, &v.Host, &v.Port)
	if err != nil {
		return "", err
	}
	if v.Port == 0 {
		// COLON may have space around it (RFC 3261 §25.1).
		if j := skipSpace(s, n); j < len(s) && s[j] == ':' {
			from := skipSpace(s, j+1)
			for n = from; n < len(s) && '0' <= s[n] && s[n] <= '9'; n++ {
			}
			port, over, ok := digits(s[from:n], 65535)
			if !ok || over || port == 0 {
				return "", errViaSentBy
			}
			v.Port = uint16(port)
		}
	}
	v.Params, rest, err = scanParams(s[n:])
	return rest, err
}

func upperTransport(s string) string {
	switch s {
	case "UDP", "TCP", "TLS", "WS", "WSS":
		return s
	}
	return strings.ToUpper(s)
}

// Append writes v.
func (v *Via) Append(b []byte) []byte {
	b = append(b, "SIP/2.0/"...)
	b = append(b, v.Transport...)
	b = append(b, ' ')
	b = appendHostPort(b, v.Host, v.Port)
	return append(b, v.Params...)
}

// String returns v as on the wire.
func (v Via) String() string { return string(v.Append(nil)) }

// SentBy returns host[:port] as given, IPv6 in brackets.
func (v Via) SentBy() string { return string(appendHostPort(nil, v.Host, v.Port)) }

// HostPort returns the host, an IPv6 address without its brackets, and the port, else the transport's default
// one (RFC 3261 §18.2.2).
func (v Via) HostPort() (host string, port uint16) {
	if port = v.Port; port == 0 {
		if port = 5060; v.Transport == "TLS" {
			port = 5061
		}
	}
	return unbracket(v.Host), port
}

// Branch returns the branch parameter, "" without one.
func (v Via) Branch() string {
	branch, _ := v.Params.Get("branch")
	return branch
}

// Received returns the address of the received parameter; ok is false when it is absent or no address.
func (v Via) Received() (addr netip.Addr, ok bool) {
	s, ok := v.Params.Get("received")
	if !ok {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(unbracket(s))
	return addr, err == nil
}

// RPort returns the rport parameter (RFC 3581): whether it is present, and its port, 0 when it is not filled
// in (a request asks that way) or invalid.
func (v Via) RPort() (port uint16, present bool) {
	s, present := v.Params.Get("rport")
	n, over, ok := digits(s, 65535)
	if !ok || over {
		return 0, present
	}
	return uint16(n), present
}
