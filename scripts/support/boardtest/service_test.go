//go:build boardtest

package boardtest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"portero/scripts/support/boardtest/wire"
)

// TestService: what an administrator, a package and a kernel without mercy do to the unit, with the card
// there.
func TestService(t *testing.T) {
	t.Parallel()
	r := newLone(t, false)
	r.ordered()
	r.reloaded()
	r.upgraded()
	r.struckWithCard()
	r.limited()
	r.journalled()
	r.lineHeld()
	r.chipGone()
	r.accounted()
}

// ordered: stop and restart.
func (r *rig) ordered() {
	for _, verb := range []string{"stop", "restart"} {
		r.check("systemctl "+verb+" with the relay on", r.again, func(*testing.T) {
			on := r.exitOnce()
			began := time.Now()
			r.must(r.systemctl(verb, unit))
			r.releasedBy(on, r.await(began, "systemd.stopping").At, time.Second)
			if verb == "stop" {
				time.Sleep(2 * r.limit("RestartUSec")) // nobody starts it again
				var left []wire.Process
				r.must(r.guest.call("Processes", true, &left, outboard))
				if len(left) != 0 {
					r.errorf("stopped, and yet there are %v", left)
				}
				r.must(r.systemctl("start", unit))
			}
			r.rings(time.Now(), outboard)
			r.settled(on, 2)
		})
	}
}

// again brings the station back after a failed check.
func (r *rig) again() {
	_ = r.guest.call("Drop", true, nil, outboard)
	for line, high := range atRest {
		_ = r.guest.Pins.Set(line, high)
	}
	if err := r.systemctl("restart", unit); err != nil {
		r.t.Error(err)
	}
}

func (r *rig) reload() {
	r.now.Helper()
	began := time.Now()
	r.must(r.systemctl("reload", unit))
	r.await(began, "config.reloaded")
}

func (r *rig) reloaded() {
	r.check("systemctl reload with the relay on", r.again, func(*testing.T) {
		on := r.exitOnce()
		r.reload()
		r.releasedBy(on, on.At.Add(switchOn), 500*time.Millisecond)
		r.rings(time.Now(), outboard)
		r.leaves()
	})
	r.check("a reload moves the door to another line, relay on", r.again, func(*testing.T) {
		on := r.exitOnce()
		r.set(stationFile, r.alone(spare, "info"))
		r.reload()
		r.releasedBy(on, on.At.Add(switchOn), 500*time.Millisecond)
		r.settled(on, 2)
		pressed := r.drive(rexButton, false, false)
		moved, err := r.guest.Pins.Await(spare, true, pressed, outboard)
		r.drive(rexButton, true, false)
		r.must(err)
		r.openings[spare]++
		r.lasts(moved, switchOn)
		r.set(stationFile, r.alone(frontRelay, "info"))
		r.reload()
		r.leaves()
	})
}

// upgraded: what dpkg does to the file, and the package's postinst to the unit.
func (r *rig) upgraded() {
	r.check("the program is replaced and restarted, relay on", r.again, func(*testing.T) {
		const next = "/usr/bin/portero-hang" // another build of the same
		on := r.exitOnce()
		const replace = "cp " + next + " /usr/bin/portero.new && mv /usr/bin/portero.new /usr/bin/portero"
		_, err := r.guest.run("sh", "-c", replace)
		r.must(err)
		began := time.Now()
		r.must(r.systemctl("restart", unit))
		r.releasedBy(on, r.await(began, "systemd.stopping").At, time.Second)
		r.rings(time.Now(), outboard)
		var now []wire.Process
		r.must(r.guest.call("Processes", true, &now, outboard))
		argv := []string{"sha256sum", next}
		for _, p := range now {
			argv = append(argv, fmt.Sprintf("/proc/%d/exe", p.Pid))
		}
		sums, err := r.guest.run(argv...)
		r.must(err)
		for line := range strings.Lines(sums) {
			if line[:64] != sums[:64] {
				r.errorf("an old program still runs:\n%s", sums)
			}
		}
		r.settled(on, 2)
	})
}

// struckWithCard: with the card there the same holds as without.
func (r *rig) struckWithCard() {
	r.struck("relay on: the station is killed", func() time.Time {
		return r.signalTo(wire.Station, syscall.SIGKILL)
	})
	r.struck("relay on: the guard is killed", func() time.Time {
		return r.signalTo(wire.Guard, syscall.SIGKILL)
	})
}

