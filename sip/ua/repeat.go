package ua

import (
	"net/netip"
	"slices"
	"time"

	"portero/sip"
	"portero/sip/transport"
)

// A call that waits (Invite.Waits) goes on until Hangup where others end because nobody is there yet: its
// INVITE is sent again, with the same Call-ID and From tag and a CSeq that rises (§8.1.3.5), and this host's
// address in its offer is kept true.

// pauses are the times before each repetition after a refusal that may pass. nil: it will not.
func pauses(status int) []time.Duration {
	switch status {
	case 404, 480: // not registered, as a rule
		return []time.Duration{5 * time.Second, 15 * time.Second}
	case 408, 500, 502, 503, 504: // a server in trouble
		return []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second}
	}
	return nil
}

// A server is not asked for one target more often than this beside what people do.
const (
	mostRepeats = 4
	repeatsIn   = 10 * time.Minute
)

// wait has a call that came to nothing wait, and reports whether it does. Who has rung has had the call: a
// refusal after that is an answer. res is nil when there was none.
func (c *Call) wait(ev CallEvent, res *sip.Response) bool {
	list := pauses(ev.Status)
	if (ev.Status == 401 || ev.Status == 407) && c.acct != nil && c.acct.early() {
		list = pauses(503)
	}
	if !c.placed.inv.Waits || c.placed.rang || list == nil {
		return false
	}
	var again time.Duration
	switch n := c.placed.repeats; {
	case c.acct != nil && c.acct.Locate != nil && ev.Status == 503: // on this host: the network is away
		again = redialAfter
	case n < len(list) && c.a.mayRepeat(c.placed.inv.To):
		c.placed.repeats++
		again = max(list[n], retryAfter(res))
	}
	c.giveUp(nil)
	c.placed.waits = true
	if again > 0 {
		c.placed.again = c.a.s.After(again, c.begin)
	}
	ev.Kind, ev.Again = Waiting, again
	c.tell(ev)
	return true
}

// Again has a call that waits send its INVITE at once. Any goroutine may call it.
func (c *Call) Again() {
	c.a.s.Post(func() {
		if c.placed.waits {
			c.placed.again.Stop()
			c.begin()
		}
	})
}

// mayRepeat counts the repetitions of all calls to a target.
func (a *Agent) mayRepeat(to sip.URI) bool {
	now, key := time.Now(), to.String()
	for k, at := range a.repeats {
		at = slices.DeleteFunc(at, func(t time.Time) bool { return now.Sub(t) >= repeatsIn })
		if a.repeats[k] = at; len(at) == 0 {
			delete(a.repeats, k)
		}
	}
	if len(a.repeats[key]) >= mostRepeats {
		return false
	}
	a.repeats[key] = append(a.repeats[key], now)
	return true
}

// offerer is whom an offer was made for, and at which address of ours.
type offerer struct {
	to    transport.Target
	local netip.AddrPort
}

// addressEvery is how often a call that nobody has taken looks whether this host still has the address that
// its offer names.
const addressEvery = 2 * time.Second

// watchAddress begins another round when this host has moved: where the offer says, nobody would hear the
// phone. A phone that rings keeps its offer, and gets another once it is answered.
func (c *Call) watchAddress(made offerer) {
	c.placed.address.Stop()
	c.placed.address = c.a.s.After(addressEvery, func() {
		switch {
		case c.over || c.placed.waits || c.placed.rang || c.placed.winner != nil:
		case c.moved(made):
			c.a.log.Info("address has changed, INVITE made anew", "call", c.ID, "from", made.local)
			c.giveUp(nil)
			c.begin()
		default:
			c.watchAddress(made)
		}
	})
}

// moved reports whether an offer would be made at another address by now. Without a network there is none to
// move to.
func (c *Call) moved(made offerer) bool {
	if c.acct != nil && c.acct.Locate != nil {
		at, err := c.acct.Locate()
		if err != nil || at != made.to.Addr {
			return err == nil
		}
	}
	local, err := c.a.s.Local(made.to)
	return err == nil && local != made.local
}
