package ua

import (
	"portero/sip"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// Info sends a digit or another body within the call (RFC 6086, without its packages). Any goroutine may call
// it.
func (l *Leg) Info(contentType string, body []byte) {
	c := l.call
	c.a.s.Post(func() {
		if !l.phase.up() {
			return
		}
		req := l.d.request(sip.INFO)
		req.ContentType, req.Body = contentType, body
		l.reach(func(t transport.Target, err error) {
			if err != nil {
				c.a.log.Warn("INFO not sent", "call", c.ID, "err", err)
				return
			}
			c.a.send(c.acct, req, &l.d.localSeq, t, l, func(*sip.Response, error) {})
		})
	})
}

// arrivedINFO passes digits up and refuses what nobody would understand (RFC 6086 §4.2.2, and the digits of
// the time before it).
func (l *Leg) arrivedINFO(tx *transaction.Server, req *sip.Request) {
	switch sip.MediaType(req.ContentType) {
	case "application/dtmf-relay", "application/dtmf", "audio/telephone-event", "application/telephone-event",
		"application/vnd.nortelnetworks.digits", "":
		tx.Respond(sip.NewResponse(req, 200, ""))
	default:
		res := sip.NewResponse(req, 415, "")
		res.Set("Accept", "application/dtmf-relay, application/dtmf")
		tx.Respond(res)
		return
	}
	if l.phase.up() {
		l.call.tell(CallEvent{Kind: Info, Leg: l, ContentType: req.ContentType, Body: req.Body,
			Flow: tx.Flow()})
	}
}
