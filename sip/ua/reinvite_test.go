package ua_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"portero/sip"
	"portero/sip/siptest"
	"portero/sip/ua"
)

// TestReoffer sends a re-INVITE in a call that the far end placed: the answer comes up, and the ACK carries
// its CSeq.
func TestReoffer(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		h := f.connect(a)
		h.Leg.Reoffer([]byte("a=sendonly\r\n"))
		req := f.Request("INVITE")
		if req.URI.String() != "sip:far@10.0.0.2:5060" || req.To.Tag() != "far-tag" ||
			len(req.Contact) != 1 || string(req.Body) != "a=sendonly\r\n" || !hasToken(&req.Headers, "Allow",
			"BYE") {
			t.Errorf("re-INVITE (§14.1):\n%s", req)
		}
		f.answer(req, 200, "")
		ack := f.Request("ACK")
		if ack.CSeq != (sip.CSeq{Seq: req.CSeq.Seq, Method: "ACK"}) ||
			ack.Via[0].Branch() == req.Via[0].Branch() {
			t.Errorf("ACK:\n%s", ack)
		}
		if ev := a.want(t, ua.Answered); !ev.Renewed || ev.Leg != h.Leg ||
			string(ev.Body) != "v=0\r\na=answer\r\n" {
			t.Errorf("told %+v", ev.CallEvent)
		}
		f.answer(req, 200, "") // our ACK was lost
		if again := f.Request("ACK"); again.String() != ack.String() {
			t.Errorf("ACK differs:\n%s\n%s", again, ack)
		}
		a.wantNothing(t)
		h.call.Hangup()
		bye := f.Request("BYE")
		if bye.CSeq.Seq != req.CSeq.Seq+1 {
			t.Errorf("BYE has CSeq %d after %d", bye.CSeq.Seq, req.CSeq.Seq)
		}
		f.answer(bye, 200, "")
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestReofferRefused tells of a refusal and leaves the call as it was; what means that the dialog is lost
// ends it (§14.1).
func TestReofferRefused(t *testing.T) {
	for _, status := range []int{488, 603, 408, 481} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			bubble(t, func(t *testing.T, n *siptest.Network) {
				a, f := visited(t, n)
				h := f.connect(a)
				h.Leg.Reoffer(offer)
				f.answer(f.Request("INVITE"), status, "")
				f.Request("ACK")
				if status == 408 || status == 481 {
					f.answer(f.Request("BYE"), 481, "")
					if ev := a.want(t, ua.Ended); ev.Status != status {
						t.Errorf("told %+v", ev.CallEvent)
					}
				} else {
					if ev := a.want(t, ua.Refused); ev.Status != status {
						t.Errorf("told %+v", ev.CallEvent)
					}
					if openCalls(t, a) != 1 {
						t.Error("the call is gone")
					}
					h.call.Hangup()
					f.answer(f.Request("BYE"), 200, "")
					a.want(t, ua.Ended)
				}
				a.settled(t)
			})
		})
	}
}

// TestReoffersCollide has both ends ask at once: each refuses with 491, and ours is asked again within 2 s
// (§14.1: we do not own the Call-ID).
func TestReoffersCollide(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		h := f.connect(a)
		h.Leg.Reoffer(offer)
		ours := f.Request("INVITE")
		theirs := f.request("INVITE")
		f.ackRefusal(theirs, f.Response(491))
		f.answer(ours, 491, "")
		f.Request("ACK")
		start := time.Now()
		again := f.Request("INVITE")
		between(t, "second offer", time.Since(start), 0, 2*time.Second)
		f.answer(again, 200, "")
		f.Request("ACK")
		if ev := a.want(t, ua.Answered); !ev.Renewed {
			t.Errorf("told %+v", ev.CallEvent)
		}
		f.request("BYE")
		f.Response(200)
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestReofferWaits asks while the far end's own re-INVITE is open: the offer takes its turn.
func TestReofferWaits(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		f.connect(a)
		f.request("INVITE")
		ev := a.want(t, ua.Offered)
		ev.Leg.Reoffer([]byte("a=ours\r\n"))
		f.Silence(100 * time.Millisecond)
		ev.Leg.Answer(offer)
		f.Response(200)
		f.request("ACK")
		a.want(t, ua.Acked)
		req := f.Request("INVITE")
		if string(req.Body) != "a=ours\r\n" {
			t.Errorf("offer %q", req.Body)
		}
		f.answer(req, 200, "")
		f.Request("ACK")
		a.want(t, ua.Answered)
		f.request("BYE")
		f.Response(200)
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestReofferHungUp ends the call while our re-INVITE waits, answered late or never.
func TestReofferHungUp(t *testing.T) {
	each(t, map[string]bool{"answered late": true, "never answered": false},
		func(t *testing.T, n *siptest.Network, late bool) {
			a, f := visited(t, n)
			h := f.connect(a)
			h.Leg.Reoffer(offer)
			req := f.Request("INVITE")
			f.answer(req, 100, "")
			h.call.Hangup()
			f.answer(f.Request("BYE"), 200, "")
			a.want(t, ua.Ended)
			if late {
				f.answer(req, 200, "")
				f.Request("ACK")
			} else {
				f.answer(req, 487, "")
				f.Request("ACK")
			}
			a.settled(t)
		})
}

// TestReofferAfterEnd is refused, and sends nothing.
func TestReofferAfterEnd(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		h := f.connect(a)
		f.request("BYE")
		f.Response(200)
		a.want(t, ua.Ended)
		h.Leg.Reoffer(offer)
		h.Leg.Info("application/dtmf", []byte("1"))
		f.Silence(time.Minute)
		a.settled(t)
	})
}

