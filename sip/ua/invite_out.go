package ua

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"portero/sip"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// Invite says whom to call and how.
type Invite struct {
	Account     *Account // nil: a direct call, with no credentials
	To          sip.URI
	From        sip.URI // of a direct call; the account's AOR otherwise
	DisplayName string  // of From: what the phone shows
	// Offer makes the SDP once the route is known, since its addresses depend on it: once for each server
	// that is tried, and again after the network was away. It is called on the loop and must not block; done
	// takes the offer, once, at once or later, from any goroutine: keys and candidates take their time.
	Offer func(local netip.Addr, t transport.Target, done func([]byte, error))
	// Waits has the call wait while nobody is there yet (see repeat.go): Waiting is told in place of Ended.
	Waits bool
}

// OfferNow is an Invite.Offer that takes no time.
func OfferNow(offer func(netip.Addr, transport.Target) ([]byte, error)) func(netip.Addr, transport.Target, func([]byte, error)) {
	return func(local netip.Addr, t transport.Target, done func([]byte, error)) { done(offer(local, t)) }
}

// placed is what a call has that was placed here: its INVITEs, in rounds. A round tries one server after the
// other.
type placed struct {
	inv      Invite
	tag      string             // of From
	seq      uint32             // CSeq of the INVITEs of this round
	queue    []transport.Target // servers that were not tried yet in this round
	outs     []*attempts        // the INVITEs of this round, one for each server tried
	offers   int                // that are being made, each for an INVITE to come
	tried    []netip.AddrPort   // in this round
	failover *transaction.Timer // to the next server, or to doubt
	silences int                // in this round, each twice as long as the one before
	again    *transaction.Timer // begins another round
	followed bool               // a redirection
	rang     bool               // somebody was alerted
	waits    bool               // nothing is under way until the next round
	repeats  int                // rounds that a refusal has led to
	address  *transaction.Timer // to the next look at this host's address
	unsent   string             // why the INVITE could not be sent when that was last told
	refusal  *sip.Response      // that one server gave while another was waited for
	winner   *Leg
}

// Invite places a call (RFC 3261 §13.2). While this host cannot send it, it tries again every 2 s: Hangup is
// the only limit. notify runs on the stack's loop and must not block. Any goroutine may call it.
func (a *Agent) Invite(inv Invite, notify func(*Call, CallEvent)) *Call {
	c := &Call{ID: sip.NewCallID(), a: a, acct: inv.Account, placed: placed{inv: inv, tag: sip.NewTag()}}
	c.notify = func(ev CallEvent) { notify(c, ev) }
	c.key = callKey(c.ID, c.placed.tag)
	a.s.Post(c.begin)
	return c
}

// begin starts a round of attempts.
func (c *Call) begin() {
	if c.over || c.placed.winner != nil { // hung up before it began
		return
	}
	c.placed.waits = false
	c.a.calls[c.key] = c
	c.placed.seq++
	for _, o := range c.placed.outs { // all are done
		c.placed.seq = max(c.placed.seq, o.req.CSeq.Seq+1)
	}
	c.placed.outs, c.placed.tried, c.placed.silences, c.placed.refusal = nil, nil, 0, nil
	found := func(ts []transport.Target, err error) {
		switch {
		case c.over:
			c.release()
		case err != nil:
			c.lost(err)
		default:
			c.placed.queue = ts
			c.next()
		}
	}
	if c.acct != nil {
		c.acct.find(c.a.s, found)
		return
	}
	c.a.s.Resolve(c.placed.inv.To, found)
}

// next tries the next server of several (RFC 3263 §4.3); false: there is none.
func (c *Call) next() bool {
	c.placed.failover.Stop()
	if len(c.placed.queue) == 0 {
		return false
	}
	t := c.placed.queue[0]
	c.placed.queue = c.placed.queue[1:]
	c.placed.tried = append(c.placed.tried, t.Addr)
	c.dial(t)
	return true
}

// dial asks for the offer to a server, and calls there.
func (c *Call) dial(t transport.Target) {
	local, err := c.a.s.Local(t)
	if err != nil {
		c.lost(err)
		return
	}
	c.placed.offers++
	c.placed.inv.Offer(local.Addr(), t, func(body []byte, err error) {
		c.a.s.Post(func() {
			c.placed.offers--
			c.offered(t, local, body, err)
		})
	})
}

