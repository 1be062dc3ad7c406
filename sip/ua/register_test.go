package ua_test

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"portero/sip"
	"portero/sip/fsm/fsmtest"
	"portero/sip/siptest"
	"portero/sip/transaction"
	"portero/sip/transport"
	"portero/sip/ua"
)

// roaming is a transport whose local address can change.
type roaming struct {
	*siptest.Transport
	local *netip.AddrPort // set before use and between bubble steps; nil: the transport's own
	route error           // of Local
}

func (r *roaming) Local(t transport.Target) (netip.AddrPort, error) {
	if r.route != nil {
		return netip.AddrPort{}, r.route
	}
	if r.local != nil {
		return *r.local, nil
	}
	return r.Transport.Local(t)
}

// registering is an agent that keeps an account at a scripted registrar.
type registering struct {
	*testing.T
	*guarded
	a     *testAgent
	log   *fsmtest.Log
	net   *siptest.Network
	local *roaming
	reg   *ua.Registration
	told  chan ua.RegEvent
	mark  time.Time
}

func newRegistering(t *testing.T, n *siptest.Network, edits ...func(*ua.AccountConfig)) *registering {
	r := &registering{T: t, net: n, log: fsmtest.NewLog(),
		local: &roaming{Transport: n.Listen("10.0.0.1:5060")}, told: make(chan ua.RegEvent, 64)}
	r.a = &testAgent{addr: netip.MustParseAddrPort("10.0.0.1:5060"), events: make(chan heard, 16)}
	r.a.Agent = ua.New(ua.Config{Log: slog.New(r.log)})
	runStack(t, transaction.NewStack(transaction.Config{Log: slog.New(r.log)}, r.a.Agent, r.local))
	r.guarded = newGuarded(t, n, r.a, edits...)
	return r
}

func (r *registering) register() *sip.Request {
	r.Helper()
	r.mark = time.Now()
	r.reg = r.a.Register(r.acct, func(ev ua.RegEvent) { r.told <- ev })
	return r.Request("REGISTER")
}

// grant answers a REGISTER as a registrar does that knows other phones, too.
func (r *registering) grant(req *sip.Request, expires int, edits ...func(*sip.Response)) {
	r.answer(req, 200, "r", append([]func(*sip.Response){func(res *sip.Response) {
		other := sip.Address{URI: sip.URI{Scheme: "sip", User: "door", Host: "10.0.0.77", Port: 5060},
			Params: ";expires=17"}
		own := req.Contact[0]
		own.Params = own.Params.With("expires", fmt.Sprint(expires))
		res.Contact = []sip.Address{other, own}
	}}, edits...)...)
	r.mark = time.Now()
}

func (r *registering) want(up bool) ua.RegEvent {
	r.Helper()
	synctest.Wait()
	select {
	case ev := <-r.told:
		if ev.Registered != up {
			r.Fatalf("told %+v, want registered %v", ev, up)
		}
		return ev
	default:
		r.Fatal("told nothing")
	}
	panic("unreachable")
}

// registered brings the binding up.
func (r *registering) registered() *sip.Request {
	r.Helper()
	req := r.register()
	r.grant(req, 600)
	r.want(true)
	return req
}

// gone fails unless the registration is over and nothing is left of it.
func (r *registering) gone() {
	r.Helper()
	if ev := r.want(false); ev.Err != nil || ev.Status != 0 || ev.Retry != 0 {
		r.Fatalf("told %+v at the end", ev)
	}
	done := make(chan bool, 1)
	r.a.Shutdown(func() { done <- true })
	synctest.Wait()
	if len(done) == 0 {
		r.Fatal("the agent still holds the registration")
	}
	r.a.settled(r)
}

func between(t *testing.T, what string, got, low, high time.Duration) {
	t.Helper()
	if got < low || got > high {
		t.Errorf("%s after %v, want %v to %v", what, got, low, high)
	}
}

