package ua

import (
	"math/rand/v2"
	"time"

	"portero/sip"
	"portero/sip/transport"
)

// Reoffer sends a re-INVITE with a new offer (RFC 3261 §14.1): hold, resume, another address. Answered with Renewed brings the
// answer; Refused says that the session goes on as it was. While an INVITE of either side is open the offer waits for its turn
// (491). Any goroutine may call it.
func (l *Leg) Reoffer(body []byte) { l.call.a.s.Post(func() { l.reoffer(body) }) }

func (l *Leg) reoffer(body []byte) {
	c := l.call
	switch {
	case l.dead || c.over || !l.confirmed:
		c.tell(CallEvent{Kind: Refused, Leg: l, Status: 481, Reason: sip.ReasonPhrase(481)})
		return
	case l.offering != nil || l.tx != nil || l.wait != nil:
		l.retryOffer(body)
		return
	}
	req := l.d.request(sip.INVITE)
	req.Add("Allow", allowed)
	req.ContentType, req.Body = "application/sdp", body
	c.a.s.Resolve(l.d.nextHop(), func(ts []transport.Target, err error) {
		if err != nil {
			c.tell(CallEvent{Kind: Refused, Leg: l, Err: err, Reason: err.Error()})
			return
		}
		answered := false
		var out *outgoing
		out = c.a.send(c.acct, req, &l.d.localSeq, ts[0], func(res *sip.Response, err error) {
			switch {
			case err == nil && res.Status < 200:
			case err == nil && res.Status < 300 && answered:
				c.a.s.Resend(l.ack, l.ackTarget)
			case err == nil && res.Status < 300:
				answered, l.offering = true, nil
				l.reanswered(out, res)
			default:
				l.offering = nil
				l.rerefused(res, err, body)
			}
		})
		l.offering = out
	})
}

// reanswered acknowledges the 2xx of a re-INVITE; its Contact is the new target (§12.2.1.2).
func (l *Leg) reanswered(out *outgoing, res *sip.Response) {
	if len(res.Contact) > 0 {
		l.d.target = res.Contact[0].URI
	}
	l.acknowledge(out, func() {})
	l.call.tell(CallEvent{Kind: Answered, Leg: l, Renewed: true, Status: res.Status, Reason: res.Reason, ContentType: res.ContentType, Body: res.Body})
}

func (l *Leg) rerefused(res *sip.Response, err error, body []byte) {
	c := l.call
	switch {
	case l.dead || c.over:
	case err != nil || res.Status == 408 || res.Status == 481: // §14.1: the far end has lost the dialog
		ev := CallEvent{Kind: Ended, Leg: l, Err: err, Reason: "the far end has lost the call"}
		if err == nil {
			ev.Status, ev.Reason = res.Status, res.Reason
		}
		c.tell(ev)
		l.bye()
	case res.Status == 491:
		l.retryOffer(body)
	default:
		c.tell(CallEvent{Kind: Refused, Leg: l, Status: res.Status, Reason: res.Reason})
	}
}

// retryOffer waits as §14.1 asks, so that two ends that collided do not collide again.
func (l *Leg) retryOffer(body []byte) {
	wait := 2100*time.Millisecond + rand.N(1900*time.Millisecond) // the owner of the Call-ID
	if l.out == nil {
		wait = rand.N(2 * time.Second)
	}
	l.call.a.s.After(wait/(10*time.Millisecond)*(10*time.Millisecond), func() { l.reoffer(body) })
}

// Info sends a digit or another body within the call (RFC 6086, without its packages). Any goroutine may call it.
func (l *Leg) Info(contentType string, body []byte) {
	c := l.call
	c.a.s.Post(func() {
		if l.dead || !l.confirmed {
			return
		}
		req := l.d.request(sip.INFO)
		req.ContentType, req.Body = contentType, body
		c.a.s.Resolve(l.d.nextHop(), func(ts []transport.Target, err error) {
			if err == nil {
				c.a.send(c.acct, req, &l.d.localSeq, ts[0], func(*sip.Response, error) {})
			}
		})
	})
}
