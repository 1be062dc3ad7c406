// Package boardtest puts a [board.Board] on simulated hardware into the hands of other packages' tests:
// buttons that bounce, relays that refuse, and a dated log of every wire.
//
// It is the product's own board on the product's own simulation, so leases, debouncing and failures are the
// real ones. In a synctest bubble all of it takes no wall time; make the Rig inside the bubble.
package boardtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"portero/board"
)

// Rig is a board, the hardware under it and the test that owns both. Its methods end the test on errors, so
// they belong to the test's own goroutine.
type Rig struct {
	Board *board.Board
	Sim   *board.Sim

	t      testing.TB
	config board.Config
	events chan board.Event
	seen   map[string]int // edges that WaitEdge has handed out, by name
}

// DoorConfig is a usual door: inputs "bell" and "contact" (20 ms debounce), relay "door" (active-low, 10 s at
// most), lamp "lamp".
func DoorConfig() board.Config {
	return board.Config{
		Sim: true,
		Inputs: []board.Input{
			{Name: "bell", Line: "GPIO17", ActiveLow: true, Bias: board.PullUp, Debounce: 20 * time.Millisecond, StuckAfter: time.Minute},
			{Name: "contact", Line: "GPIO27", ActiveLow: true, Bias: board.PullUp, Debounce: 20 * time.Millisecond},
		},
		Relays: []board.Output{{Name: "door", Line: "GPIO5", ActiveLow: true, MaxOn: 10 * time.Second}},
		Lamps:  []board.Output{{Name: "lamp", Line: "GPIO22"}},
	}
}

// New opens a board on new hardware; the test's end closes it.
func New(t testing.TB, c board.Config) *Rig {
	t.Helper()
	r := &Rig{Sim: board.NewSim(), t: t, config: c, seen: map[string]int{}}
	r.open()
	t.Cleanup(func() { _ = r.Board.Close() })
	return r
}

// Restart closes the board and opens another on the same hardware.
func (r *Rig) Restart() {
	r.t.Helper()
	if err := r.Board.Close(); err != nil {
		r.t.Fatalf("boardtest: restart: %v", err)
	}
	r.open()
}

// Crash ends the board as SIGKILL does, relays as they are, and opens another on the same hardware.
func (r *Rig) Crash() {
	r.t.Helper()
	r.Sim.Kill()
	_ = r.Board.Close() // reports that its lines are gone
	r.open()
}

func (r *Rig) open() {
	r.t.Helper()
	b, err := r.Sim.Open(r.config)
	if err != nil {
		r.t.Fatalf("boardtest: open: %v", err)
	}
	r.Board = b
}

// Listen runs the board until the test ends, for NextEvent. A test whose subject runs the board itself does
// not call it.
func (r *Rig) Listen() {
	r.t.Helper()
	r.events = make(chan board.Event, 256)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	events, b := r.events, r.Board
	go func() {
		done <- b.Run(ctx, func(e board.Event) {
			select {
			case events <- e:
			default:
				r.t.Errorf("boardtest: over %d events wait for NextEvent; %+v is lost", cap(events), e)
			}
		})
	}()
	r.t.Cleanup(func() {
		cancel()
		<-done
	})
}

// NextEvent is the next event the board posted.
func (r *Rig) NextEvent(within time.Duration) board.Event {
	r.t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case e := <-r.events:
		return e
	case <-timer.C:
		r.t.Fatalf("boardtest: no event within %v; the wires:\n%s", within, r.Log())
		return board.Event{}
	}
}

// NoEvent lets the time go by and wants no event in it.
func (r *Rig) NoEvent(within time.Duration) {
	r.t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case e := <-r.events:
		r.t.Fatalf("boardtest: an event nobody expects: %+v; the wires:\n%s", e, r.Log())
	case <-timer.C:
	}
}

// Set moves an input's contact.
func (r *Rig) Set(input string, active bool) {
	r.t.Helper()
	if err := r.Sim.Press(input, active); err != nil {
		r.t.Fatalf("boardtest: %v", err)
	}
}

// Press presses a button and lets go after hold.
func (r *Rig) Press(input string, hold time.Duration) {
	r.t.Helper()
	r.Set(input, true)
	time.Sleep(hold) // the finger's time, not a wait for the board
	r.Set(input, false)
}

// Bounce moves a contact to active the way a worn one does: n extra times away and back, every so often.
func (r *Rig) Bounce(input string, active bool, n int, every time.Duration) {
	r.t.Helper()
	r.Set(input, active)
	for range n {
		time.Sleep(every)
		r.Set(input, !active)
		time.Sleep(every)
		r.Set(input, active)
	}
}

// WaitEdge is the next edge of a relay, lamp or input that it has not handed out before; it must go to
// active.
func (r *Rig) WaitEdge(name string, active bool, within time.Duration) board.Edge {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	e, err := r.Sim.WaitEdge(ctx, name, r.seen[name]+1)
	if err != nil {
		r.t.Fatalf("boardtest: %v; the wires:\n%s", err, r.Log())
	}
	r.seen[name]++
	if e.Active != active {
		r.t.Fatalf("boardtest: edge %d of %q goes to %v, not %v; the wires:\n%s", e.Seq, name, e.Active, active, r.Log())
	}
	return e
}

// FailEnergize has the kernel refuse the nth (1: the next) switching-on of the relay from now.
func (r *Rig) FailEnergize(relay string, nth int) { r.Sim.Fail(relay, true, nth, 1) }

// FailRelease has the kernel refuse the nth (1: the next) switching-off of the relay from now, and the
// following ones: times in all.
func (r *Rig) FailRelease(relay string, nth, times int) { r.Sim.Fail(relay, false, nth, times) }

// Log is the dated log of the wires, one edge per line: "1.5s door on". Names, if given, choose.
func (r *Rig) Log(names ...string) string {
	var log []byte
	for _, e := range r.Sim.Edges(names...) {
		level := "off"
		if e.Active {
			level = "on"
		}
		log = fmt.Appendf(log, "%v %s %s\n", e.At, e.Name, level)
	}
	return string(log)
}
