package ua_test

import (
	"testing"
	"time"

	"portero/sip"
	"portero/sip/digest"
	"portero/sip/siptest"
	"portero/sip/ua"
)

// TestForeignChallenges: a registered account's calls answer the realm that its registration was asked with,
// and nothing weaker, whoever asks; and no refusal costs it what it has learnt.
func TestForeignChallenges(t *testing.T) {
	cases := map[string]struct {
		status int
		offer  string
	}{
		"another realm, 407":       {407, `Digest realm="evil", nonce="x", algorithm=SHA-256, qop="auth"`},
		"another realm, 401":       {401, `Digest realm="evil", nonce="x", algorithm=SHA-256, qop="auth"`},
		"a weaker algorithm":       {407, `Digest realm="pbx.example", nonce="x", algorithm=MD5, qop="auth"`},
		"no qop":                   {407, `Digest realm="pbx.example", nonce="x", algorithm=SHA-256`},
		"both, in one line, evil":  {401, `Digest realm="evil", nonce="x", Digest realm="evil", nonce="y", algorithm=SHA-256`},
		"weaker, of another realm": {401, `Digest realm="evil", nonce="x"`},
	}
	each(t, cases, func(t *testing.T, n *siptest.Network, tt struct {
		status int
		offer  string
	}) {
		a := startUA(t, n, "10.0.0.1:5060")
		g := newGuarded(t, n, a)
		up := make(chan ua.RegEvent, 8)
		a.Register(g.acct, func(ev ua.RegEvent) { up <- ev })
		g.challenge(g.Request("REGISTER"), 401, g.auth.Challenges(time.Now(), false)...)
		req := g.Request("REGISTER")
		g.check(req, "Authorization")
		g.answer(req, 200, "r", func(res *sip.Response) { res.Contact = req.Contact })
		<-up
		for range 3 {
			a.call(t, "sip:kitchen@example.net", g.acct)
			invite := g.Request("INVITE")
			g.hasNone(invite)
			g.challenge(invite, tt.status, tt.offer)
			if ev := a.want(t, ua.Ended); ev.Status != tt.status {
				t.Errorf("%+v", ev.CallEvent)
			}
		}
		// the own server's challenge is answered as ever, and the registration goes on
		a.call(t, "sip:kitchen@example.net", g.acct)
		g.challenge(g.Request("INVITE"), 407, g.auth.Challenges(time.Now(), false)...)
		invite := g.Request("INVITE")
		g.check(invite, "Proxy-Authorization")
		g.answer(invite, 486, "t")
		g.Request("ACK")
		a.want(t, ua.Ended)
		select {
		case ev := <-up:
			t.Errorf("the registration has heard %+v", ev)
		default:
		}
	})
}

// TestServerChangesItsRealm: the account's own server may, when it asks REGISTER; calls follow.
func TestServerChangesItsRealm(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		g := newGuarded(t, n, a)
		up := make(chan ua.RegEvent, 8)
		a.Register(g.acct, func(ev ua.RegEvent) { up <- ev })
		next := digest.NewServer("node-b.example", g.auth.Password)
		for _, server := range []*digest.Server{g.auth, next} {
			g.auth = server
			req, _ := g.Within(time.Hour) // the first, or a refresh
			g.challenge(req, 401, server.Challenges(time.Now(), false)...)
			req = g.Request("REGISTER")
			g.check(req, "Authorization")
			g.answer(req, 200, "r", func(res *sip.Response) { res.Contact = req.Contact })
			if ev := <-up; !ev.Registered {
				t.Fatalf("%+v", ev)
			}
		}
		a.call(t, "sip:kitchen@example.net", g.acct)
		g.challenge(g.Request("INVITE"), 407, next.Challenges(time.Now(), false)...)
		g.check(g.Request("INVITE"), "Proxy-Authorization")
	})
}

// TestCallBeforeRegistration: a call that is challenged before the registration was waits for that, and then
// answers.
func TestCallBeforeRegistration(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		a.waits = true
		g := newGuarded(t, n, a)
		a.Register(g.acct, func(ua.RegEvent) {})
		register := g.Request("REGISTER")
		start := time.Now()
		a.call(t, "sip:kitchen@example.net", g.acct)
		first := g.Request("INVITE")
		g.challenge(first, 407, g.auth.Challenges(time.Now(), false)...)
		if ev := a.want(t, ua.Waiting); ev.Status != 407 {
			t.Errorf("%+v", ev.CallEvent)
		}
		g.challenge(register, 401, g.auth.Challenges(time.Now(), false)...)
		register = g.Request("REGISTER")
		g.answer(register, 200, "r", func(res *sip.Response) { res.Contact = register.Contact })
		again := g.Request("INVITE")
		between(t, "INVITE", time.Since(start), 2*time.Second, 3*time.Second)
		g.challenge(again, 407, g.auth.Challenges(time.Now(), false)...)
		g.check(g.Request("INVITE"), "Proxy-Authorization")
	})
}

// TestFirstChallengePins: an account that does not register keeps to what its server asked first, for each
// kind of challenge.
func TestFirstChallengePins(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		g := newGuarded(t, n, a)
		a.call(t, "sip:kitchen@example.net", g.acct)
		g.challenge(g.Request("INVITE"), 407, g.auth.Challenges(time.Now(), false)...)
		req := g.Request("INVITE")
		g.check(req, "Proxy-Authorization")
		g.answer(req, 486, "t")
		g.Request("ACK")
		a.want(t, ua.Ended)
		a.call(t, "sip:kitchen@example.net", g.acct)
		req = g.Request("INVITE")
		g.check(req, "Proxy-Authorization") // at once, by the nonce of before
		g.challenge(req, 407, digest.NewServer("evil.example", g.auth.Password).Challenges(time.Now(), false)...)
		if ev := a.want(t, ua.Ended); ev.Status != 407 {
			t.Errorf("%+v", ev.CallEvent)
		}
		g.Silence(time.Minute)
	})
}