// TestInfoSent sends a digit of ours.
func TestInfoSent(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		h := f.connect(a)
		h.Leg.Info("application/dtmf-relay", []byte("Signal=5\r\n"))
		req := f.Request("INFO")
		if req.ContentType != "application/dtmf-relay" || string(req.Body) != "Signal=5\r\n" ||
			req.To.Tag() != "far-tag" {
			t.Errorf("INFO:\n%s", req)
		}
		f.answer(req, 200, "")
		f.request("BYE")
		f.Response(200)
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestManyLegs bounds what a misbehaving server can make of one INVITE.
func TestManyLegs(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f, c, req := dialled(t, n)
		legs := map[*ua.Leg]bool{}
		for i := range 100 {
			f.answer(req, 180, fmt.Sprint("t", i))
			if ev := a.want(t, ua.Progress); ev.Leg != nil {
				legs[ev.Leg] = true
			}
		}
		if len(legs) != 64 {
			t.Errorf("%d legs", len(legs))
		}
		c.Hangup()
		a.want(t, ua.Ended)
		f.answer(f.Request("CANCEL"), 200, "")
		f.answer(req, 487, "t")
		f.Request("ACK")
		a.settled(t)
	})
}

// TestMoved: after this host has moved, the Contact and the Via of a re-INVITE name where it is now, whoever placed
// the call; so do those of the BYE. A Contact that names something else stays.
func TestMoved(t *testing.T) {
	was, now := netip.MustParseAddrPort("10.0.0.1:5060"), netip.MustParseAddrPort("10.0.0.9:5070")
	for name, tt := range map[string]struct {
		placed  bool
		left    netip.Addr
		contact string
	}{
		"taken":       {false, was.Addr(), "10.0.0.9:5070"},
		"placed":      {true, was.Addr(), "10.0.0.9:5070"},
		"not its own": {true, netip.MustParseAddr("192.0.2.1"), "10.0.0.1:5060"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *siptest.Network) {
				a, f := visited(t, n)
				if a.addr != was {
					t.Fatalf("the agent is at %s", a.addr)
				}
				var leg *ua.Leg
				var call *ua.Call
				if tt.placed {
					call = a.call(t, "sip:far@10.0.0.2")
					f.answer(f.Request("INVITE"), 200, "far-tag")
					f.Request("ACK")
					leg = a.want(t, ua.Answered).Leg
				} else {
					h := f.connect(a)
					leg, call = h.Leg, h.call
				}
				n.Move(was, now)
				f.at = now
				leg.Moved(tt.left, offer)
				req := f.Request("INVITE")
				uri := req.Contact[0].URI
				if host, port := uri.HostPort(); fmt.Sprintf("%s:%d", host, port) != tt.contact {
					t.Errorf("Contact %s, want %s", uri, tt.contact)
				}
				if v := req.Via[0]; v.Host != "10.0.0.9" || v.Port != 5070 {
					t.Errorf("Via %+v", v)
				}
				f.answer(req, 200, "")
				f.Request("ACK")
				a.want(t, ua.Answered)
				call.Hangup()
				f.answer(f.Request("BYE"), 200, "")
				a.want(t, ua.Ended)
				a.settled(t)
			})
		})
	}
}
