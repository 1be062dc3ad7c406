package ua_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"portero/sip/siptest"
	"portero/sip/transaction"
	"portero/sip/ua"
)

// arrivals notes when the peer hears the method or, for "", a response, until the end of the time given.
func arrivals(p *siptest.Peer, method string, start time.Time, until time.Duration) (at []float64) {
	for {
		left := until - time.Since(start)
		if left <= 0 {
			return at
		}
		req, res := p.Within(left)
		if req != nil && req.Method == method || res != nil && method == "" {
			at = append(at, time.Since(start).Seconds())
		}
	}
}

func wantTimes(t *testing.T, what string, got []float64, want ...float64) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s at %v s, want %v", what, got, want)
	}
}

// TestTimersAB holds the INVITE's retransmissions against §17.1.1.2: doubling from T1, given up at 64*T1.
func TestTimersAB(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		p := n.NewPeer(t, "10.0.0.2:5060")
		start := time.Now()
		a.call(t, "sip:kitchen@10.0.0.2")
		wantTimes(t, "INVITE", arrivals(p, "INVITE", start, time.Minute), 0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5)
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestTimersEF holds the retransmissions of other requests against §17.1.2.2: doubling from T1 up to T2; T2
// after a 1xx.
func TestTimersEF(t *testing.T) {
	want := []float64{0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5}
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f, c, req := dialled(t, n)
		f.answer(req, 200, "t")
		f.Request("ACK")
		a.want(t, ua.Answered)
		start := time.Now()
		c.Hangup()
		a.want(t, ua.Ended)
		wantTimes(t, "BYE", arrivals(f.Peer, "BYE", start, time.Minute), want...)
		a.settled(t)
	})
}

// TestTimersGH holds the retransmissions of a refusal against §17.2.1.
func TestTimersGH(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		f := newFar(t, n, "10.0.0.2:5060", a)
		_, h := f.ring(a)
		start := time.Now()
		h.Leg.Reject(486)
		a.want(t, ua.Ended)
		wantTimes(t, "486", arrivals(f.Peer, "", start, time.Minute), 0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5,
			23.5, 27.5, 31.5)
		a.settled(t)
	})
}

// TestAnswerNeverAcknowledged repeats the 2xx as §13.3.1.4 asks, and ends the call after 64*T1 with a BYE.
func TestAnswerNeverAcknowledged(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		f := newFar(t, n, "10.0.0.2:5060", a)
		_, h := f.ring(a)
		start := time.Now()
		h.Leg.Answer(offer)
		wantTimes(t, "200", arrivals(f.Peer, "", start, 32*time.Second-time.Nanosecond),
			0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5)
		bye := f.Request("BYE")
		if time.Since(start) != 32*time.Second {
			t.Errorf("BYE after %v", time.Since(start))
		}
		f.answer(bye, 200, "")
		if ev := a.want(t, ua.Ended); !errors.Is(ev.Err, transaction.ErrTimeout) || ev.ByPeer {
			t.Errorf("told %+v", ev.CallEvent)
		}
		a.settled(t)
	})
}

// TestAnswerAcknowledgedLate stops repeating the 2xx with the ACK; repeated ACKs are nothing new.
func TestAnswerAcknowledgedLate(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		f := newFar(t, n, "10.0.0.2:5060", a)
		_, h := f.ring(a)
		h.Leg.Answer(offer)
		first := f.Response(200)
		f.joined(first)
		if again := f.Response(200); again.String() != first.String() {
			t.Errorf("repeated 200 differs:\n%s\n%s", again, first)
		}
		f.request("ACK")
		f.request("ACK")
		a.want(t, ua.Acked)
		f.Silence(time.Minute)
		a.wantNothing(t)
		h.call.Hangup()
		f.answer(f.Request("BYE"), 200, "")
		a.want(t, ua.Ended)
		a.settled(t)
	})
}