// TestRegistrationFigure drives the machine through every row of its table.
func TestRegistrationFigure(t *testing.T) {
	// refreshing brings the machine to where a refresh is under way.
	refreshing := func(r *registering) *sip.Request {
		r.registered()
		req, _ := r.Within(time.Hour)
		between(r.T, "refresh", time.Since(r.mark), 480*time.Second, 540*time.Second)
		return req
	}
	brief := func(r *registering, req *sip.Request) {
		r.answer(req, 423, "r", func(res *sip.Response) { res.Add("Min-Expires", "1800") })
		longer := r.Request("REGISTER")
		if longer.Expires != 1800 || !strings.Contains(longer.Contact[0].String(), "expires=1800") ||
			longer.CSeq.Seq != req.CSeq.Seq+1 {
			r.Errorf("after a 423:\n%s", longer)
		}
		r.grant(longer, 1800)
		if ev := r.want(true); ev.Expires != 1800*time.Second {
			r.Errorf("told %+v", ev)
		}
	}
	refused := func(r *registering, req *sip.Request) {
		r.answer(req, 403, "r")
		r.mark = time.Now()
		if ev := r.want(false); ev.Status != 403 || ev.Retry < time.Second || ev.Retry > 2*time.Second {
			r.Errorf("told %+v", ev)
		}
	}
	leaving := func(r *registering) *sip.Request {
		r.reg.Stop()
		req := r.Request("REGISTER")
		if req.Expires != 0 || len(req.Contact) != 1 || req.Contact[0].Star ||
			!strings.HasSuffix(req.Contact[0].String(), ";expires=0") {
			r.Errorf("un-REGISTER (§10.2.2):\n%s", req)
		}
		r.mark = time.Now()
		return req
	}
	left := func(r *registering) { r.grant(leaving(r), 0); r.gone() }
	again := func(r *registering) { // a refresh that succeeds
		r.grant(refreshing(r), 600)
		r.want(true)
	}
	drives := map[string]func(*registering){
		"Idle  start -> Registering: send REGISTER (10.2.1)": func(r *registering) {
			r.grant(r.register(),
				600)
			r.want(true)
		},
		"Registering  2xx -> Registered: tell up, start refresh (10.2.4)": func(r *registering) {
			again(r)
		},
		"Registering  423 -> Registering: raise expires, send REGISTER " +
			"(10.2.8)": func(r *registering) { brief(r, r.register()) },
		"Registering  refused -> Waiting: tell failed, start back-off (RFC 5626 " +
			"4.5)": func(r *registering) { refused(r, r.register()) },
		"Registering  stop -> Leaving: send un-REGISTER " +
			"(10.2.2)": func(r *registering) { r.register(); left(r) },
		"Registered  timer -> Refreshing: send REGISTER " +
			"(10.2.4)": func(r *registering) { refreshing(r) },
		"Registered  moved -> Refreshing: send REGISTER " +
			"(10.2.4)": func(r *registering) { moves(r) },
		"Registered  stop -> Leaving: send un-REGISTER " +
			"(10.2.2)": func(r *registering) { r.registered(); left(r) },
		"Refreshing  2xx -> Registered: tell up, start refresh (10.2.4)": again,
		"Refreshing  423 -> Refreshing: raise expires, send REGISTER " +
			"(10.2.8)": func(r *registering) { brief(r, refreshing(r)) },
		"Refreshing  refused -> Waiting: tell failed, start back-off (RFC 5626 " +
			"4.5)": func(r *registering) { refused(r, refreshing(r)) },
		"Refreshing  stop -> Leaving: send un-REGISTER " +
			"(10.2.2)": func(r *registering) { refreshing(r); left(r) },
		"Waiting  timer -> Registering: send REGISTER (RFC 5626 4.5)": func(r *registering) {
			refused(r, r.register())
			r.grant(r.Request("REGISTER"), 600)
			r.want(true)
		},
		"Waiting  stop -> Gone": func(r *registering) {
			refused(r, r.register())
			r.reg.Stop()
			r.gone()
			r.Silence(time.Minute)
		},
		"Leaving  2xx -> Gone (10.2.2)": func(r *registering) { r.registered(); left(r) },
		"Leaving  refused -> Gone (10.2.2)": func(r *registering) {
			r.registered()
			r.answer(leaving(r), 500,
				"r")
			r.gone()
		},
		"Leaving  423 -> Gone (10.2.2)": func(r *registering) {
			r.registered()
			r.answer(leaving(r), 423,
				"r")
			r.gone()
		},
		"Leaving  timer -> Gone (10.2.2)": func(r *registering) {
			r.registered()
			leaving(r)
			time.Sleep(2 * time.Second)
			r.gone()
		},
	}
	f := ua.Registering
	for i, row := range f.Check(t, "testdata/figures/registration.txt") {
		t.Run(row, func(t *testing.T) {
			play := drives[row]
			if play == nil {
				t.Fatal("no drive goes through this row")
			}
			bubble(t, func(t *testing.T, n *siptest.Network) {
				r := newRegistering(t, n)
				play(r)
				synctest.Wait()
				if r.log.Taken(f.Steps[i]) == 0 {
					t.Errorf("the machine never took %+v", f.Steps[i])
				}
			})
		})
	}
	for row := range drives {
		if !slices.Contains(f.Rows, row) {
			t.Errorf("drive for %q, which is no row", row)
		}
	}
}

