package registrar

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"portero/sip"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// Binding says where a user can be reached.
type Binding struct {
	User      string
	Contact   sip.URI
	Q         int            // preference in thousandths
	Source    netip.AddrPort // where requests for it go
	Expires   time.Time
	UserAgent string // what the phone calls itself
}

// binding is one contact of a user (RFC 3261 §10.3). It is not changed once it is in the location service, save
// for what the loop alone looks at: its clock, and whether anybody answers there.
type binding struct {
	contact   sip.Address // without expires
	hop       transport.Target
	path      []sip.Address // RFC 3327
	callID    string
	seq       uint32
	userAgent string
	refreshed time.Time
	expires   time.Time
	timer     *transaction.Timer
	alive     *alive
}

// location holds the bindings by user. The loop alone writes; others may look through Bindings.
type location struct {
	mu    sync.Mutex
	users map[string][]*binding
	left  map[string]time.Time // when the last binding of a user went
}

func (l *location) of(user string) []*binding { return l.users[user] }

// replace sets the bindings of a user, best first, and stops the clocks of those that go.
func (l *location) replace(user string, list []*binding) {
	slices.SortStableFunc(list, func(a, b *binding) int { return cmp.Compare(b.contact.Q(), a.contact.Q()) })
	for _, old := range l.users[user] {
		if !slices.Contains(list, old) {
			old.timer.Stop()
			if !slices.ContainsFunc(list, func(b *binding) bool { return b.alive == old.alive }) {
				old.alive.stop()
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(list) == 0 {
		delete(l.users, user)
		l.left[user] = time.Now()
		return
	}
	l.users[user] = list
	delete(l.left, user)
}

// reaches reports whether a binding is at that very address and port.
func (l *location) reaches(at netip.AddrPort) bool {
	for _, list := range l.users {
		for _, b := range list {
			if b.hop.Addr == at {
				return true
			}
		}
	}
	return false
}

// At reports whether a user is registered from a host, whatever the port. Any goroutine may call it, at any
// rate: it allocates nothing.
func (s *Server) At(user string, host netip.Addr) bool {
	l := &s.location
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.users[s.userNamed(user)] {
		if b.hop.Addr.Addr().Unmap().WithZone("") == host.Unmap().WithZone("") {
			return true
		}
	}
	return false
}

// Absent returns since when a user that was registered is not any more; the zero time for one that is, or never
// was since the start. Any goroutine may call it.
func (s *Server) Absent(user string) time.Time {
	l := &s.location
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.left[user]
}

// Bindings returns who is registered, where, and until when, ordered by user. Any goroutine may call it.
func (s *Server) Bindings() []Binding {
	l := &s.location
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Binding
	for _, user := range slices.Sorted(maps.Keys(l.users)) {
		for _, b := range l.users[user] {
			all = append(all, Binding{User: user, Contact: b.contact.URI, Q: b.contact.Q(),
				Source: b.hop.Addr, Expires: b.expires, UserAgent: b.userAgent})
		}
	}
	return all
}
