package ua_test

import (
	"strings"
	"testing"
	"time"

	"portero/sip"
	"portero/sip/siptest"
	"portero/sip/transport"
	"portero/sip/ua"
)

// warned makes an agent that keeps its warnings.
func warned(t *testing.T, n *siptest.Network, options ...func(*uaOptions)) (*testAgent, *captured) {
	log := &captured{warnings: true, b: &strings.Builder{}}
	return startUA(t, n, "10.0.0.1:5060", append(options, func(o *uaOptions) { o.log = log })...), log
}

// TestNextHopOfNoUse has a phone answer with a Contact, or a proxy with a Route, that leads nowhere: ACK,
// digits and BYE go to where the answer came from, with a warning.
func TestNextHopOfNoUse(t *testing.T) {
	serveNames(t)
	contact := func(uri string) func(*sip.Response) {
		return func(res *sip.Response) { res.Contact[0], _ = sip.ParseAddress("<" + uri + ">") }
	}
	each(t, map[string]func(*sip.Response){
		"a transport that we lack": contact("sip:far@10.0.0.2:5060;transport=tcp"),
		"an unknown transport":     contact("sip:far@10.0.0.2:5060;transport=ws"),
		"sips":                     contact("sips:far@10.0.0.2:5060"),
		"a name that is unknown":   contact("sip:far@phone.invalid"),
		"no SIP URI":               contact("tel:+4930123"),
		"a route by name": func(res *sip.Response) {
			rr, _ := sip.ParseAddress("<sip:pbx.invalid;lr>")
			res.RecordRoute = []sip.Address{rr}
		},
	}, func(t *testing.T, n *siptest.Network, edit func(*sip.Response)) {
		a, log := warned(t, n)
		f := newFar(t, n, "10.0.0.2:5060", a)
		c := a.call(t, "sip:kitchen@10.0.0.2")
		f.answer(f.Request("INVITE"), 200, "t", edit)
		start := time.Now()
		f.Request("ACK")
		between(t, "ACK", time.Since(start), 0, time.Second)
		h := a.want(t, ua.Answered)
		h.Leg.Info("application/dtmf-relay", []byte("Signal=1"))
		f.answer(f.Request("INFO"), 200, "")
		c.Hangup()
		f.answer(f.Request("BYE"), 200, "")
		a.want(t, ua.Ended)
		if w := log.text(); strings.Count(w, "\n") != 1 || !strings.Contains(w, "10.0.0.2:5060") {
			t.Errorf("warned %q", w)
		}
		a.settled(t)
	})
}

// TestSlowRouteName does not keep an ACK until a silent name server has been given up.
func TestSlowRouteName(t *testing.T) {
	ns := serveNames(t)
	ns.deaf = func(uint16) bool { return true }
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f, c, req := dialled(t, n)
		f.answer(req, 200, "t", func(res *sip.Response) {
			rr, _ := sip.ParseAddress("<sip:pbx.example.net;lr>")
			res.RecordRoute = []sip.Address{rr}
		})
		start := time.Now()
		ack := f.Request("ACK")
		between(t, "ACK", time.Since(start), 0, time.Second)
		if len(ack.Route) != 1 || ack.Route[0].URI.Host != "pbx.example.net" {
			t.Errorf("the route set is part of the dialog still:\n%s", ack)
		}
		a.want(t, ua.Answered)
		c.Hangup()
		f.answer(f.Request("BYE"), 200, "")
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestUnreachableContact gives an address that no ACK reaches: the third copy of the 200 has it sent to where
// the answer came from, and the BYE goes there at once.
func TestUnreachableContact(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, log := warned(t, n)
		f := newFar(t, n, "10.0.0.2:5060", a)
		c := a.call(t, "sip:kitchen@10.0.0.2")
		invite := f.Request("INVITE")
		private := func(res *sip.Response) {
			res.Contact[0].URI = sip.URI{Scheme: "sip", User: "far", Host: "192.168.7.7"}
		}
		for range 2 {
			f.answer(invite, 200, "t", private)
			f.Silence(400 * time.Millisecond)
		}
		if w := log.text(); w != "" {
			t.Errorf("warned %q", w)
		}
		a.want(t, ua.Answered)
		for range 2 {
			f.answer(invite, 200, "t", private)
			if ack := f.Request("ACK"); ack.URI.Host != "192.168.7.7" {
				t.Errorf("ACK:\n%s", ack)
			}
		}
		c.Hangup()
		f.answer(f.Request("BYE"), 200, "")
		a.want(t, ua.Ended)
		if w := log.text(); strings.Count(w, "\n") != 1 {
			t.Errorf("warned %q", w)
		}
		a.settled(t)
	})
}

