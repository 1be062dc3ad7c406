package siptest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"portero/sip"
	"portero/sip/transport"
)

// received runs a transport for a minute of bubble time and returns what it delivered, with the times.
func received(t *testing.T, tr *Transport) (wires []string, at []time.Duration, errs []transport.Packet) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := tr.Run(ctx, func(p transport.Packet) bool {
		if WithinSend() {
			t.Errorf("delivered from within Send: %+v", p)
		}
		if p.Err != nil {
			errs = append(errs, p)
			return true
		}
		wires, at = append(wires, string(p.Data)), append(at, time.Since(start))
		return true
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run: %v", err)
	}
	return wires, at, errs
}

func target(addr string) transport.Target {
	return transport.Target{Proto: sip.UDP, Addr: netip.MustParseAddrPort(addr)}
}

func TestOrderAndDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(1)
		n.Delay = 7 * time.Millisecond
		a, b := n.Listen("10.0.0.1:5060"), n.Listen("10.0.0.2:5060")
		var want []string
		for i := range 100 {
			want = append(want, fmt.Sprint(i))
			a.Send(0, target("10.0.0.2:5060"), []byte(want[i]))
		}
		a.Send(0, target("10.0.0.3:5060"), []byte("to nobody"))
		got, at, errs := received(t, b)
		if !slices.Equal(got, want) || len(errs) != 0 {
			t.Errorf("got %q, errors %v", got, errs)
		}
		for _, d := range at {
			if d != 7*time.Millisecond {
				t.Errorf("arrived after %v", d)
			}
		}
		if log := n.Log(); len(log) != 101 || log[0].Wire != "0" || log[0].From != a.at || log[0].To != b.at {
			t.Errorf("log of %d lines begins with %+v", len(log), log[0])
		}
	})
}

func TestLossAndDuplication(t *testing.T) {
	run := func(seed uint64) (got int, lost int) {
		synctest.Test(t, func(t *testing.T) {
			n := NewNetwork(seed)
			n.Loss, n.Duplicate = 0.3, 0.1
			a, b := n.Listen("10.0.0.1:5060"), n.Listen("10.0.0.2:5060")
			for range 2000 {
				a.Send(0, target("10.0.0.2:5060"), []byte("x"))
			}
			wires, _, _ := received(t, b)
			for _, s := range n.Log() {
				if s.Lost {
					lost++
				}
			}
			got = len(wires)
		})
		return got, lost
	}
	got, lost := run(1)
	if lost < 500 || lost > 700 {
		t.Errorf("%d of 2000 lost at 30 %%", lost)
	}
	if twice := got - (2000 - lost); twice < 90 || twice > 190 { // 10 % of what was not lost
		t.Errorf("%d of %d came twice at 10 %%", twice, 2000-lost)
	}
	if g, l := run(1); g != got || l != lost {
		t.Error("the same seed gave another network")
	}
	if g, l := run(2); g == got && l == lost {
		t.Error("another seed gave the same network")
	}
}

func TestJitterReorders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(1)
		n.Jitter = 50 * time.Millisecond
		a, b := n.Listen("10.0.0.1:5060"), n.Listen("10.0.0.2:5060")
		for i := range 100 {
			a.Send(0, target("10.0.0.2:5060"), fmt.Appendf(nil, "%03d", i))
		}
		got, at, _ := received(t, b)
		if len(got) != 100 || slices.IsSorted(got) {
			t.Errorf("%d arrived, sorted: %v", len(got), slices.IsSorted(got))
		}
		if !slices.IsSorted(at) || at[99] > 50*time.Millisecond {
			t.Errorf("arrivals %v", at)
		}
	})
}

func TestDropAndFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(1)
		n.Drop = func(_, _ netip.AddrPort, wire []byte) bool { return string(wire) == "drop me" }
		n.Fail = func(nth int) error {
			if nth == 2 {
				return ErrUnreachable
			}
			return nil
		}
		a, b := n.Listen("10.0.0.1:5060"), n.Listen("10.0.0.2:5060")
		for i, wire := range []string{"one", "two", "drop me", "four"} {
			a.Send(uint64(i+1), target("10.0.0.2:5060"), []byte(wire))
		}
		if _, _, errs := received(t, a); len(errs) != 1 || errs[0].SendID != 2 || !errors.Is(errs[0].Err,
			ErrUnreachable) {
			t.Errorf("sender heard %v", errs)
		}
		if got, _, _ := received(t, b); !slices.Equal(got, []string{"one", "four"}) {
			t.Errorf("got %q", got)
		}
	})
}

