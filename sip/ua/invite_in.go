package ua

import (
	"strconv"
	"time"

	"portero/sip"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// incoming starts a call that somebody else places (RFC 3261 §13.3.1).
func (a *Agent) incoming(tx *transaction.Server, req *sip.Request) {
	if turnedAway(tx, req) {
		return
	}
	merged := req.CallID + "\x00" + req.From.Tag() + "\x00" + strconv.FormatUint(uint64(req.CSeq.Seq), 10)
	for _, c := range a.calls {
		if c.merged == merged { // §8.2.2.2: the same request by two paths
			tx.Respond(sip.NewResponse(req, 482, ""))
			return
		}
	}
	if len(req.Contact) == 0 || req.Contact[0].Star { // §12.1.1: where would requests within the dialog go?
		tx.Respond(sip.NewResponse(req, 400, "Contact Needed"))
		return
	}
	flow := tx.Flow()
	local, err := a.s.Local(transport.Target{Proto: flow.Proto, Addr: flow.Remote, Flow: flow})
	if err != nil {
		tx.Respond(sip.NewResponse(req, 500, ""))
		return
	}
	tag := tx.Tag()
	c := &Call{ID: req.CallID, a: a, merged: merged}
	c.notify = func(ev CallEvent) { a.cfg.Incoming(c, ev) }
	c.key = callKey(c.ID, tag)
	l := c.newLeg(newUASDialog(req, tag, contactAt(req.URI.User, flow.Proto, local),
		transport.ResponseTarget(flow, req.Via[0])), nil)
	a.calls[c.key] = c
	l.arrivedINVITE(tx, req)
}

// arrivedINVITE handles an INVITE, the first or a later one (§14.2).
func (l *Leg) arrivedINVITE(tx *transaction.Server, req *sip.Request) {
	ev := oaINVITE
	if len(req.Body) == 0 {
		ev = oaINVITEEmpty
	}
	l.step(ev, turn{tx: tx, req: req})
}

// offered takes on an INVITE and tells of it.
func (t *turn) offered() {
	l, again := t.Leg, t.phase != early
	if again && len(t.req.Contact) > 0 && !t.req.Contact[0].Star {
		l.d.retarget(t.req.Contact[0].URI)
	}
	l.got.tx = t.tx
	t.tx.OnCancel(func(*sip.Request) { l.step(oaCANCEL, turn{status: 487}) })
	l.call.tell(CallEvent{Kind: Offered, Leg: l, Renewed: again, Body: description(&t.req.Headers, t.req.Body),
		From: t.req.From, Flow: t.tx.Flow()})
}

// glare refuses what comes while an offer of ours waits for its answer.
func (t *turn) glare() { t.tx.Respond(sip.NewResponse(t.req, 491, "")) }

// busy refuses what comes while an offer of the far end waits for ours.
func (t *turn) busy() {
	res := sip.NewResponse(t.req, 500, "")
	res.Set("Retry-After", "1")
	t.tx.Respond(res)
}

func (t *turn) noDialog() { t.tx.Respond(sip.NewResponse(t.req, 481, "")) }

// Progress sends a provisional response, perhaps with an answer. Any goroutine may call it, as Answer and
// Reject.
func (l *Leg) Progress(status int, body []byte) {
	l.call.a.s.Post(func() { l.step(oaTU1xx, turn{status: status, body: body}) })
}

// Answer accepts the INVITE or re-INVITE that waits, with the answer to its offer, or an offer if it brought
// none.
func (l *Leg) Answer(body []byte) {
	l.call.a.s.Post(func() { l.step(oaTU2xx, turn{status: 200, body: body}) })
}

// Reject refuses the INVITE or re-INVITE that waits; a refused re-INVITE leaves the call as it was (§14.2).
// The warnings, whose agent is filled in, tell people why.
func (l *Leg) Reject(status int, warnings ...sip.Warning) {
	l.call.a.s.Post(func() { l.step(oaTU300, turn{status: status, warnings: warnings}) })
}

// reply responds to the INVITE that waits.
func (t *turn) reply() {
	tx := t.got.tx
	if tx == nil {
		return
	}
	res := t.response(tx.Request())
	if t.status >= 200 {
		t.got.tx = nil
	}
	tx.Respond(res)
}

func (t *turn) response(req *sip.Request) *sip.Response {
	res := sip.NewResponse(req, t.status, "")
	res.To = res.To.WithTag(t.d.local.Tag())
	if t.status > 100 && t.status < 300 { // §12.1.1
		res.RecordRoute = req.RecordRoute
		res.Contact = []sip.Address{t.d.contact}
		res.Set("Allow", allowed)
	}
	for _, w := range t.warnings {
		w.Agent = t.d.contact.URI.Host
		res.Add("Warning", w.String())
	}
	if len(t.body) > 0 {
		res.ContentType, res.Body = "application/sdp", t.body
	}
	return res
}

// accept sends a 2xx and waits for its ACK.
func (t *turn) accept() {
	l, tx := t.Leg, t.got.tx
	res := t.response(tx.Request())
	l.got.tx, l.got.res = nil, res
	if l.phase == early {
		l.phase = confirmed
	}
	l.repeatAnswer(tx, res, transaction.T1)
	l.got.giveUp = l.call.a.s.After(transaction.Lifetime, func() { l.step(oaNoACK, turn{}) })
	tx.Respond(res)
}

// repeatAnswer sends the 2xx again until the ACK comes (§13.3.1.4): no transaction does it.
func (l *Leg) repeatAnswer(tx *transaction.Server, res *sip.Response, interval time.Duration) {
	l.got.repeat = l.call.a.s.After(interval, func() {
		tx.Respond(res)
		l.repeatAnswer(tx, res, min(2*interval, transaction.T2))
	})
}

func (l *Leg) stopWaiting() {
	l.got.repeat.Stop()
	l.got.giveUp.Stop()
	l.got.res = nil
}

// reject refuses the first INVITE, which ends the leg.
func (t *turn) reject() {
	t.reply()
	t.phase = buried
	t.call.tell(CallEvent{Kind: Ended, Leg: t.Leg, Status: t.status, Reason: sip.ReasonPhrase(t.status)})
	t.call.release()
}

// cancelled ends a leg whose first INVITE the far end takes back (§9.2).
func (t *turn) cancelled() {
	t.reply()
	t.phase = buried
	t.call.tell(CallEvent{Kind: Ended, Leg: t.Leg, Status: 487, Reason: "cancelled", ByPeer: true})
	t.call.release()
}

// arrivedACK takes the ACK of a 2xx; a repeated one, or that of another, is nothing new.
func (l *Leg) arrivedACK(ack *sip.Request) {
	if l.got.res != nil && ack.CSeq.Seq == l.got.res.CSeq.Seq {
		l.step(oaACK, turn{req: ack})
	}
}

func (t *turn) acked() {
	t.stopWaiting()
	t.call.tell(CallEvent{Kind: Acked, Leg: t.Leg, Body: description(&t.req.Headers, t.req.Body)})
}

func (t *turn) hangupNow() {
	t.stopWaiting()
	t.bye()
}

// neverAcked ends a call whose 2xx nobody acknowledged (§13.3.1.4).
func (t *turn) neverAcked() {
	t.stopWaiting()
	t.call.tell(CallEvent{Kind: Ended, Leg: t.Leg, Err: transaction.ErrTimeout,
		Reason: "the answer was never acknowledged"})
	t.bye()
}
