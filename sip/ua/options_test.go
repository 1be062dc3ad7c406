package ua_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"portero/sip"
	"portero/sip/siptest"
	"portero/sip/ua"
)

// TestAsk: whatever the far end answers is told, and nothing else happens to the call (§11.2: 200, or what an
// INVITE would get; §12.2.2: 481).
func TestAsk(t *testing.T) {
	for _, status := range []int{200, 405, 481, 501} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			bubble(t, func(t *testing.T, n *siptest.Network) {
				a, f := visited(t, n)
				h := f.connect(a)
				h.Leg.Ask()
				req := f.Request("OPTIONS")
				if req.To.Tag() != "far-tag" || req.From.Tag() == "" || req.URI.String() != "sip:far@10.0.0.2:5060" ||
					!hasToken(&req.Headers, "Accept", "application/sdp") {
					t.Errorf("not within the dialog, or not as §11.1 has it:\n%s", req)
				}
				f.answer(req, status, "")
				if ev := a.want(t, ua.Asked); ev.Status != status || ev.Leg != h.Leg {
					t.Errorf("told %+v", ev.CallEvent)
				}
				if openCalls(t, a) != 1 {
					t.Error("the call is gone")
				}
				h.call.Hangup()
				f.answer(f.Request("BYE"), 200, "")
				a.want(t, ua.Ended)
				a.settled(t)
			})
		})
	}
}

// TestAskNobody: four copies of the question in 4 s, and then the word that nobody has answered.
func TestAskNobody(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		h := f.connect(a)
		h.Leg.Ask()
		began := time.Now()
		ev := a.want(t, ua.Asked)
		if took := time.Since(began); ev.Status != 408 || took != 4*time.Second {
			t.Errorf("told %+v after %v", ev.CallEvent, took)
		}
		for range 4 {
			f.Request("OPTIONS")
		}
		h.call.Hangup()
		for req, _ := f.Within(time.Second); req != nil; req, _ = f.Within(time.Second) {
			if req.Method == "BYE" {
				f.answer(req, 200, "")
				break
			}
		}
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestAskTheOtherWay: a Contact behind a NAT leads nowhere; the question goes where the dialog's messages come from.
func TestAskTheOtherWay(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		h := f.connect(a)
		away := netip.MustParseAddrPort("192.168.7.7:5060")
		h.Leg.Reoffer(offer)
		f.answer(f.Request("INVITE"), 200, "", func(res *sip.Response) { res.Contact[0].URI.Host = away.Addr().String() })
		a.want(t, ua.Answered)
		h.Leg.Ask()
		began := time.Now()
		f.answer(f.Request("OPTIONS"), 200, "")
		if ev := a.want(t, ua.Asked); ev.Status != 200 || time.Since(began) != 2*time.Second {
			t.Errorf("told %+v after %v", ev.CallEvent, time.Since(began))
		}
		if !slices.ContainsFunc(n.Log(), func(s siptest.Sent) bool { return s.To == away }) {
			t.Error("the Contact was not tried")
		}
	})
}

// TestAskWithoutANetwork: what this host cannot send says nothing about the far end.
func TestAskWithoutANetwork(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		h := f.connect(a)
		until := time.Now().Add(2500 * time.Millisecond)
		n.Fail = func(int) error {
			if time.Now().Before(until) {
				return siptest.ErrUnreachable
			}
			return nil
		}
		h.Leg.Ask()
		f.answer(f.Request("OPTIONS"), 200, "")
		if ev := a.want(t, ua.Asked); ev.Status != 200 {
			t.Errorf("told %+v", ev.CallEvent)
		}
	})
}