func TestListenTwice(t *testing.T) {
	n := NewNetwork(1)
	n.Listen("10.0.0.1:5060")
	defer func() {
		if recover() == nil {
			t.Error("one address, two transports")
		}
	}()
	n.Listen("10.0.0.1:5060")
}

func TestPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(1)
		a, b := n.NewPeer(t, "10.0.0.1:5060"), n.NewPeer(t, "10.0.0.2:5060")
		if req, res := a.Within(time.Second); req != nil || res != nil {
			t.Error("heard something")
		}
		wire := "OPTIONS sip:x@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\nFrom: " +
			"<sip:a@b>;tag=1\r\n" +
			"To: <sip:x@10.0.0.2>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
		a.Send(b.Addr, []byte(wire))
		req := b.Request("OPTIONS")
		b.Respond(req, a.Addr, 200, func(r *sip.Response) { r.Add("Allow", "BYE") })
		if res := a.Response(200); res.Get("Allow") != "BYE" || res.CallID != "1" {
			t.Errorf("response %s", res)
		}
		b.Silence(time.Hour)
	})
}

// hasty is a transport that delivers from within Send, which none may.
type hasty struct{ deliver func(transport.Packet) bool }

func (h hasty) Send(id uint64, _ transport.Target, _ []byte) error {
	h.deliver(transport.Packet{SendID: id, Err: ErrUnreachable})
	return nil
}

func TestWithinSend(t *testing.T) {
	if WithinSend() {
		t.Error("no Send, but seen")
	}
	seen := false
	hasty{func(transport.Packet) bool { seen = WithinSend(); return true }}.Send(1, target("10.0.0.2:5060"),
		nil)
	if !seen {
		t.Error("not seen")
	}
}

// TestStream joins two ends by one connection that keeps order, whatever chance there is for datagrams.
func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(1)
		n.Loss, n.Duplicate, n.Delay, n.Jitter = 0.5, 0.5, 7*time.Millisecond, 50*time.Millisecond
		a, b := n.ListenOn(sip.TCP, "10.0.0.1:5060"), n.ListenOn(sip.TCP, "10.0.0.2:5060")
		to := transport.Target{Proto: sip.TCP, Addr: b.at}
		var want []string
		for i := range 100 {
			want = append(want, fmt.Sprint(i))
			if err := a.Send(uint64(i+1), to, []byte(want[i])); err != nil {
				t.Fatal(err)
			}
		}
		n.Close(b.at, a.at)
		a.Send(101, to, []byte("by another"))
		a.Send(102, transport.Target{Proto: sip.TCP, Addr: netip.MustParseAddrPort("10.0.0.3:5060")},
			[]byte("to nobody"))
		var packets []transport.Packet
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		b.Run(ctx, func(p transport.Packet) bool { packets = append(packets, p); return true })
		if len(packets) != 102 {
			t.Fatalf("%d packets arrived, want 102", len(packets))
		}
		flow := transport.Flow{Proto: sip.TCP, Local: b.at, Remote: a.at, Conn: packets[0].Flow.Conn}
		for i, p := range packets[:100] {
			if string(p.Data) != want[i] || p.Flow != flow || flow.Conn == 0 {
				t.Fatalf("packet %d: %q by %+v, want %q by %+v", i, p.Data, p.Flow, want[i], flow)
			}
		}
		if p := packets[100]; !errors.Is(p.Err, ErrClosed) || p.Flow != flow || p.SendID != 0 {
			t.Errorf("the end: %+v", p)
		}
		if p := packets[101]; string(p.Data) != "by another" || p.Flow.Same(flow) || p.Flow.Conn == 0 {
			t.Errorf("after the end: %+v", p)
		}
		if _, _, errs := received(t, a); len(errs) != 2 || !errors.Is(errs[0].Err, ErrClosed) ||
			errs[0].Flow.Remote != b.at ||
			!errors.Is(errs[1].Err, ErrUnreachable) || errs[1].SendID != 102 {
			t.Errorf("the other end heard %+v", errs)
		}
	})
}
