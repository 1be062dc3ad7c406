package ua_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"portero/sip"
	"portero/sip/digest"
	"portero/sip/siptest"
	"portero/sip/ua"
)

// guarded is a scripted server that knows one user.
type guarded struct {
	*far
	auth *digest.Server
	acct *ua.Account
}

const password = "p:a\"ss\\"

func newGuarded(t *testing.T, n *siptest.Network, a *testAgent, edits ...func(*ua.AccountConfig)) *guarded {
	cfg := ua.AccountConfig{Name: "pbx", AOR: mustURI(t, "sip:door@example.net"),
		Server:   mustURI(t, "sip:10.0.0.9"),
		AuthUser: "door1", Password: password}
	for _, edit := range edits {
		edit(&cfg)
	}
	return &guarded{far: newFar(t, n, "10.0.0.9:5060", a), acct: ua.NewAccount(cfg),
		auth: digest.NewServer("pbx.example", func(user string) (string, bool) {
			return password,
				user == "door1"
		})}
}

// challenge refuses a request with the given challenges.
func (g *guarded) challenge(req *sip.Request, status int, challenges ...string) {
	name := "WWW-Authenticate"
	if status == 407 {
		name = "Proxy-Authenticate"
	}
	g.answer(req, status, "c", func(res *sip.Response) {
		for _, c := range challenges {
			res.Add(name, c)
		}
	})
	if req.Method == "INVITE" {
		g.Request("ACK")
	}
}

// check fails unless the request proves the user's password.
func (g *guarded) check(req *sip.Request, name string) {
	g.t.Helper()
	if user, err := g.auth.Check(req.Values(name), req.Method, time.Now()); err != nil || user != "door1" {
		g.t.Fatalf("%s of %s: %q, %v\n%s", name, req.Method, user, err, req)
	}
}

func (g *guarded) hasNone(req *sip.Request) {
	g.t.Helper()
	if v := append(req.Values("Authorization"), req.Values("Proxy-Authorization")...); len(v) > 0 {
		g.t.Fatalf("%s with credentials %q", req.Method, v)
	}
}

// TestNoPassword: an account that only lends its address sends no credentials, and the challenge ends the
// call.
func TestNoPassword(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		g := newGuarded(t, n, a, func(c *ua.AccountConfig) { c.Password = "" })
		a.call(t, "sip:kitchen@example.net", g.acct)
		g.challenge(g.Request("INVITE"), 401, g.auth.Challenges(time.Now(), false)...)
		if ev := a.want(t, ua.Ended); ev.Status != 401 {
			t.Errorf("%+v", ev)
		}
		a.settled(t)
	})
}

// TestChallenged answers each set of challenges, and the call goes through with them; ACK and BYE carry
// credentials, too.
func TestChallenged(t *testing.T) {
	md5 := func(c []string) []string { return c[1:] }
	sha := func(c []string) []string { return c[:1] }
	// the weaker one first, as old servers do
	both := func(c []string) []string { return []string{c[1], c[0]} }
	for name, c := range map[string]struct {
		status int
		offers func([]string) []string
		alg    string
	}{
		"401 MD5":     {401, md5, "MD5"},
		"401 SHA-256": {401, sha, "SHA-256"},
		"401 both":    {401, both, "SHA-256"},
		"407 MD5":     {407, md5, "MD5"},
		"407 both":    {407, both, "SHA-256"},
		"401 with one of another kind": {401, func(c []string) []string {
			return append([]string{`Digest realm="x", nonce="y", algorithm=SHA-512-256`, `Basic realm="x"`},
				c[1])
		}, "MD5"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *siptest.Network) {
				a := startUA(t, n, "10.0.0.1:5060")
				g := newGuarded(t, n, a)
				call := a.call(t, "sip:kitchen@example.net", g.acct)
				first := g.Request("INVITE")
				g.hasNone(first)
				g.challenge(first, c.status, c.offers(g.auth.Challenges(time.Now(), false))...)
				field := "Authorization"
				if c.status == 407 {
					field = "Proxy-Authorization"
				}
				second := g.Request("INVITE")
				g.check(second, field)
				if v := second.Get(field); !strings.Contains(v, "algorithm="+c.alg+",") {
					t.Errorf("answered %s, want %s", v, c.alg)
				}
				if second.CallID != first.CallID || second.From.Tag() != first.From.Tag() ||
					second.To.Tag() != "" || second.CSeq.Seq != first.CSeq.Seq+1 ||
					second.Via[0].Branch() == first.Via[0].Branch() {
					t.Errorf("second attempt (§22.2):\n%s\n%s", first, second)
				}
				g.answer(second, 200, "t", func(res *sip.Response) {
					res.RecordRoute = []sip.Address{{URI: sip.URI{Scheme: "sip", Host: "10.0.0.9",
						Params: ";lr"}}}
				})
				ack := g.Request("ACK")
				if ack.CSeq.Seq != second.CSeq.Seq || ack.Get(field) != second.Get(field) {
					t.Errorf("ACK (§13.2.2.4, §22.1):\n%s", ack)
				}
				a.want(t, ua.Answered)
				call.Hangup()
				bye := g.Request("BYE")
				g.check(bye, field)
				if bye.CSeq.Seq != second.CSeq.Seq+1 {
					t.Errorf("BYE has CSeq %d after %d", bye.CSeq.Seq, second.CSeq.Seq)
				}
				g.answer(bye, 200, "")
				a.want(t, ua.Ended)
				a.settled(t)
			})
		})
	}
}