// TestUnreachableCaller hangs up on a caller whose Contact nobody answers at: after 2 s the BYE goes to where
// its last request came from as well.
func TestUnreachableCaller(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		f := newFar(t, n, "10.0.0.2:5060", a)
		f.request("INVITE", func(req *sip.Request) { req.Contact[0].URI.Host = "192.168.7.7" })
		h := a.want(t, ua.Offered)
		h.Leg.Answer(offer)
		f.joined(f.Response(200))
		f.request("ACK")
		a.want(t, ua.Acked)
		h.call.Hangup()
		a.want(t, ua.Ended)
		start := time.Now()
		f.answer(f.Request("BYE"), 200, "")
		between(t, "BYE", time.Since(start), 2*time.Second, 2*time.Second)
		a.settled(t)
	})
}

// TestDialogIsNotDrawnAway takes a request of the dialog from a stranger's address: nothing of ours follows
// it there. The caller's own new port is followed.
func TestDialogIsNotDrawnAway(t *testing.T) {
	serveNames(t)
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		f := newFar(t, n, "10.0.0.2:5060", a)
		f.request("INVITE", func(req *sip.Request) { req.Contact[0].URI.Host = "phone.invalid" })
		h := a.want(t, ua.Offered)
		h.Leg.Answer(offer)
		f.joined(f.Response(200))
		f.request("ACK")
		a.want(t, ua.Acked)
		options := func(from string, status int) *far {
			g := *f
			g.Peer = n.NewPeer(t, from)
			f.seq++
			g.seq = f.seq
			g.request("OPTIONS")
			g.Response(status)
			return &g
		}
		moved := options("10.0.0.2:6060", 200)
		thief := options("10.0.0.66:5060", 403)
		h.call.Hangup()
		a.want(t, ua.Ended)
		moved.answer(moved.Request("BYE"), 200, "")
		thief.Silence(time.Second)
		a.settled(t)
	})
}

// TestDetourTakesNoCredentials shows who gets the account's: its server, also as the way out, and no phone.
func TestDetourTakesNoCredentials(t *testing.T) {
	serveNames(t)
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		g := newGuarded(t, n, a)
		c := a.call(t, "sip:kitchen@example.net", g.acct)
		g.challenge(g.Request("INVITE"), 407, g.auth.Challenges(time.Now(), false)...)
		g.answer(g.Request("INVITE"), 200, "t", func(res *sip.Response) {
			res.Contact[0].URI = sip.URI{Scheme: "sips", User: "kitchen", Host: "phone.invalid"}
		})
		if ack := g.Request("ACK"); ack.Get("Proxy-Authorization") == "" { // §22.1
			t.Errorf("ACK without the INVITE's credentials:\n%s", ack)
		}
		a.want(t, ua.Answered)
		phone := newFar(t, n, "10.0.0.3:5060", a)
		g.request("INVITE", func(req *sip.Request) { req.Contact[0].URI.Host = "10.0.0.3" })
		h := a.want(t, ua.Offered)
		h.Leg.Answer(offer)
		g.Response(200)
		g.request("ACK")
		a.want(t, ua.Acked)
		c.Hangup() // the new target can be reached: the way out is no longer needed
		bye := phone.Request("BYE")
		if v := append(bye.Values("Authorization"), bye.Values("Proxy-Authorization")...); len(v) > 0 {
			t.Errorf("credentials for a phone: %q", v)
		}
		phone.answer(bye, 200, "")
		a.want(t, ua.Ended)
	})
}

// TestNeverWeaker keeps a call that came by TLS on TLS, whatever its Contact says.
func TestNeverWeaker(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, log := warned(t, n, func(o *uaOptions) { o.proto, o.also = sip.TLS, []sip.Proto{sip.UDP} })
		p := n.NewPeerOn(t, sip.TLS, "10.0.0.2:5061")
		plain := n.NewPeer(t, "10.0.0.2:5060")
		c := a.call(t, "sip:kitchen@10.0.0.2;transport=tls")
		p.Respond(p.Request("INVITE"), a.addr, 200, func(res *sip.Response) {
			res.To = res.To.WithTag("t")
			res.Contact = []sip.Address{{URI: transport.URI("far", sip.UDP, plain.Addr)}}
			res.ContentType, res.Body = "application/sdp", offer
		})
		p.Request("ACK")
		a.want(t, ua.Answered)
		c.Hangup()
		p.Respond(p.Request("BYE"), a.addr, 200, nil)
		a.want(t, ua.Ended)
		plain.Silence(time.Second)
		if w := log.text(); strings.Count(w, "\n") != 1 {
			t.Errorf("warned %q", w)
		}
	})
}

// TestNeverAcknowledged ends a call at once whose 200 cannot be acknowledged by any way: it would talk to
// nobody.
func TestNeverAcknowledged(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		r := newRegistering(t, n)
		r.a.call(t, "sip:kitchen@example.net", r.acct)
		req := r.Request("INVITE")
		r.a.Stack().Post(func() { r.local.route = errWire })
		r.answer(req, 200, "t")
		start := time.Now()
		if ev := r.a.want(t, ua.Ended); ev.Err == nil || ev.ByPeer {
			t.Errorf("told %+v", ev.CallEvent)
		}
		between(t, "end", time.Since(start), 0, 0)
		r.a.settled(t)
	})
}
