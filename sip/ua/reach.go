package ua

import (
	"errors"
	"fmt"
	"time"

	"portero/sip"
	"portero/sip/transport"
)

// Where requests within a dialog go when its route set and remote target lead nowhere: a transport that this
// host lacks, a name that only the far end can resolve, an address behind somebody's NAT. By one address at
// least the far end was heard, or the INVITE got through: it serves then, and for the rest of the dialog.
const (
	reachWithin = time.Second     // how long a look-up may keep an ACK or BYE
	byeSilence  = 2 * time.Second // how long nobody may answer a BYE before it is tried the other way, too
	manyCopies  = 3               // copies of a 2xx, the first included, that say that no ACK arrives
)

var (
	errSlowNames  = errors.New("its name was not found in time")
	errNotHeard   = errors.New("nobody answers there")
	errNoACK      = errors.New("no ACK arrives there")
	errWeaker     = errors.New("less protected than the call was until now")
	errNoOtherWay = errors.New("ua: no other way to the far end")
)

// reach finds where a request within the dialog goes, and calls f on the loop: at once, or when its name was
// looked up.
func (l *Leg) reach(f func(transport.Target, error)) {
	if l.d.detoured {
		f(l.d.peer, nil)
		return
	}
	hop := l.d.nextHop()
	if t, ok := transport.LiteralTarget(hop); ok && hop.IsSIP() {
		f(l.orDetour(l.usable([]transport.Target{t})))
		return
	}
	l.reachByName(hop, f)
}

func (l *Leg) reachByName(hop sip.URI, f func(transport.Target, error)) {
	done := false
	once := func(t transport.Target, err error) {
		if !done {
			done = true
			f(l.orDetour(t, err))
		}
	}
	late := l.call.a.s.After(reachWithin, func() { once(transport.Target{}, errSlowNames) })
	l.call.a.s.Resolve(hop, func(ts []transport.Target, err error) {
		late.Stop()
		var t transport.Target
		if err == nil {
			t, err = l.usable(ts)
		}
		once(t, err)
	})
}

// orDetour is where a request goes whose next hop is t, or cannot be used.
func (l *Leg) orDetour(t transport.Target, err error) (transport.Target, error) {
	if err != nil && !l.d.detoured {
		err = l.detour(err)
	}
	if l.d.detoured {
		return l.d.peer, nil
	}
	if err == nil {
		l.d.hop = t.Addr
	}
	return t, err
}

// usable returns the first target that a request of the dialog can be sent to.
func (l *Leg) usable(ts []transport.Target) (t transport.Target, err error) {
	for _, t = range ts {
		if l.weaker(t.Proto) {
			err = fmt.Errorf("ua: next hop by %s: %w", t.Proto, errWeaker)
			continue
		}
		if _, err = l.call.a.s.Local(t); err == nil {
			return t, nil
		}
	}
	return t, err
}

// weaker reports whether a transport protects less than what the dialog came by.
func (l *Leg) weaker(p sip.Proto) bool { return l.d.peer.Proto == sip.TLS && p != sip.TLS }

// detour leaves the dialog's route for the address that its last message came from. It says why on the first
// occasion, and returns an error when there is no such address.
func (l *Leg) detour(why error) error {
	d, c := l.d, l.call
	if d.detoured || !d.peer.Addr.IsValid() {
		return fmt.Errorf("%w: %w", errNoOtherWay, why)
	}
	if _, err := c.a.s.Local(d.peer); err != nil {
		return fmt.Errorf("%w: %w", errNoOtherWay, err)
	}
	if hop, ok := transport.LiteralTarget(d.nextHop()); ok && hop.Proto == d.peer.Proto &&
		hop.Addr == d.peer.Addr {
		return fmt.Errorf("%w: %w", errNoOtherWay, why)
	}
	d.detoured = true
	c.a.log.Warn("the call's next hop cannot be used, requests go to where its last message came from",
		"call", c.ID, "hop", d.nextHop(), "to", d.peer.Addr, "err", why)
	return nil
}

// heard notes where a request within the dialog came from, once it was accepted (see source.go).
func (l *Leg) heard(flow transport.Flow, req *sip.Request) {
	d := l.d
	if l.weaker(flow.Proto) || len(req.Via) == 0 {
		return
	}
	host := d.peer.Host
	d.peer = transport.ResponseTarget(flow, req.Via[0])
	d.peer.Host = host
}

// acknowledge sends the ACK of a 2xx along the dialog's route, with the INVITE's credentials (§13.2.2.4,
// §22.1). A call whose 2xx cannot be acknowledged at all ends: its far end would give it up after 32 s, and
// this one would talk to nobody until then.
func (l *Leg) acknowledge(invite *attempts, then func()) {
	ack := l.d.request(sip.ACK)
	ack.CSeq = sip.CSeq{Seq: invite.req.CSeq.Seq, Method: sip.ACK}
	l.sent.ack = acked{req: ack, invite: invite, copies: 1}
	l.reach(func(t transport.Target, err error) {
		if err == nil {
			err = l.sendACK(t)
		}
		if err != nil {
			l.neverAcknowledged(err)
		}
		then()
	})
}

// sendACK sends the ACK of the last 2xx to t, or where the detour leads.
func (l *Leg) sendACK(t transport.Target) (err error) {
	a := &l.sent.ack
	ack := a.req.Clone()
	a.invite.lendCredentials(ack, t)
	a.to = t
	if a.wire, err = l.call.a.s.Send(ack, t); err == nil || l.detour(err) != nil {
		return err
	}
	return l.sendACK(l.d.peer)
}

// repeated handles another copy of a 2xx: the ACK was lost (§13.2.2.4), or does not arrive there at all.
func (l *Leg) repeated() {
	a := &l.sent.ack
	if a.wire == nil {
		return // its name is still looked up
	}
	a.copies++
	if a.copies == manyCopies && l.detour(errNoACK) == nil {
		l.sendACK(l.d.peer)
		return
	}
	l.call.a.s.Resend(a.wire, a.to)
}

func (l *Leg) neverAcknowledged(err error) {
	c := l.call
	c.a.log.Warn("ACK not sent, the call ends", "call", c.ID, "err", err)
	if w := c.placed.winner; w == l || c.placed.inv.Offer == nil {
		c.tell(CallEvent{Kind: Ended, Leg: l, Err: err, Reason: "the answer could not be acknowledged"})
	}
	l.bye()
}