func TestProxyThenServer(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		g := newGuarded(t, n, a)
		inner := digest.NewServer("inner.example", g.auth.Password)
		a.call(t, "sip:kitchen@example.net", g.acct)
		g.challenge(g.Request("INVITE"), 401, g.auth.Challenges(time.Now(), false)...)
		second := g.Request("INVITE")
		g.check(second, "Authorization")
		g.challenge(second, 407, inner.Challenges(time.Now(), false)...)
		third := g.Request("INVITE")
		g.check(third, "Authorization")
		if _, err := inner.Check(third.Values("Proxy-Authorization"), "INVITE", time.Now()); err != nil {
			t.Errorf("Proxy-Authorization: %v", err)
		}
		g.answer(third, 486, "t")
		g.Request("ACK")
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestStale keeps a nonce until the server calls it stale, and then answers the new one at once.
func TestStale(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		g := newGuarded(t, n, a)
		busy := func(req *sip.Request) {
			g.answer(req, 486, "t")
			g.Request("ACK")
			a.want(t, ua.Ended)
		}
		a.call(t, "sip:kitchen@example.net", g.acct)
		g.challenge(g.Request("INVITE"), 401, g.auth.Challenges(time.Now(), false)...)
		req := g.Request("INVITE")
		g.check(req, "Authorization")
		busy(req)
		a.call(t, "sip:kitchen@example.net", g.acct)
		req = g.Request("INVITE")
		g.check(req, "Authorization") // with nc=00000002, no further challenge
		busy(req)
		time.Sleep(10 * time.Minute)
		a.call(t, "sip:kitchen@example.net", g.acct)
		req = g.Request("INVITE")
		if _, err := g.auth.Check(req.Values("Authorization"), "INVITE", time.Now()); err != digest.ErrStale {
			t.Fatalf("want a stale nonce, got %v", err)
		}
		g.challenge(req, 401, g.auth.Challenges(time.Now(), true)...)
		req = g.Request("INVITE")
		g.check(req, "Authorization")
		busy(req)
		a.settled(t)
	})
}

// TestParallelNonces calls three phones at a server that gives each INVITE a nonce of its own and never says
// stale: all ring, at the first press and at one ten minutes later, which begins with credentials that have
// aged.
func TestParallelNonces(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		g := newGuarded(t, n, a)
		nonces := 0
		for press := range 2 {
			var calls []*ua.Call
			var first []*sip.Request
			for i := range 3 {
				calls = append(calls, a.call(t, fmt.Sprintf("sip:phone%d@example.net", i), g.acct))
				first = append(first, g.Request("INVITE"))
			}
			for _, req := range first { // answered only when all are under way
				nonces++
				g.answer(req, 401, "c", func(res *sip.Response) {
					res.Add("WWW-Authenticate", fmt.Sprintf(`Digest realm="fritz.box", nonce="%016X"`,
						nonces))
				})
			}
			rang := 0
			for req, _ := g.Within(time.Second); req != nil; req, _ = g.Within(time.Second) {
				if req.Method == "INVITE" {
					rang++
					g.answer(req, 486, "b")
				}
			}
			if rang != 3 {
				t.Fatalf("press %d: %d of 3 phones ring", press+1, rang)
			}
			for range 3 {
				if ev := a.want(t, ua.Ended); ev.Status != 486 {
					t.Fatalf("press %d: told %+v", press+1, ev.CallEvent)
				}
			}
			for _, c := range calls {
				c.Hangup()
			}
			time.Sleep(10 * time.Minute)
		}
		a.settled(t)
	})
}

