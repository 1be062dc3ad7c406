package device

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"portero/device/config"
	"portero/sip"
	"portero/sip/transaction"
	"portero/sip/transport"
	"portero/sip/ua"
)

// builtIn names the account at the built-in server; no account of the config can bear it.
const builtIn = "(built-in server)"

// BuiltIn says how the station reaches the registrar and proxy in its own process.
type BuiltIn struct {
	Locate         func() (netip.AddrPort, error) // where it listens, as phones see it
	User, Password string                         // the station's own, made anew at each start

	// At reports whether a user is registered from a host. Any goroutine may call it.
	At func(user string, host netip.Addr) bool
	// Absent returns since when a user is not registered any more; zero: it is, or never was. Any goroutine
	// may call it.
	Absent func(user string) time.Time
}

// Phone is the station's user agent with its accounts: it knows which account a target is called through, and
// who may call.
type Phone struct {
	Agent    *ua.Agent
	cfg      *config.Config
	log      *slog.Logger
	accounts map[string]*ua.Account
	order    []string
	allow    []allowRule
	incoming func(*ua.Call, ua.CallEvent)
	builtin  *BuiltIn // nil: no such server

	// The stack's loop owns these.
	refused transaction.Told[string] // callers
	regs    map[string]*ua.Registration
	leaving map[string]bool // asked to leave their server
	left    func()          // runs when none is leaving any more
}

// NewPhone makes the user agent of a station. builtin is nil when the built-in server is off. It starts
// nothing: give Agent to transaction.NewStack.
func NewPhone(cfg *config.Config, builtin *BuiltIn, log *slog.Logger) (*Phone, error) {
	p := &Phone{cfg: cfg, log: log, accounts: map[string]*ua.Account{}, regs: map[string]*ua.Registration{}, leaving: map[string]bool{},
		refused: transaction.Told[string]{Most: mostRefused}}
	for i := range cfg.Accounts {
		if err := p.addAccount(&cfg.Accounts[i]); err != nil {
			return nil, err
		}
	}
	if builtin != nil {
		p.builtin = builtin
		domain := cfg.Server.Domain
		if domain == "" {
			domain = config.LocalDomain
		}
		p.add(ua.NewAccount(ua.AccountConfig{
			Name:     builtIn,
			AOR:      sip.URI{Scheme: "sip", User: builtin.User, Host: domain},
			Server:   sip.URI{Scheme: "sip", Host: domain},
			Password: builtin.Password,
			Locate:   builtin.Locate,
		}))
	}
	for _, a := range cfg.Incoming.Allow {
		rule, err := newAllowRule(a)
		if err != nil {
			return nil, fmt.Errorf("device: incoming.allow: %w", err)
		}
		p.allow = append(p.allow, rule)
	}
	p.Agent = ua.New(ua.Config{
		Log:      log,
		Allow:    p.admit,
		Redirect: p.redirect,
		Incoming: func(c *ua.Call, ev ua.CallEvent) {
			if p.incoming == nil {
				c.Hangup()
				return
			}
			p.incoming(c, ev)
		},
	})
	return p, nil
}

func (p *Phone) add(a *ua.Account) {
	p.accounts[a.Name] = a
	p.order = append(p.order, a.Name)
}

func (p *Phone) addAccount(a *config.Account) error {
	aor, err := sip.ParseURI(a.AOR())
	if err != nil {
		return fmt.Errorf("device: account %q: %w", a.Name, err)
	}
	server := a.Server
	if a.OutboundProxy != "" {
		server = a.OutboundProxy
	}
	uri, err := sip.ParseURI("sip:" + server)
	if err != nil {
		return fmt.Errorf("device: account %q: %w", a.Name, err)
	}
	ac := ua.AccountConfig{Name: a.Name, AOR: aor, Server: uri, AuthUser: a.AuthUser, Password: string(a.Password),
		Realms: a.Realm, Expires: a.Expires, Instance: instance(a.AOR())}
	ac.PublicAddress = publicAddress(p.cfg)
	p.add(ua.NewAccount(ac))
	return nil
}

// publicAddress is what far ends are told in place of the station's own address; the zero value where that
// will do.
func publicAddress(cfg *config.Config) netip.AddrPort {
	addr, err := netip.ParseAddr(cfg.SIP.PublicAddress)
	if err != nil {
		return netip.AddrPort{}
	}
	_, port := config.SplitHostPort(cfg.SIP.Listen, 5062)
	return netip.AddrPortFrom(addr, port)
}

// Account returns the account of that name in the config, the first for ""; nil when there is none.
func (p *Phone) Account(name string) *ua.Account {
	if name == "" && len(p.order) > 0 {
		name = p.order[0]
	}
	return p.accounts[name]
}

// Register keeps all accounts registered that want it and tells notify, on the stack's loop, how each stands.
func (p *Phone) Register(notify func(account string, ev ua.RegEvent)) {
	for _, name := range p.order {
		if a := p.cfg.Account(name); name != builtIn && (a == nil || !a.Register) {
			continue
		}
		r := p.Agent.Register(p.accounts[name], func(ev ua.RegEvent) {
			notify(name, ev)
			if !ev.Registered && ev.Err == nil && ev.Status == 0 {
				p.gone(name)
			}
		})
		p.Agent.Stack().Post(func() { p.regs[name] = r })
	}
}

