package ua_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"portero/sip"
	"portero/sip/siptest"
	"portero/sip/ua"
)

func stream(o *uaOptions) { o.proto = sip.TCP }

// TestCallByStream carries the transport of a call in all that says where its ends are.
func TestCallByStream(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, b := startUA(t, n, "10.0.0.1:5060", stream), startUA(t, n, "10.0.0.2:5060", stream)
		c := a.call(t, "sip:kitchen@10.0.0.2;transport=tcp")
		b.want(t, ua.Offered).Leg.Answer(offer)
		a.want(t, ua.Answered)
		b.want(t, ua.Acked)
		hangUp(t, c, a, b)
		for _, s := range n.Log() {
			req, res, err := sip.Parse([]byte(s.Wire))
			if err != nil {
				t.Fatal(err)
			}
			if req != nil && (req.Via[0].Transport != "TCP" ||
				req.URI.String() != "sip:kitchen@10.0.0.2;transport=tcp" && req.Method == "INVITE") {
				t.Errorf("request\n%s", req)
			}
			var contact []sip.Address
			if req != nil {
				contact = req.Contact
			} else {
				contact = res.Contact
			}
			for _, c := range contact {
				if got, _ := c.URI.Params.Get("transport"); got != "tcp" {
					t.Errorf("Contact %s", c)
				}
			}
			if req != nil && req.Method == "BYE" &&
				req.URI.String() != "sip:kitchen@10.0.0.2:5060;transport=tcp" {
				t.Errorf("BYE to %s", req.URI)
			}
		}
	})
}

// TestStreamEnds ends a call that rings with its connection: nobody could answer it any more.
func TestStreamEnds(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060", stream)
		p := n.NewPeerOn(t, sip.TCP, "10.0.0.2:5060")
		a.call(t, "sip:kitchen@10.0.0.2;transport=tcp")
		p.Respond(p.Request("INVITE"), a.addr, 180, func(res *sip.Response) { res.To = res.To.WithTag("k") })
		a.want(t, ua.Progress)
		n.Close(p.Addr, a.addr)
		if ev := a.want(t, ua.Ended); !errors.Is(ev.Err, siptest.ErrClosed) {
			t.Errorf("ended with %v, want %v", ev.Err, siptest.ErrClosed)
		}
		a.settled(t)
	})
}

// TestStreamEndsUnheard begins anew when the connection ends before anybody has answered: a server that
// restarts loses no press.
func TestStreamEndsUnheard(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060", stream)
		p := n.NewPeerOn(t, sip.TCP, "10.0.0.2:5060")
		c := a.call(t, "sip:kitchen@10.0.0.2;transport=tcp")
		p.Request("INVITE")
		start := time.Now()
		n.Close(p.Addr, a.addr)
		p.Within(time.Second) // the end of the connection
		again := p.Request("INVITE")
		if got := time.Since(start); got != 2*time.Second {
			t.Errorf("again after %v, want 2 s", got)
		}
		p.Respond(again, a.addr, 486, func(res *sip.Response) { res.To = res.To.WithTag("k") })
		p.Request("ACK")
		a.want(t, ua.Ended)
		c.Hangup()
		a.settled(t)
	})
}

// TestRegisterByStream registers a Contact that has the transport of its account.
func TestRegisterByStream(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060", stream)
		p := n.NewPeerOn(t, sip.TCP, "10.0.0.9:5060")
		at := p.Addr
		acct := ua.NewAccount(ua.AccountConfig{AOR: mustURI(t, "sip:door@example.net"),
			Server: mustURI(t, "sip:example.net;transport=tcp"),
			Locate: func() (netip.AddrPort, error) { return at, nil }})
		reg := a.Register(acct, func(ua.RegEvent) {})
		req := p.Request("REGISTER")
		if got := req.Contact[0].URI.String(); got != "sip:door@10.0.0.1:5060;transport=tcp" ||
			req.Via[0].Transport != "TCP" {
			t.Errorf("REGISTER of %s", got)
		}
		p.Respond(req, a.addr, 200, func(res *sip.Response) {
			res.To, res.Contact = res.To.WithTag("r"),
				req.Contact
		})
		reg.Stop()
		gone := p.Request("REGISTER")
		p.Respond(gone, a.addr, 200, func(res *sip.Response) { res.To = res.To.WithTag("r") })
	})
}
