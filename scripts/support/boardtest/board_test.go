//go:build boardtest

package boardtest

import (
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestBoard is one boot. Its checks follow on one another; one that fails is cleaned up after.
func TestBoard(t *testing.T) {
	r := newRig(t)
	booted := false
	r.check("board: kernel, card, systemd, station", nil, func(*testing.T) {
		agent, err := r.guest.Await(r.wired, bootWithin, "agent.booted")
		if err != nil {
			r.now.Fatalf("%v\n%s", err, r.guest.Log())
		}
		e, err := r.guest.Await(r.wired, bootWithin, "registration.up")
		r.must(err)
		r.measured("kernel start to agent %.2f s, to registered %.2f s", agent.Up, e.Up)
		r.unmoved(r.wired)
		booted = true
	})
	if !booted {
		return
	}
	r.starting()
	r.calling()
	r.delaying()
	r.ringing()
	r.entering()
	r.crashing()
	r.hanging()
	r.ending()
}

// starting: from the first process to the registration.
func (r *rig) starting() {
	r.check("check and pins know the board", nil, func(*testing.T) {
		r.must(r.systemctl("stop", unit))
		r.prints("9030000.pl061", "/usr/bin/portero", "pins")
		r.prints("is good: 2 bells, 2 doors, 1 accounts", "/usr/bin/portero", "check", "-config", stationFile)
		r.unmoved(r.wired)
	})
	r.check("the station registers", r.restart, func(*testing.T) {
		began := time.Now()
		r.start()
		starting, up := r.await(began, "systemd.starting"), r.await(began, "registration.up")
		r.await(began, "systemd.ready")
		for _, want := range []string{
			`(?m)^ +5 .* output +pull-down +portero:door:front `,
			`(?m)^ +6 .* output +pull-up +portero:door:gate `,
		} {
			r.printsMatch(regexp.MustCompile(want), "/usr/bin/portero", "pins", "-config", stationFile)
		}
		r.measured("systemctl start to registered %.2f s", up.Up-starting.Up)
		r.unmoved(r.wired)
	})
}

// ending: SIGTERM, and the count of all edges.
func (r *rig) ending() {
	r.check("a stopped station leaves the relays alone", nil, func(*testing.T) {
		began := time.Now()
		r.must(r.systemctl("stop", unit))
		r.await(began, "systemd.stopped")
		for _, died := range r.guest.Find(began, "systemd.died") {
			r.errorf("the station ended on SIGTERM with %s", died.Text)
		}
		r.unmoved(began)
	})
	r.check("power off; every edge of the relays was asked for", nil, func(*testing.T) {
		r.must(r.systemctl("poweroff"))
		deadline := time.Now().Add(2 * outboard)
		for syscall.Kill(r.guest.Pid(), 0) == nil && time.Now().Before(deadline) {
			time.Sleep(20 * time.Millisecond)
		}
		if time.Now().After(deadline) {
			r.errorf("the board is still on %v after power-off", 2*outboard)
		} else if code := r.guest.Wait(outboard); code != 0 {
			r.errorf("QEMU ended with code %d", code)
		}
		if m := kernelFault.FindString(r.guest.Log()); m != "" {
			r.errorf("the kernel: %s", m)
		}
		for _, line := range []int{frontRelay, gateRelay} {
			edges := r.guest.Pins.Edges(line, r.wired)
			r.measured("line %d: %d edges for %d openings", line, len(edges), r.openings[line])
			if len(edges) != 2*r.openings[line] {
				r.errorf("line %d: %d edges for %d openings: %v", line, len(edges), r.openings[line], edges)
			}
		}
		if n := len(r.guest.Pins.Edges(-1, r.wired)); n != 2*(r.openings[frontRelay]+r.openings[gateRelay]) {
			r.errorf("%d edges on all lines: one moved that is no relay's", n)
		}
	})
}

// lasts wants a pulse of that length, and returns its length.
func (r *rig) lasts(on Edge, want time.Duration) time.Duration {
	r.now.Helper()
	lasted := r.released(on, want+outboard)
	r.measured("on for %.3f s", lasted.Seconds())
	if lasted < want-200*time.Millisecond || lasted > want+500*time.Millisecond {
		r.errorf("the relay on line %d was energised for %v, want %v", on.Line, lasted, want)
	}
	r.settled(on, 2)
	return lasted
}

// settled wants that many edges of on's line from on to now, and none of another line.
func (r *rig) settled(on Edge, want int) {
	r.now.Helper()
	if edges := r.guest.Pins.Edges(-1, on.At); len(edges) != want {
		r.errorf("%d edges, want %d: %v", len(edges), want, edges)
	}
}

// stopPost wants that the unit's ExecStopPost, "portero release", has run and ended well.
func (r *rig) stopPost(since time.Time) {
	r.now.Helper()
	r.await(since, "systemd.released")
	for _, e := range r.guest.Find(since, "systemd.refused") {
		r.errorf("portero release: %s", e.Text)
	}
}

// prints runs a program on the board that must end well and print want.
func (r *rig) prints(want string, argv ...string) {
	r.now.Helper()
	r.printsMatch(regexp.MustCompile(regexp.QuoteMeta(want)), argv...)
}

func (r *rig) printsMatch(want *regexp.Regexp, argv ...string) {
	r.now.Helper()
	out, err := r.guest.run(argv...)
	r.must(err)
	if !want.MatchString(out) {
		r.errorf("%s: want %s in:\n%s", strings.Join(argv, " "), want, out)
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