// offered sends the INVITE with its offer, if anybody waits for it still.
func (c *Call) offered(t transport.Target, local netip.AddrPort, body []byte, err error) {
	switch {
	case c.over || c.placed.winner != nil:
		c.release()
		return
	case err != nil:
		err = fmt.Errorf("ua: offer: %w", err)
		c.end(CallEvent{Kind: Ended, Err: err, Reason: err.Error()})
		return
	}
	req := sip.NewRequest(sip.INVITE, c.placed.inv.To)
	req.To = sip.Address{URI: c.placed.inv.To}
	from := c.placed.inv.From
	contact := contactAt(from.User, t.Proto, local)
	if c.acct != nil {
		from = c.acct.AOR
		contact = c.acct.contact(t.Proto, local)
		if len(c.acct.serviceRoute) > 0 && c.acct.trusts(t.Addr) {
			req.Route = slices.Clone(c.acct.serviceRoute) // RFC 3608 §6.1
		} else if t.Addr != literalOf(c.placed.inv.To) && !sameHost(c.placed.inv.To, c.acct) {
			// The account's server is the outbound proxy for foreign addresses (§8.1.2).
			proxy := transport.URI("", t.Proto, t.Addr)
			proxy.Params += ";lr"
			req.Route = []sip.Address{{URI: proxy}}
		}
	}
	req.From = sip.Address{DisplayName: c.placed.inv.DisplayName, URI: from}.WithTag(c.placed.tag)
	req.CallID = c.ID
	// the same at each server: a phone that two of them reach refuses the second with 482 (§8.2.2.2)
	req.CSeq = sip.CSeq{Seq: c.placed.seq, Method: sip.INVITE}
	req.Contact = []sip.Address{contact}
	req.Add("Allow", allowed)
	req.ContentType, req.Body = "application/sdp", body
	var out *attempts
	out = c.a.send(c.acct, req, &req.CSeq.Seq, t, c, func(res *sip.Response, err error) {
		c.response(out, res, err)
	})
	c.placed.outs = append(c.placed.outs, out)
	if c.placed.inv.Waits {
		c.watchAddress(offerer{t, local})
	}
	c.placed.failover.Stop()
	c.placed.failover = c.a.s.After(silentAfter, func() {
		if !out.heard {
			c.silent()
		}
	})
}

func literalOf(u sip.URI) netip.AddrPort {
	t, _ := transport.LiteralTarget(u)
	return t.Addr
}

// sameHost reports whether a URI belongs to the account's own domain or server, which needs no Route.
func sameHost(u sip.URI, acct *Account) bool {
	return u.Host == acct.AOR.Host || u.Host == acct.Server.Host
}

// response handles the responses to an INVITE of ours: those of every branch that a proxy forked it to.
func (c *Call) response(out *attempts, res *sip.Response, err error) {
	if err == nil && c.acct != nil && c.acct.index(out.target.Addr) >= 0 {
		c.acct.first = out.target.Addr
	}
	earlier := c.placed.waits || !slices.Contains(c.placed.outs, out)
	switch {
	case earlier && (err != nil || res.Status < 200 || res.Status >= 300):
		c.bury(out) // of an earlier round; a 2xx is a phone that was picked up
	case err != nil:
		c.bury(out)
		if errors.Is(err, transaction.ErrTimeout) {
			c.doubt()
		}
		c.lost(err)
	case res.Status < 200:
		c.progress(out, res)
	case res.Status < 300:
		c.answered(out, res)
	default:
		c.bury(out)
		if res.Status == 403 || res.Status == 404 {
			c.doubt()
		}
		c.refused(res)
	}
}

// bury ends the early dialogs that a final response leaves (§12.3).
func (c *Call) bury(out *attempts) {
	for _, l := range c.legs {
		if l.sent.first == out && l.phase == early {
			l.leave(buried)
		}
	}
}

// pending reports whether an INVITE of ours has no final response yet, or is about to be sent.
func (c *Call) pending() bool {
	return c.placed.offers > 0 || slices.ContainsFunc(c.placed.outs, func(o *attempts) bool { return !o.done })
}

