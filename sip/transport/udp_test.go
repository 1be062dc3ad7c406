package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"portero/sip"
	"portero/sip/siptest"
	"portero/sip/transport"
)

// listenUDP runs a transport on a real socket until the test ends and hands out what it delivers.
func listenUDP(t *testing.T, addr string) (*transport.UDP, chan transport.Packet) {
	t.Helper()
	u, err := transport.ListenUDP(addr)
	if err != nil {
		if strings.Contains(addr, "[") && (errors.Is(err, syscall.EADDRNOTAVAIL) ||
			errors.Is(err, syscall.EAFNOSUPPORT)) {
			t.Skip("no IPv6 here:", err)
		}
		t.Fatal(err)
	}
	packets := make(chan transport.Packet, 64)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	reading := make(chan bool)
	go func() {
		close(reading)
		done <- u.Run(ctx, func(p transport.Packet) bool {
			if siptest.WithinSend() {
				t.Errorf("delivered from within Send: %+v", p)
			}
			p.Data = append([]byte(nil), p.Data...)
			packets <- p
			return true
		})
	}()
	<-reading
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
		if err := u.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the socket was left open: %v", err)
		}
	})
	return u, packets
}

func receive(t *testing.T, packets chan transport.Packet) transport.Packet {
	t.Helper()
	select {
	case p := <-packets:
		return p
	case <-time.After(10 * time.Second):
		t.Fatal("nothing arrived")
	}
	panic("unreachable")
}

func udpTarget(addr string, port uint16) transport.Target {
	return transport.Target{Proto: sip.UDP, Addr: netip.AddrPortFrom(netip.MustParseAddr(addr), port)}
}

func TestUDPExchange(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run(host, func(t *testing.T) {
			addr := net.JoinHostPort(host, "0")
			a, fromA := listenUDP(t, addr)
			b, fromB := listenUDP(t, addr)
			if a.Addr().Port() == 0 || a.Addr().Addr() != netip.MustParseAddr(host) {
				t.Fatalf("bound to %s", a.Addr())
			}
			a.Send(1, transport.Target{Proto: sip.UDP, Addr: b.Addr()}, []byte("ping"))
			p := receive(t, fromB)
			want := transport.Flow{Proto: sip.UDP, Local: b.Addr(), Remote: a.Addr()}
			if string(p.Data) != "ping" || p.Flow != want || p.Err != nil {
				t.Errorf("got %+v, want flow %+v", p, want)
			}
			b.Send(2, transport.Target{Proto: sip.UDP, Addr: p.Flow.Remote}, []byte("pong"))
			if p := receive(t, fromA); string(p.Data) != "pong" {
				t.Errorf("got %q", p.Data)
			}
			if local, err := a.Local(transport.Target{Addr: b.Addr()}); err != nil || local != a.Addr() {
				t.Errorf("Local: %s, %v", local, err)
			}
		})
	}
}

// TestUDPWildcard is one socket for both families: it hears both, answers both, and knows its address towards
// each.
func TestUDPWildcard(t *testing.T) {
	w, packets := listenUDP(t, ":0")
	port := w.Addr().Port()
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run(host, func(t *testing.T) {
			peer, fromW := listenUDP(t, net.JoinHostPort(host, "0"))
			local, err := w.Local(transport.Target{Addr: peer.Addr()})
			if err != nil || local != netip.AddrPortFrom(netip.MustParseAddr(host), port) {
				t.Errorf("Local: %s, %v", local, err)
			}
			peer.Send(1, udpTarget(host, port), []byte("to the wildcard"))
			p := receive(t, packets)
			if p.Flow.Remote != peer.Addr() { // an IPv4 address must not come as ::ffff:127.0.0.1
				t.Errorf("from %s, want %s", p.Flow.Remote, peer.Addr())
			}
			w.Send(2, transport.Target{Proto: sip.UDP, Addr: p.Flow.Remote}, []byte("back"))
			if p := receive(t, fromW); string(p.Data) != "back" || p.Flow.Remote.Port() != port {
				t.Errorf("got %+v", p)
			}
		})
	}
}

// TestUDPSendFails returns what the kernel says against a datagram, and delivers nothing of it.
func TestUDPSendFails(t *testing.T) {
	u, packets := listenUDP(t, "127.0.0.1:0")
	deliverable := transport.Target{Proto: sip.UDP, Addr: u.Addr()}
	for i, c := range []struct {
		target transport.Target
		size   int
		want   error
	}{
		{deliverable, 70000, syscall.EMSGSIZE},
		{deliverable, 65508, syscall.EMSGSIZE},
		{udpTarget("::1", 5060), 10, syscall.EAFNOSUPPORT},
		{udpTarget("127.0.0.1", 0), 10, syscall.EINVAL},
	} {
		err := u.Send(uint64(i+1), c.target, make([]byte, c.size))
		if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.target.Addr.String()) {
			t.Errorf("Send of %d bytes to %s: %v, want %v", c.size, c.target.Addr, err, c.want)
		}
	}
	if err := u.Send(9, deliverable, make([]byte, 65507)); err != nil {
		t.Errorf("the largest datagram: %v", err)
	}
	if p := receive(t, packets); p.Err != nil || len(p.Data) != 65507 {
		t.Errorf("the largest datagram: %d bytes, %v", len(p.Data), p.Err)
	}
}

// TestUDPNobodyThere sends to a closed port: the ICMP error must not end the reading.
func TestUDPNobodyThere(t *testing.T) {
	u, packets := listenUDP(t, "127.0.0.1:0")
	closed, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := closed.LocalAddr().(*net.UDPAddr).AddrPort()
	closed.Close()
	for range 3 {
		// the second may fail by the ICMP error of the first
		u.Send(1, transport.Target{Proto: sip.UDP, Addr: dead}, []byte("hello?"))
	}
	u.Send(2, transport.Target{Proto: sip.UDP, Addr: u.Addr()}, []byte("to myself"))
	for {
		if p := receive(t, packets); string(p.Data) == "to myself" {
			return
		}
	}
}

func TestListenUDPErrors(t *testing.T) {
	u, _ := listenUDP(t, "127.0.0.1:0")
	for _, addr := range []string{"nonsense", "127.0.0.1:99999", u.Addr().String(), "203.0.113.1:0"} {
		if v, err := transport.ListenUDP(addr); err == nil || !strings.Contains(err.Error(),
			fmt.Sprintf("%q", addr)) {
			t.Errorf("%s: %v, %v", addr, v, err)
		}
	}
}
