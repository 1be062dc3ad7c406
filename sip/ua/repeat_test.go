package ua_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"portero/sip"
	"portero/sip/siptest"
	"portero/sip/transport"
	"portero/sip/ua"
)

// waiting is an agent whose calls wait, and a server.
func waiting(t *testing.T, n *siptest.Network) (*testAgent, *far) {
	a := startUA(t, n, "10.0.0.1:5060")
	a.waits = true
	return a, newFar(t, n, "10.0.0.9:5060", a)
}

const hall = "sip:hall@10.0.0.9"

// refuse refuses the next INVITE and takes its ACK.
func (f *far) refuse(status int, edits ...func(*sip.Response)) *sip.Request {
	f.t.Helper()
	req := f.Request("INVITE")
	f.answer(req, status, fmt.Sprint("t", req.CSeq.Seq), edits...)
	f.Request("ACK")
	return req
}

// TestRefusalsThatMayPass: the INVITE comes again, in the same call, after pauses that the status sets; then it
// waits for the caller's word.
func TestRefusalsThatMayPass(t *testing.T) {
	absent, troubled := []int{5, 15}, []int{2, 4, 8}
	cases := map[string]struct {
		status int
		after  string // Retry-After
		pauses []int  // in s
	}{
		"not registered":             {480, "", absent},
		"unknown":                    {404, "", absent},
		"timed out":                  {408, "", troubled},
		"failed":                     {500, "", troubled},
		"no gateway":                 {502, "", troubled},
		"overloaded":                 {503, "", troubled},
		"gateway silent":             {504, "", troubled},
		"asks for time":              {480, "9 (I'm in a meeting)", []int{9, 15}},
		"asks for less than is good": {503, "1", troubled},
	}
	each(t, cases, func(t *testing.T, n *siptest.Network, tt struct {
		status int
		after  string
		pauses []int
	}) {
		a, f := waiting(t, n)
		c := a.call(t, hall)
		retry := func(res *sip.Response) {
			if tt.after != "" {
				res.Add("Retry-After", tt.after)
			}
		}
		first := f.refuse(tt.status, retry)
		for i, p := range append(tt.pauses, 0) {
			told := a.want(t, ua.Waiting)
			if told.Status != tt.status || told.Again != time.Duration(p)*time.Second {
				t.Fatalf("repetition %d: told %+v", i+1, told.CallEvent)
			}
			if p == 0 {
				break
			}
			start := time.Now()
			req := f.refuse(tt.status, retry)
			between(t, "INVITE", time.Since(start), told.Again, told.Again+time.Second)
			if req.CallID != first.CallID || req.From.Tag() != first.From.Tag() || req.To.Tag() != "" ||
				req.CSeq.Seq != first.CSeq.Seq+uint32(i)+1 {
				t.Fatalf("repetition %d:\n%s", i+1, req)
			}
		}
		f.Silence(time.Minute)
		c.Again()
		req := f.Request("INVITE")
		f.answer(req, 180, "r")
		a.want(t, ua.Progress)
		f.answer(req, 200, "r")
		a.want(t, ua.Answered)
		f.Request("ACK")
	})
}

// TestAnswersAreFinal: what a person or the server has decided is not asked again, nor is anything of a caller
// who does not wait, or whom a phone has rung for.
func TestAnswersAreFinal(t *testing.T) {
	cases := map[string]struct {
		status int
		rings  int // provisional status before
		leaves bool
	}{
		"forbidden": {status: 403}, "incomplete": {status: 484}, "busy": {status: 486}, "gone": {status: 410},
		"not acceptable": {status: 488}, "not implemented": {status: 501}, "too large": {status: 513},
		"busy everywhere": {status: 600}, "decline": {status: 603}, "password refused": {status: 401},
		"rang, not answered": {status: 480, rings: 180}, "rang, timed out": {status: 408, rings: 183},
		"nobody waits": {status: 480, leaves: true},
	}
	each(t, cases, func(t *testing.T, n *siptest.Network, tt struct {
		status int
		rings  int
		leaves bool
	}) {
		a, f := waiting(t, n)
		a.waits = !tt.leaves
		a.call(t, hall)
		req := f.Request("INVITE")
		if tt.rings > 0 {
			f.answer(req, tt.rings, "r")
			a.want(t, ua.Progress)
		}
		f.answer(req, tt.status, "r")
		f.Request("ACK")
		if ev := a.want(t, ua.Ended); ev.Status != tt.status {
			t.Errorf("%+v", ev.CallEvent)
		}
		f.Silence(2 * time.Minute)
	})
}

// TestRepetitionsAreBounded: four in 10 minutes to one target, over all calls.
func TestRepetitionsAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := waiting(t, n)
		invites := func(to string, d time.Duration) (count int) {
			c := a.call(t, to)
			for end := time.Now().Add(d); ; {
				req, _ := f.Within(time.Until(end))
				if req == nil {
					break
				}
				if req.Method == sip.INVITE {
					count++
					f.answer(req, 503, "t")
				}
			}
			c.Hangup()
			for range count {
				a.want(t, ua.Waiting)
			}
			a.want(t, ua.Ended)
			return count
		}
		for i, want := range []int{1 + 3, 1 + 1, 1} {
			if got := invites(hall, time.Minute); got != want {
				t.Errorf("press %d: %d INVITEs, want %d", i+1, got, want)
			}
		}
		if got := invites("sip:attic@10.0.0.9", time.Minute); got != 1+3 {
			t.Errorf("another target: %d INVITEs", got)
		}
		time.Sleep(7 * time.Minute)
		if got := invites(hall, time.Minute); got != 1+3 {
			t.Errorf("10 minutes later: %d INVITEs", got)
		}
	})
}

