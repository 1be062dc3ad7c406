//go:build boardtest

package boardtest

import (
	"regexp"
	"testing"
	"time"

	"portero/scripts/support/voices"
)

// calling: one call with everything that belongs to it, the loss of the sound card included.
func (r *rig) calling() {
	r.check("a bouncing button rings the kitchen once", nil, func(*testing.T) {
		pressed := r.ring(true)
		if n := len(r.guest.Find(pressed, "call.started")); n != 1 {
			r.errorf("%d calls for one press, want one", n)
		}
		if n := len(r.guest.Find(pressed, "bell.pressed")); n != 1 {
			r.errorf("%d bell.pressed for one press, want one", n)
		}
		r.unmoved(r.wired)
	})
	r.check("sound is asked for at the public address", nil, func(*testing.T) {
		m := regexp.MustCompile(`starting RTCP with remote ([0-9.]+):`).FindStringSubmatch(r.phone.Log())
		if m == nil || m[1] != r.host {
			r.errorf("the offer's address is %q, want public_address = %q", m, r.host)
		}
	})
	r.check("a wrong code opens nothing", nil, func(*testing.T) {
		r.talking()
		began := time.Now()
		r.must(r.phone.Command("sndcode", "9999#"))
		r.await(began, "code.wrong")
		r.unmoved(r.wired)
	})
	r.check("a code energises the relay for 3 s", nil, func(*testing.T) {
		r.talking()
		r.lasts(r.open(frontCode, frontRelay, true), switchOn)
	})
	r.check("a code energises the active-low relay for 1 s", nil, func(*testing.T) {
		r.talking()
		r.lasts(r.open(gateCode, gateRelay, false), gateOn)
	})
	r.check("voices go both ways", nil, func(*testing.T) {
		r.talking()
		r.converse(r.visitor)
	})
	var pulled time.Time
	r.check("the sound card is lost and found in mid-call", r.restart, func(*testing.T) {
		r.talking()
		r.speak(r.visitor)
		pulled = time.Now()
		// Comes back when everybody has closed the card.
		r.must(r.guest.call("SoundCard", false, nil, outboard))
		lost := r.await(pulled, "card.lost")
		if h, _ := r.listened(); h.Err == "" {
			r.errorf("the far end of the loopback did not notice that the card is gone")
		}
		r.must(r.guest.call("SoundCard", true, nil, outboard))
		back := time.Now()
		recovered := r.await(pulled, "card.recovered")
		r.measured("noticed after %.2f s, back %.2f s after the card", lost.At.Sub(pulled).Seconds(), recovered.At.Sub(back).Seconds())
	})
	r.check("voices go both ways again, until the kitchen hangs up", r.restart, func(*testing.T) {
		if n := len(r.guest.Find(pulled, "call.ended")); n != 0 {
			r.errorf("the call ended with the card, want it to go on")
		}
		r.talking()
		r.converse(r.returned)
		r.hangUp()
	})
}

// converse lets a visitor say a sentence and wants it in the kitchen, and the kitchen's at the door. On a loaded machine the emulated
// board runs dry now and then: who has not understood listens again, four times in all.
func (r *rig) converse(visitor voices.Clip) {
	r.now.Helper()
	const attempts = 4
	var there, here voices.Match // the best so far
	for i := 1; ; i++ {
		r.speak(visitor)
		// Both sentences in full, wherever the listener came in: people cannot speak faster.
		time.Sleep(time.Duration((2*max(visitor.Seconds(), r.kitchen.Seconds()) + 2) * float64(time.Second)))
		h, door := r.listened()
		kitchen, err := r.phone.Hearing()
		r.must(err)
		if h.Err != "" {
			r.now.Fatalf("the far end of the loopback: %s", h.Err)
		}
		if m := voices.Find(visitor, kitchen); m.Heard >= there.Heard {
			there = m
		}
		if m := voices.Find(r.kitchen, door); m.Heard >= here.Heard {
			here = m
		}
		r.now.Logf("attempt %d: %d frames slipped; in the kitchen %v; at the door %v", i, h.Slipped, there, here)
		if m := voices.Find(r.other, kitchen); m.Same() {
			r.errorf("another sentence was heard in the kitchen: %v", m)
		}
		if m := voices.Find(r.other, door); m.Same() {
			r.errorf("another sentence was heard at the door: %v", m)
		}
		if there.Same() && here.Same() {
			r.measured("%.0f and %.0f %% understood, attempt %d", 100*there.Heard, 100*here.Heard, i)
			return
		}
		if i == attempts {
			r.keep("in-the-kitchen.wav", kitchen)
			r.keep("at-the-door.wav", door)
			r.now.Fatalf("not understood in %d attempts: in the kitchen %v; at the door %v", attempts, there, here)
		}
	}
}
