//go:build boardtest

package boardtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"portero/scripts/support/boardtest/wire"
)

// backWithin is how soon a bell rings again after its station has died, whatever of: 4 s are the goal on a
// board. Here the board's two cores are emulated, on cores that others use, too.
const backWithin = 6 * time.Second

// newLone boots a board that has one bell, one door and nothing around it but the yard's phone, and waits
// until its station is ready.
func newLone(t *testing.T, reboots bool) *rig {
	t.Helper()
	r := bareRig(t)
	r.boot(plan{text: r.alone(frontRelay, "info"), reboots: reboots})
	if _, err := r.guest.Await(r.wired, bootWithin, "systemd.ready"); err != nil {
		t.Fatalf("%v\n%s", err, r.guest.Log())
	}
	r.unmoved(r.wired)
	return r
}

// alone is the station's file with the door at that line.
func (r *rig) alone(door int, level string) string {
	return fmt.Sprintf(lone, r.yard.Port, door, level)
}

// rings presses the back bell again and again, as an impatient visitor does, and wants a call within that
// time.
func (r *rig) rings(since time.Time, within time.Duration) {
	r.now.Helper()
	for {
		r.drive(backBell, false, false)
		at, ok := r.invited(200 * time.Millisecond)
		r.drive(backBell, true, false)
		if !ok {
			at, ok = r.invited(300 * time.Millisecond)
		}
		took := at.Sub(since)
		switch {
		case ok:
			r.measured("rang after %.2f s", took.Seconds())
			if took > within {
				r.errorf("the bell rang again after %v, want %v at most", took, within)
			}
			return
		case took > within+outboard:
			r.now.Fatalf("the bell has been silent for %v", took)
		}
	}
}

// exitOnce presses the inside button and lets go when the relay is energised.
func (r *rig) exitOnce() Edge {
	r.now.Helper()
	defer r.drive(rexButton, true, false)
	on, _ := r.exit(false)
	return on
}

// leaves wants a whole opening by the inside button.
func (r *rig) leaves() {
	r.now.Helper()
	r.lasts(r.exitOnce(), switchOn)
}

// releasedBy wants the relay released at most that long after at.
func (r *rig) releasedBy(on Edge, at time.Time, atMost time.Duration) {
	r.now.Helper()
	after := on.At.Add(r.released(on, outboard)).Sub(at)
	r.measured("released %+.3f s", after.Seconds())
	if after > atMost {
		r.errorf("the relay was released %v later, want %v at most", after, atMost)
	}
}

// struck opens the door, does something to the unit's processes, and wants the relay released and the bell
// back in time.
func (r *rig) struck(name string, deed func() time.Time) {
	r.check(name, nil, func(*testing.T) {
		on := r.exitOnce()
		at := deed()
		r.releasedBy(on, at, time.Second)
		r.rings(at, backWithin)
		r.settled(on, 2)
	})
}

// pull takes the card away for good, with all that the page cache has of it and no process has mapped.
func (r *rig) pull() time.Time {
	r.now.Helper()
	r.must(r.guest.call("Evict", true, nil, outboard))
	at := time.Now()
	r.must(r.guest.call("Pull", true, nil, outboard))
	r.must(r.guest.call("Evict", true, nil, outboard))
	return at
}

// set writes one of the kernel's values.
func (r *rig) set(path, value string) {
	r.now.Helper()
	r.must(r.guest.call("Write", wire.File{Path: path, Data: []byte(value)}, nil, outboard))
}

// processes returns those of the unit: the guard, or the others.
func (r *rig) processes(part string) (found []wire.Process) {
	r.now.Helper()
	var all []wire.Process
	r.must(r.guest.call("Processes", true, &all, outboard))
	for _, p := range all {
		if (p.Comm == wire.Guard) == (part == wire.Guard) {
			found = append(found, p)
		}
	}
	if len(found) != 1 {
		r.now.Fatalf("%d processes are the %s, want one: %v", len(found), part, all)
	}
	return found
}

// status returns a field of proc(5)'s status.
func (r *rig) status(part, field string) string {
	r.now.Helper()
	var raw []byte
	r.must(r.guest.call("Read", fmt.Sprintf("/proc/%d/status", r.processes(part)[0].Pid), &raw, outboard))
	_, value, _ := strings.Cut(string(raw), "\n"+field+":")
	value, _, _ = strings.Cut(value, "\n")
	return strings.TrimSpace(value)
}

// runsOut lets the kernel kill one of the unit's processes for want of memory.
func (r *rig) runsOut(part string) time.Time {
	r.now.Helper()
	r.set(fmt.Sprintf("/proc/%d/oom_score_adj", r.processes(part)[0].Pid), "1000")
	at := time.Now()
	r.set("/proc/sysrq-trigger", "f") // Documentation/admin-guide/sysrq.rst
	return at
}

// accounted wants every edge so far explained by an opening.
func (r *rig) accounted() {
	r.check("every edge of the relays was asked for", nil, func(*testing.T) {
		total := 0
		for line, openings := range r.openings {
			total += openings
			if edges := r.guest.Pins.Edges(line, r.wired); len(edges) != 2*openings {
				r.errorf("line %d: %d edges for %d openings: %v", line, len(edges), openings, edges)
			}
		}
		edges := r.guest.Pins.Edges(-1, r.wired)
		r.measured("%d edges for %d openings", len(edges), total)
		if len(edges) != 2*total {
			r.errorf("%d edges on all lines, want %d: one moved that is no relay's", len(edges), 2*total)
		}
	})
}
