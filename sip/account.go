package sip

import (
	"net/netip"
	"time"

	"portero/sip/digest"
)

// AccountConfig says how to use a server.
type AccountConfig struct {
	Name          string
	AOR           URI    // the address of record: sip:user@domain
	Server        URI    // the registrar and outbound proxy: sip:host[:port]
	AuthUser      string // "": the AOR's user
	Password      string
	Realm         string        // pinned; "" pins the first that is seen
	Expires       time.Duration // asked for; 0: 10 minutes
	PublicAddress netip.AddrPort
	// Locate, when set, finds the server in place of a look-up of Server: for one on this very host, whose address changes
	// with the network's. It runs on the loop and must not block.
	Locate func() (netip.AddrPort, error)
}

// Account is a place at a server, with what was learnt of it. The stack's loop owns it.
type Account struct {
	AccountConfig
	www, proxy digest.Client
	targets    []Target       // the server's addresses as last resolved: credentials go nowhere else
	turn       int            // which target is in use
	public     netip.AddrPort // our address as the server sees it
	asUA       bool           // the server challenged a call with a 401
	reg        *Registration
}

// NewAccount makes an account. It sends nothing.
func NewAccount(c AccountConfig) *Account {
	if c.AuthUser == "" {
		c.AuthUser = c.AOR.Username()
	}
	if c.Expires == 0 {
		c.Expires = 10 * time.Minute
	}
	a := &Account{AccountConfig: c, public: c.PublicAddress}
	a.www = digest.Client{User: c.AuthUser, Password: c.Password, Realm: c.Realm}
	a.proxy = a.www
	return a
}

// resolve finds the server and remembers its addresses.
func (acct *Account) resolve(s *Stack, f func(Target, error)) {
	found := func(targets []Target, err error) {
		if err != nil {
			// A name server that is down takes no server away that was found before.
			if len(acct.targets) == 0 {
				f(Target{}, err)
				return
			}
			targets = acct.targets
		}
		acct.targets = targets
		f(targets[acct.turn%len(targets)], nil)
	}
	if acct.Locate == nil {
		s.Resolve(acct.Server, found)
		return
	}
	addr, err := acct.Locate()
	found([]Target{{Proto: UDP, Addr: addr, Host: acct.Server.Host}}, err)
}

// trusts reports whether addr is the account's server: one of its addresses, and for a server on this host, where any program
// has the same address, its very port.
func (acct *Account) trusts(addr netip.AddrPort) bool {
	for _, t := range acct.targets {
		if t.Addr.Addr().Unmap() == addr.Addr().Unmap() && (acct.Locate == nil || t.Addr.Port() == addr.Port()) {
			return true
		}
	}
	return false
}

// contact is where the server shall send requests for this account. local is the address that the route to it leaves from.
func (acct *Account) contact(local netip.AddrPort) Address {
	if acct.public.IsValid() {
		local = acct.public
	}
	return contactAt(acct.AOR.User, local)
}

func contactAt(user string, local netip.AddrPort) Address {
	return Address{URI: URI{Scheme: "sip", User: user, Host: hostOf(local.Addr()), Port: local.Port()}}
}

// learnPublic takes our address from the Via that came back (RFC 3581 §4) and reports whether it is news.
func (acct *Account) learnPublic(res *Response, local netip.AddrPort) bool {
	if acct.PublicAddress.IsValid() || len(res.Via) == 0 {
		return false
	}
	seen := local
	if addr, ok := res.Via[0].Received(); ok {
		seen = netip.AddrPortFrom(addr.Unmap(), seen.Port())
	}
	if port, ok := res.Via[0].RPort(); ok && port != 0 {
		seen = netip.AddrPortFrom(seen.Addr(), port)
	}
	if seen == local {
		seen = netip.AddrPort{}
	}
	changed := seen != acct.public
	acct.public = seen
	return changed
}
