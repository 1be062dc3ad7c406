package ua_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"portero/sip/siptest"
	"portero/sip/ua"
)

// outcome is what one end knows of a call when all is settled.
type outcome struct {
	began, up, ended int
	late             bool // something after the end
}

func (o *outcome) note(kind ua.CallEventKind) {
	if o.ended > 0 {
		o.late = true
	}
	switch kind {
	case ua.Offered:
		o.began++
	case ua.Answered, ua.Acked:
		o.up++
	case ua.Ended:
		o.ended++
	}
}

// TestLossyNetwork places calls between two agents over bad networks. Whatever is lost, doubled or overtaken,
// each end comes to one clear end, both agree on whether there was a call, and nothing is left of it.
func TestLossyNetwork(t *testing.T) {
	const seeds = 300
	for _, loss := range []float64{0, 0.1, 0.3} {
		t.Run(fmt.Sprintf("loss %.0f %%", loss*100), func(t *testing.T) {
			connected, sent, lost := 0, 0, 0
			for seed := range uint64(seeds) {
				synctest.Test(t, func(t *testing.T) {
					n := siptest.NewNetwork(seed)
					if lossyCall(t, n, loss, seed) {
						connected++
					}
					for _, s := range n.Log() {
						sent++
						if s.Lost {
							lost++
						}
					}
				})
			}
			t.Logf("%d of %d calls were answered, %d of %d packets lost", connected, seeds, lost, sent)
			if share := float64(lost) / float64(sent); connected < seeds/4 || share < loss*0.8 ||
				share > loss*1.2 {
				t.Error("not the network or the calls that were meant")
			}
		})
	}
}

func lossyCall(t *testing.T, n *siptest.Network, loss float64, seed uint64) bool {
	n.Loss, n.Duplicate, n.Delay, n.Jitter = loss, 0.1, 10*time.Millisecond, 50*time.Millisecond
	rng := rand.New(rand.NewPCG(seed, 2))
	within := func(d time.Duration) time.Duration { return time.Duration(rng.Int64N(int64(d))) }
	answers, answerAfter := rng.IntN(4) > 0, within(4*time.Second)
	calleeHangs, calleeAfter := rng.IntN(2) == 0, 2*time.Second+within(40*time.Second)
	callerHangs, callerAfter := rng.IntN(2) == 0, within(45*time.Second)
	if rng.IntN(2) == 0 { // in the midst of the set-up: CANCEL and BYE cross all else
		callerAfter, calleeAfter = within(5*time.Second), answerAfter+within(time.Second)
	}

	var caller, callee outcome
	b := startUA(t, n, "10.0.0.2:5060", quiet, func(o *uaOptions) {
		o.on = func(c *ua.Call, ev ua.CallEvent) {
			callee.note(ev.Kind)
			if ev.Kind != ua.Offered {
				return
			}
			ev.Leg.Progress(180, nil)
			time.AfterFunc(answerAfter, func() {
				if answers {
					ev.Leg.Answer(offer)
				} else {
					ev.Leg.Reject(486)
				}
			})
			if calleeHangs {
				time.AfterFunc(calleeAfter, c.Hangup)
			}
			time.AfterFunc(2*time.Minute, c.Hangup)
		}
	})
	a := startUA(t, n, "10.0.0.1:5060", quiet)
	told := make(chan ua.CallEvent, 64)
	c := a.Invite(ua.Invite{To: mustURI(t, "sip:kitchen@10.0.0.2"), From: mustURI(t, "sip:door@10.0.0.1"),
		Offer: plainOffer},
		func(_ *ua.Call, ev ua.CallEvent) { told <- ev })
	if callerHangs {
		time.AfterFunc(callerAfter, c.Hangup)
	}
	time.AfterFunc(2*time.Minute, c.Hangup)
	time.Sleep(5 * time.Minute)
	synctest.Wait()
	for len(told) > 0 {
		caller.note((<-told).Kind)
	}
	for _, u := range []*testAgent{a, b} {
		calls := openCalls(t, u)
		if c, s, timers, _ := u.Stack().Held(); calls+c+s+timers != 0 {
			t.Errorf("seed %d: %s: left over: %d calls, %d client and %d server transactions, %d timers",
				seed, u.addr, calls, c, s, timers)
		}
	}
	switch {
	case caller.ended != 1 || callee.ended != callee.began || callee.began > 1:
		t.Errorf("seed %d: not one end each: caller %+v, callee %+v", seed, caller, callee)
	case caller.late || callee.late:
		t.Errorf("seed %d: told something after the end: caller %+v, callee %+v", seed, caller, callee)
	case caller.up > 1 || callee.up > 1:
		t.Errorf("seed %d: answered twice: caller %+v, callee %+v", seed, caller, callee)
	case caller.up == 1 && callee.up == 0 && !callerHangs && !calleeHangs:
		t.Errorf("seed %d: the caller has a call that the callee never had: caller %+v, callee %+v", seed,
			caller, callee)
	// a 200 that crosses a CANCEL is acknowledged and ended
	case callee.up == 1 && caller.up == 0 && !callerHangs:
		t.Errorf("seed %d: the callee has a call that the caller never had: caller %+v, callee %+v", seed,
			caller, callee)
	}
	return caller.up == 1
}
