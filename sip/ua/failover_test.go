package ua_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portero/sip"
	"portero/sip/siptest"
	"portero/sip/transaction"
	"portero/sip/ua"
)

// names is a name server that the resolver reaches over a pipe, so that real look-ups run in a bubble. It
// gives all names the same addresses.
type names struct {
	mu    sync.Mutex
	addrs []string
	deaf  func(qtype uint16) bool // questions that get no answer; nil: none
}

const typeA, typeSRV = 1, 33

func (ns *names) set(f func(ns *names)) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	f(ns)
}

// serveNames puts a name server in place until the test ends. Call it outside of any bubble.
func serveNames(t *testing.T, addrs ...string) *names {
	ns, old := &names{addrs: addrs}, net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn,
		error) {
		near, far := net.Pipe()
		go ns.serve(far)
		return near, nil
	}}
	t.Cleanup(func() { net.DefaultResolver = old })
	// the package's own state must not belong to a bubble
	net.DefaultResolver.LookupNetIP(t.Context(), "ip", "warm.example.net")
	return ns
}

func (ns *names) serve(c net.Conn) {
	defer c.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		q := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, q); err != nil {
			return
		}
		end := 12
		for q[end] != 0 {
			end += int(q[end]) + 1
		}
		qtype := binary.BigEndian.Uint16(q[end+1:])
		ns.mu.Lock()
		deaf, addrs := ns.deaf != nil && ns.deaf(qtype), ns.addrs
		ns.mu.Unlock()
		if deaf {
			continue
		}
		r := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, q[12:end+5]...)
		if qtype == typeA {
			r[7] = byte(len(addrs))
			for _, a := range addrs {
				ip := netip.MustParseAddr(a).As4()
				r = append(r, 0xc0, 12, 0, typeA, 0, 1, 0, 0, 0, 60, 0, 4)
				r = append(r, ip[:]...)
			}
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(r))), r...)); err != nil {
			return
		}
	}
}

// twoServers is an agent with an account whose server has two addresses.
func twoServers(t *testing.T, n *siptest.Network) (a *testAgent, one, two *far, acct *ua.Account) {
	a = startUA(t, n, "10.0.0.1:5060")
	acct = ua.NewAccount(ua.AccountConfig{AOR: mustURI(t, "sip:door@pbx.example.net"),
		Server: mustURI(t, "sip:pbx.example.net")})
	return a, newFar(t, n, "10.0.0.8:5060", a), newFar(t, n, "10.0.0.9:5060", a), acct
}

// repeats takes what the peer has heard of an INVITE that it does not answer.
func (f *far) repeats(invite *sip.Request) {
	f.t.Helper()
	for req, _ := f.Within(time.Millisecond); req != nil; req, _ = f.Within(time.Millisecond) {
		if req.String() != invite.String() {
			f.t.Fatalf("want repetitions, got\n%s", req)
		}
	}
}

// TestSilentSRV asks a name server that drops questions for SRV records, as cheap routers do: the address is
// found all the same.
func TestSilentSRV(t *testing.T) {
	ns := serveNames(t, "10.0.0.2")
	ns.deaf = func(qtype uint16) bool { return qtype == typeSRV }
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		f := newFar(t, n, "10.0.0.2:5060", a)
		start := time.Now()
		a.call(t, "sip:kitchen@pbx.example.net")
		req := f.Request("INVITE")
		between(t, "INVITE", time.Since(start), 0, 2*time.Second)
		f.answer(req, 486, "t")
		f.Request("ACK")
		a.want(t, ua.Ended)
	})
}

