package ua_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"portero/sip"
	"portero/sip/siptest"
	"portero/sip/ua"
)

// seenAs has a 200 show the station at an address (RFC 3581 §4).
func seenAs(addr string, port int) func(*sip.Response) {
	return func(res *sip.Response) {
		res.Via[0].Params = res.Via[0].Params.With("received", addr).With("rport", fmt.Sprint(port))
	}
}

// grants answers every REGISTER within d and returns how many there were.
func (r *registering) grants(req *sip.Request, d time.Duration,
	edit func(n int) func(*sip.Response)) (n int) {
	r.Helper()
	end := time.Now().Add(d)
	for req != nil {
		r.answer(req, 200, "r", func(res *sip.Response) {
			own := req.Contact[0]
			own.Params = own.Params.With("expires", "600")
			res.Contact = []sip.Address{own}
		}, edit(n))
		n++
		req, _ = r.Within(time.Until(end))
	}
	return n
}

// TestAddressThatNeverStands is a NAT that shows another address with each REGISTER, and servers that show
// two in turn: the registrar is not flooded.
func TestAddressThatNeverStands(t *testing.T) {
	each(t, map[string]struct {
		edit func(n int) func(*sip.Response)
		most map[time.Duration]int // REGISTERs within that time
	}{
		"another each time": {func(n int) func(*sip.Response) { return seenAs("198.51.100.7", 30000+n) },
			map[time.Duration]int{10 * time.Second: 2, 35 * time.Second: 3, 30 * time.Minute: 10}},
		"two in turn": {func(n int) func(*sip.Response) { return seenAs("198.51.100.7", 30000+n%2) },
			map[time.Duration]int{10 * time.Second: 2, time.Hour: 3 + 7}},
		"one and our own in turn": {func(n int) func(*sip.Response) {
			if n%2 == 1 {
				return func(*sip.Response) {}
			}
			return seenAs("198.51.100.7", 30000)
		}, map[time.Duration]int{10 * time.Second: 2, time.Hour: 2 + 7}},
		"two at random": {func(n int) func(*sip.Response) { return seenAs("198.51.100.7", 30000+n*n%7%2) },
			map[time.Duration]int{10 * time.Second: 3, time.Hour: 3 + 14}},
	}, func(t *testing.T, n *siptest.Network, c struct {
		edit func(n int) func(*sip.Response)
		most map[time.Duration]int
	}) {
		for within, most := range c.most {
			bubbled := newRegistering(t, siptest.NewNetwork(1))
			if got := bubbled.grants(bubbled.register(), within, c.edit); got > most {
				t.Errorf("%d REGISTERs in %v, want at most %d", got, within, most)
			}
		}
	})
}

// TestAddressMovesBack follows an address that returns for good to the one before.
func TestAddressMovesBack(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		r := newRegistering(t, n)
		port := func(n int) func(*sip.Response) {
			if n >= 4 {
				return seenAs("198.51.100.7", 30000)
			}
			return seenAs("198.51.100.7", 30000+min(n, 3)/2)
		}
		r.grants(r.register(), time.Hour, port)
		last := ua.RegEvent{}
		for len(r.told) > 0 {
			last = <-r.told
		}
		if c := last.Contact.URI.String(); c != "sip:door@198.51.100.7:30000" {
			t.Errorf("registered as %s", c)
		}
	})
}

// TestNotKept is a registrar that accepts and keeps nothing: a refusal with back-off, told as one.
func TestNotKept(t *testing.T) {
	own := func(req *sip.Request) []sip.Address {
		c := req.Contact[0]
		c.Params = c.Params.With("expires", "0")
		return []sip.Address{c}
	}
	each(t, map[string]func(*sip.Request) func(*sip.Response){
		"own contact": func(req *sip.Request) func(*sip.Response) {
			return func(res *sip.Response) { res.Contact = own(req) }
		},
		"the only one, rewritten": func(req *sip.Request) func(*sip.Response) {
			return func(res *sip.Response) { res.Contact = own(req); res.Contact[0].URI.Host = "10.9.9.9" }
		},
		"header": func(req *sip.Request) func(*sip.Response) {
			return func(res *sip.Response) { res.Expires = 0 }
		},
	}, func(t *testing.T, n *siptest.Network, edit func(*sip.Request) func(*sip.Response)) {
		r := newRegistering(t, n)
		req := r.register()
		start, count := time.Now(), 0
		for req != nil {
			r.answer(req, 200, "r", edit(req))
			count++
			if ev := r.want(false); ev.Err == nil || ev.Retry == 0 {
				t.Errorf("told %+v", ev)
			}
			req, _ = r.Within(12*time.Second - time.Since(start))
		}
		if count > 4 {
			t.Errorf("%d REGISTERs in 12 s", count)
		}
	})
}

// TestRetryAfter leaves a registrar alone as long as it asks, within reason.
func TestRetryAfter(t *testing.T) {
	each(t, map[string]struct {
		status    int
		value     string
		low, high time.Duration
	}{
		"503":           {503, "30", 30 * time.Second, 34 * time.Second},
		"480":           {480, "120", 2 * time.Minute, 133 * time.Second},
		"with comment":  {500, "18000 (back in the morning)", time.Hour, 67 * time.Minute},
		"parameters":    {404, "60;duration=3600", time.Minute, 67 * time.Second},
		"nonsense":      {503, "soon", time.Second, 2 * time.Second},
		"beyond reason": {503, "99999999999999999999", time.Hour, 67 * time.Minute},
	}, func(t *testing.T, n *siptest.Network, c struct {
		status    int
		value     string
		low, high time.Duration
	}) {
		r := newRegistering(t, n)
		r.answer(r.register(), c.status, "r", func(res *sip.Response) { res.Add("Retry-After", c.value) })
		start := time.Now()
		if req, _ := r.Within(2 * time.Hour); req == nil {
			t.Fatal("no further attempt")
		}
		between(t, "attempt", time.Since(start), c.low, c.high)
	})
}

