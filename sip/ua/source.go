package ua

import (
	"net/netip"
	"slices"
	"time"

	"portero/sip"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// Who may speak in a call. Its identifiers stand in every message, so who has seen one could end the call,
// type a code or turn the sound to himself; an address is harder to have than a message. What comes from
// elsewhere is refused and told; what comes with a forged source address is not noticed here.

// speaks reports whether an address is the account's server, or answers for it: what completed the
// registration may be another address than the one that was asked. The latter is heard, but shown no
// credentials.
func (acct *Account) speaks(from netip.AddrPort) bool {
	return acct.trusts(from) || acct.speaker.IsValid() && acct.speaker == from.Addr().Unmap()
}

// is reports whether two addresses are one host's; where the account's server is on this host, that very
// program's.
func (c *Call) is(known, from netip.AddrPort) bool {
	return known.IsValid() && known.Addr().Unmap() == from.Addr().Unmap() &&
		(c.acct == nil || c.acct.Locate == nil || known.Port() == from.Port())
}

// answers reports whether a response to an INVITE that asked an address may come from another: from a server
// that this call has tried, or of its account.
func (c *Call) answers(from, asked netip.AddrPort) bool {
	return c.is(asked, from) || c.acct != nil && c.acct.speaks(from) ||
		slices.ContainsFunc(c.placed.tried, func(t netip.AddrPort) bool { return c.is(t, from) })
}

// answers is the same for a request within the dialog.
func (l *Leg) answers(from, asked netip.AddrPort) bool {
	return l.call.is(asked, from) || l.knows(from)
}

// knows reports whether a request within the dialog may come from an address: where its last message came
// from, where its next one goes, or the account's server.
func (l *Leg) knows(from netip.AddrPort) bool {
	c, d := l.call, l.d
	if c.is(d.peer.Addr, from) || c.is(d.hop, from) || c.acct != nil && c.acct.speaks(from) ||
		c.a.s.AnswersFrom(from.Addr()) {
		return true
	}
	hop, ok := transport.LiteralTarget(d.nextHop())
	return ok && c.is(hop.Addr, from)
}

// mostStrangers is how many that speak in calls of others are told a minute.
const mostStrangers = 20

// stranger refuses a request within the dialog that came from elsewhere. It never says that there is no such
// call: that would end it at a far end that has moved. A BYE may be the last word of one, so the next hop is
// asked.
func (l *Leg) stranger(tx *transaction.Server, req *sip.Request) {
	c, from := l.call, tx.Flow().Remote
	if c.a.strangers.First(from.Addr(), time.Now()) {
		c.a.log.Warn("request within a call came from elsewhere, not obeyed", "call", c.ID, "method", req.Method, "from", from,
			"expected", l.d.peer.Addr, "remedy", "if it is the far end's, write its address into [sip] answers_from")
	}
	if req.Method == sip.ACK {
		return
	}
	if req.Method == sip.BYE && l.phase.up() {
		l.doubtful(tx, req)
		return
	}
	tx.Respond(sip.NewResponse(req, 403, ""))
}

// doubtWithin is how long the next hop may leave the question open whether a call has ended.
const doubtWithin = 2 * time.Second

// doubtful asks the next hop whether the call that a BYE from elsewhere would end goes on.
func (l *Leg) doubtful(tx *transaction.Server, bye *sip.Request) {
	l.question(doubtWithin, func(status int, _ string) {
		switch {
		case tx.Done() || l.phase.over():
			tx.Respond(sip.NewResponse(bye, 481, ""))
		case status == 408 || status == 481:
			tx.Respond(sip.NewResponse(bye, 200, ""))
			l.farEndLeft()
		default:
			tx.Respond(sip.NewResponse(bye, 403, ""))
		}
	})
}