// moves changes the local address: noticed within 10 s, and the old binding is taken away with the new one.
func moves(r *registering) {
	r.registered()
	r.a.Stack().Post(func() {
		moved := netip.MustParseAddrPort("10.0.0.111:5060")
		r.local.local = &moved
	})
	req := r.Request("REGISTER")
	between(r.T, "new address", time.Since(r.mark), 0, 10*time.Second)
	if len(req.Contact) != 2 || req.Contact[0].URI.Host != "10.0.0.111" ||
		!strings.Contains(req.Contact[0].String(), "expires=600") ||
		req.Contact[1].URI.Host != "10.0.0.1" || !strings.HasSuffix(req.Contact[1].String(), ";expires=0") {
		r.Errorf("REGISTER of a new address:\n%s", req)
	}
	r.grant(req, 600, func(res *sip.Response) {
		res.Via[0].Params = res.Via[0].Params.With("received", "10.0.0.111").With("rport", "5060")
	})
	r.want(true)
}

func TestRegisterMessage(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		r := newRegistering(t, n)
		req := r.registered()
		if req.URI.String() != "sip:example.net" { // no user part: a FRITZ!Box would not answer
			t.Errorf("Request-URI %s", req.URI)
		}
		if req.To.String() != "<sip:door@example.net>" || req.From.URI.String() != "sip:door@example.net" ||
			req.From.Tag() == "" ||
			len(req.Contact) != 1 || req.Contact[0].URI.String() != "sip:door@10.0.0.1:5060" ||
			req.Expires != 600 {
			t.Errorf("REGISTER (§10.2):\n%s", req)
		}
		next, _ := r.Within(time.Hour)
		if next.CallID != req.CallID || next.CSeq.Seq != req.CSeq.Seq+1 || next.From.Tag() != req.From.Tag() {
			t.Errorf("refresh (§10.2.4):\n%s", next)
		}
		r.grant(next, 600)
		r.want(true)
	})
}