// TestSecondServer finds the first of two servers dead: the second is called after 2 s, and at once at the
// next press, with the name server gone.
func TestSecondServer(t *testing.T) {
	ns := serveNames(t, "10.0.0.8", "10.0.0.9")
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, one, two, acct := twoServers(t, n)
		start := time.Now()
		c := a.call(t, "sip:kitchen@pbx.example.net", acct)
		first := one.Request("INVITE")
		req := two.Request("INVITE")
		between(t, "second server", time.Since(start), 2*time.Second, 2*time.Second)
		if req.CallID != first.CallID || req.CSeq != first.CSeq || req.From.Tag() != first.From.Tag() ||
			req.Via[0].Branch() == first.Via[0].Branch() {
			t.Errorf("at the second server (RFC 3263 §4.3):\n%s\n%s", req, first)
		}
		two.answer(req, 180, "t")
		a.want(t, ua.Progress)
		time.Sleep(40 * time.Second) // the first is given up meanwhile
		one.repeats(first)
		a.wantNothing(t)
		two.answer(req, 200, "t")
		two.Request("ACK")
		a.want(t, ua.Answered)
		c.Hangup()
		two.answer(two.Request("BYE"), 200, "")
		a.want(t, ua.Ended)

		ns.set(func(ns *names) { ns.deaf = func(uint16) bool { return true } })
		start = time.Now()
		a.call(t, "sip:kitchen@pbx.example.net", acct)
		req = two.Request("INVITE")
		between(t, "second press", time.Since(start), 0, 0)
		two.answer(req, 486, "t")
		two.Request("ACK")
		a.want(t, ua.Ended)
		one.Silence(time.Minute)
		a.settled(t)
	})
}

// TestSlowServer has the first of two servers answer only when the second rings already: whoever answers
// first has the call, and the other is cancelled or, if it answers as well, ended.
func TestSlowServer(t *testing.T) {
	serveNames(t, "10.0.0.8", "10.0.0.9")
	for _, slow := range []bool{true, false} {
		bubble(t, func(t *testing.T, n *siptest.Network) {
			a, winner, loser, acct := twoServers(t, n)
			c := a.call(t, "sip:kitchen@pbx.example.net", acct)
			won := winner.Request("INVITE")
			lost := loser.Request("INVITE")
			if !slow {
				winner, loser, won, lost = loser, winner, lost, won
			}
			synctest.Wait()
			winner.repeats(won)
			loser.repeats(lost)
			loser.answer(lost, 180, "loser")
			a.want(t, ua.Progress)
			winner.answer(won, 200, "winner")
			winner.Request("ACK")
			if ev := a.want(t, ua.Answered); ev.Leg.ID() != "winner" {
				t.Errorf("answered by %s", ev.Leg.ID())
			}
			cancel := loser.Request("CANCEL")
			loser.answer(lost, 200, "loser") // crosses it
			loser.Request("ACK")
			loser.answer(cancel, 200, "loser")
			loser.answer(loser.Request("BYE"), 200, "")
			a.wantNothing(t)
			c.Hangup()
			winner.answer(winner.Request("BYE"), 200, "")
			a.want(t, ua.Ended)
			a.settled(t)
		})
	}
}

// TestServersRefuse shows which refusal of one server has the other one asked, and which ends the call.
func TestServersRefuse(t *testing.T) {
	serveNames(t, "10.0.0.8", "10.0.0.9")
	each(t, map[string]struct {
		first, second int
		told          int
	}{
		"503 goes on":            {503, 486, 486},
		"503 at both":            {503, 503, 503},
		"486 ends":               {486, 0, 486},
		"merged: wait for first": {0, 482, 480}, // the phone is reached by both
	}, func(t *testing.T, n *siptest.Network, c struct{ first, second, told int }) {
		a, one, two, acct := twoServers(t, n)
		a.call(t, "sip:kitchen@pbx.example.net", acct)
		first := one.Request("INVITE")
		refuse := func(f *far, req *sip.Request, status int) {
			f.answer(req, status, "t")
			f.Request("ACK")
		}
		if c.first != 0 {
			refuse(one, first, c.first)
		}
		if c.second != 0 {
			refuse(two, two.Request("INVITE"), c.second)
		}
		if c.first == 0 {
			a.wantNothing(t)
			one.repeats(first)
			refuse(one, first, c.told)
		}
		if ev := a.want(t, ua.Ended); ev.Status != c.told {
			t.Errorf("told %+v", ev.CallEvent)
		}
		two.Silence(time.Minute)
		a.settled(t)
	})
}

