package sip_test

import (
	"context"
	"log/slog"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"portero/sip"
	"portero/sip/siptest"
)

// ua is a user agent on the test network, with what it heard.
type ua struct {
	*sip.Agent
	addr   netip.AddrPort
	events chan heard
}

type heard struct {
	call *sip.Call
	sip.CallEvent
}

// startUA runs a user agent until the test ends.
func startUA(t *testing.T, n *siptest.Network, addr string) *ua {
	u := &ua{addr: netip.MustParseAddrPort(addr), events: make(chan heard, 256)}
	u.Agent = sip.NewAgent(sip.AgentConfig{
		Log:      slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
		Allow:    func(sip.Flow, *sip.Request) int { return 0 },
		Incoming: func(c *sip.Call, ev sip.CallEvent) { u.events <- heard{c, ev} },
	})
	stack := sip.NewStack(sip.Config{Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))}, u.Agent, n.Listen(addr))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- stack.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("stack %s: %v", addr, err)
		}
	})
	return u
}

func (u *ua) call(t *testing.T, to string) *sip.Call {
	uri, err := sip.ParseURI(to)
	if err != nil {
		t.Fatal(err)
	}
	var c *sip.Call
	c = u.Invite(sip.Invite{To: uri, From: sip.URI{Scheme: "sip", User: "door", Host: u.addr.Addr().String()},
		Offer: func(netip.Addr, sip.Target) ([]byte, error) { return []byte("v=0\r\n"), nil }},
		func(ev sip.CallEvent) { u.events <- heard{c, ev} })
	return c
}

func (u *ua) want(t *testing.T, kind sip.CallEventKind) heard {
	t.Helper()
	select {
	case h := <-u.events:
		if h.Kind != kind {
			t.Fatalf("%s: want %s, heard %s (status %d, %q)", u.addr, kind, h.Kind, h.Status, h.Reason)
		}
		return h
	case <-time.After(2 * time.Minute):
		t.Fatalf("%s: want %s, heard nothing", u.addr, kind)
	}
	panic("unreachable")
}

func TestCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := siptest.NewNetwork(1)
		n.Delay = 5 * time.Millisecond
		a, b := startUA(t, n, "10.0.0.1:5060"), startUA(t, n, "10.0.0.2:5060")
		a.call(t, "sip:kitchen@10.0.0.2")
		offered := b.want(t, sip.Offered)
		if string(offered.Body) != "v=0\r\n" {
			t.Fatalf("offer %q", offered.Body)
		}
		offered.Leg.Progress(180, nil)
		if ev := a.want(t, sip.Progress); ev.Status != 180 || ev.Leg == nil {
			t.Fatalf("progress %+v", ev)
		}
		offered.Leg.Answer([]byte("v=0\r\na=answer\r\n"))
		if ev := a.want(t, sip.Answered); string(ev.Body) != "v=0\r\na=answer\r\n" {
			t.Fatalf("answer %q", ev.Body)
		}
		b.want(t, sip.Acked)
		b.want2Hangup(t, a, offered.call)
	})
}

func (u *ua) want2Hangup(t *testing.T, far *ua, c *sip.Call) {
	t.Helper()
	c.Hangup()
	if ev := u.want(t, sip.Ended); ev.ByPeer {
		t.Fatal("own hang-up told as the peer's")
	}
	if ev := far.want(t, sip.Ended); !ev.ByPeer {
		t.Fatal("the peer's hang-up told as own")
	}
	time.Sleep(time.Minute)
	if a, b := u.Calls(), far.Calls(); a != 0 || b != 0 {
		t.Fatalf("calls left: %d and %d", a, b)
	}
}