// TestRefreshTime takes the own Contact's expires, then the Expires header, then what was asked for.
func TestRefreshTime(t *testing.T) {
	each(t, map[string]struct {
		edit    func(*sip.Response)
		granted time.Duration
	}{
		"own contact": {func(res *sip.Response) {
			res.Expires = 900
			res.Contact[1].Params = res.Contact[1].Params.With("expires", "120")
		}, 120 * time.Second},
		"header":  {func(res *sip.Response) { res.Contact, res.Expires = nil, 300 }, 300 * time.Second},
		"nothing": {func(res *sip.Response) { res.Contact = nil }, 600 * time.Second},
		"long": {func(res *sip.Response) { res.Contact, res.Expires = nil, 7200 },
			7200 * time.Second},
		// the server rewrote what we gave it: it may be ours
		"only foreign": {func(res *sip.Response) { res.Contact = res.Contact[:1] }, 17 * time.Second},
		"rewritten among others": {func(res *sip.Response) {
			res.Contact[1].URI.User = "620"
			res.Contact[1].Params = ";expires=300"
		}, 17 * time.Second},
		"escaped among others": {func(res *sip.Response) { // the same user: §19.1.4
			u := &res.Contact[1].URI
			u.User = fmt.Sprintf("%%%02x%s", u.User[0], u.User[1:])
			res.Contact[1].Params = ";expires=300"
		}, 300 * time.Second},
		"our instance": {func(res *sip.Response) {
			res.Contact[1].URI.User = "620"
			res.Contact[1].Params = `;+sip.instance="<urn:uuid:1>";expires=300`
		}, 300 * time.Second},
		"ten seconds": {func(res *sip.Response) { res.Contact, res.Expires = nil, 10 }, 10 * time.Second},
		"too short":   {func(res *sip.Response) { res.Contact, res.Expires = nil, 3 }, 3 * time.Second},
	}, func(t *testing.T, n *siptest.Network, c struct {
		edit    func(*sip.Response)
		granted time.Duration
	}) {
		r := newRegistering(t, n, func(c *ua.AccountConfig) { c.Instance = "urn:uuid:1" })
		req := r.register()
		if id, _ := req.Contact[0].Params.Get("+sip.instance"); id != "<urn:uuid:1>" {
			t.Errorf("Contact %s", req.Contact[0])
		}
		r.grant(req, 600, c.edit)
		if ev := r.want(true); ev.Expires != c.granted {
			t.Errorf("granted %v, want %v", ev.Expires, c.granted)
		}
		req, _ = r.Within(3 * time.Hour)
		if req == nil {
			t.Fatal("no refresh")
		}
		low, high := c.granted*80/100, c.granted*90/100
		if c.granted < time.Minute {
			low = max(c.granted-5*time.Second, 5*time.Second)
			high = low
		}
		if c.granted > 20*time.Minute {
			low, high = c.granted-2*time.Minute-c.granted/5, c.granted // two minutes before the end, at most
		}
		between(t, "refresh", time.Since(r.mark), low, high)
		r.grant(req, 600)
		r.want(true)
	})
}

// TestRegistrarAsksNonsense gives up on a 423 that would not help.
func TestRegistrarAsksNonsense(t *testing.T) {
	each(t, map[string]string{"no number": "soon", "nothing": "", "less": "60", "too long": "999999999"},
		func(t *testing.T, n *siptest.Network, least string) {
			r := newRegistering(t, n)
			r.answer(r.register(), 423, "r", func(res *sip.Response) {
				if least != "" {
					res.Add("Min-Expires", least)
				}
			})
			if ev := r.want(false); ev.Status != 423 || ev.Retry == 0 {
				t.Errorf("told %+v", ev)
			}
		})
}

func TestRegisterChallenged(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		r := newRegistering(t, n)
		r.challenge(r.register(), 401, r.auth.Challenges(time.Now(), false)...)
		req := r.Request("REGISTER")
		r.check(req, "Authorization")
		r.grant(req, 600)
		r.want(true)
		next, _ := r.Within(time.Hour) // its nonce is older than five minutes
		r.challenge(next, 401, r.auth.Challenges(time.Now(), true)...)
		req = r.Request("REGISTER")
		r.check(req, "Authorization")
		r.grant(req, 600)
		r.want(true)
		r.reg.Stop()
		req = r.Request("REGISTER")
		r.check(req, "Authorization")
		r.grant(req, 0)
		r.gone()
	})
}

