package sip

import (
	"fmt"
	"net/netip"
)

// Invite says whom to call and how.
type Invite struct {
	Account     *Account // nil: a direct call, with no credentials
	To          URI
	From        URI    // of a direct call; the account's AOR otherwise
	DisplayName string // of From: what the phone shows
	// Offer makes the SDP once the route is known, since its addresses depend on it. It runs on the loop.
	Offer func(local netip.Addr, t Target) ([]byte, error)
}

// Invite places a call (RFC 3261 §13.2). notify runs on the stack's loop and must not block. Any goroutine may call it.
func (a *Agent) Invite(inv Invite, notify func(*Call, CallEvent)) *Call {
	tag := NewTag()
	c := &Call{ID: randomHex(16), a: a, acct: inv.Account, inv: inv}
	c.notify = func(ev CallEvent) { notify(c, ev) }
	c.key = callKey(c.ID, tag)
	a.s.Post(func() { c.begin(tag) })
	return c
}

func (c *Call) begin(tag string) {
	if c.over { // hung up before it began
		return
	}
	c.a.calls[c.key] = c
	found := func(t Target, err error) {
		switch {
		case c.over:
			c.release()
		case err != nil:
			c.fail(err)
		default:
			c.dial(t, tag)
		}
	}
	if c.acct != nil {
		c.acct.resolve(c.a.s, found)
		return
	}
	c.a.s.Resolve(c.inv.To, func(ts []Target, err error) {
		if err != nil {
			found(Target{}, err)
			return
		}
		found(ts[0], nil)
	})
}

func (c *Call) fail(err error) {
	c.tell(CallEvent{Kind: Ended, Err: err, Reason: err.Error()})
	c.release()
}

func (c *Call) dial(t Target, tag string) {
	local, err := c.a.s.Local(t)
	if err != nil {
		c.fail(err)
		return
	}
	body, err := c.inv.Offer(local.Addr(), t)
	if err != nil {
		c.fail(fmt.Errorf("sip: offer: %w", err))
		return
	}
	req := NewRequest("INVITE", c.inv.To)
	req.To = Address{URI: c.inv.To}
	from := c.inv.From
	contact := contactAt(from.User, local)
	if c.acct != nil {
		from = c.acct.AOR
		contact = c.acct.contact(local)
		if t.Addr != literalOf(c.inv.To) && !sameHost(c.inv.To, c.acct) {
			// The account's server is the outbound proxy for foreign addresses (§8.1.2).
			req.Route = []Address{{URI: URI{Scheme: "sip", Host: hostOf(t.Addr.Addr()), Port: t.Addr.Port(), Params: ";lr"}}}
		}
	}
	req.From = Address{DisplayName: c.inv.DisplayName, URI: from}.WithTag(tag)
	req.CallID = c.ID
	req.CSeq = CSeq{1, "INVITE"}
	req.Contact = []Address{contact}
	req.Add("Allow", allowed)
	req.ContentType, req.Body = "application/sdp", body
	c.invite, c.target = req, t
	c.pending = true
	c.out = c.a.send(c.acct, req, &req.CSeq.Seq, t, c.response)
}

func literalOf(u URI) netip.AddrPort {
	t, _ := literalTarget(u)
	return t.Addr
}

// sameHost reports whether a URI belongs to the account's own domain or server, which needs no Route.
func sameHost(u URI, acct *Account) bool {
	return u.Host == acct.AOR.Host || u.Host == acct.Server.Host
}

// response handles the responses to our INVITE: those of every branch that a proxy forked it to.
func (c *Call) response(res *Response, err error) {
	switch {
	case err != nil:
		c.pending = false
		if c.winner == nil {
			c.buryEarly()
			c.tell(CallEvent{Kind: Ended, Err: err, Reason: err.Error()})
		}
		c.release()
	case res.Status < 200:
		c.progress(res)
	case res.Status < 300:
		c.answered(res)
	default:
		c.pending = false
		c.buryEarly()
		c.tell(CallEvent{Kind: Ended, Status: res.Status, Reason: res.Reason, ByPeer: true})
		c.release()
	}
}

// buryEarly ends the early dialogs that a final response leaves (§12.3).
func (c *Call) buryEarly() {
	for _, l := range c.legs {
		if !l.confirmed {
			l.dead = true
		}
	}
}

func (c *Call) progress(res *Response) {
	ev := CallEvent{Kind: Progress, Status: res.Status, Reason: res.Reason, ContentType: res.ContentType, Body: res.Body}
	if res.To.Tag() != "" && res.Status > 100 {
		ev.Leg = c.legOf(res)
	}
	c.tell(ev)
}

// legOf finds or makes the dialog of a response: one for each To tag (§12.1, §13.2.2.4).
func (c *Call) legOf(res *Response) *Leg {
	l := c.leg(res.To.Tag())
	if l == nil && len(c.legs) < maxLegs {
		l = &Leg{call: c, d: newUACDialog(c.invite, res)}
		c.legs = append(c.legs, l)
	}
	return l
}

// maxLegs bounds what a misbehaving server can make of one INVITE.
const maxLegs = 64

// answered handles a 2xx: the first wins, each is acknowledged, and all later ones of other branches are ended (§13.2.2.4).
func (c *Call) answered(res *Response) {
	l := c.legOf(res)
	if l == nil {
		return
	}
	if l.confirmed {
		if l.ack != nil {
			c.a.s.Resend(l.ack, l.ackTarget) // our ACK was lost
		}
		return
	}
	c.pending = false
	c.a.calls[c.key] = c // a late branch of a call that is over needs its BYE answered
	l.confirmed, l.dead = true, false
	l.d.confirmUAC(res)
	lost := c.over || c.winner != nil
	if !lost {
		c.winner = l
	}
	l.acknowledge(c.out, func() {
		if lost {
			l.bye()
		}
	})
	if !lost {
		c.tell(CallEvent{Kind: Answered, Leg: l, Status: res.Status, Reason: res.Reason, ContentType: res.ContentType, Body: res.Body})
	}
}

// acknowledge sends the ACK of a 2xx along the dialog's route, with the INVITE's credentials (§13.2.2.4, §22.1).
func (l *Leg) acknowledge(invite *outgoing, then func()) {
	c := l.call
	ack := l.d.request("ACK")
	ack.CSeq = CSeq{invite.req.CSeq.Seq, "ACK"}
	c.a.s.Resolve(l.d.nextHop(), func(ts []Target, err error) {
		if err == nil {
			invite.lendCredentials(ack, ts[0])
			l.ackTarget = ts[0]
			l.ack, err = c.a.s.Send(ack, ts[0])
		}
		if err != nil {
			c.a.log.Warn("sip ACK not sent", "call_id", c.ID, "err", err)
		}
		then()
	})
}
