package board

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"
)

// simLog is how many edges a Sim remembers.
const simLog = 4096

// Edge is one change of a wire of the simulated hardware.
type Edge struct {
	Name   string        // of the input, relay or lamp
	Active bool          // pressed; energised, lit
	High   bool          // the voltage
	At     time.Duration // since NewSim
	Seq    int           // counts the edges of this Name from 1
}

// Sim is simulated hardware: wires that keep their levels while boards come and go on it, as those of a real
// one do. Its methods may be called by several goroutines. In a synctest bubble, make it there.
type Sim struct {
	start time.Time

	mu     sync.Mutex
	wires  map[string]*wire // by Line
	byName map[string]*wire // as the latest Open named them
	log    []Edge           // a ring once it is full
	next   int              // where the ring goes on
	moved  chan struct{}    // closed at the next edge; nil: nobody waits
	broken error            // the chip is gone
	faults []*fault

	refused map[string]error // by Line: requests
}

type wire struct {
	name      string
	owner     *simLines // nil: not requested
	line      int
	output    bool
	activeLow bool
	high      bool
	touched   bool // high means something: it was requested, pressed or pulled before
	seq       int
}

// fault makes the kernel refuse the calls number from, from+1, ... of those that set a line to a level.
type fault struct {
	name   string
	active bool
	from   int
	times  int // < 0: for ever
	err    error
}

// NewSim makes hardware on which every Line exists and no input is active.
func NewSim() *Sim {
	return &Sim{start: time.Now(), wires: map[string]*wire{}, byName: map[string]*wire{}, log: make([]Edge, 0, simLog),
		refused: map[string]error{}}
}

// Open opens a board on this hardware; c.Sim does not matter. The board before must be closed, or its process
// killed ([Sim.Kill]).
func (s *Sim) Open(c Config) (*Board, error) {
	if errs := c.validate(); errs != nil {
		return nil, errors.Join(errs...)
	}
	b, err := open(c, s.kernel())
	if err != nil {
		return nil, err
	}
	b.sim = s
	return b, nil
}

// Kill takes the lines from the board as SIGKILL takes them from its process: nothing is released, and calls
// on the board fail.
func (s *Sim) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.wires {
		if w.owner != nil {
			w.owner.kill()
			w.owner = nil
		}
	}
}

// ReleaseAll is the package's ReleaseAll on this hardware.
func (s *Sim) ReleaseAll(c Config) error { return releaseAll(c, s.kernel()) }

// Press sets an input's contact active or not. Without a change of level nothing happens.
func (s *Sim) Press(input string, active bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.byName[input]
	if w == nil || w.output {
		return fmt.Errorf("board: sim: press: no input named %q", input)
	}
	s.drive(w, active)
	return nil
}

// Level says whether an input, relay or lamp is active; false if it is unknown.
func (s *Sim) Level(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.byName[name]
	return w != nil && w.high != w.activeLow
}

// Pull sets the voltage of a Line that nobody has requested: the relay module's own pull-up, a button held at
// power-on.
func (s *Sim) Pull(line string, high bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.wire(line)
	if w.owner != nil {
		return fmt.Errorf("board: sim: pull line %q: %q holds it", line, w.name)
	}
	w.high, w.touched = high, true
	return nil
}

// Edges lists the latest edges (of inputs, relays and lamps, at most 4096) in their order; names, if given,
// choose.
func (s *Sim) Edges(names ...string) []Edge {
	s.mu.Lock()
	defer s.mu.Unlock()
	ordered := slices.Concat(s.log[s.next:], s.log[:s.next])
	return slices.DeleteFunc(ordered, func(e Edge) bool { return len(names) > 0 && !slices.Contains(names, e.Name) })
}

// WaitEdge waits for the edge number seq (from 1) of name.
func (s *Sim) WaitEdge(ctx context.Context, name string, seq int) (Edge, error) {
	for {
		s.mu.Lock()
		for _, e := range s.log {
			if e.Name == name && e.Seq == seq {
				s.mu.Unlock()
				return e, nil
			}
		}
		if s.moved == nil {
			s.moved = make(chan struct{})
		}
		moved := s.moved
		s.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return Edge{}, fmt.Errorf("board: sim: wait for edge %d of %q: %w", seq, name, ctx.Err())
		}
	}
}

// Fail has the kernel refuse, with EIO, to set the output: the calls that set it to active, from the nth on
// (1: the next), as many as times says (< 0: for ever). A refused call moves nothing.
func (s *Sim) Fail(output string, active bool, nth, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &fault{name: output, active: active, from: nth, times: times, err: syscall.EIO})
}

// Heal ends all faults.
func (s *Sim) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Refuse has the kernel refuse requests of a Line with an error, such as a [*BusyError]: another program holds
// it, a peripheral owns its pin, it is not there. nil: it can be had.
func (s *Sim) Refuse(line string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused[line] = err
}

// Unplug removes the chip: every call on its lines fails with ENODEV from now on, and the wires stay as they are.
func (s *Sim) Unplug() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = syscall.ENODEV
	for _, w := range s.wires {
		if w.owner != nil {
			w.owner.unplug(w.line)
			w.owner = nil
		}
	}
}

// Plug brings the chip back: lines can be requested anew.
func (s *Sim) Plug() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = nil
}

func (s *Sim) wire(line string) *wire {
	w := s.wires[line]
	if w == nil {
		w = &wire{}
		s.wires[line] = w
	}
	return w
}

// drive sets a wire to a logical level. s.mu is held.
func (s *Sim) drive(w *wire, active bool) {
	high := active != w.activeLow
	if w.touched && w.high == high {
		return
	}
	w.high, w.touched = high, true
	w.seq++
	e := Edge{Name: w.name, Active: active, High: high, At: time.Since(s.start), Seq: w.seq}
	if len(s.log) < simLog {
		s.log = append(s.log, e)
	} else {
		s.log[s.next] = e
		s.next = (s.next + 1) % simLog
	}
	if s.moved != nil {
		close(s.moved)
		s.moved = nil
	}
	if w.owner != nil && !w.output {
		w.owner.queue(edge{line: w.line, active: active, at: e.At})
	}
}

// fails counts a call down and says how it ends. s.mu is held.
func (s *Sim) fails(w *wire, active bool) error {
	for _, f := range s.faults {
		if f.name != w.name || f.active != active {
			continue
		}
		if f.from > 1 {
			f.from--
			continue
		}
		if f.times != 0 {
			f.times--
			return f.err
		}
	}
	return nil
}

func (s *Sim) kernel() *simLines { return &simLines{sim: s, ready: make(chan struct{}, 1)} }
