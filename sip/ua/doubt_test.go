package ua_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"portero/sip"
	"portero/sip/siptest"
	"portero/sip/transport"
	"portero/sip/ua"
)

// zone is a Lookup that knows what the test tells it.
type zone struct {
	mu    sync.Mutex
	addrs map[string][]string // by host
	asked int
}

func (z *zone) set(host string, addrs ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.addrs == nil {
		z.addrs = map[string][]string{}
	}
	z.addrs[host] = addrs
}

func (z *zone) lookup(_ context.Context, u sip.URI) (ts []transport.Target, err error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked++
	for _, a := range z.addrs[u.Host] {
		ts = append(ts, transport.Target{Proto: transport.ProtoOf(u), Addr: netip.MustParseAddrPort(a),
			Host: u.Host})
	}
	if len(ts) == 0 {
		err = errors.New("no such host")
	}
	return ts, err
}

// count returns how many questions there were.
func (z *zone) count() int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked
}

func (z *zone) option(o *uaOptions) { o.cfg.Lookup = z.lookup }

// TestServerMovesBeforePress has a name lead elsewhere while an account is registered: the press rings there
// within 3 s, and the registration follows.
func TestServerMovesBeforePress(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		var z zone
		z.set("pbx.test", "10.0.0.8:5060")
		a := startUA(t, n, "10.0.0.1:5060", z.option)
		old, next := newFar(t, n, "10.0.0.8:5060", a), newFar(t, n, "10.0.0.9:5060", a)
		acct := ua.NewAccount(ua.AccountConfig{AOR: mustURI(t, "sip:door@pbx.test"),
			Server: mustURI(t, "sip:pbx.test")})
		a.Register(acct, func(ua.RegEvent) {})
		old.answer(old.Request("REGISTER"), 200, "r")
		time.Sleep(time.Minute)
		z.set("pbx.test", "10.0.0.9:5060")
		start := time.Now()
		c := a.call(t, "sip:**9@pbx.test", acct)
		first := old.Request("INVITE")
		var invite *sip.Request
		for range 2 { // in whichever order
			req, _ := next.Within(3 * time.Second)
			switch {
			case req == nil:
				t.Fatal("nothing at the new address")
			case req.Method == sip.INVITE:
				invite = req
			default:
				next.answer(req, 200, "r")
			}
		}
		between(t, "INVITE", time.Since(start), 0, 3*time.Second)
		if invite == nil || invite.CSeq != first.CSeq || invite.CallID != first.CallID {
			t.Fatalf("at the new address:\n%s", invite)
		}
		next.answer(invite, 180, "t")
		a.want(t, ua.Progress)
		next.answer(invite, 200, "t")
		next.Request("ACK")
		a.want(t, ua.Answered)
		c.Hangup()
		next.answer(next.Request("BYE"), 200, "")
		a.want(t, ua.Ended)
	})
}

