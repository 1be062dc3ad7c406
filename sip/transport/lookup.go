package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"portero/sip"
)

// Bounds of one look-up, so that a dead name server delays a call attempt and nothing else.
const (
	resolveTimeout = 5 * time.Second
	// Many a cheap router drops questions for SRV records, or for AAAA records.
	srvTimeout  = 600 * time.Millisecond
	familyDelay = 50 * time.Millisecond // for the slower family (RFC 8305 §8)
	askAgain    = time.Second           // how long one name server may keep one question
	staleHosts  = 64                    // names whose last good addresses are kept
	staleTold   = time.Minute
)

// Resolver finds the servers of URIs (RFC 3263, without NAPTR: the transport is the URI's, else UDP). The
// zero value is ready. Any goroutine may use it.
type Resolver struct {
	Log *slog.Logger // nil: silent

	// in place of those of this host, when set
	dial   func(ctx context.Context, network, addr string) (net.Conn, error) // to a name server
	groups func() []group                                                    // of multicast DNS

	mu    sync.Mutex
	known map[string]*known // by what was asked
}

// known is the last good answer to one question.
type known struct {
	targets []Target
	srv     bool      // by SRV records
	used    time.Time // when it was asked for last
	told    time.Time // when it was last said that it is old
}

// server is a host and port that SRV records, or the URI itself, name.
type server struct {
	host string
	port uint16
}

// found is the outcome of one question.
type found struct {
	addrs []netip.Addr
	err   error
}

// Lookup returns at least one target or an error, within 5 s. A name that was found before and cannot be
// found now still leads where it led: a name server, or the card with /etc/resolv.conf, may be dead.
func (r *Resolver) Lookup(ctx context.Context, u sip.URI) ([]Target, error) {
	if t, ok := LiteralTarget(u); ok {
		return []Target{t}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	names := r.nameServers()
	own := make(chan found, 1) // asked beside the SRV records, which most homes have none of
	go func() { own <- r.addresses(ctx, names, u.Host) }()
	servers, srvErr := r.servers(ctx, names, u)
	targets, err := r.targets(ctx, names, u, servers)
	if srv := len(targets) > 0; srv || slow(srvErr) {
		if old := r.last(u); !srv && old != nil && old.srv {
			return r.stale(u, old, srvErr), nil
		}
		if srv {
			r.remember(u, targets, true)
			return targets, nil
		}
	}
	f := <-own
	for _, a := range f.addrs {
		targets = append(targets, targetAt(u, a, portOf(u)))
	}
	if len(targets) > 0 {
		r.remember(u, targets, false)
		return targets, nil
	}
	err = fmt.Errorf("transport: resolve %q: %w", u.Host, cmp.Or(f.err, err))
	if old := r.last(u); old != nil {
		return r.stale(u, old, err), nil
	}
	return nil, err
}

func targetAt(u sip.URI, a netip.Addr, port uint16) Target {
	return Target{Proto: ProtoOf(u), Addr: netip.AddrPortFrom(a.Unmap(), port), Host: u.Host}
}

// slow reports whether a question was not answered, rather than answered with no.
func slow(err error) bool {
	var e *net.DNSError
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &e) && e.Timeout()
}

// servers asks for the SRV records of a URI without a port (RFC 3263 §4.2), but not in the zone of multicast
// DNS: one that answers A need not know SRV.
func (r *Resolver) servers(ctx context.Context, names *net.Resolver, u sip.URI) ([]server, error) {
	if u.Port != 0 || isLocal(u.Host) {
		return nil, nil
	}
	service, network := "sip", "udp"
	if p := ProtoOf(u); p != sip.UDP {
		network = "tcp"
		if p == sip.TLS {
			service = "sips"
		}
	}
	ctx, cancel := context.WithTimeout(ctx, srvTimeout)
	defer cancel()
	_, records, err := names.LookupSRV(ctx, service, network, u.Host)
	var list []server
	for _, s := range records {
		list = append(list, server{strings.TrimSuffix(s.Target, "."), s.Port})
	}
	return list, err
}

// targets finds the addresses of servers, all at once, and returns them in the servers' order.
func (r *Resolver) targets(ctx context.Context, names *net.Resolver, u sip.URI, servers []server) (
	list []Target, err error) {
	answers := make([]chan found, len(servers))
	for i, s := range servers {
		answers[i] = make(chan found, 1)
		go func() { answers[i] <- r.addresses(ctx, names, s.host) }()
	}
	for i, s := range servers {
		f := <-answers[i]
		err = cmp.Or(f.err, err)
		for _, a := range f.addrs {
			list = append(list, targetAt(u, a, s.port))
		}
	}
	return list, err
}

