//go:build boardtest

package boardtest

import (
	"syscall"
	"testing"
	"time"

	"portero/scripts/support/boardtest/wire"
)

// crashing: SIGKILL, which no program can catch. When all of the unit is gone, systemd runs its
// ExecStopPost and starts it again.
func (r *rig) crashing() {
	r.check("killed and started again: no relay moves", r.restart, func(*testing.T) {
		began := r.signalTo(wire.All, syscall.SIGKILL)
		r.await(began, "registration.up")
		r.unmoved(began)
		r.stopPost(began)
	})
	for _, door := range []struct {
		name, code string
		line       int
		energised  bool
	}{
		{"killed in mid-pulse", frontCode, frontRelay, true},
		{"killed in mid-pulse, active-low", gateCode, gateRelay, false},
	} {
		r.check(door.name+": released within 1 s", r.restart, func(*testing.T) {
			on, after := r.killedOpen(door.code, door.line, door.energised, wire.Station)
			if after > time.Second {
				r.errorf("the relay was released %v after SIGKILL, want 1 s at most", after)
			}
			r.settled(on, 2)
		})
	}
	r.check("all killed in mid-pulse: systemd releases", r.restart, func(*testing.T) {
		on, _ := r.killedOpen(frontCode, frontRelay, true, wire.All)
		r.stopPost(on.At)
		r.settled(on, 2)
	})
}

// killedOpen kills a part of the unit while a relay is energised, waits until the station is back, and
// returns how long after the kill the relay was released.
func (r *rig) killedOpen(code string, line int, energised bool, part string) (on Edge, after time.Duration) {
	r.now.Helper()
	r.ring(false)
	on = r.open(code, line, energised)
	killed := r.signalTo(part, syscall.SIGKILL)
	after = on.At.Add(r.released(on, outboard)).Sub(killed)
	r.measured("released %.2f s after SIGKILL", after.Seconds())
	r.quiet()
	r.await(killed, "registration.up")
	return on, after
}

// hanging: the process lives but does nothing any more; only the watchdog notices.
func (r *rig) hanging() {
	r.check("stopped in mid-pulse: the watchdog ends it", r.restart, func(*testing.T) {
		r.ring(false)
		on := r.open(frontCode, frontRelay, true)
		stopped := r.signalTo(wire.All, syscall.SIGSTOP)
		bark := r.await(stopped, "systemd.watchdog")
		lasted := r.released(on, outboard)
		r.measured("watchdog after %.2f s, relay on for %.2f s", bark.At.Sub(stopped).Seconds(), lasted.Seconds())
		// A stopped process cannot end its lease; the watchdog's time and a second bound it all the same.
		// Emulated, systemd takes more than a second to start the program that releases.
		limit := r.limit("WatchdogUSec") + r.limit("TimeoutAbortUSec") + 1500*time.Millisecond
		if lasted > limit {
			r.errorf("the relay was energised for %v, want %v at most", lasted, limit)
		}
		r.stopPost(stopped)
		r.quiet()
		r.await(stopped, "registration.up")
		r.settled(on, 2)
	})
	r.check("loop hung in mid-pulse: the lease ends, the guard ends it", r.restart, func(*testing.T) {
		// Built with the tag hangtest: SIGUSR1 blocks the station's loop for good.
		r.runs("/usr/bin/portero-hang")
		r.must(r.systemctl("stop", unit))
		r.start()
		r.ring(false)
		on := r.open(frontCode, frontRelay, true)
		hung := r.signal(syscall.SIGUSR1)
		lasted := r.lasts(on, switchOn)
		bark := r.await(hung, "guard: station hangs")
		r.measured("noticed after %.2f s", bark.At.Sub(hung).Seconds())
		if bark.At.Before(on.At.Add(lasted)) {
			r.errorf("it was noticed within the pulse: the lease is not shown to end by itself")
		}
		r.quiet()
		r.await(hung, "registration.up")
		r.settled(on, 2)
	})
	r.check("a hung and restarted station still rings", r.restart, func(*testing.T) {
		r.runs("")
		r.must(r.systemctl("stop", unit))
		r.start()
		r.ring(false)
		r.hangUp()
	})
}