// TestSilenceWaits: a server that never says a word is called anew after its INVITE has timed out, and what it
// says late of the first is no answer to the second.
func TestSilenceWaits(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := waiting(t, n)
		start := time.Now()
		a.call(t, hall)
		first := f.Request("INVITE")
		if told := a.want(t, ua.Waiting); told.Status != 408 || told.Err == nil {
			t.Errorf("%+v", told.CallEvent)
		}
		between(t, "told", time.Since(start), 32*time.Second, 33*time.Second)
		var second *sip.Request
		for second == nil {
			if req := f.Request("INVITE"); req.CSeq.Seq > first.CSeq.Seq {
				second = req
			}
		}
		between(t, "again", time.Since(start), 34*time.Second, 35*time.Second)
		f.answer(first, 486, "late")
		f.answer(second, 180, "r")
		a.want(t, ua.Progress)
		f.answer(second, 200, "r")
		a.want(t, ua.Answered)
	})
}

// TestAnswerWhileItWaits: a phone that was picked up wins, whatever its server said first.
func TestAnswerWhileItWaits(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		var z zone
		z.set("pbx.test", "10.0.0.8:5060", "10.0.0.9:5060")
		a := startUA(t, n, "10.0.0.1:5060", z.option)
		a.waits = true
		silent, other := newFar(t, n, "10.0.0.8:5060", a), newFar(t, n, "10.0.0.9:5060", a)
		a.call(t, "sip:hall@pbx.test")
		invite := silent.Request("INVITE")
		other.refuse(500) // beside it, after 2 s
		a.want(t, ua.Waiting)
		silent.repeats(invite)
		silent.answer(invite, 200, "r")
		a.want(t, ua.Answered)
		silent.Request("ACK")
		other.Silence(time.Minute)
	})
}

// TestOfferFollowsTheAddress: while nobody rings, an INVITE whose offer names an address that is gone is made
// anew; one that rings is left alone.
func TestOfferFollowsTheAddress(t *testing.T) {
	cases := map[string]bool{"nobody rings": false, "a phone rings": true}
	each(t, cases, func(t *testing.T, n *siptest.Network, rings bool) {
		a, f := waiting(t, n)
		inv := ua.Invite{To: mustURI(t, hall), From: mustURI(t, "sip:door@portero.test"), Waits: true,
			Offer: ua.OfferNow(func(local netip.Addr, _ transport.Target) ([]byte, error) {
				return []byte("v=0\r\nc=IN IP4 " + local.String() + "\r\n"), nil
			})}
		a.Invite(inv, func(_ *ua.Call, ev ua.CallEvent) { a.hear(nil, ev) })
		first := f.Request("INVITE")
		status := 182
		if rings {
			status = 180
		}
		f.answer(first, status, "r")
		a.want(t, ua.Progress)
		time.Sleep(500 * time.Millisecond)
		a.udp.Move("10.0.0.77:5060")
		if rings {
			f.Silence(10 * time.Second)
			return
		}
		f.at = netip.MustParseAddrPort("10.0.0.77:5060")
		start := time.Now()
		var again *sip.Request
		for again == nil {
			req, _ := f.Within(3 * time.Second)
			switch {
			case req == nil:
				t.Fatal("no INVITE from the new address")
			case req.Method == sip.CANCEL:
				f.answer(req, 200, "")
			case req.Method == sip.INVITE:
				again = req
			}
		}
		between(t, "INVITE", time.Since(start), 0, 3*time.Second)
		if got := string(again.Body); got != "v=0\r\nc=IN IP4 10.0.0.77\r\n" || again.CallID != first.CallID ||
			again.CSeq.Seq <= first.CSeq.Seq {
			t.Errorf("again:\n%s", again)
		}
		f.answer(again, 180, "s")
		a.want(t, ua.Progress)
	})
}

// TestLosersHearWhy: a phone that stops ringing because another was answered is told so, one whose caller has
// gone is not.
func TestLosersHearWhy(t *testing.T) {
	cases := map[string]struct {
		end  func(*ua.Call)
		want string
	}{
		"elsewhere": {(*ua.Call).AnsweredElsewhere, `SIP;cause=200;text="Call completed elsewhere"`},
		"hung up":   {(*ua.Call).Hangup, ""},
	}
	each(t, cases, func(t *testing.T, n *siptest.Network, tt struct {
		end  func(*ua.Call)
		want string
	}) {
		a, f := waiting(t, n)
		c := a.call(t, hall)
		req := f.Request("INVITE")
		tt.end(c) // before a response allows the CANCEL, and again after
		f.answer(req, 180, "r")
		c.Hangup()
		if got := f.Request("CANCEL").Get("Reason"); got != tt.want {
			t.Errorf("Reason %q, want %q", got, tt.want)
		}
	})
}
