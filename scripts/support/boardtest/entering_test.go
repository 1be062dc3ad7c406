//go:build boardtest

package boardtest

import (
	"syscall"
	"testing"
	"time"
)

// entering: the request-to-exit button, the door contact and the tamper contact.
func (r *rig) entering() {
	r.check("REX opens with the network down, held down once", r.restart, func(*testing.T) {
		r.must(r.link(false))
		on, pressed := r.exit(true)
		r.measured("%.1f ms from the button to the relay", ms(on.At.Sub(pressed)))
		r.await(pressed, "door.opened", "door=front", "how=rex")
		r.lasts(on, switchOn)
		time.Sleep(500 * time.Millisecond) // still held down
		r.settled(on, 2)
		r.drive(rexButton, true, true)
		r.must(r.link(true))
		time.Sleep(time.Second) // the release and its bounces open nothing, nor does the network's return
		r.settled(on, 2)
	})
	r.check("the station rings after the network's return", r.restart, func(*testing.T) {
		r.ring(false)
		r.hangUp()
	})
	r.check("a contact reports a door forced and held open", r.restart, func(*testing.T) {
		began := r.drive(gateContact, true, true)
		r.await(began, "door.forced", "door=gate")
		held := r.await(began, "door.held_open", "door=gate")
		r.measured("held open reported after %.2f s", held.At.Sub(began).Seconds())
		if d := held.At.Sub(began); d < heldOpen-100*time.Millisecond || d > heldOpen+2*time.Second {
			r.errorf("door.held_open came after %v, want %v", d, heldOpen)
		}
		closed := r.drive(gateContact, false, true)
		r.await(closed, "input.changed", "input=gate contact")
		if n := len(r.guest.Find(began, "door.forced")); n != 1 {
			r.errorf("door.forced %d times, want once", n)
		}
		r.unmoved(began)
	})
	unblocked := func() {
		began := time.Now()
		r.restart()
		_, _ = r.guest.Await(began, tamperBlock+outboard, "tamper.over") // none where the alarm never came
	}
	r.check("spikes on the contacts are no alarm", unblocked, func(*testing.T) {
		began := time.Now()
		for _, line := range []int{tamper, gateContact} {
			for range 5 {
				r.must(r.guest.Pins.Set(line, true))
				time.Sleep(5 * time.Millisecond)
				r.must(r.guest.Pins.Set(line, false))
				time.Sleep(5 * time.Millisecond)
			}
		}
		time.Sleep(time.Second)
		for _, kind := range []string{"tamper.alarm", "door.forced"} {
			if n := len(r.guest.Find(began, kind)); n != 0 {
				r.errorf("%s %d times for spikes of 5 ms", kind, n)
			}
		}
		r.unmoved(began)
	})
	r.check("an opened case closes the door to codes, not to the button", unblocked, func(*testing.T) {
		r.ring(false)
		on := r.open(frontCode, frontRelay, true)
		alarmed := r.drive(tamper, true, true)
		r.await(alarmed, "tamper.alarm")
		lasted := r.released(on, outboard)
		r.measured("closed %.1f ms after the contact", ms(on.At.Add(lasted).Sub(alarmed)))
		if after := on.At.Add(lasted).Sub(alarmed); after > time.Second+200*time.Millisecond {
			r.errorf("the relay was released %v after the alarm, want at once", after)
		}
		r.drive(tamper, false, true)
		r.settled(on, 2)
		refused := func() {
			r.now.Helper()
			began := time.Now()
			r.must(r.phone.Command("sndcode", frontCode))
			r.await(began, "door.failed", "door=front", "how=code")
			r.unmoved(began)
			r.hangUp()
			out, _ := r.exit(false)
			r.drive(rexButton, true, false)
			r.lasts(out, switchOn)
		}
		refused()
		killed := r.signal(syscall.SIGKILL) // the block outlives the station
		r.await(killed, "registration.up")
		r.ring(false)
		refused()
		over, err := r.guest.Await(killed, tamperBlock+outboard, "tamper.over")
		r.must(err)
		r.measured("over %.1f s after the restart", over.At.Sub(killed).Seconds())
		r.ring(false)
		r.lasts(r.open(frontCode, frontRelay, true), switchOn)
		r.hangUp()
	})
}

// exit presses the REX button and waits for the front door's relay.
func (r *rig) exit(bouncing bool) (on Edge, pressed time.Time) {
	r.now.Helper()
	pressed = r.drive(rexButton, false, bouncing)
	on, err := r.guest.Pins.Await(frontRelay, true, pressed, outboard)
	r.must(err)
	r.openings[frontRelay]++
	return on, pressed
}
