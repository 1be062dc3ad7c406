package ua_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/sip"
	"portero/sip/siptest"
	"portero/sip/ua"
)

func TestCall(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		n.Delay = 5 * time.Millisecond
		a, b := startUA(t, n, "10.0.0.1:5060"), startUA(t, n, "10.0.0.2:5060")
		a.call(t, "sip:kitchen@10.0.0.2")
		offered := b.want(t, ua.Offered)
		if string(offered.Body) != "v=0\r\n" {
			t.Fatalf("offer %q", offered.Body)
		}
		offered.Leg.Progress(180, nil)
		if ev := a.want(t, ua.Progress); ev.Status != 180 || ev.Leg == nil {
			t.Fatalf("progress %+v", ev)
		}
		offered.Leg.Answer([]byte("v=0\r\na=answer\r\n"))
		if ev := a.want(t, ua.Answered); string(ev.Body) != "v=0\r\na=answer\r\n" {
			t.Fatalf("answer %q", ev.Body)
		}
		b.want(t, ua.Acked)
		hangUp(t, offered.call, b, a)
	})
}

// hangUp ends a call at one end and sees it end at both.
func hangUp(t *testing.T, c *ua.Call, near, far *testAgent) {
	t.Helper()
	c.Hangup()
	if ev := near.want(t, ua.Ended); ev.ByPeer {
		t.Fatal("own hang-up told as the peer's")
	}
	if ev := far.want(t, ua.Ended); !ev.ByPeer {
		t.Fatal("the peer's hang-up told as own")
	}
	near.settled(t)
	far.settled(t)
}

// TestHangupByCaller is the other direction: the BYE of the UAC.
func TestHangupByCaller(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, b := startUA(t, n, "10.0.0.1:5060"), startUA(t, n, "10.0.0.2:5060")
		c := a.call(t, "sip:kitchen@10.0.0.2")
		b.want(t, ua.Offered).Leg.Answer(offer)
		a.want(t, ua.Answered)
		b.want(t, ua.Acked)
		hangUp(t, c, a, b)
	})
}

// TestHangupAtOnce hangs up before anything was sent: nothing may be.
func TestHangupAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		f := newFar(t, n, "10.0.0.2:5060", a)
		blocked := make(chan bool)
		a.Stack().Post(func() { <-blocked }) // so that both wait for the loop together
		c := a.call(t, "sip:kitchen@10.0.0.2")
		c.Hangup()
		close(blocked)
		a.want(t, ua.Ended)
		req, _ := f.Within(time.Second)
		if req != nil { // the INVITE was first in the queue: then a CANCEL must follow it
			f.answer(req, 100, "")
			f.answer(f.Request("CANCEL"), 200, "")
			f.answer(req, 487, "t")
			f.Request("ACK")
		}
		a.settled(t)
	})
}

// TestShutdown ends calls in all states and comes back only when the far ends have confirmed it, a lost BYE
// included.
func TestShutdown(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		up := newFar(t, n, "10.0.0.2:5060", a)
		ringing := newFar(t, n, "10.0.0.3:5060", a)
		calling := newFar(t, n, "10.0.0.4:5060", a)
		up.connect(a)
		a.call(t, "sip:x@10.0.0.3")
		invite := ringing.Request("INVITE")
		ringing.answer(invite, 180, "r")
		a.want(t, ua.Progress)
		callingInvite, _ := calling.ring(a)

		done := make(chan bool, 1)
		a.Shutdown(func() { done <- true })
		calling.ackRefusal(callingInvite, calling.Response(603))
		cancel := ringing.Request("CANCEL")
		ringing.answer(cancel, 200, "")
		ringing.answer(invite, 487, "r")
		ringing.Request("ACK")
		bye := up.Request("BYE") // not answered: as if it was lost
		for range 3 {
			a.want(t, ua.Ended)
		}
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("shut down while a BYE was not answered")
		default:
		}
		if again := up.Request("BYE"); again.String() != bye.String() {
			t.Fatal("BYE not repeated as it was")
		}
		up.answer(bye, 200, "")
		synctest.Wait()
		select {
		case <-done:
		default:
			t.Fatal("not shut down after all calls ended")
		}
		late := newFar(t, n, "10.0.0.5:5060", a)
		late.request("INVITE")
		late.Response(503)
		a.settled(t)
	})
}

// TestTrace shows that a trace holds the message but neither digest responses nor digits.
func TestTrace(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		var trace strings.Builder
		log := &captured{b: &trace}
		a := startUA(t, n, "10.0.0.1:5060",
			func(o *uaOptions) { o.log = log; o.cfg.Trace = true; o.cfg.UserAgent = "Portero/1" })
		f := newFar(t, n, "10.0.0.2:5060", a)
		f.connect(a)
		f.request("INFO", func(r *sip.Request) {
			r.ContentType, r.Body = "application/dtmf-relay", []byte("Signal=7\r\nDuration=160\r\n")
			r.Add("Authorization",
				`Digest username="u", realm="r", nonce="secretnonce", `+
					`uri="sip:x", response="feedfacefeedface", cnonce="c0c0c0c0"`)
		})
		if res := f.Response(200); res.Get("Server") != "Portero/1" {
			t.Errorf("Server %q", res.Get("Server"))
		}
		a.want(t, ua.Info)
		text := trace.String()
		for _, want := range []string{"INFO sip:", "message traced", `username="u"`} {
			if !strings.Contains(text, want) {
				t.Errorf("the trace lacks %q", want)
			}
		}
		for _, secret := range []string{"Signal=7", "feedface", "secretnonce", "c0c0c0"} {
			if strings.Contains(text, secret) {
				t.Errorf("the trace tells %q", secret)
			}
		}
	})
}
