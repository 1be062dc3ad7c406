package ua

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"portero/sip"
	"portero/sip/transport"
)

// What a registrar's 200 says about the own binding, and what is done about it.
const (
	refreshMost   = 2 * time.Minute  // how long before its end a long binding is refreshed
	refreshSpare  = 5 * time.Second  // how long before its end any is, where it lasts long enough
	refreshAfter  = 5 * time.Second  // how long after the last REGISTER, at least
	moveAgain     = 30 * time.Second // between corrections of the Contact, then twice as long each time
	moveMost      = time.Hour
	keepAliveEach = 25 * time.Second // many a NAT forgets a UDP flow after 30 s
	maxRoutes     = 8                // of a Service-Route
)

// keepAlive is one CRLF, a datagram without a message, which servers drop unread. Two of them ask for a pong
// (RFC 5626 §4.4.1), which is for streams alone; a STUN request (§4.4.2) is for servers that agreed to it.
var keepAlive = []byte("\r\n")

var errNotKept = errors.New("ua: the registrar does not keep the binding")

// granted returns how long the registrar keeps our binding, 0 when it does not. It is found by our Contact,
// else by our instance, else it is the only one listed; a registrar that rewrote it beyond recognition among
// others keeps it for the shortest time listed at least (§10.2.4).
func (r *Registration) granted(res *sip.Response, own sip.Address) time.Duration {
	all := r.expires
	if res.Expires >= 0 {
		all = time.Duration(res.Expires) * time.Second
	}
	of := func(c sip.Address) time.Duration {
		if v, ok := c.Expires(); ok {
			return time.Duration(v) * time.Second
		}
		return all
	}
	for _, c := range res.Contact {
		if u := c.URI; u.Username() == own.URI.Username() && strings.EqualFold(u.Host, own.URI.Host) &&
			u.Port == own.URI.Port {
			return of(c)
		}
	}
	for _, c := range res.Contact {
		if id, ok := c.Params.Get("+sip.instance"); ok && r.acct.Instance != "" && id == instanceOf(r.acct) {
			return of(c)
		}
	}
	switch len(res.Contact) {
	case 0:
		return all
	case 1:
		return of(res.Contact[0])
	}
	shortest := time.Duration(0)
	for _, c := range res.Contact { // one that ends now is one that was taken away
		if d := of(c); d > 0 && (shortest == 0 || d < shortest) {
			shortest = d
		}
	}
	return min(shortest, r.expires)
}

// refreshIn returns when to refresh a binding: early enough for a retransmitted exchange, jittered so that a
// whole house does not come at once.
func refreshIn(granted time.Duration) time.Duration {
	wait := granted * time.Duration(80+rand.IntN(10)) / 100
	wait = min(max(wait, granted-refreshMost), granted-refreshSpare)
	return max(wait, refreshAfter)
}

// seenAt returns our address as a server sees it (RFC 3581 §4), the zero value when it is the own one.
func seenAt(res *sip.Response, local netip.AddrPort) netip.AddrPort {
	if len(res.Via) == 0 {
		return netip.AddrPort{}
	}
	seen := local
	if addr, ok := res.Via[0].Received(); ok {
		seen = netip.AddrPortFrom(addr.Unmap(), seen.Port())
	}
	if port, ok := res.Via[0].RPort(); ok && port != 0 {
		seen = netip.AddrPortFrom(seen.Addr(), port)
	}
	if seen == local {
		return netip.AddrPort{}
	}
	return seen
}

// moves is what a registration knows of the addresses that it was seen at.
type moves struct {
	last, left netip.AddrPort // seen last; and public before the present one
	inRow      int            // corrections since the address stood still
	at         time.Time      // of the last one, which may be to come
}

// correct takes the address that the server saw. A new one changes the Contact: at once, but twice as late
// each time that the next answer brings yet another one. A return to the address that was just left counts
// only when it is seen twice running: some servers and NATs have two, in turn.
func (r *Registration) correct(seen netip.AddrPort) {
	a, m := r.acct, &r.moves
	if a.PublicAddress.IsValid() {
		return
	}
	again := m.last == seen
	m.last = seen
	switch {
	case seen == a.public:
		m.inRow = 0
		return
	case seen == m.left && !again:
		r.log.Debug("seen at two addresses in turn", "call", r.callID, "one", a.public, "other", seen)
		return
	}
	m.left, a.public = a.public, seen
	wait := max(0, time.Until(m.at.Add(min(moveAgain<<min(max(m.inRow-1, 0), 10), moveMost))))
	m.inRow++
	m.at = time.Now().Add(wait)
	r.moveTimer = r.a.s.After(wait, func() { r.step(evMoved) })
}

// stayReachable keeps the way back through a NAT open. The binding's own refreshes are too rare for it.
func (r *Registration) stayReachable(t transport.Target) {
	r.ping.Stop()
	if a := r.acct; a.Locate != nil || !a.public.IsValid() || a.PublicAddress.IsValid() {
		return
	}
	r.ping = r.a.s.After(keepAliveEach, func() {
		wire := keepAlive
		if t.Proto.Reliable() {
			wire = []byte("\r\n\r\n")
		}
		r.a.s.Resend(wire, t)
		r.stayReachable(t)
	})
}

// serviceRoute returns what calls of an account are to pass (RFC 3608 §5): they go to its server all the
// same, which knows the way from there. One that cannot be read whole is none.
func serviceRoute(res *sip.Response) (routes []sip.Address) {
	for _, line := range res.Values("Service-Route") {
		for v := range sip.Tokens(line) {
			a, err := sip.ParseAddress(v)
			if err != nil || !a.URI.IsSIP() || len(routes) == maxRoutes {
				return nil
			}
			routes = append(routes, a)
		}
	}
	return routes
}
