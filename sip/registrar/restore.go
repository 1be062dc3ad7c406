package registrar

import (
	"slices"
	"time"
)

// Restore takes over from a server that has ended, as one does when its configuration was read anew: the
// bindings of users that still exist with the same password, as they were (contact, hop, Path, Call-ID and
// CSeq, expiry), and the key of the Record-Route tokens, so that calls that go on can still be ended. What
// has been registered here meanwhile wins. OnRegister hears of each user. Call it once the stack is made,
// before it runs or later; any goroutine may.
func (s *Server) Restore(old *Server) {
	kept := map[string][]*binding{}
	old.location.mu.Lock()
	for user, list := range old.location.users {
		if p, ok := s.passwords[user]; !ok || p != old.passwords[user] {
			continue
		}
		for _, b := range list {
			if b.hop.Flow.Conn != 0 {
				continue // its connection has ended with the old server
			}
			c := *b
			c.timer, c.alive = nil, nil // of the other stack
			kept[user] = append(kept[user], &c)
		}
	}
	old.location.mu.Unlock()
	key := old.key
	s.stack.Post(func() {
		s.key = key
		s.adopt(kept)
	})
}

// adopt adds bindings of another server to those that are here, which win.
func (s *Server) adopt(kept map[string][]*binding) {
	now := time.Now()
	for user, list := range kept {
		have := s.location.of(user)
		all := slices.Clone(have)
		for _, b := range list {
			again := slices.ContainsFunc(have,
				func(h *binding) bool { return h.contact.URI.Equal(b.contact.URI) })
			if !again && b.expires.After(now) && len(all) < maxBindings {
				all = append(all, b)
			}
		}
		s.commit(user, have, all)
	}
}
