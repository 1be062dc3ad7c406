package ua

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"portero/sip"
	"portero/sip/transport"
)

// Reoffer sends a re-INVITE with a new offer (RFC 3261 §14.1): hold, resume, another address. Answered with
// Renewed brings the answer; Refused says that the session goes on as it was. While an INVITE of either side
// is open the offer waits for its turn (491). Any goroutine may call it.
func (l *Leg) Reoffer(body []byte) { l.call.a.s.Post(func() { l.reoffer(body) }) }

// Moved sends a re-INVITE after this host has left an address: a Contact that names it names the one that the
// route to the far end leaves from now (§12.2.1.1). For the rest it is a Reoffer.
func (l *Leg) Moved(left netip.Addr, body []byte) {
	l.call.a.s.Post(func() {
		l.left = left
		l.reoffer(body)
	})
}

// rename has the Contact of a re-INVITE name an address that this host has.
func (l *Leg) rename(req *sip.Request, to transport.Target) {
	now, err := l.call.a.s.Local(to)
	if err != nil || !l.left.IsValid() {
		return
	}
	if c := &l.d.contact; c.URI.Host == sip.HostOf(l.left) {
		*c = contactAt(c.URI.User, to.Proto, now)
	}
	l.left = netip.Addr{}
	req.Contact = []sip.Address{l.d.contact}
}

func (l *Leg) reoffer(body []byte) {
	if c := l.call; !l.phase.up() || c.over {
		c.tell(CallEvent{Kind: Refused, Leg: l, Status: 481, Reason: sip.ReasonPhrase(481)})
		return
	}
	l.step(oaTUINVITE, turn{body: body})
}

// reinvite sends the offer.
func (t *turn) reinvite() {
	l, body := t.Leg, t.body
	c := l.call
	req := l.d.request(sip.INVITE)
	req.Add("Allow", allowed)
	req.ContentType, req.Body = "application/sdp", body
	l.reach(func(to transport.Target, err error) {
		switch {
		case l.oa != oaOurs: // it ended meanwhile
		case err != nil:
			l.step(oa300, turn{err: err})
		default:
			l.rename(req, to)
			var out *attempts
			out = c.a.send(c.acct, req, &l.d.localSeq, to, l,
				func(res *sip.Response, err error) { l.offerAnswered(out, body, res, err) })
			l.sent.open = out
		}
	})
}

// offerAnswered takes what comes back to a re-INVITE of ours.
func (l *Leg) offerAnswered(out *attempts, body []byte, res *sip.Response, err error) {
	t := turn{out: out, res: res, err: err, body: body}
	switch {
	case err == nil && res.Status < 200:
		return
	case l.sent.open != out: // a repeated 2xx
		l.repeated()
		return
	}
	l.sent.open = nil
	switch {
	case err != nil, res.Status == 408, res.Status == 481: // §14.1: the far end has lost the dialog
		l.step(oaLost, t)
	case res.Status < 300:
		l.step(oa2xx, t)
	case res.Status == 491:
		l.step(oa491, t)
	default:
		l.step(oa300, t)
	}
}

// agreed acknowledges the 2xx of an INVITE and tells of it.
func (t *turn) agreed() {
	renewed := t.out != t.sent.first
	if renewed && len(t.res.Contact) > 0 {
		t.d.retarget(t.res.Contact[0].URI)
	}
	t.acknowledge(t.out, func() {})
	t.call.tell(CallEvent{Kind: Answered, Leg: t.Leg, Renewed: renewed, Status: t.res.Status,
		Reason: t.res.Reason, Body: description(&t.res.Headers, t.res.Body)})
}

// discard acknowledges a 2xx that nobody waits for, and ends its dialog.
func (t *turn) discard() { t.acknowledge(t.out, t.bye) }

// refused tells that a re-INVITE was refused, or could not be sent.
func (t *turn) refused() {
	ev := CallEvent{Kind: Refused, Leg: t.Leg, Err: t.err}
	if t.err != nil {
		ev.Reason = t.err.Error()
	} else {
		ev.Status, ev.Reason = t.res.Status, t.res.Reason
	}
	t.call.tell(ev)
}

// farEndLost ends a call whose far end knows the dialog no more.
func (t *turn) farEndLost() {
	ev := CallEvent{Kind: Ended, Leg: t.Leg, Err: t.err, Reason: "the far end has lost the call"}
	if t.err == nil {
		ev.Status, ev.Reason = t.res.Status, t.res.Reason
	}
	t.call.tell(ev)
	t.bye()
}

// offerLater waits as §14.1 asks, so that two ends that collided do not collide again.
func (t *turn) offerLater() {
	l, body := t.Leg, t.body
	wait := 2100*time.Millisecond + rand.N(1900*time.Millisecond) // the owner of the Call-ID
	if l.sent.first == nil {
		wait = rand.N(2 * time.Second)
	}
	l.call.a.s.After(wait/(10*time.Millisecond)*(10*time.Millisecond), func() { l.reoffer(body) })
}
