package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"portero/sip"
)

// maxUDP is the largest datagram.
const maxUDP = 65535

// UDP is the datagram transport (RFC 3261 §18), over IPv4, IPv6 or both on one socket.
type UDP struct {
	conn  *net.UDPConn
	raw   syscall.RawConn
	local netip.AddrPort
	inet4 bool // the socket's family
}

// ListenUDP opens a socket on addr ("host:port"; an empty host is every address of both families). It starts
// nothing.
func ListenUDP(addr string) (*UDP, error) {
	ua, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, fmt.Errorf("transport: listen on %q: %w", addr, err)
	}
	conn, err := net.ListenUDP("udp", ua)
	if err != nil {
		return nil, fmt.Errorf("transport: listen on %q: %w", addr, err)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("transport: listen on %q: %w", addr, err)
	}
	local := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	u := &UDP{conn: conn, raw: raw, local: netip.AddrPortFrom(local.Addr().Unmap(), local.Port())}
	raw.Control(func(fd uintptr) {
		sa, err := syscall.Getsockname(int(fd))
		_, u.inet4 = sa.(*syscall.SockaddrInet4)
		u.inet4 = u.inet4 && err == nil
	})
	return u, nil
}

// Proto returns UDP.
func (u *UDP) Proto() sip.Proto { return sip.UDP }

// Addr returns the address the socket is bound to.
func (u *UDP) Addr() netip.AddrPort { return u.local }

// Close ends the socket of a transport that never ran; Run closes it otherwise.
func (u *UDP) Close() error { return u.conn.Close() }

// Local returns the bound address or, on a wildcard socket, the one that the route to t leaves from. It asks
// the kernel each time, so that a new address after a network change is seen.
func (u *UDP) Local(t Target) (netip.AddrPort, error) {
	if u.inet4 && !t.Addr.Addr().Unmap().Is4() {
		return netip.AddrPort{}, fmt.Errorf("transport: %s from an IPv4 socket: %w", t.Addr,
			syscall.EAFNOSUPPORT)
	}
	if !u.local.Addr().IsUnspecified() {
		return u.local, nil
	}
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(t.Addr)) // sends nothing
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("transport: route to %s: %w", t.Addr, err)
	}
	defer c.Close()
	return netip.AddrPortFrom(c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), u.local.Port()), nil
}

// Send writes one datagram. A full socket buffer counts as a loss: a blocked loop would cost more than a
// retransmission.
func (u *UDP) Send(_ uint64, t Target, wire []byte) error {
	if len(wire) > maxUDP-28 {
		return fmt.Errorf("transport: send to %s: %w", t.Addr, syscall.EMSGSIZE)
	}
	sa, err := u.sockaddr(t.Addr)
	if err == nil {
		cerr := u.raw.Control(func(fd uintptr) {
			err = syscall.Sendto(int(fd), wire, syscall.MSG_DONTWAIT,
				sa)
		})
		if err == nil {
			err = cerr
		}
	}
	if err != nil && !errors.Is(err, syscall.EAGAIN) {
		return fmt.Errorf("transport: send to %s: %w", t.Addr, err)
	}
	return nil
}

// sockaddr fits the address to the socket's family: an IPv4 socket takes IPv4 alone, an IPv6 one takes both.
func (u *UDP) sockaddr(to netip.AddrPort) (syscall.Sockaddr, error) {
	addr := to.Addr().Unmap()
	if u.inet4 {
		if !addr.Is4() {
			return nil, fmt.Errorf("transport: %s from an IPv4 socket: %w", to, syscall.EAFNOSUPPORT)
		}
		return &syscall.SockaddrInet4{Port: int(to.Port()), Addr: addr.As4()}, nil
	}
	sa := &syscall.SockaddrInet6{Port: int(to.Port()), Addr: addr.As16()}
	if zone := addr.Zone(); zone != "" {
		if ifi, err := net.InterfaceByName(zone); err == nil {
			sa.ZoneId = uint32(ifi.Index)
		}
	}
	return sa, nil
}

// Run reads datagrams until ctx ends, then closes the socket.
func (u *UDP) Run(ctx context.Context, deliver func(Packet) bool) error {
	stop := context.AfterFunc(ctx, func() { u.conn.Close() })
	defer func() {
		if stop() {
			u.conn.Close()
		}
	}()
	buf := make([]byte, maxUDP)
	for {
		n, from, err := u.conn.ReadFromUDPAddrPort(buf)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("transport: read %s: %w", u.local, err)
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		deliver(Packet{Flow: Flow{Proto: sip.UDP, Local: u.local, Remote: from}, Data: buf[:n]})
	}
}
