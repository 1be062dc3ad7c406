//go:build boardtest

package boardtest

import (
	"slices"
	"testing"
	"time"
)

// ringing: buttons without a conversation.
func (r *rig) ringing() {
	r.check("the other bell rings its own target", r.restart, func(*testing.T) {
		began := time.Now()
		var took []time.Duration
		for range 5 {
			pressed := r.drive(backBell, false, true)
			at, ok := r.invited(outboard)
			r.drive(backBell, true, true)
			time.Sleep(150 * time.Millisecond) // nobody presses again faster; the station would call it bouncing
			if !ok {
				r.now.Fatal("no INVITE at the back bell's target")
			}
			took = append(took, at.Sub(pressed))
			r.await(pressed, "call.ended")
		}
		slices.Sort(took)
		r.measured("press to INVITE min %.1f, median %.1f, max %.1f ms", ms(took[0]), ms(took[2]), ms(took[4]))
		if n := len(r.phone.Find(began, "CALL_INCOMING")); n != 0 {
			r.errorf("the front bell's target rang %d times", n)
		}
		if n := len(r.guest.Find(began, "call.started")); n != 5 {
			r.errorf("%d calls for 5 presses", n)
		}
	})
	r.check("a stuck button rings once and is reported", r.restart, func(*testing.T) {
		began := time.Now()
		r.must(r.guest.Pins.Set(backBell, false))
		if _, ok := r.invited(outboard); !ok {
			r.now.Fatal("no INVITE at the back bell's target")
		}
		stuck := r.await(began, "bell.stuck", "bell=back")
		if _, again := r.invited(2 * time.Second); again {
			r.errorf("the stuck button rang twice")
		}
		r.must(r.guest.Pins.Set(backBell, true))
		r.measured("reported after %.2f s", stuck.At.Sub(began).Seconds())
		if d := stuck.At.Sub(began); d < stuckAfter || d > stuckAfter+2*time.Second {
			r.errorf("bell.stuck came after %v, want %v", d, stuckAfter)
		}
		if n := len(r.guest.Find(began, "bell.pressed")); n != 1 {
			r.errorf("%d bell.pressed, want one", n)
		}
	})
	r.check("a reload moves no relay", r.restart, func(*testing.T) {
		began := time.Now()
		r.must(r.systemctl("reload", unit))
		r.await(began, "config.reloaded")
		r.await(began, "registration.up")
		r.unmoved(began)
		if n := len(r.guest.Find(began, "systemd.died")); n != 0 {
			r.errorf("the station died of the reload")
		}
	})
}