// TestServersSilent ends a call that no server has a word for, and one that is hung up while it waits for the
// second.
func TestServersSilent(t *testing.T) {
	serveNames(t, "10.0.0.8", "10.0.0.9")
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, _, _, acct := twoServers(t, n)
		start := time.Now()
		a.call(t, "sip:kitchen@pbx.example.net", acct)
		if ev := a.want(t, ua.Ended); !errors.Is(ev.Err, transaction.ErrTimeout) {
			t.Errorf("told %+v", ev.CallEvent)
		}
		between(t, "end", time.Since(start), 34*time.Second, 34*time.Second)
		a.settled(t)
	})
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, one, two, acct := twoServers(t, n)
		c := a.call(t, "sip:kitchen@pbx.example.net", acct)
		invite := one.Request("INVITE")
		time.Sleep(time.Second)
		c.Hangup()
		a.want(t, ua.Ended)
		two.Silence(time.Minute)
		one.repeats(invite)
		a.settled(t)
	})
}

// away makes the network refuse all that the agent sends, until back.
func away(n *siptest.Network) (back func()) {
	var mu sync.Mutex
	gone := true
	n.Fail = func(int) error {
		mu.Lock()
		defer mu.Unlock()
		if gone {
			return errWire
		}
		return nil
	}
	return func() { mu.Lock(); gone = false; mu.Unlock() }
}

// TestNetworkAway presses while this host has no network: the phone rings as soon as it is back, once.
func TestNetworkAway(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		back := away(n)
		a := startUA(t, n, "10.0.0.1:5060")
		f := newFar(t, n, "10.0.0.2:5060", a)
		c := a.call(t, "sip:kitchen@10.0.0.2")
		time.Sleep(15 * time.Second)
		a.wantNothing(t)
		back()
		start := time.Now()
		req := f.Request("INVITE")
		between(t, "INVITE", time.Since(start), 0, 2*time.Second)
		f.answer(req, 180, "t")
		a.want(t, ua.Progress)
		f.Silence(30 * time.Second)
		f.answer(req, 200, "t")
		f.Request("ACK")
		a.want(t, ua.Answered)
		c.Hangup()
		f.answer(f.Request("BYE"), 200, "")
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestNetworkAwayHungUp gives up before the network is back: nobody rings then, and Shutdown does not wait
// for it.
func TestNetworkAwayHungUp(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		back := away(n)
		a := startUA(t, n, "10.0.0.1:5060")
		f := newFar(t, n, "10.0.0.2:5060", a)
		c := a.call(t, "sip:kitchen@10.0.0.2")
		other := a.call(t, "sip:kitchen@10.0.0.2")
		time.Sleep(5 * time.Second)
		c.Hangup()
		a.want(t, ua.Ended)
		done := make(chan bool, 1)
		a.Shutdown(func() { done <- true })
		synctest.Wait()
		if len(done) == 0 {
			t.Error("Shutdown waits for a network")
		}
		a.want(t, ua.Ended)
		other.Hangup()
		back()
		f.Silence(time.Minute)
		a.settled(t)
	})
}