// TestServerMovesDuringPress finds the new address within the press, with an account that does not register
// and without one.
func TestServerMovesDuringPress(t *testing.T) {
	kinds := map[string]bool{"account": true, "direct": false}
	each(t, kinds, func(t *testing.T, n *siptest.Network, has bool) {
		var z zone
		z.set("pbx.test", "10.0.0.8:5060")
		a := startUA(t, n, "10.0.0.1:5060", z.option)
		next := newFar(t, n, "10.0.0.9:5060", a)
		var accounts []*ua.Account
		if has {
			accounts = append(accounts, ua.NewAccount(ua.AccountConfig{AOR: mustURI(t, "sip:door@pbx.test"),
				Server: mustURI(t, "sip:pbx.test")}))
		}
		a.call(t, "sip:kitchen@pbx.test", accounts...)
		time.Sleep(5 * time.Second)
		z.set("pbx.test", "10.0.0.9:5060")
		start := time.Now()
		req := next.Request("INVITE")
		between(t, "INVITE", time.Since(start), 0, 8*time.Second)
		next.answer(req, 180, "t")
		a.want(t, ua.Progress)
		asked := z.count()
		next.Silence(25 * time.Second)
		if n := z.count(); n > asked+1 { // when the old address is given up
			t.Errorf("looked up %d times while it rings", n-asked)
		}
		next.answer(req, 486, "t")
		next.Request("ACK")
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestSilentServerIsNotHammered looks a server that stays silent up anew a few times, and calls it once.
func TestSilentServerIsNotHammered(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		var z zone
		z.set("pbx.test", "10.0.0.8:5060")
		a := startUA(t, n, "10.0.0.1:5060", z.option)
		f := newFar(t, n, "10.0.0.8:5060", a)
		a.call(t, "sip:kitchen@pbx.test")
		req := f.Request("INVITE")
		a.want(t, ua.Ended)
		f.repeats(req)
		if n := z.count(); n > 6 {
			t.Errorf("looked up %d times", n)
		}
		a.settled(t)
	})
}

// TestRedirect follows a redirection once, and only where its owner allows it.
func TestRedirect(t *testing.T) {
	each(t, map[string]struct {
		allow    string // the host that may be followed
		contacts string // of the first 302
		want     string // where the call goes; "": nowhere
	}{
		"allowed":        {"10.0.0.3", "<sip:hall@10.0.0.3>", "sip:hall@10.0.0.3"},
		"not allowed":    {"10.0.0.4", "<sip:hall@10.0.0.3>", ""},
		"nobody decides": {"", "<sip:hall@10.0.0.3>", ""},
		"the best that may": {"10.0.0.3", "<sip:a@10.0.0.9>;q=1.0, <sip:hall@10.0.0.3>;q=0.4, " +
			"<sip:b@10.0.0.3>;q=0.2",
			"sip:hall@10.0.0.3"},
		"what else it asks for": {"10.0.0.3", "<sip:hall@10.0.0.3?Subject=x&Replaces=y>",
			"sip:hall@10.0.0.3"},
		"no SIP": {"10.0.0.3", "<tel:+4930123>", ""},
	}, func(t *testing.T, n *siptest.Network, c struct{ allow, contacts, want string }) {
		log := &captured{warnings: true, b: &strings.Builder{}}
		a := startUA(t, n, "10.0.0.1:5060", func(o *uaOptions) {
			o.log = log
			if c.allow != "" {
				o.redirect = func(_ *ua.Account, to sip.URI) (*ua.Account, bool) {
					return nil, to.Host == c.allow
				}
			}
		})
		f, g := newFar(t, n, "10.0.0.2:5060", a), newFar(t, n, "10.0.0.3:5060", a)
		a.call(t, "sip:kitchen@10.0.0.2")
		first := f.Request("INVITE")
		moved := func(res *sip.Response) { res.Contact = parseContacts(t, c.contacts) }
		f.answer(first, 302, "t", moved)
		f.Request("ACK")
		if c.want == "" {
			if ev := a.want(t, ua.Ended); ev.Status != 302 {
				t.Errorf("told %+v", ev.CallEvent)
			}
			g.Silence(time.Minute)
		} else {
			req := g.Request("INVITE")
			if req.URI.String() != c.want || req.CallID != first.CallID || req.CSeq.Seq <= first.CSeq.Seq ||
				req.From.Tag() != first.From.Tag() || req.Get("Replaces") != "" {
				t.Errorf("redirected (§8.1.3.4):\n%s", req)
			}
			g.answer(req, 302, "u", moved) // round and round
			g.Request("ACK")
			if ev := a.want(t, ua.Ended); ev.Status != 302 {
				t.Errorf("told %+v", ev.CallEvent)
			}
		}
		if w := log.text(); strings.Count(w, "\n") != 1 || !strings.Contains(w, "redirection not followed") {
			t.Errorf("warned %q", w)
		}
		a.settled(t)
	})
}

// parseContacts reads a Contact field as a peer sends it.
func parseContacts(t *testing.T, text string) []sip.Address {
	t.Helper()
	_, res, err := sip.Parse([]byte("SIP/2.0 302 Moved\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKa\r\n" +
		"From: <sip:a@a>;tag=a\r\n" +
		"To: <sip:b@b>\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\nContact: " + text + "\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	return res.Contact
}
