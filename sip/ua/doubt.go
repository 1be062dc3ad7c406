package ua

import (
	"slices"
	"time"

	"portero/sip/transport"
)

// A server that says nothing is doubted after seconds, not after the 32 s of Timer B: it may have moved, or be
// one of several.

const (
	silentAfter = 2 * time.Second // how long a server may say nothing before it is doubted
	mostSilent  = 16 * time.Second
	redialAfter = 2 * time.Second // how long a network that is away is left alone
)

// silent goes on beside a server that says nothing, which may ring yet: at the next address, and at what its
// name leads to by now.
func (c *Call) silent() {
	if c.over || c.placed.winner != nil || slices.ContainsFunc(c.placed.outs, (*attempts).alive) {
		return
	}
	round := c.placed.seq
	c.lookAgain(func(ts []transport.Target) {
		if c.over || c.placed.winner != nil || c.placed.seq != round || !c.pending() {
			return
		}
		if c.add(ts) && !slices.ContainsFunc(c.placed.outs, (*attempts).alive) {
			c.next()
		}
	})
	if c.next() {
		return
	}
	wait := min(silentAfter<<c.placed.silences, mostSilent)
	c.placed.silences++
	c.placed.failover = c.a.s.After(wait, c.silent)
}

// alive reports whether a request was heard by somebody, and waits for its final response.
func (o *attempts) alive() bool { return o.heard && !o.done }

// lookAgain looks the call's server up anew and calls f with what was found.
func (c *Call) lookAgain(f func([]transport.Target)) {
	if acct := c.acct; acct != nil {
		acct.doubt(c.a.s, func() { f(acct.targets) })
		return
	}
	c.a.s.Resolve(c.placed.inv.To, func(ts []transport.Target, _ error) { f(ts) })
}

// add queues the targets that this round has not tried, and reports whether there are any. An account whose
// server has moved registers there.
func (c *Call) add(ts []transport.Target) (news bool) {
	for _, t := range ts {
		if slices.Contains(c.placed.tried, t.Addr) ||
			slices.ContainsFunc(c.placed.queue, func(q transport.Target) bool { return q.Addr == t.Addr }) {
			continue
		}
		c.placed.queue = append(c.placed.queue, t)
		news = true
	}
	if news && c.acct != nil && c.acct.reg != nil {
		c.acct.reg.renew()
	}
	return news
}

// doubt has the account look whether its server is still where and what it was.
func (c *Call) doubt() {
	if c.acct == nil || c.over {
		return
	}
	c.acct.doubt(c.a.s, func() {})
	if c.acct.reg != nil {
		c.acct.reg.renew()
	}
}
