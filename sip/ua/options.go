package ua

import (
	"time"

	"portero/sip"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// allowed are the methods that the agent takes (§20.5).
const allowed = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO"

// capabilities answers what the agent can do (§11.2).
func capabilities(req *sip.Request) *sip.Response {
	res := sip.NewResponse(req, 200, "")
	res.Set("Allow", allowed)
	res.Set("Accept", sip.AcceptedBodies)
	return res
}

const (
	askWithin = 4 * time.Second // four copies of a request by UDP
	askAgain  = time.Second     // after a failure of this host's
)

// Ask asks the far end, by an OPTIONS within the dialog (§11, §12.2.1), whether it still knows the call. Asked
// brings its answer: 481 says no, 408 that it gave none within 4 s, by whatever way (§8.1.3.1). What to do then is
// the owner's. Any goroutine may call it.
func (l *Leg) Ask() { l.call.a.s.Post(l.ask) }

func (l *Leg) ask() {
	if !l.phase.up() || l.call.over {
		return // Ended was told
	}
	l.question(askWithin, func(status int, reason string) {
		l.call.tell(CallEvent{Kind: Asked, Leg: l, Status: status, Reason: reason})
	})
}

// question asks, and calls done once: with 408 when there was no answer in time.
func (l *Leg) question(within time.Duration, done func(status int, reason string)) {
	q := &question{leg: l, done: done}
	q.late = l.call.a.s.After(within, func() { q.answered(408, sip.ReasonPhrase(408)) })
	q.send()
}

// question is one OPTIONS, however often and by whatever way it is sent.
type question struct {
	leg  *Leg
	done func(status int, reason string)
	late *transaction.Timer
	over bool
}

func (q *question) send() {
	l := q.leg
	if q.over || !l.phase.up() {
		return
	}
	c := l.call
	req := l.d.request(sip.OPTIONS)
	req.Set("Accept", sip.AcceptedBodies) // §11.1
	l.reach(func(to transport.Target, err error) {
		if err != nil {
			q.sendLater(err)
			return
		}
		var doubt *transaction.Timer
		out := c.a.send(c.acct, req, &l.d.localSeq, to, l, func(res *sip.Response, err error) {
			doubt.Stop()
			switch {
			case err != nil:
				q.sendLater(err)
			case res.Status >= 200:
				q.answered(res.Status, res.Reason)
			}
		})
		doubt = c.a.s.After(byeSilence, func() {
			if !q.over && !out.heard && !out.done && l.phase.up() && l.detour(errNotHeard) == nil {
				q.send()
			}
		})
	})
}

// sendLater tries again where this host could not send: that says nothing about the far end.
func (q *question) sendLater(err error) {
	if q.over {
		return
	}
	q.leg.call.a.log.Debug("OPTIONS not sent", "call", q.leg.call.ID, "err", err)
	q.leg.call.a.s.After(askAgain, q.send)
}

func (q *question) answered(status int, reason string) {
	if q.over {
		return
	}
	q.over = true
	q.late.Stop()
	q.done(status, reason)
}
