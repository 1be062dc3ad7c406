package ua

import (
	"net/netip"
	"slices"
	"time"

	"portero/sip"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// AccountConfig says how to use a server.
type AccountConfig struct {
	Name          string
	AOR           sip.URI // the address of record: sip:user@domain
	Server        sip.URI // the registrar and outbound proxy: sip:host[:port]
	AuthUser      string  // "": the AOR's user
	Password      string
	Realms        []string      // that the password is for; none: those that the server asks REGISTER with
	Expires       time.Duration // asked for; 0: 10 minutes
	PublicAddress netip.AddrPort
	// Instance names this device for good, "urn:uuid:...": a registrar that rewrites our Contact shows it
	// beside (RFC 5626 §4.1). "" sends none.
	Instance string
	// Locate, when set, finds the server in place of a look-up of Server: for one on this very host, whose
	// address changes with the network's. It runs on the loop and must not block.
	Locate func() (netip.AddrPort, error)
}

// Account is a place at a server, with what was learnt of it. The stack's loop owns it.
type Account struct {
	AccountConfig
	credentials
	targets []transport.Target // the server's addresses as last resolved
	first   netip.AddrPort     // which of them to try first
	home    netip.AddrPort     // where we are registered, whatever a look-up says since
	asking  []func()           // who waits for the look-up in the background that is under way
	speaker netip.Addr         // that completed our registration, whoever was asked
	public  netip.AddrPort     // our address as the server sees it
	reg     *Registration
	// what calls pass behind the server (RFC 3608), as the last REGISTER was told
	serviceRoute []sip.Address
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
	a.makeCredentials()
	if t, ok := transport.LiteralTarget(c.Server); ok && c.Locate == nil {
		// known, and trusted, before the first request: the server's call may come before ours
		a.targets = []transport.Target{t}
	}
	return a
}

// find returns the server's addresses in the order to try them: those that are known, at once; else it
// resolves.
func (acct *Account) find(s *transaction.Stack, f func([]transport.Target, error)) {
	if acct.Locate == nil && len(acct.targets) > 0 {
		f(acct.order(), nil)
		return
	}
	acct.resolve(s, f)
}

// resolve looks the server up and remembers its addresses.
func (acct *Account) resolve(s *transaction.Stack, f func([]transport.Target, error)) {
	found := func(targets []transport.Target, err error) {
		if err != nil {
			// A name server that is down takes no server away that was found before.
			if len(acct.targets) == 0 {
				f(nil, err)
				return
			}
			targets = acct.targets
		}
		acct.targets = targets
		f(acct.order(), nil)
	}
	if acct.Locate == nil {
		s.Resolve(acct.Server, found)
		return
	}
	addr, err := acct.Locate()
	found([]transport.Target{{Proto: transport.ProtoOf(acct.Server), Addr: addr, Host: acct.Server.Host}},
		err)
}

// doubt looks the server up anew after a failure, or a silence, and calls then when the addresses are known;
// calls use what is known meanwhile.
func (acct *Account) doubt(s *transaction.Stack, then func()) {
	if acct.asking = append(acct.asking, then); len(acct.asking) > 1 {
		return
	}
	acct.resolve(s, func([]transport.Target, error) {
		asking := acct.asking
		acct.asking = nil
		for _, f := range asking {
			f()
		}
	})
}

// order returns the targets, from the first to try round to the one before it.
func (acct *Account) order() []transport.Target {
	i := max(0, acct.index(acct.first))
	return slices.Concat(acct.targets[i:], acct.targets[:i])
}

func (acct *Account) index(addr netip.AddrPort) int {
	return slices.IndexFunc(acct.targets, func(t transport.Target) bool { return t.Addr == addr })
}

// avoid makes the target after addr the first to try.
func (acct *Account) avoid(addr netip.AddrPort) {
	if i := acct.index(addr); i >= 0 {
		acct.first = acct.targets[(i+1)%len(acct.targets)].Addr
	}
}

// trusts reports whether addr is the account's server: one of its addresses or the one that we are registered
// at, and for a server on this host, where any program has the same address, its very port.
func (acct *Account) trusts(addr netip.AddrPort) bool {
	is := func(known netip.AddrPort) bool {
		return known.IsValid() && known.Addr().Unmap() == addr.Addr().Unmap() &&
			(acct.Locate == nil || known.Port() == addr.Port())
	}
	return is(acct.home) || slices.ContainsFunc(acct.targets,
		func(t transport.Target) bool { return is(t.Addr) })
}

// contact is where the server shall send requests for this account. local is the address that the route to it
// leaves from.
func (acct *Account) contact(proto sip.Proto, local netip.AddrPort) sip.Address {
	if acct.public.IsValid() {
		local = acct.public
	}
	return contactAt(acct.AOR.User, proto, local)
}

func contactAt(user string, proto sip.Proto, local netip.AddrPort) sip.Address {
	return sip.Address{URI: transport.URI(user, proto, local)}
}

// instanceOf is the account's +sip.instance (RFC 5626 §4.1).
func instanceOf(a *Account) string { return "<" + a.Instance + ">" }
