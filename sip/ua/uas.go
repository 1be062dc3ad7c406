package ua

import (
	"strconv"
	"strings"
	"time"

	"portero/sip"
	"portero/sip/transaction"
	"portero/sip/transport"
)

func mediaType(contentType string) string {
	m, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(m))
}

// incoming starts a call that somebody else places (RFC 3261 §13.3.1).
func (a *Agent) incoming(tx *transaction.Server, req *sip.Request) {
	merged := req.CallID + "\x00" + req.From.Tag() + "\x00" + strconv.FormatUint(uint64(req.CSeq.Seq), 10)
	for _, c := range a.calls {
		if c.merged == merged { // §8.2.2.2: the same request by two paths
			tx.Respond(sip.NewResponse(req, 482, ""))
			return
		}
	}
	if len(req.Contact) != 1 || req.Contact[0].Star { // §12.1.1: where would requests within the dialog go?
		tx.Respond(sip.NewResponse(req, 400, "Contact Needed"))
		return
	}
	local, err := a.s.Local(transport.Target{Proto: tx.Flow().Proto, Addr: tx.Flow().Remote, Flow: tx.Flow()})
	if err != nil {
		tx.Respond(sip.NewResponse(req, 500, ""))
		return
	}
	tag := tx.Tag()
	c := &Call{ID: req.CallID, a: a, notify: func(CallEvent) {}, merged: merged}
	c.key = callKey(c.ID, tag)
	l := &Leg{call: c, d: newUASDialog(req, tag, contactAt(req.URI.User, tx.Flow().Proto, local)), tx: tx, flow: tx.Flow()}
	c.legs = []*Leg{l}
	a.calls[c.key] = c
	tx.OnCancel(func() {
		l.respond(487, nil)
		l.dead = true
		c.tell(CallEvent{Kind: Ended, Leg: l, Status: 487, Reason: "cancelled", ByPeer: true})
		c.release()
	})
	c.notify = func(ev CallEvent) { a.cfg.Incoming(c, ev) }
	c.tell(CallEvent{Kind: Offered, Leg: l, ContentType: req.ContentType, Body: req.Body, From: req.From, Flow: tx.Flow()})
}

// reinvited handles a re-INVITE (§14.2).
func (l *Leg) reinvited(tx *transaction.Server, req *sip.Request) {
	switch {
	case l.offering != nil: // §14.2: both ends ask at once
		tx.Respond(sip.NewResponse(req, 491, ""))
		return
	case !l.confirmed || l.tx != nil || l.wait != nil:
		// §14.2: an earlier INVITE of the far end is not done yet.
		res := sip.NewResponse(req, 500, "")
		res.Set("Retry-After", "1")
		tx.Respond(res)
		return
	case l.dead || l.call.over:
		tx.Respond(sip.NewResponse(req, 481, ""))
		return
	}
	if len(req.Contact) == 1 && !req.Contact[0].Star {
		l.d.target = req.Contact[0].URI // §12.2.2: a target refresh
	}
	l.tx = tx
	tx.OnCancel(func() { l.respond(487, nil) })
	l.call.tell(CallEvent{Kind: Offered, Leg: l, Renewed: true, ContentType: req.ContentType, Body: req.Body, From: req.From, Flow: tx.Flow()})
}

// Progress sends a provisional response, perhaps with an answer. Any goroutine may call it, as Answer and Reject.
func (l *Leg) Progress(status int, body []byte) {
	l.call.a.s.Post(func() { l.respond(status, body) })
}

// Answer accepts the INVITE or re-INVITE that waits, with the answer to its offer, or an offer if it brought none.
func (l *Leg) Answer(body []byte) { l.call.a.s.Post(func() { l.respond(200, body) }) }

// Reject refuses the INVITE or re-INVITE that waits; a refused re-INVITE leaves the call as it was (§14.2).
func (l *Leg) Reject(status int) {
	l.call.a.s.Post(func() {
		l.respond(status, nil)
		if !l.confirmed {
			l.dead = true
			l.call.tell(CallEvent{Kind: Ended, Leg: l, Status: status, Reason: sip.ReasonPhrase(status)})
			l.call.release()
		}
	})
}

func (l *Leg) respond(status int, body []byte) {
	tx := l.tx
	if tx == nil || tx.Done() || l.dead {
		return
	}
	res := sip.NewResponse(tx.Request(), status, "")
	res.To = res.To.WithTag(l.d.local.Tag())
	if status > 100 && status < 300 { // §12.1.1
		res.RecordRoute = tx.Request().RecordRoute
		res.Contact = []sip.Address{l.d.contact}
		res.Set("Allow", allowed)
	}
	if len(body) > 0 {
		res.ContentType, res.Body = "application/sdp", body
	}
	if status >= 200 {
		l.tx = nil
	}
	if status/100 == 2 {
		l.confirmed = true
		l.wait = res
		l.repeatAnswer(tx, res, transaction.T1)
		l.giveUp = l.call.a.s.After(transaction.Lifetime, l.unacked)
	}
	tx.Respond(res)
}

// repeatAnswer sends the 2xx again until the ACK comes (§13.3.1.4): no transaction does it.
func (l *Leg) repeatAnswer(tx *transaction.Server, res *sip.Response, interval time.Duration) {
	l.repeat = l.call.a.s.After(interval, func() {
		tx.Respond(res)
		l.repeatAnswer(tx, res, min(2*interval, transaction.T2))
	})
}

func (l *Leg) stopWaiting() {
	l.repeat.Stop()
	l.giveUp.Stop()
	l.wait = nil
}

// unacked ends a call whose 2xx nobody acknowledged (§13.3.1.4).
func (l *Leg) unacked() {
	l.stopWaiting()
	l.call.tell(CallEvent{Kind: Ended, Leg: l, Err: transaction.ErrTimeout, Reason: "the answer was never acknowledged"})
	l.bye()
}

// acked takes the ACK of a 2xx; repeated ones are nothing new.
func (l *Leg) acked(ack *sip.Request) {
	if l.wait == nil || ack.CSeq.Seq != l.wait.CSeq.Seq {
		return
	}
	l.stopWaiting()
	if l.byeWhen {
		l.bye()
		return
	}
	l.call.tell(CallEvent{Kind: Acked, Leg: l, ContentType: ack.ContentType, Body: ack.Body})
}

// pendingRefused ends an INVITE or re-INVITE that waits when its dialog ends (§15.1.2).
func (l *Leg) pendingRefused(status int) {
	if l.tx != nil {
		dead := l.dead
		l.dead = false
		l.respond(status, nil)
		l.dead = dead
	}
}
