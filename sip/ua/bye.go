package ua

import (
	"errors"
	"time"

	"portero/sip"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// A BYE that this host could not even send is tried again: a call that ends in a moment without a network
// must not go on at the far end.
const (
	byeAttempts = 5
	byeAgain    = 2 * time.Second
)

// hangup ends one leg by whatever its phase needs (§15, §9.1).
func (l *Leg) hangup() {
	switch {
	case l.phase.over():
	case l.phase.up() && l.got.res != nil:
		l.phase = ending // §15: the callee waits for the ACK
	case l.phase.up():
		l.bye()
	case l.got.tx != nil:
		l.step(oaTU300, turn{status: 603})
	default:
		l.leave(buried) // an early leg of ours: the CANCEL ends it
	}
}

// bye ends a confirmed leg (§15.1.1).
func (l *Leg) bye() {
	if l.phase.over() {
		return
	}
	l.leave(leaving)
	l.sendBye(byeAttempts)
}

func (l *Leg) sendBye(attempts int) {
	req := l.d.request(sip.BYE)
	c := l.call
	left := func() {
		if l.phase == gone {
			return
		}
		l.phase = gone
		c.release()
	}
	failed := func(err error) {
		if l.phase == gone {
			return
		}
		if l.detour(err) == nil {
			l.sendBye(attempts)
			return
		}
		c.a.log.Warn("BYE not sent", "call", c.ID, "err", err)
		if attempts > 1 && c.a.closing == nil {
			c.a.s.After(byeAgain, func() { l.sendBye(attempts - 1) })
			return
		}
		left()
	}
	l.reach(func(t transport.Target, err error) {
		if err != nil {
			failed(err)
			return
		}
		var doubt *transaction.Timer
		out := c.a.send(c.acct, req, &l.d.localSeq, t, l, func(res *sip.Response, err error) {
			doubt.Stop()
			switch {
			case err != nil && !errors.Is(err, transaction.ErrTimeout):
				failed(err)
			case err != nil || res.Status >= 200:
				left()
			}
		})
		doubt = c.a.s.After(byeSilence, func() {
			if !out.heard && !out.done && l.detour(errNotHeard) == nil {
				l.sendBye(attempts)
			}
		})
	})
}

// farEndLeft handles a BYE of the far end (§15.1.2).
func (l *Leg) farEndLeft() {
	c := l.call
	if l.sent.first != nil && (l.phase == early || l.phase == buried) {
		l.leave(buried) // the other branches may still answer
		c.release()
		return
	}
	l.leave(gone)
	if w := c.placed.winner; w == nil || w == l {
		c.tell(CallEvent{Kind: Ended, Leg: l, Reason: "hung up", ByPeer: true})
		c.giveUp(nil)
	}
	c.release()
}