// TestAckOfChallengeLost cannot send the ACK of a 401: that is no word on the INVITE that answers it.
func TestAckOfChallengeLost(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		n.Fail = func(nth int) error {
			if nth == 3 { // INVITE, 401, ACK
				return errWire
			}
			return nil
		}
		a := startUA(t, n, "10.0.0.1:5060")
		g := newGuarded(t, n, a)
		c := a.call(t, "sip:kitchen@example.net", g.acct)
		g.answer(g.Request("INVITE"), 401, "c", func(res *sip.Response) {
			for _, ch := range g.auth.Challenges(time.Now(), false) {
				res.Add("WWW-Authenticate", ch)
			}
		})
		second := g.Request("INVITE")
		if lost := n.Log()[2]; !lost.Lost || !strings.HasPrefix(lost.Wire, "ACK ") {
			t.Fatalf("lost %q", lost.Wire)
		}
		g.answer(second, 180, "r")
		a.want(t, ua.Progress)
		a.wantNothing(t)
		c.Hangup()
		g.answer(g.Request("CANCEL"), 200, "r")
		g.answer(second, 487, "r")
		g.Request("ACK")
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestWrongPassword asks once: to try the same password again would only lock the account.
func TestWrongPassword(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		g := newGuarded(t, n, a, func(c *ua.AccountConfig) { c.Password = "wrong" })
		a.call(t, "sip:kitchen@example.net", g.acct)
		g.challenge(g.Request("INVITE"), 401, g.auth.Challenges(time.Now(), false)...)
		req := g.Request("INVITE")
		if _, err := g.auth.Check(req.Values("Authorization"), "INVITE", time.Now()); err != digest.ErrWrong {
			t.Fatalf("want a wrong password, got %v", err)
		}
		g.challenge(req, 401, g.auth.Challenges(time.Now(), false)...)
		if ev := a.want(t, ua.Ended); ev.Status != 401 {
			t.Errorf("told %+v", ev.CallEvent)
		}
		g.Silence(time.Minute)
		a.settled(t)
	})
}

// TestEndlessChallenges meets a server that calls every nonce stale: the attempts are counted.
func TestEndlessChallenges(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		g := newGuarded(t, n, a)
		a.call(t, "sip:kitchen@example.net", g.acct)
		attempts := 0
		for {
			req, _ := g.Within(time.Second)
			if req == nil {
				break
			}
			attempts++
			g.challenge(req, 401, g.auth.Challenges(time.Now(), true)...)
		}
		if attempts != 4 {
			t.Errorf("%d attempts", attempts)
		}
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestNoCredentials lists whom the account's password is not for.
func TestNoCredentials(t *testing.T) {
	t.Run("foreign realm", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *siptest.Network) {
			a := startUA(t, n, "10.0.0.1:5060")
			g := newGuarded(t, n, a, func(c *ua.AccountConfig) { c.Realms = []string{"pbx.example"} })
			a.call(t, "sip:kitchen@example.net", g.acct)
			g.challenge(g.Request("INVITE"), 407, digest.NewServer("evil.example",
				g.auth.Password).Challenges(time.Now(), false)...)
			if ev := a.want(t, ua.Ended); ev.Status != 407 {
				t.Errorf("told %+v", ev.CallEvent)
			}
			g.Silence(time.Minute)
			a.settled(t)
		})
	})
	t.Run("a call without an account", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *siptest.Network) {
			a := startUA(t, n, "10.0.0.1:5060")
			g := newGuarded(t, n, a)
			a.call(t, "sip:kitchen@10.0.0.9")
			g.challenge(g.Request("INVITE"), 401, g.auth.Challenges(time.Now(), false)...)
			a.want(t, ua.Ended)
			g.Silence(time.Minute)
		})
	})
	// The SIP digest leak: a phone that was called answers, and challenges the BYE that comes to it directly.
	t.Run("the phone itself", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *siptest.Network) {
			a := startUA(t, n, "10.0.0.1:5060")
			g := newGuarded(t, n, a)
			phone := newFar(t, n, "10.0.0.66:5060", a)
			call := a.call(t, "sip:kitchen@example.net", g.acct)
			g.challenge(g.Request("INVITE"), 401, g.auth.Challenges(time.Now(), false)...)
			req := g.Request("INVITE")
			g.check(req, "Authorization")
			g.answer(req, 200, "t", func(res *sip.Response) { res.Contact = []sip.Address{phone.contact()} })
			g.hasNone(phone.Request("ACK"))
			a.want(t, ua.Answered)
			call.Hangup()
			bye := phone.Request("BYE")
			g.hasNone(bye)
			a.want(t, ua.Ended)
			for _, status := range []int{401, 407} {
				phone.answer(bye, status, "", func(res *sip.Response) {
					for _, c := range g.auth.Challenges(time.Now(), false) {
						res.Add("WWW-Authenticate", c)
						res.Add("Proxy-Authenticate", c)
					}
				})
			}
			phone.Silence(time.Minute)
			a.settled(t)
		})
	})
}

// TestOutboundProxy sends a call to a foreign domain through the account's server.
func TestOutboundProxy(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		g := newGuarded(t, n, a)
		a.call(t, "sip:aunt@elsewhere.example", g.acct)
		req := g.Request("INVITE")
		if req.URI.String() != "sip:aunt@elsewhere.example" || len(req.Route) != 1 ||
			req.Route[0].String() != "<sip:10.0.0.9:5060;lr>" {
			t.Errorf("INVITE %s by %v", req.URI, req.Route)
		}
		if req.From.URI.String() != "sip:door@example.net" {
			t.Errorf("From %s", req.From)
		}
		g.answer(req, 486, "t")
		ack := g.Request("ACK")
		if len(ack.Route) != 1 || ack.Route[0].String() != req.Route[0].String() {
			t.Errorf("ACK by %v (§17.1.1.3)", ack.Route)
		}
		a.want(t, ua.Ended)
		a.settled(t)
	})
}