// Leave removes the bindings that a station with the configuration next will not refresh by itself, and calls
// done, on the stack's loop, when their servers have answered. Those that it will are left alone: a call for
// the station is never refused meanwhile.
func (p *Phone) Leave(next *config.Config, done func()) {
	p.Agent.Stack().Post(func() {
		p.left = done
		for name, r := range p.regs {
			if name != builtIn && !p.stays(name, next) {
				p.leaving[name] = true
				r.Stop()
			}
		}
		p.gone("")
	})
}

// stays says whether an account will have the same binding, contact and all.
func (p *Phone) stays(name string, next *config.Config) bool {
	a, b := p.cfg.Account(name), next.Account(name)
	_, port := config.SplitHostPort(p.cfg.SIP.Listen, 5062)
	return a != nil && b != nil && b.Register && a.AOR() == b.AOR() && a.Server == b.Server && a.OutboundProxy == b.OutboundProxy &&
		port != 0 && p.cfg.SIP.Listen == next.SIP.Listen && p.cfg.SIP.PublicAddress == next.SIP.PublicAddress
}

func (p *Phone) gone(name string) {
	delete(p.leaving, name)
	if p.left != nil && len(p.leaving) == 0 {
		p.left()
		p.left = nil
	}
}

// Dial calls a target.
func (p *Phone) Dial(t config.Target, displayName string, offer func(netip.Addr, transport.Target, func([]byte, error)), notify func(ua.CallEvent)) (*ua.Call, error) {
	to, err := sip.ParseURI(t.URI)
	if err != nil {
		return nil, fmt.Errorf("device: call %q: %w", t.Text, err)
	}
	inv := ua.Invite{To: to, DisplayName: displayName, Offer: offer, From: stationURI, Waits: true}
	switch {
	case t.Local:
		inv.Account = p.accounts[builtIn]
	case t.Account != "":
		inv.Account = p.accounts[t.Account]
	default:
		inv.Account = p.direct(to)
	}
	return p.Agent.Invite(inv, func(_ *ua.Call, ev ua.CallEvent) { notify(ev) }), nil
}

// stationURI is who calls without an account.
var stationURI = sip.URI{Scheme: "sip", User: config.StationUser, Host: config.LocalDomain}

// direct returns what a call without an account goes by: nil, or an account without a password, for its contact, where the station
// has a public address.
func (p *Phone) direct(to sip.URI) *ua.Account {
	if public := publicAddress(p.cfg); public.IsValid() {
		return ua.NewAccount(ua.AccountConfig{AOR: stationURI, Server: to, PublicAddress: public})
	}
	return nil
}

// redirect says through which account a call may be redirected to a URI: a target that the file names for some bell, a user of
// the built-in server, or with follow_redirects whatever it is. It runs on the stack's loop.
func (p *Phone) redirect(acct *ua.Account, to sip.URI) (*ua.Account, bool) {
	if p.localUser(to) {
		return p.accounts[builtIn], true
	}
	for i := range p.cfg.Bells {
		for _, text := range p.cfg.Bells[i].Targets {
			t, err := p.cfg.Target(&p.cfg.Bells[i], text)
			if err != nil || t.Local {
				continue
			}
			if uri, err := sip.ParseURI(t.URI); err == nil && sameParty(uri, to) {
				if t.Account == "" {
					return p.direct(to), true
				}
				return p.accounts[t.Account], true
			}
		}
	}
	return acct, p.cfg.SIP.FollowRedirects
}

// localUser reports whether a URI names a user of the built-in server, by its domain or its address.
func (p *Phone) localUser(u sip.URI) bool {
	a := p.accounts[builtIn]
	if a == nil || !slices.ContainsFunc(p.cfg.Server.Users, func(s config.ServerUser) bool { return s.Name == u.Username() }) {
		return false
	}
	at, err := a.Locate()
	literal, ok := transport.LiteralTarget(u)
	return strings.EqualFold(u.Host, a.AOR.Host) || ok && err == nil && literal.Addr == at
}

// sameParty reports whether two URIs name one party: user, host and port, whatever their parameters.
func sameParty(a, b sip.URI) bool {
	_, port := a.HostPort()
	_, other := b.HostPort()
	return a.Username() == b.Username() && strings.EqualFold(a.Host, b.Host) && port == other
}

// hostsOf tells the hosts that a user of the built-in server is registered from, at the time of asking: the
// signalling of such a call comes from the server, its sound from there.
func (p *Phone) hostsOf(user string) func(netip.Addr) bool {
	if p.builtin == nil || p.builtin.At == nil {
		return nil
	}
	return func(host netip.Addr) bool { return p.builtin.At(user, host) }
}

// absentSince is since when a user of the built-in server is not registered any more; zero: it never was.
func (p *Phone) absentSince(user string) time.Time {
	if p.builtin == nil || p.builtin.Absent == nil {
		return time.Time{}
	}
	return p.builtin.Absent(user)
}

// LocalFor returns the local address that the far end of a flow sees.
func (p *Phone) LocalFor(f transport.Flow) (netip.Addr, error) {
	local, err := p.Agent.Stack().Local(transport.Target{Proto: f.Proto, Addr: f.Remote, Flow: f})
	return local.Addr(), err
}
