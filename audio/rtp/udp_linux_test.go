package rtp

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// receive waits for a datagram: a real socket delivers when it likes.
func receive(t *testing.T, c PacketConn, b []byte) (int, netip.AddrPort, time.Duration) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for ; time.Now().Before(deadline); time.Sleep(100 * time.Microsecond) {
		if n, from, at, err := c.ReadPacket(b); n > 0 || err != nil {
			if err != nil {
				t.Fatal(err)
			}
			return n, from, at
		}
	}
	t.Fatal("nothing came")
	return 0, netip.AddrPort{}, 0
}

func TestUDP(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		addr := netip.MustParseAddr(host)
		rtp, rtcp, err := Listen(addr, 0, 0)
		if err != nil {
			t.Logf("%s: %v", host, err)
			if addr.Is6() {
				continue // a machine without IPv6
			}
			t.Fatal(err)
		}
		defer rtp.Close()
		defer rtcp.Close()
		if p := rtp.LocalAddr().Port(); p%2 != 0 || rtcp.LocalAddr().Port() != p+1 ||
			rtp.LocalAddr().Addr() != addr {
			t.Errorf("bound %s and %s", rtp.LocalAddr(), rtcp.LocalAddr())
		}
		var b [100]byte
		if n, _, _, err := rtp.ReadPacket(b[:]); n != 0 || err != nil {
			t.Errorf("empty socket: %d, %v", n, err)
		}
		// The kernel starts to stamp a moment after the first socket has asked for it: until then, arrival is
		// the moment of reading.
		stamped := false
		for try := 0; try < 50 && !stamped; try++ {
			before := Monotonic()
			if err := rtcp.WritePacket([]byte("hello"), rtp.LocalAddr()); err != nil {
				t.Fatal(err)
			}
			sent := Monotonic()
			time.Sleep(10 * time.Millisecond) // age that the stamp has to take off
			n, from, at := receive(t, rtp, b[:])
			if !bytes.Equal(b[:n], []byte("hello")) || from != rtcp.LocalAddr() {
				t.Errorf("%q from %s", b[:n], from)
			}
			if at < before-time.Millisecond {
				t.Errorf("%s: arrived at %v, sent at %v", host, at, before)
			}
			stamped = at < sent+5*time.Millisecond
		}
		if !stamped {
			t.Errorf("%s: no packet bears the time of its arrival", host)
		}
		if err := rtp.WritePacket([]byte("x"), netip.AddrPort{}); err == nil {
			t.Error("sent to nowhere")
		}
		wrong := netip.MustParseAddrPort("[2001:db8::1]:9")
		if addr.Is6() {
			wrong = netip.MustParseAddrPort("192.0.2.1:9")
		}
		if err := rtp.WritePacket([]byte("x"), wrong); err == nil {
			t.Error("sent to the other family")
		}
		if allocs := testing.AllocsPerRun(100, func() {
			rtcp.WritePacket(b[:20], rtp.LocalAddr())
			rtp.ReadPacket(b[:])
		}); allocs != 0 {
			t.Errorf("%g allocations per packet", allocs)
		}
		rtp.Close()
		if err := rtp.Close(); err != nil {
			t.Error(err)
		}
		if _, _, _, err := rtp.ReadPacket(b[:]); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed socket read: %v", err)
		}
		if err := rtp.WritePacket(b[:1], rtcp.LocalAddr()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed socket written: %v", err)
		}
	}
}

func TestListenRange(t *testing.T) {
	lo := netip.MustParseAddr("127.0.0.1")
	a, b, err := Listen(lo, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	port := int(a.LocalAddr().Port())
	if _, _, err := Listen(lo, port, port+1); err == nil {
		t.Error("a pair was bound twice")
	}
	for _, r := range [][2]int{{5001, 5002}, {6000, 6000}, {-1, 10}, {70000, 70010}, {0, 10}} {
		if _, _, err := Listen(lo, r[0], r[1]); err == nil {
			t.Errorf("range %v accepted", r)
		}
	}
	if _, _, err := Listen(netip.Addr{}, 0, 0); err == nil {
		t.Error("no address accepted")
	}
	if _, _, err := Listen(netip.MustParseAddr("192.0.2.77"), 0, 0); err == nil {
		t.Error("a foreign address accepted")
	}
}

// An empty datagram is a keep-alive (RFC 6263, 4.1): it has a source, and is told from nothing at all.
func TestUDPEmptyDatagram(t *testing.T) {
	conn, rtcp, err := Listen(netip.MustParseAddr("127.0.0.1"), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	defer rtcp.Close()
	far, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(conn.LocalAddr()))
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	var b [100]byte
	if _, from, _, err := conn.ReadPacket(b[:]); from.IsValid() || err != nil {
		t.Fatalf("nothing was sent, but %v, %v", from, err)
	}
	if _, err := far.Write(nil); err != nil {
		t.Fatal(err)
	}
	for range 5000 {
		n, from, _, err := conn.ReadPacket(b[:])
		if from.IsValid() {
			if want := far.LocalAddr().(*net.UDPAddr).AddrPort(); n != 0 || from != want || err != nil {
				t.Errorf("%d octets from %v, %v, want none from %v", n, from, err, want)
			}
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("it did not come")
}

// A port that nobody listens at refuses what is sent there by ICMP: it is told, sending and receiving go on, and
// the messages fill no buffer.
func TestUDPRefused(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		conn, rtcp, err := Listen(netip.MustParseAddr(host), 0, 0)
		if err != nil {
			t.Logf("%s: %v", host, err)
			continue
		}
		defer conn.Close()
		gone := rtcp.LocalAddr()
		rtcp.Close()
		far, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(host), 0)))
		if err != nil {
			t.Fatal(err)
		}
		defer far.Close()
		refused, b := 0, make([]byte, 100)
		for i := range 3000 {
			if err := conn.WritePacket([]byte("anybody?"), gone); err != nil {
				if refused++; !errors.Is(err, unix.ECONNREFUSED) {
					t.Fatal(err)
				}
			}
			if i%2 == 0 { // either call may meet the message
				if _, from, _, err := conn.ReadPacket(b); from.IsValid() || err != nil {
					t.Fatalf("read from %v, %v", from, err)
				}
			}
		}
		if refused == 0 {
			t.Errorf("%s: no refusal was told", host)
		}
		if _, err := far.WriteToUDPAddrPort([]byte("hello"), conn.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		if n, _, _ := receive(t, conn, b); string(b[:n]) != "hello" {
			t.Errorf("%s: after the refusals %q", host, b[:n])
		}
	}
}
