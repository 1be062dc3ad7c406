package ua

import (
	"context"
	"log/slog"
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
	// outgoing: a provisional response, perhaps with an answer (early media)
	Progress CallEventKind = "progress"
	Answered CallEventKind = "answered" // outgoing: the first 2xx; Body is the answer
	// outgoing, of Invite.Waits: nobody is there yet, as Status, Reason and Err say
	Waiting CallEventKind = "waiting"
	// incoming INVITE or re-INVITE: Body is the offer, empty when the 2xx must make it
	Offered CallEventKind = "offered"
	Acked   CallEventKind = "acked"   // incoming: the 2xx arrived; Body is the answer to an offer of ours
	Info    CallEventKind = "info"    // an INFO within the call
	Refused CallEventKind = "refused" // an own re-INVITE failed; the session goes on as it was
	Asked   CallEventKind = "asked"   // what Leg.Ask has asked was answered with Status; 408: it was not
	Ended   CallEventKind = "ended"   // the last event of every call
)

// CallEvent is one event, told on the stack's loop.
type CallEvent struct {
	Kind        CallEventKind
	Leg         *Leg // nil: before there is one, or Ended of the whole call
	Status      int  // Progress, Waiting, Refused, Asked, Ended: the SIP status, 0 when none tells
	Reason      string
	ContentType string        // Info: of Body
	Body        []byte        // the session description, wherever in the message it stands; of Info, the whole body
	Err         error         // Ended, Waiting: a failure without a status
	Again       time.Duration // Waiting: how long until the INVITE is sent again; 0: not before Call.Again
	ByPeer      bool          // Ended: the far end's doing
	Renewed     bool          // Offered, Answered: a re-INVITE
	From        sip.Address
	Flow        transport.Flow // Offered: where it came from
}

// description returns the session description of a message, nil without one.
func description(h *sip.Headers, body []byte) []byte {
	sdp, _ := h.SDP(body)
	return sdp
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

	placed placed // as the caller
	// as the callee: what the same request by another path has in common with this one (§8.2.2.2)
	merged string
}

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
	c.a.log.LogAttrs(context.Background(), slog.LevelDebug, "call event told", slog.String("call", c.ID),
		slog.String("event", string(ev.Kind)), slog.Int("status", ev.Status), slog.String("reason", ev.Reason),
		slog.Bool("by_peer", ev.ByPeer))
	c.notify(ev)
}

// release forgets the call when no signalling is left.
func (c *Call) release() {
	if !c.over || c.pending() {
		return
	}
	for _, l := range c.legs {
		if l.holds() {
			return
		}
	}
	delete(c.a.calls, c.key)
	c.a.rest()
}

// Hangup ends the call in whatever state it is: CANCEL, BYE, or 603 (§9.1, §15.1). Any goroutine may call it;
// Ended follows unless it was told before.
func (c *Call) Hangup() { c.a.s.Post(func() { c.hangup() }) }

// AnsweredElsewhere is Hangup for a call that has lost to another one: its phone shows no missed call.
func (c *Call) AnsweredElsewhere() { c.a.s.Post(func() { c.hangup(sip.CompletedElsewhere()) }) }

func (c *Call) hangup(why ...sip.Header) {
	c.tell(CallEvent{Kind: Ended, Reason: "hung up"})
	c.giveUp(nil, why...)
	for _, l := range slices.Clone(c.legs) {
		l.hangup()
	}
	c.release()
}

// request handles a request within one of the call's dialogs.
func (c *Call) request(tx *transaction.Server, req *sip.Request) {
	l := c.leg(req.From.Tag())
	if !l.knows(tx.Flow().Remote) {
		l.stranger(tx, req)
		return
	}
	if turnedAway(tx, req) {
		return
	}
	if req.Method == sip.ACK {
		l.arrivedACK(req)
		return
	}
	if !l.d.inOrder(req) {
		res := sip.NewResponse(req, 500, "Out of Order") // §12.2.2
		tx.Respond(res)
		return
	}
	l.heard(tx.Flow(), req)
	switch req.Method {
	case sip.BYE:
		tx.Respond(sip.NewResponse(req, 200, ""))
		l.farEndLeft()
	case sip.INVITE:
		l.arrivedINVITE(tx, req)
	case sip.INFO:
		l.arrivedINFO(tx, req)
	case sip.OPTIONS:
		tx.Respond(capabilities(req))
	default:
		res := sip.NewResponse(req, 405, "")
		res.Set("Allow", allowed)
		tx.Respond(res)
	}
}
