package ua

import (
	"errors"
	"slices"
	"time"

	"portero/sip"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// CallEventKind says what happened to a call.
type CallEventKind string

// The events of a call, as offer/answer (RFC 3264) and RFC 3261 §13 to §15 order them.
const (
	Progress CallEventKind = "progress" // outgoing: a provisional response, perhaps with an answer (early media)
	Answered CallEventKind = "answered" // outgoing: the first 2xx; Body is the answer
	Offered  CallEventKind = "offered"  // incoming INVITE or re-INVITE: Body is the offer, empty when the 2xx must make it
	Acked    CallEventKind = "acked"    // incoming: the 2xx arrived; Body is the answer to an offer of ours
	Info     CallEventKind = "info"     // an INFO within the call
	Refused  CallEventKind = "refused"  // an own re-INVITE failed; the session goes on as it was
	Ended    CallEventKind = "ended"    // the last event of every call
)

// CallEvent is one event, told on the stack's loop.
type CallEvent struct {
	Kind        CallEventKind
	Leg         *Leg // nil: before there is one, or Ended of the whole call
	Status      int  // Progress, Ended: the SIP status, 0 when none tells
	Reason      string
	ContentType string
	Body        []byte
	Err         error // Ended: a failure without a status
	ByPeer      bool  // Ended: the far end's doing
	Renewed     bool  // Offered, Answered: a re-INVITE
	From        sip.Address
	Flow        transport.Flow // Offered: where it came from
}

// Call is one INVITE of ours or of somebody else, and all the dialogs that it made.
type Call struct {
	ID string // the Call-ID

	a      *Agent
	acct   *Account
	key    string
	notify func(CallEvent)
	legs   []*Leg
	over   bool // Ended was told; only signalling is left

	// outgoing
	inv      Invite
	tag      string             // of From
	seq      uint32             // CSeq of the INVITEs of this round
	queue    []transport.Target // servers that were not tried yet in this round
	outs     []*outgoing        // the INVITEs of this round, one for each server tried
	failover *transaction.Timer // to the next server
	again    *transaction.Timer // begins another round
	refusal  *sip.Response      // that one server gave while another was waited for
	winner   *Leg

	// incoming
	merged string
}

// Leg is one dialog of a call: early or confirmed.
type Leg struct {
	call      *Call
	d         *dialog
	confirmed bool
	dead      bool // over, by either side
	leaving   bool // our BYE is being tried, or waits for its answer

	// as UAC
	out       *outgoing // the INVITE that made the leg; nil: as UAS
	ack       []byte    // what a repeated 2xx is answered with
	ackTarget transport.Target
	offering  *outgoing // our re-INVITE that waits for its answer

	// as UAS: the INVITE or re-INVITE that waits for its answer or ACK
	tx      *transaction.Server
	repeat  *transaction.Timer // of the 2xx
	giveUp  *transaction.Timer
	wait    *sip.Response // the 2xx that waits for its ACK
	byeWhen bool          // BYE as soon as the ACK is there (§15)
	flow    transport.Flow
}

// ID names the leg: the far end's tag.
func (l *Leg) ID() string { return l.d.remote.Tag() }

// Remote returns who the far end says it is.
func (l *Leg) Remote() sip.Address { return l.d.remote }

func (c *Call) leg(remoteTag string) *Leg {
	for _, l := range c.legs {
		if l.d.remote.Tag() == remoteTag {
			return l
		}
	}
	return nil
}

// tell passes an event on unless the call is over for its owner.
func (c *Call) tell(ev CallEvent) {
	if c.over {
		return
	}
	if ev.Kind == Ended {
		c.over = true
	}
	c.a.log.Debug("call", "event", string(ev.Kind), "call_id", c.ID, "status", ev.Status, "reason", ev.Reason, "by_peer", ev.ByPeer)
	c.notify(ev)
}

// release forgets the call when no signalling is left.
func (c *Call) release() {
	if !c.over || c.pending() {
		return
	}
	for _, l := range c.legs {
		if l.out != nil && !l.confirmed {
			continue // a branch that rang while another answered: nothing ends it but the final response
		}
		if !l.dead || l.leaving || l.wait != nil {
			return
		}
	}
	delete(c.a.calls, c.key)
	c.a.rest()
}

// Hangup ends the call in whatever state it is: CANCEL, BYE, or 603 (§9.1, §15.1). Any goroutine may call it; Ended follows
// unless it was told before.
func (c *Call) Hangup() { c.a.s.Post(c.hangup) }

func (c *Call) hangup() {
	c.tell(CallEvent{Kind: Ended, Reason: "hung up"})
	c.giveUp(nil)
	for _, l := range slices.Clone(c.legs) {
		l.hangup()
	}
	c.release()
}

// hangup ends one leg.
func (l *Leg) hangup() {
	switch {
	case l.dead:
	case l.confirmed && l.wait != nil:
		l.byeWhen = true // §15: the callee waits for the ACK
	case l.confirmed:
		l.bye()
	case l.tx != nil:
		l.respond(603, nil)
		l.dead = true
	default:
		l.dead = true // an early leg of ours: the CANCEL ends it
	}
}

// bye ends a confirmed leg (§15.1.1).
func (l *Leg) bye() {
	if l.dead {
		return
	}
	l.dead = true
	l.stopWaiting()
	l.pendingRefused(487)
	l.leaving = true
	l.sendBye(byeAttempts)
}

// byeAttempts is how often a BYE that this host could not even send is tried: a call that ends in a moment without a network must
// not go on at the far end.
const byeAttempts = 5

func (l *Leg) sendBye(attempts int) {
	req := l.d.request(sip.BYE)
	c := l.call
	failed := func(err error) {
		c.a.log.Warn("sip BYE not sent", "call_id", c.ID, "err", err)
		if attempts > 1 && c.a.closing == nil {
			c.a.s.After(byeAgain, func() { l.sendBye(attempts - 1) })
			return
		}
		l.leaving = false
		c.release()
	}
	c.a.s.Resolve(l.d.nextHop(), func(ts []transport.Target, err error) {
		if err != nil {
			failed(err)
			return
		}
		c.a.send(c.acct, req, &l.d.localSeq, ts[0], func(res *sip.Response, err error) {
			switch {
			case err != nil && !errors.Is(err, transaction.ErrTimeout):
				failed(err)
			case err != nil || res.Status >= 200:
				l.leaving = false
				c.release()
			}
		})
	})
}

const byeAgain = 2 * time.Second

// request handles a request within one of the call's dialogs.
func (c *Call) request(tx *transaction.Server, req *sip.Request) {
	l := c.leg(req.From.Tag())
	if req.Method == sip.ACK {
		l.acked(req)
		return
	}
	if !l.d.inOrder(req) {
		res := sip.NewResponse(req, 500, "Out of Order") // §12.2.2
		tx.Respond(res)
		return
	}
	switch req.Method {
	case sip.BYE:
		tx.Respond(sip.NewResponse(req, 200, ""))
		l.ended()
	case sip.INVITE:
		l.reinvited(tx, req)
	case sip.INFO:
		l.info(tx, req)
	case sip.OPTIONS:
		tx.Respond(capabilities(req))
	default:
		res := sip.NewResponse(req, 405, "")
		res.Set("Allow", allowed)
		tx.Respond(res)
	}
}

// ended handles a BYE of the far end (§15.1.2).
func (l *Leg) ended() {
	l.pendingRefused(487)
	l.stopWaiting()
	l.dead = true
	c := l.call
	early := l.out != nil && !l.confirmed // the others may still answer
	if !early && (c.winner == nil || c.winner == l) {
		c.tell(CallEvent{Kind: Ended, Leg: l, Reason: "hung up", ByPeer: true})
		c.giveUp(nil)
	}
	c.release()
}

// info passes digits up and refuses what nobody would understand (RFC 6086 §4.2.2, and the digits of the time before it).
func (l *Leg) info(tx *transaction.Server, req *sip.Request) {
	switch mediaType(req.ContentType) {
	case "application/dtmf-relay", "application/dtmf", "":
		tx.Respond(sip.NewResponse(req, 200, ""))
	default:
		res := sip.NewResponse(req, 415, "")
		res.Set("Accept", "application/dtmf-relay, application/dtmf")
		tx.Respond(res)
		return
	}
	if l.confirmed && !l.dead {
		l.call.tell(CallEvent{Kind: Info, Leg: l, ContentType: req.ContentType, Body: req.Body, Flow: tx.Flow()})
	}
}
