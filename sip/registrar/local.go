package registrar

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"portero/sip"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// locals remembers for a short while which of our addresses a far end sees: asking a wildcard socket costs a
// system call.
type locals struct {
	stack *transaction.Stack
	known map[localKey]localAddr
}

type localKey struct {
	proto sip.Proto
	far   netip.Addr
}

type localAddr struct {
	addr  netip.AddrPort
	err   error
	until time.Time
}

const (
	localFor  = 5 * time.Second // so a new address after a network change is soon seen
	maxLocals = 256
)

// of returns the address that the far end of t sees.
func (l *locals) of(t transport.Target) (netip.AddrPort, error) {
	k, now := localKey{t.Proto, t.Addr.Addr()}, time.Now()
	a, ok := l.known[k]
	if !ok || now.After(a.until) || a.err != nil { // a network that is away may be back
		a.addr, a.err = l.stack.Local(t)
		a.until = now.Add(localFor)
		if l.known == nil || len(l.known) >= maxLocals {
			l.known = make(map[localKey]localAddr)
		}
		l.known[k] = a
	}
	return a.addr, a.err
}

// isSelf reports whether packets to an address come back to us: the route to an own address leaves from that
// very address. Port 0 stands for any.
func (l *locals) isSelf(proto sip.Proto, addr netip.Addr, port uint16) bool {
	addr = addr.Unmap()
	own, err := l.of(transport.Target{Proto: proto, Addr: netip.AddrPortFrom(addr, max(port, 1))})
	return err == nil && own.Addr().Unmap().WithZone("") == addr && (port == 0 || own.Port() == port)
}

// isOwn is isSelf by whatever transport.
func (l *locals) isOwn(addr netip.Addr, port uint16) bool {
	return slices.ContainsFunc(l.stack.Protos(), func(p sip.Proto) bool { return l.isSelf(p, addr, port) })
}

// ours reports whether a URI names this server: one of its domains, a name of this machine, or an address of
// its own with our port or none, as phones write it that have the port in another field.
func (s *Server) ours(u sip.URI) bool {
	return u.IsSIP() && s.isNamed(u.Host, u.Port)
}

func (s *Server) isNamed(host string, port uint16) bool {
	host = canonicalHost(host)
	if s.domains[host] {
		return true
	}
	if addr, ok := literalHost(host); ok {
		return s.locals.isOwn(addr, port)
	}
	first, _, _ := strings.Cut(host, ".")
	return s.hosts[first]
}

// userOf is the user that a name stands for: phones write it with our domain behind it, and with the capital
// or the space that a keyboard put there. "": no user, or more than one.
func (s *Server) userOf(name string) string {
	alone, domain, has := strings.Cut(name, "@")
	if has {
		if u, err := sip.ParseURI("sip:" + domain); err != nil || !s.ours(u) {
			return ""
		}
	}
	return s.userNamed(alone)
}

// userNamed is userOf of a name alone. Any goroutine may call it.
func (s *Server) userNamed(name string) string {
	if _, exact := s.passwords[name]; exact {
		return name
	}
	found := ""
	for user := range s.passwords {
		if strings.EqualFold(user, strings.TrimSpace(name)) {
			if found != "" {
				return ""
			}
			found = user
		}
	}
	return found
}

func literalHost(host string) (netip.Addr, bool) {
	if host == "" || host[0] != '[' && (host[0] < '0' || host[0] > '9') {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return addr.Unmap(), err == nil
}

func canonicalHost(host string) string { return strings.TrimSuffix(strings.ToLower(host), ".") }
