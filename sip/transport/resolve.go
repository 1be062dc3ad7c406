package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"portero/sip"
)

// Bounds of one look-up, so that a dead name server delays a call attempt and nothing else; many a cheap
// router drops questions for SRV records, which must leave time for the addresses.
const (
	resolveTimeout = 5 * time.Second
	srvTimeout     = 2 * time.Second
)

// ErrNotSIP is no failure that waiting would heal.
var ErrNotSIP = errors.New("not a SIP URI")

// LiteralTarget returns the target of a URI whose host is an IP address.
func LiteralTarget(u sip.URI) (Target, bool) {
	addr, err := netip.ParseAddr(strings.Trim(u.Host, "[]"))
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

// Lookup asks name servers where the servers of a URI are (RFC 3263, without NAPTR: the transport is the
// URI's, else UDP). It returns at least one target or an error, within 5 s.
func Lookup(ctx context.Context, u sip.URI) ([]Target, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	proto := ProtoOf(u)
	type hostPort struct {
		host string
		port uint16
	}
	hosts := []hostPort{{u.Host, portOf(u)}}
	if u.Port == 0 { // RFC 3263 §4.2: no port and no address: SRV
		service, network := "sip", "udp"
		if proto != sip.UDP {
			network = "tcp"
		}
		if proto == sip.TLS {
			service = "sips"
		}
		srvCtx, cancel := context.WithTimeout(ctx, srvTimeout)
		_, srvs, err := net.DefaultResolver.LookupSRV(srvCtx, service, network, u.Host)
		cancel()
		if err == nil && len(srvs) > 0 {
			hosts = hosts[:0]
			for _, r := range srvs {
				hosts = append(hosts, hostPort{strings.TrimSuffix(r.Target, "."), r.Port})
			}
		}
	}
	var targets []Target
	var last error
	for _, h := range hosts {
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", h.host)
		if err != nil {
			last = err
			continue
		}
		for _, a := range addrs {
			targets = append(targets, Target{Proto: proto, Addr: netip.AddrPortFrom(a.Unmap(), h.port),
				Host: u.Host})
		}
	}
	if len(targets) == 0 {
		return nil, fmt.Errorf("transport: resolve %q: %w", u.Host, last)
	}
	return targets, nil
}
