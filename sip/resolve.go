package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// Bounds of one look-up, so that a dead name server delays a call attempt and nothing else; many a cheap router drops questions for
// SRV records, which must leave time for the addresses.
const (
	resolveTimeout = 5 * time.Second
	srvTimeout     = 2 * time.Second
)

// errNotSIP is no failure that waiting would heal.
var errNotSIP = errors.New("not a SIP URI")

// literalTarget returns the target of a URI whose host is an IP address.
func literalTarget(u URI) (Target, bool) {
	addr, err := netip.ParseAddr(strings.Trim(u.Host, "[]"))
	if err != nil {
		return Target{}, false
	}
	return Target{Proto: protoOf(u), Addr: netip.AddrPortFrom(addr, portOf(u)), Host: u.Host}, true
}

func protoOf(u URI) Proto {
	if t, ok := u.Params.Get("transport"); ok {
		return Proto(strings.ToUpper(t))
	}
	if u.Scheme == "sips" {
		return TLS
	}
	return UDP
}

func portOf(u URI) uint16 {
	switch {
	case u.Port != 0:
		return u.Port
	case protoOf(u) == TLS:
		return 5061
	}
	return 5060
}

// Resolve finds the servers of a URI (RFC 3263, without NAPTR: the transport is the URI's, else UDP) and calls f with at least
// one target or an error, on the loop. An IP address needs no look-up, and f is called at once.
func (s *Stack) Resolve(u URI, f func([]Target, error)) {
	if !u.IsSIP() {
		f(nil, fmt.Errorf("sip: resolve %q: %w", u, errNotSIP))
		return
	}
	if t, ok := literalTarget(u); ok {
		f([]Target{t}, nil)
		return
	}
	go func() { // ends within resolveTimeout
		targets, err := lookup(u)
		s.Post(func() { f(targets, err) })
	}()
}

func lookup(u URI) ([]Target, error) {
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	proto := protoOf(u)
	type hostPort struct {
		host string
		port uint16
	}
	hosts := []hostPort{{u.Host, portOf(u)}}
	if u.Port == 0 { // RFC 3263 §4.2: no port and no address: SRV
		service, network := "sip", "udp"
		if proto != UDP {
			network = "tcp"
		}
		if proto == TLS {
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
			targets = append(targets, Target{Proto: proto, Addr: netip.AddrPortFrom(a.Unmap(), h.port), Host: u.Host})
		}
	}
	if len(targets) == 0 {
		return nil, fmt.Errorf("sip: resolve %q: %w", u.Host, last)
	}
	return targets, nil
}
