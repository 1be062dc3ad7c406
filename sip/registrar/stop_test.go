package registrar

import (
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"portero/sip"
	"portero/sip/siptest"
	"portero/sip/ua"
)

// shutdown tells the server to stop and says how long that took.
func (h *testServer) shutdown(within time.Duration) time.Duration {
	h.t.Helper()
	start, done := time.Now(), make(chan struct{})
	h.Shutdown(within, func() { close(done) })
	select {
	case <-done:
	case <-time.After(time.Minute):
		h.t.Fatal("the server never said that it is done")
	}
	return time.Since(start)
}

// forks counts what the server keeps of calls that ring.
func (h *testServer) forks() (n int) {
	h.onLoop(func() { n = len(h.stop.ringing) })
	return n
}

// TestStopCancelsWhatRings: the phones fall silent and the caller is told, within moments, and nothing is left that a loop would have
// to go on for. A caller who gave up before hears 487, and a phone that is in a call keeps it.
func TestStopCancelsWhatRings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, door, annas := household(t)
		ben, cleo := h.registered("ben", "10.0.0.6:5060"), h.registered("cleo", "10.0.0.7:5060")
		ben.call("sip:cleo@" + domain)
		cleo.want(ua.Offered).Leg.Answer([]byte("v=0\r\n"))
		ben.want(ua.Answered)
		cleo.want(ua.Acked)

		door.call("sip:anna@" + domain)
		for _, p := range annas {
			p.want(ua.Offered).Leg.Progress(180, nil)
			door.want(ua.Progress)
		}
		if took := h.shutdown(time.Second); took > 100*time.Millisecond {
			t.Errorf("took %v with phones that answer at once", took)
		}
		for _, p := range annas {
			if ev := p.want(ua.Ended); ev.Status != 487 || !ev.ByPeer {
				t.Errorf("%s: %+v", p.addr, ev)
			}
		}
		if ev := door.want(ua.Ended); ev.Status != 503 {
			t.Errorf("the caller: %+v", ev)
		}
		door.call("sip:anna@" + domain)
		if ev := door.want(ua.Ended); ev.Status != 503 {
			t.Errorf("a call while the server stops: %+v", ev)
		}
		ben.quiet()
		cleo.quiet()
		for _, p := range annas {
			p.quiet()
		}
		if n := h.forks(); n != 0 {
			t.Errorf("%d forks kept", n)
		}
	})
}

// TestStopWaitsForNoSilentPhone: one phone is switched off while it rings; the caller is told all the same, in time.
func TestStopWaitsForNoSilentPhone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := siptest.NewNetwork(7)
		var off atomic.Bool
		n.Drop = func(_, to netip.AddrPort, wire []byte) bool { return off.Load() && to.String() == annaAt(0) }
		h := newTestServerOn(t, n, n.Listen(serverAddr.String()), nil)
		door, anna := h.registered("door", "10.0.0.8:5060"), h.registered("anna", annaAt(0))
		door.call("sip:anna@" + domain)
		anna.want(ua.Offered).Leg.Progress(180, nil)
		door.want(ua.Progress)
		off.Store(true)
		if took := h.shutdown(time.Second); took != time.Second {
			t.Errorf("took %v, want 1 s", took)
		}
		if ev := door.want(ua.Ended); ev.Status != 503 {
			t.Errorf("the caller: %+v", ev)
		}
		time.Sleep(2 * time.Minute)
		if n := h.forks(); n != 0 {
			t.Errorf("%d forks kept", n)
		}
	})
}

// TestStopWithNothingToDo: a server that rings nobody keeps nobody waiting; calls that have come and gone by any way leave nothing.
func TestStopWithNothingToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, door, annas := household(t)
		for i, end := range []func(*ua.Call, *ua.Leg){
			func(c *ua.Call, _ *ua.Leg) { c.Hangup() },
			func(_ *ua.Call, l *ua.Leg) { l.Reject(603) },
			func(_ *ua.Call, l *ua.Leg) { l.Answer([]byte("v=0\r\n")) },
		} {
			c := door.call("sip:anna@" + domain)
			legs := []*ua.Leg{}
			for _, p := range annas {
				legs = append(legs, p.want(ua.Offered).Leg)
			}
			end(c, legs[0])
			time.Sleep(2 * time.Minute)
			for _, p := range append(annas, door) {
				for len(p.events) > 0 {
					p.next()
				}
			}
			if n := h.forks(); n != 0 {
				t.Errorf("call %d left %d forks", i, n)
			}
		}
		if took := h.shutdown(time.Second); took > time.Millisecond {
			t.Errorf("took %v", took)
		}
		var refused []string
		for _, m := range h.net.Log() {
			if strings.HasPrefix(m.Wire, "SIP/2.0 503") {
				refused = append(refused, m.To.String())
			}
		}
		if len(refused) > 0 {
			t.Errorf("503 to %q", refused)
		}
	})
}

// TestStopEndsABellThatWaits: for phones that come, or after the CANCEL of those that rang.
func TestStopEndsABellThatWaits(t *testing.T) {
	for _, rings := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h, bell := bellServer(t, nil)
			anna := h.raw("anna", "10.0.0.1:5060")
			sent := bell.rings()
			bell.Response(182)
			var invite *sip.Request
			if rings {
				anna.come()
				invite = anna.Request("INVITE")
				anna.answer(invite, 180)
				bell.Response(180)
			}
			done := make(chan struct{})
			start := time.Now()
			h.Shutdown(time.Second, func() { close(done) })
			if rings {
				anna.cancelled(invite)
			}
			<-done
			if took := time.Since(start); took > 100*time.Millisecond {
				t.Errorf("rings %v: took %v", rings, took)
			}
			if res := bell.finalOf(sent); res.Status != 503 {
				t.Errorf("rings %v: the bell hears %d", rings, res.Status)
			}
			if !rings {
				anna.come()
				anna.Silence(5 * time.Second)
			}
			if n := h.forks(); n != 0 {
				t.Errorf("rings %v: %d forks kept", rings, n)
			}
		})
	}
}