// TestRegisterWrongPassword tries twice in each attempt: without, and with credentials. Servers lock accounts
// that keep trying: three attempts come in ten minutes, then one in each, and the log says where to look.
func TestRegisterWrongPassword(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		r := newRegistering(t, n, func(c *ua.AccountConfig) { c.Password = "wrong" })
		req := r.register()
		for i := range 5 {
			r.hasNone(req)
			r.challenge(req, 401, r.auth.Challenges(time.Now(), false)...)
			r.challenge(r.Request("REGISTER"), 401, r.auth.Challenges(time.Now(), false)...)
			ev := r.want(false)
			if i < 2 {
				between(t, "retry", ev.Retry, time.Minute, 2*time.Minute)
			} else {
				between(t, "retry", ev.Retry, 10*time.Minute, 11*time.Minute)
			}
			if ev.Status != 401 {
				t.Errorf("told %+v", ev)
			}
			r.mark = time.Now()
			if req, _ = r.Within(11 * time.Minute); req == nil {
				t.Fatal("no further attempt")
			}
			if time.Since(r.mark) != ev.Retry {
				t.Errorf("attempt after %v, told %v", time.Since(r.mark), ev.Retry)
			}
		}
	})
}

// TestBehindNAT learns the address that the server sees, and changes the binding at once (RFC 3581 §4).
func TestBehindNAT(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		r := newRegistering(t, n)
		seen := func(res *sip.Response) {
			res.Via[0].Params = res.Via[0].Params.With("received", "203.0.113.5").With("rport", "40000")
		}
		r.grant(r.register(), 600, seen)
		r.want(true)
		req, _ := r.Within(time.Millisecond)
		if req == nil {
			t.Fatal("the binding was not corrected at once")
		}
		if len(req.Contact) != 2 || req.Contact[0].URI.String() != "sip:door@203.0.113.5:40000" ||
			req.Contact[1].URI.String() != "sip:door@10.0.0.1:5060" ||
			!strings.HasSuffix(req.Contact[1].String(), ";expires=0") {
			t.Errorf("REGISTER:\n%s", req)
		}
		r.grant(req, 600, seen)
		if ev := r.want(true); ev.Contact.URI.Host != "203.0.113.5" {
			t.Errorf("told %+v", ev)
		}
		next, _ := r.Within(time.Hour)
		if len(next.Contact) != 1 || next.Contact[0].URI.Host != "203.0.113.5" {
			t.Errorf("refresh:\n%s", next)
		}
		r.grant(next, 600, seen)
		r.want(true)
		r.reg.Stop()
		req = r.Request("REGISTER")
		if len(req.Contact) != 1 || req.Contact[0].URI.Host != "203.0.113.5" {
			t.Errorf("un-REGISTER:\n%s", req)
		}
		r.grant(req, 0)
		r.gone()
	})
}

// TestPublicAddressPinned keeps to a configured address, whatever the server sees.
func TestPublicAddressPinned(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		r := newRegistering(t, n,
			func(c *ua.AccountConfig) { c.PublicAddress = netip.MustParseAddrPort("198.51.100.1:5099") })
		req := r.register()
		if req.Contact[0].URI.String() != "sip:door@198.51.100.1:5099" {
			t.Errorf("Contact %s", req.Contact[0])
		}
		r.grant(req, 600, func(res *sip.Response) {
			res.Via[0].Params = res.Via[0].Params.With("received",
				"203.0.113.5")
		})
		r.want(true)
		r.Silence(5 * time.Minute)
	})
}