// limited: a container, or an administrator's own drop-in, may refuse locked memory.
func (r *rig) limited() {
	r.check("locked memory refused: the station runs and warns", r.again, func(*testing.T) {
		r.must(r.dropIn("limit.conf", "LimitMEMLOCK=64K\n"))
		began := time.Now()
		r.must(r.systemctl("restart", unit))
		r.await(began, "systemd.ready")
		r.rings(time.Now(), outboard)
		warning := regexp.MustCompile(`"level":"WARN".*\block`)
		if !slices.ContainsFunc(r.guest.Lines(began), warning.MatchString) {
			r.errorf("no warning tells that memory is not locked")
		}
		r.must(r.dropIn("limit.conf", ""))
		r.must(r.systemctl("restart", unit))
	})
}

// journalled: the unit's own StandardError, and a journald that stands still.
func (r *rig) journalled() {
	setUp := func(level, output string) {
		r.now.Helper()
		r.set(stationFile, r.alone(frontRelay, level))
		r.must(r.dropIn("output.conf", output)) // read after log.conf, which it overrides
		r.must(r.systemctl("restart", unit))
	}
	r.check("the journal hangs while the station logs: it goes on", r.again, func(*testing.T) {
		defer setUp("info", "")
		setUp("debug", "StandardOutput=journal\nStandardError=journal\n")
		r.rings(time.Now(), outboard)
		r.prints("station.ready", "journalctl", "-b", "-u", unit, "-o", "cat")
		const signal = `kill -%s $(systemctl show --value --property=MainPID systemd-journald.service)`
		_, err := r.guest.run("sh", "-c", fmt.Sprintf(signal, "STOP"))
		r.must(err)
		defer func() { _, _ = r.guest.run("sh", "-c", fmt.Sprintf(signal, "CONT")) }()
		var filled int
		r.must(r.guest.call("FillLog", r.processes(wire.Station)[0].Pid, &filled, 2*outboard))
		r.measured("%d kB not taken", filled>>10)
		on := r.exitOnce()
		r.releasedBy(on, on.At.Add(switchOn), 500*time.Millisecond)
		r.rings(time.Now(), backWithin)
		// Longer than the watchdog waits.
		time.Sleep(r.limit("WatchdogUSec") + time.Second)
		r.rings(time.Now(), backWithin)
		r.settled(on, 2)
	})
}

// lineHeld: another program is first at the bell's line. The other bell and the inside button work meanwhile.
func (r *rig) lineHeld() {
	const sideBell = `[[bell]]
name = "side"
line = "9030000.pl061:2"
active_low = false
bias = "none"
targets = ["sip:yard@10.0.2.2:%d"]
ring_limit = "30s"
`
	r.check("a bell's line is held by another program, then let go", r.again, func(*testing.T) {
		r.must(r.systemctl("stop", unit))
		r.set(stationFile, r.alone(frontRelay, "info")+fmt.Sprintf(sideBell, r.yard.Port))
		defer func() {
			r.set(stationFile, r.alone(frontRelay, "info"))
			r.must(r.systemctl("restart", unit))
			r.rings(time.Now(), outboard)
		}()
		r.must(r.guest.call("Hold", uint32(backBell), nil, outboard))
		began := time.Now()
		r.must(r.systemctl("start", "--no-block", unit))
		if lost := r.await(began, "line.lost", "bell=back"); !strings.Contains(lost.Text, "another program") {
			r.errorf("nothing tells who has the line: %s", lost.Text)
		}
		r.await(began, "systemd.ready")
		pressed := r.drive(frontBell, true, false)
		if _, ok := r.invited(outboard); !ok {
			r.errorf("the other bell rings nobody")
		}
		r.drive(frontBell, false, false)
		r.await(pressed, "call.started", "bell=side")
		r.await(pressed, "call.ended")
		r.leaves()
		freed := time.Now()
		r.must(r.guest.call("Drop", true, nil, outboard))
		r.rings(freed, 12*time.Second)
		r.await(freed, "line.back", "bell=back")
		if n := len(r.guest.Find(began, "config.rejected")); n != 0 {
			r.errorf("the file was rejected for one line")
		}
	})
}

// chipGone: a chip that comes back is another one to the kernel, with another number where the old one is
// still open.
func (r *rig) chipGone() {
	r.check("the GPIO chip is lost with the relay on, and comes back", r.again, func(*testing.T) {
		r.must(r.guest.call("Hold", uint32(spare), nil, outboard)) // keeps the number
		on := r.exitOnce()
		r.must(r.guest.call("Chip", false, nil, outboard))
		time.Sleep(time.Second)
		r.must(r.guest.call("Chip", true, nil, outboard))
		back := time.Now()
		out, err := r.guest.run("sh", "-c", "echo /dev/gpiochip*")
		r.must(err)
		r.measured("back as %s", strings.TrimSpace(out))
		// Nobody can release it while the kernel has no driver for it.
		r.releasedBy(on, back, outboard)
		r.rings(back, outboard)
		r.settled(on, 2)
		r.must(r.guest.call("Drop", true, nil, outboard))
		r.leaves()
	})
}