// TestPasswordForbidden counts a 403 to credentials as a wrong password, and says where to look.
func TestPasswordForbidden(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		log := &captured{warnings: true, b: &strings.Builder{}}
		a := startUA(t, n, "10.0.0.1:5060", func(o *uaOptions) { o.log = log })
		g := newGuarded(t, n, a)
		a.Register(g.acct, func(ua.RegEvent) {})
		g.challenge(g.Request("REGISTER"), 401, g.auth.Challenges(time.Now(), false)...)
		start, proofs := time.Now(), 0
		for {
			req, _ := g.Within(10*time.Minute - time.Since(start))
			if req == nil {
				break
			}
			if req.Get("Authorization") != "" {
				proofs++
			}
			g.answer(req, 403, "r")
		}
		if proofs > 3 {
			t.Errorf("%d wrong passwords in ten minutes", proofs)
		}
		w := log.text()
		for _, word := range []string{"door1", "FRITZ!Box", "Asterisk", "3CX"} {
			if !strings.Contains(w, word) {
				t.Errorf("%q is not in %q", word, w)
			}
		}
	})
}

// TestDeadServerFirst registers at the second address of a server within some seconds.
func TestDeadServerFirst(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		var z zone
		z.set("pbx.test", "10.0.0.8:5060", "10.0.0.9:5060")
		a := startUA(t, n, "10.0.0.1:5060", z.option)
		one, two := newFar(t, n, "10.0.0.8:5060", a), newFar(t, n, "10.0.0.9:5060", a)
		acct := ua.NewAccount(ua.AccountConfig{AOR: mustURI(t, "sip:door@pbx.test"),
			Server: mustURI(t, "sip:pbx.test")})
		told := make(chan ua.RegEvent, 16)
		start := time.Now()
		a.Register(acct, func(ev ua.RegEvent) { told <- ev })
		first, req := one.Request("REGISTER"), two.Request("REGISTER")
		between(t, "second server", time.Since(start), 2*time.Second, 2*time.Second)
		if req.CSeq.Seq <= first.CSeq.Seq || req.CallID != first.CallID {
			t.Errorf("REGISTER (§10.2):\n%s", req)
		}
		two.answer(req, 200, "r")
		if ev := <-told; !ev.Registered {
			t.Errorf("told %+v", ev)
		}
		time.Sleep(time.Minute)
		if len(told) > 0 {
			t.Errorf("told %+v of the server that was given up", <-told)
		}
		two.Silence(time.Minute)
		z.set("pbx.test", "10.0.0.7:5060")
		three := newFar(t, n, "10.0.0.7:5060", a)
		three.answer(three.within(t, time.Hour), 200, "r")
	})
}

func (f *far) within(t *testing.T, d time.Duration) *sip.Request {
	t.Helper()
	req, _ := f.Within(d)
	if req == nil {
		t.Fatal("nothing arrived")
	}
	return req
}

// TestServiceRoute has calls pass what the registrar says (RFC 3608), by way of the account's server; a later
// 200 without one takes it away, and one that cannot be read is none.
func TestServiceRoute(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		r := newRegistering(t, n)
		routes := func(values ...string) func(*sip.Response) {
			return func(res *sip.Response) {
				for _, v := range values {
					res.Add("Service-Route", v)
				}
			}
		}
		grant := func(req *sip.Request, edit func(*sip.Response)) {
			t.Helper()
			r.grant(req, 60, edit)
			r.want(true)
		}
		call := func(want string) {
			t.Helper()
			r.a.call(t, "sip:kitchen@elsewhere.test", r.acct)
			invite := r.Request("INVITE")
			if got := fmt.Sprint(invite.Route); got != want {
				t.Errorf("Route %s, want %s", got, want)
			}
			r.answer(invite, 486, "t")
			r.Request("ACK")
			r.a.want(t, ua.Ended)
		}
		grant(r.register(), routes("<sip:a.example;lr>, <sip:b.example;lr>", "<sip:c.example;lr>"))
		call("[<sip:a.example;lr> <sip:b.example;lr> <sip:c.example;lr>]")
		grant(r.within(t, time.Minute), routes("<sip:a.example;lr>, <tel:1>"))
		call("[<sip:10.0.0.9:5060;lr>]")
		grant(r.within(t, time.Minute), routes("<sip:a.example;lr>"))
		grant(r.within(t, time.Minute), routes())
		call("[<sip:10.0.0.9:5060;lr>]")
	})
}

// TestKeepAlive keeps the way through a NAT open with a CRLF every 25 s, and sends none where there is none.
func TestKeepAlive(t *testing.T) {
	each(t, map[string]int{"behind a NAT": 12, "no NAT": 0},
		func(t *testing.T, n *siptest.Network, want int) {
			r := newRegistering(t, n)
			edit := func(int) func(*sip.Response) { return func(*sip.Response) {} }
			if want > 0 {
				edit = func(int) func(*sip.Response) { return seenAs("198.51.100.7", 30000) }
			}
			r.grants(r.register(), 5*time.Minute+time.Second, edit)
			got := 0
			for _, s := range n.Log() {
				if s.Wire == "\r\n" && s.To == r.Addr {
					got++
				}
			}
			if got != want {
				t.Errorf("%d keep-alives in 5 min, want %d", got, want)
			}
			r.reg.Stop()
			r.answer(r.Request("REGISTER"), 200, "r")
			r.Silence(time.Minute)
			for len(r.told) > 0 {
				<-r.told
			}
			r.a.settled(t)
		})
}