// lost goes on after an attempt that came to nothing: at the next server, or after a failure of this host's
// network, which may pass, with another round. The ring limit is the caller's.
func (c *Call) lost(err error) {
	if c.over || c.placed.winner != nil {
		c.release()
		return
	}
	rang := len(c.legs) > 0
	switch {
	case !rang && c.next():
	case c.pending():
	case c.placed.refusal != nil:
		c.refused(c.placed.refusal)
	case errors.Is(err, transaction.ErrTimeout) &&
		c.wait(CallEvent{Status: 408, Reason: "no response", Err: err}, nil):
	case rang || hopeless(err):
		c.end(CallEvent{Kind: Ended, Err: err, Reason: err.Error()})
	default:
		c.unsent(err)
	}
}

// unsent begins anew after a while: this host cannot send now.
func (c *Call) unsent(err error) {
	if why := err.Error(); why != c.placed.unsent {
		c.placed.unsent = why
		c.a.log.Warn("INVITE not sent", "call", c.ID, "retry", redialAfter, "err", err)
		if c.placed.inv.Waits {
			c.tell(CallEvent{Kind: Waiting, Err: err, Reason: why, Again: redialAfter})
		}
	}
	if c.acct != nil {
		c.acct.doubt(c.a.s, func() {})
	}
	c.placed.waits = true
	c.placed.again = c.a.s.After(redialAfter, c.begin)
}

// hopeless reports whether a failure would only repeat itself.
func hopeless(err error) bool {
	for _, e := range []error{transaction.ErrTimeout, transaction.ErrNoTransport, transport.ErrNotSIP,
		syscall.EMSGSIZE, syscall.EAFNOSUPPORT} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// refused ends the call, unless there is another server to ask (503), or one whose INVITE rings somewhere.
func (c *Call) refused(res *sip.Response) {
	if c.over || c.placed.winner != nil {
		c.release()
		return
	}
	c.placed.refusal = res
	if res.Status == 503 && c.next() {
		return
	}
	for _, o := range c.placed.outs {
		if !o.done && (o.heard || res.Status == 482) {
			return
		}
	}
	if c.redirected(res) {
		return
	}
	ev := CallEvent{Kind: Ended, Status: res.Status, Reason: res.Reason, ByPeer: true}
	if !c.wait(ev, res) {
		c.end(ev)
	}
}

// end tells the end of a call that nobody answered.
func (c *Call) end(ev CallEvent) {
	c.tell(ev)
	c.giveUp(nil)
	c.release()
}

func (c *Call) progress(out *attempts, res *sip.Response) {
	c.placed.rang = c.placed.rang || res.Status == 180 || res.Status == 183
	if res.To.Tag() != "" && res.Status > 100 {
		if l := c.legOf(out, res); l != nil {
			l.step(oa1xx, turn{out: out, res: res})
			return
		}
	}
	c.tellProgress(nil, res)
}

func (c *Call) tellProgress(l *Leg, res *sip.Response) {
	c.tell(CallEvent{Kind: Progress, Leg: l, Status: res.Status, Reason: res.Reason,
		Body: description(&res.Headers, res.Body)})
}

func (t *turn) progressed() { t.call.tellProgress(t.Leg, t.res) }

// legOf finds or makes the dialog of a response: one for each To tag (§12.1, §13.2.2.4).
func (c *Call) legOf(out *attempts, res *sip.Response) *Leg {
	l := c.leg(res.To.Tag())
	if l == nil && len(c.legs) < maxLegs {
		l = c.newLeg(newUACDialog(out.req, res, out.target), out)
		l.step(oaTUINVITE, turn{})
	}
	return l
}

// maxLegs bounds what a misbehaving server can make of one INVITE.
const maxLegs = 64

// answered handles a 2xx: the first wins, each is acknowledged, and all later ones of other branches are
// ended (§13.2.2.4).
func (c *Call) answered(out *attempts, res *sip.Response) {
	l := c.legOf(out, res)
	if l == nil {
		return
	}
	if l.phase != early && l.phase != buried {
		l.repeated()
		return
	}
	c.a.calls[c.key] = c // a late branch of a call that is over needs its BYE answered
	lost := c.over || c.placed.winner != nil || l.phase == buried
	l.phase, l.sent.open = confirmed, nil
	l.d.confirmUAC(res)
	if !lost {
		c.placed.winner = l
		c.giveUp(out, sip.CompletedElsewhere())
	}
	l.step(oa2xx, turn{out: out, res: res, lost: lost})
}