// TestBackOff holds the waits against their bounds: doubling from 2 s to 2 min, each with jitter, and reset
// by a success.
func TestBackOff(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		r := newRegistering(t, n)
		req := r.register()
		distinct := map[time.Duration]bool{}
		for i := range 12 {
			r.answer(req, 503, "r")
			ev := r.want(false)
			most := min(2*time.Second<<i, 2*time.Minute)
			if i >= 6 {
				most = 2 * time.Minute
			}
			between(t, fmt.Sprintf("retry %d", i+1), ev.Retry, most/2, most)
			distinct[ev.Retry] = true
			r.mark = time.Now()
			if req, _ = r.Within(3 * time.Minute); req == nil {
				t.Fatal("no further attempt")
			}
			if got := time.Since(r.mark); got != ev.Retry {
				t.Errorf("attempt after %v, told %v", got, ev.Retry)
			}
		}
		if len(distinct) < 10 {
			t.Errorf("no jitter: %v", distinct)
		}
		r.grant(req, 60)
		r.want(true)
		req, _ = r.Within(time.Hour)
		r.answer(req, 503, "r")
		between(t, "retry after a success", r.want(false).Retry, time.Second, 2*time.Second)
	})
}

// TestServerGone lets the server vanish for an hour: noticed by the refresh, and registered again soon after
// it is back.
func TestServerGone(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		var down atomic.Bool
		n.Drop = func(netip.AddrPort, netip.AddrPort, []byte) bool { return down.Load() }
		r := newRegistering(t, n)
		r.registered()
		down.Store(true)
		time.Sleep(time.Hour)
		synctest.Wait()
		failures := 0
		for len(r.told) > 0 {
			if ev := <-r.told; ev.Registered || ev.Err == nil {
				t.Errorf("told %+v", ev)
			}
			failures++
		}
		if failures < 15 || failures > 60 {
			t.Errorf("%d failures in an hour", failures)
		}
		if _, _, timers, _ := r.a.Stack().Held(); timers > 3 {
			t.Errorf("%d timers", timers)
		}
		down.Store(false)
		back := time.Now()
		r.grant(r.within3Minutes("REGISTER"), 600)
		synctest.Wait()
		for ev := <-r.told; !ev.Registered; ev = <-r.told { // a round that was over before the server was back
		}
		between(t, "registration", time.Since(back), 0, 2*time.Minute+32*time.Second)
	})
}

// within3Minutes is Request with the patience of the back-off.
func (r *registering) within3Minutes(method string) *sip.Request {
	r.Helper()
	req, _ := r.Within(3 * time.Minute)
	if req == nil || req.Method != method {
		r.Fatalf("want a %s", method)
	}
	return req
}

// TestNoRoute fails at once and keeps trying while the network is down at this end.
func TestNoRoute(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		r := newRegistering(t, n)
		r.local.route = errWire
		r.mark = time.Now()
		r.reg = r.a.Register(r.acct, func(ev ua.RegEvent) { r.told <- ev })
		if ev := r.want(false); ev.Err == nil || ev.Retry == 0 {
			t.Errorf("told %+v", ev)
		}
		r.a.Stack().Post(func() { r.local.route = nil })
		r.grant(r.within3Minutes("REGISTER"), 600)
		r.want(true)
	})
}

// TestLocatedServer follows a server on this very host to its new address, and trusts nothing but its port.
func TestLocatedServer(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		at := netip.MustParseAddrPort("10.0.0.9:5060")
		r := newRegistering(t, n, func(c *ua.AccountConfig) {
			c.Locate = func() (netip.AddrPort, error) { return at, nil }
		})
		r.registered()
		trusts := func(addr string) (ok bool) {
			r.a.Stack().Post(func() { ok = r.a.Trusts(r.acct, netip.MustParseAddrPort(addr)) })
			synctest.Wait()
			return ok
		}
		if !trusts("10.0.0.9:5060") || trusts("10.0.0.9:5061") || trusts("10.0.0.8:5060") {
			t.Error("trust")
		}
		moved := newFar(t, n, "10.0.0.8:5060", r.a)
		r.a.Stack().Post(func() { at = moved.Addr })
		req := moved.Request("REGISTER")
		between(t, "new server address", time.Since(r.mark), 0, 10*time.Second)
		moved.answer(req, 200, "r")
		r.want(true)
		if trusts("10.0.0.9:5060") || !trusts("10.0.0.8:5060") {
			t.Error("trust after the move")
		}
	})
}
