package registrar

import (
	"slices"
	"time"

	"portero/sip"
)

// An INVITE of Config.Bell waits for phones until its sender cancels it: a user that is not registered yet
// has it queued (182), and is rung when it comes. A phone that declines, with a 6xx too, ends its own
// ringing alone (§16.7 item 5 would cancel the others, but two phones of one household are two minds); when
// all have been asked and somebody has declined, the bell hears of it.

// absent reports whether the final response of a branch says that nobody was asked: whoever registers later
// may be there.
func absent(status int) bool {
	switch status {
	case 404, 408, 410, 480, 482, 487, 500, 502, 503, 504:
		return true
	}
	return false
}

// rings puts a bell's INVITE among those that ring, or takes it out.
func (s *Server) rings(f *fork, on bool) {
	s.bells = slices.DeleteFunc(s.bells, func(other *fork) bool { return other == f })
	if on {
		s.bells = append(s.bells, f)
	}
}

// waits reports whether a fork without a branch goes on: somebody may come. Where nothing could leave this
// host, the bell is told, for its offer may name an address that is gone.
func (f *fork) waits() bool {
	return f.bell != "" && !f.cancelled && !f.declined && f.heard() && !f.s.stopping(f.req)
}

// heard reports whether anybody was asked, or there was nobody to ask.
func (f *fork) heard() bool {
	return len(f.branches) == 0 || slices.ContainsFunc(f.branches, func(b *branch) bool { return b.heard || b.status == 408 })
}

// queue tells the caller that it waits.
func (f *fork) queue() {
	f.pass(sip.NewResponse(f.req, 182, ""))
}

// ringLate rings what a user has registered while a bell rings that user.
func (s *Server) ringLate(user string, came []*binding) {
	for _, f := range slices.Clone(s.bells) {
		if f.bell != user || f.cancelled || s.stopping(f.req) {
			continue
		}
		for _, b := range came {
			f.ring(b.target())
		}
	}
}

// maxBranches bounds what a phone that registers ever new contacts can make of one INVITE.
const maxBranches = 3 * maxBindings

// ring rings a target, unless its phone rings already or has declined. One that has not said anything is sent
// the INVITE once more: it has just shown that it is there.
func (f *fork) ring(t target) {
	for _, b := range f.branches {
		switch same, moved := b.to.samePhone(t), b.to.hop != t.hop; {
		case !same || b.done && absent(b.status):
		case b.heard, b.done:
			return
		case !moved && b.tx != nil:
			b.tx.Resend()
			return
		}
	}
	if len(f.branches) < maxBranches {
		f.add(t)
	}
}

// samePhone reports whether two targets are one phone: by its own word, by its contact, or by its address.
func (t target) samePhone(other target) bool {
	return t.instance != "" && t.instance == other.instance || t.uri.Equal(other.uri) ||
		len(t.path) == 0 && len(other.path) == 0 && t.hop == other.hop
}

// resendAfter is how long a network that is away is left alone while other phones ring.
const resendAfter = time.Second

// retryLater sends what could not be sent once more, to the phones that are still registered there.
func (f *fork) retryLater() {
	f.again.Stop()
	f.again = f.s.stack.After(resendAfter, func() {
		var lost []target
		f.branches = slices.DeleteFunc(f.branches, func(b *branch) bool {
			if b.lost {
				lost = append(lost, b.to)
			}
			return b.lost
		})
		for _, b := range f.s.location.of(f.bell) {
			if t := b.target(); slices.ContainsFunc(lost, t.samePhone) {
				f.ring(t)
			}
		}
	})
}