// addresses asks for A and AAAA records at once, and on the link for a name in .local. Once one has come, the
// others have 50 ms left: a name server that says nothing about one family keeps nobody (RFC 8305 §3). A
// name in .local is asked of name servers too, and of /etc/hosts: some networks keep it there.
func (r *Resolver) addresses(ctx context.Context, names *net.Resolver, host string) found {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	questions := []func() ([]netip.Addr, error){
		func() ([]netip.Addr, error) { return names.LookupNetIP(ctx, "ip6", host) },
		func() ([]netip.Addr, error) { return names.LookupNetIP(ctx, "ip4", host) },
	}
	if isLocal(host) {
		questions = append(questions, func() ([]netip.Addr, error) { return r.askLink(ctx, host) })
	}
	answers := make(chan found, len(questions))
	for _, ask := range questions {
		go func() {
			addrs, err := ask()
			answers <- found{addrs, err}
		}()
	}
	var all found
	var late <-chan time.Time
	for range questions {
		select {
		case f := <-answers:
			all.addrs = append(all.addrs, f.addrs...)
			all.err = cmp.Or(all.err, f.err)
			if len(f.addrs) > 0 && late == nil {
				late = time.After(familyDelay)
			}
			continue
		case <-late:
		case <-ctx.Done():
			all.err = cmp.Or(all.err, ctx.Err())
		}
		break
	}
	return found{inOrder(all.addrs), all.err}
}

// inOrder sorts addresses by the precedence of RFC 6724 §2.1, removes doubles and keeps a name server's
// order else.
func inOrder(addrs []netip.Addr) (list []netip.Addr) {
	for _, a := range addrs {
		if a = a.Unmap(); !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	slices.SortStableFunc(list, func(a, b netip.Addr) int { return precedence(b) - precedence(a) })
	return list
}

func precedence(a netip.Addr) int {
	switch {
	case a.Is4():
		return 35
	case a.IsPrivate(): // fc00::/7: a household without IPv6 to the outside has these
		return 3
	}
	return 40
}

func question(u sip.URI) string {
	return fmt.Sprintf("%s %s %d", ProtoOf(u), strings.ToLower(u.Host), u.Port)
}

func (r *Resolver) last(u sip.URI) *known {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.known[question(u)]
	if k != nil {
		k.used = time.Now()
	}
	return k
}

// remember keeps a good answer; the question that was not asked for longest makes room.
func (r *Resolver) remember(u sip.URI, targets []Target, srv bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = map[string]*known{}
	}
	q := question(u)
	if r.known[q] == nil && len(r.known) >= staleHosts {
		var oldest string
		for name, k := range r.known {
			if oldest == "" || k.used.Before(r.known[oldest].used) {
				oldest = name
			}
		}
		delete(r.known, oldest)
	}
	r.known[q] = &known{targets: targets, srv: srv, used: time.Now()}
}

// stale returns an old answer in place of a failure, and says so once in a minute.
func (r *Resolver) stale(u sip.URI, old *known, err error) []Target {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); r.Log != nil && now.Sub(old.told) >= staleTold {
		old.told = now
		r.Log.Warn("name not found now, its last known address serves", "part", "sip", "host", u.Host,
			"addr", old.targets[0].Addr, "err", err)
	}
	return slices.Clone(old.targets)
}

// nameServers asks those of this host. Go's resolver keeps one question for 5 s at a dead name server before
// it asks the next.
func (r *Resolver) nameServers() *net.Resolver {
	dial := r.dial
	if dial == nil {
		dial = net.DefaultResolver.Dial
	}
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, addr string) (net.Conn,
		error) {
		c, err := dial(ctx, network, addr)
		if u, ok := c.(*net.UDPConn); ok {
			return impatient{u}, err
		}
		return c, err
	}}
}

// impatient is a connection to a name server that may keep a question for 1 s.
type impatient struct{ *net.UDPConn }

func (c impatient) SetDeadline(at time.Time) error {
	if soon := time.Now().Add(askAgain); at.IsZero() || soon.Before(at) {
		at = soon
	}
	return c.UDPConn.SetDeadline(at)
}