// TestRepetitionLost cannot send a repetition of the INVITE: the first copy may have arrived, so the attempt
// goes on.
func TestRepetitionLost(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		n.Fail = func(nth int) error {
			if nth == 2 {
				return errWire
			}
			return nil
		}
		a, f, _, req := dialled(t, n)
		f.answer(f.Request("INVITE"), 486, "t") // the third copy
		if sent := n.Log(); !sent[1].Lost || sent[1].Wire != sent[0].Wire {
			t.Fatalf("lost %+v", sent[1])
		}
		if ack := f.Request("ACK"); ack.Via[0].Branch() != req.Via[0].Branch() {
			t.Error("another attempt was made")
		}
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestNamesAway presses while the name server is silent: the phone rings when it is back.
func TestNamesAway(t *testing.T) {
	ns := serveNames(t, "10.0.0.2")
	ns.deaf = func(uint16) bool { return true }
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		f := newFar(t, n, "10.0.0.2:5060", a)
		a.call(t, "sip:kitchen@pbx.example.net")
		time.Sleep(15 * time.Second)
		a.wantNothing(t)
		ns.set(func(ns *names) { ns.deaf = nil })
		start := time.Now()
		req := f.Request("INVITE")
		between(t, "INVITE", time.Since(start), 0, 7*time.Second)
		f.answer(req, 486, "t")
		f.Request("ACK")
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestServerMoves has the name of the registrar lead elsewhere: where we are registered stays trusted until
// we are registered there.
func TestServerMoves(t *testing.T) {
	ns := serveNames(t, "10.0.0.8")
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, one, two, acct := twoServers(t, n)
		trusts := func(addr string) (ok bool) {
			done := make(chan bool)
			a.Stack().Post(func() { done <- a.Trusts(acct, netip.MustParseAddrPort(addr)) })
			return <-done
		}
		want := func(old, new bool) {
			t.Helper()
			if o, n := trusts("10.0.0.8:5060"), trusts("10.0.0.9:5060"); o != old || n != new {
				t.Errorf("trusts old %v, new %v; want %v, %v", o, n, old, new)
			}
		}
		a.Register(acct, func(ua.RegEvent) {})
		one.answer(one.Request("REGISTER"), 200, "r")
		synctest.Wait()
		want(true, false)
		ns.set(func(ns *names) { ns.addrs = []string{"10.0.0.9"} })
		req, _ := two.Within(time.Hour)
		if req == nil || req.Method != "REGISTER" {
			t.Fatal("the refresh does not ask for the name anew")
		}
		want(true, true)
		two.answer(req, 200, "r")
		synctest.Wait()
		want(false, true)
	})
}

// TestServerTrustedFirst takes the call of a server without registration before any request went to it.
func TestServerTrustedFirst(t *testing.T) {
	acct := ua.NewAccount(ua.AccountConfig{AOR: mustURI(t, "sip:door@10.0.0.9"),
		Server: mustURI(t, "sip:10.0.0.9")})
	a := ua.New(ua.Config{})
	if !a.Trusts(acct, netip.MustParseAddrPort("10.0.0.9:5060")) || a.Trusts(acct,
		netip.MustParseAddrPort("10.0.0.8:5060")) {
		t.Error("trust")
	}
}

// TestLostBinding registers anew when a call shows that the registrar may have forgotten us: at once, but not
// again and again.
func TestLostBinding(t *testing.T) {
	each(t, map[string]struct {
		status int // 0: silence
		again  bool
	}{"403": {403, true}, "404": {404, true}, "silence": {0, true}, "486": {486, false}},
		func(t *testing.T, n *siptest.Network, c struct {
			status int
			again  bool
		}) {
			r := newRegistering(t, n)
			r.registered()
			time.Sleep(time.Minute)
			call := func() {
				r.a.call(t, "sip:kitchen@example.net", r.acct)
				invite := r.Request("INVITE")
				if c.status == 0 {
					time.Sleep(32 * time.Second)
					for sent := range 6 { // after 0.5, 1.5, 3.5 s and so on
						if again := r.Request("INVITE"); again.String() != invite.String() {
							t.Fatalf("repetition %d:\n%s", sent+1, again)
						}
					}
				} else {
					r.answer(invite, c.status, "t")
					r.Request("ACK")
				}
				r.a.want(t, ua.Ended)
			}
			call()
			if !c.again {
				r.Silence(time.Minute)
				return
			}
			req, _ := r.Within(500 * time.Millisecond)
			if req == nil || req.Method != "REGISTER" || strings.Contains(req.String(), "expires=0") {
				t.Fatalf("want a REGISTER, got %v", req)
			}
			r.grant(req, 600)
			r.want(true)
			if c.status != 0 {
				call()
				r.Silence(time.Minute)
			}
		})
}
