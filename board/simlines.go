package board

import (
	"fmt"
	"slices"
	"syscall"
	"time"
)

// simLines is the kernel's side of a Sim for one board: like a process, it holds lines and has queues of
// edges.
type simLines struct {
	sim   *Sim
	ready chan struct{} // holds a token when edges is to return

	// Guarded by sim.mu.
	held    []*wire // by line; nil: dropped, or gone with the chip
	waiting []edge
	dropped bool // the lines were taken away
}

func (l *simLines) look() {}

func (l *simLines) request(r request) (int, error) {
	s := l.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return 0, s.broken
	}
	if err := s.refused[r.line]; err != nil {
		return 0, err
	}
	w := s.wire(r.line)
	if w.owner != nil {
		return 0, &BusyError{Line: r.line, Consumer: consumer + w.name}
	}
	if w.name != r.name {
		w.name, w.seq = r.name, 0
	}
	w.owner, w.line, w.output, w.activeLow = l, len(l.held), r.output, r.activeLow
	s.byName[r.name] = w
	if !w.touched { // outside pulls hold every wire at rest
		w.high, w.touched = r.activeLow, true
	}
	l.held = append(l.held, w)
	if r.output {
		s.drive(w, false)
	}
	return w.line, nil
}

func (l *simLines) drop(line int) {
	l.sim.mu.Lock()
	defer l.sim.mu.Unlock()
	if w := l.held[line]; w != nil {
		w.owner = nil
	}
	l.held[line] = nil
	l.waiting = slices.DeleteFunc(l.waiting, func(e edge) bool { return e.line == line })
}

func (l *simLines) gone(line int) error {
	l.sim.mu.Lock()
	defer l.sim.mu.Unlock()
	_, err := l.wire(line)
	return err
}

// wire is the wire behind a line that can still be used. sim.mu is held.
func (l *simLines) wire(line int) (*wire, error) {
	switch {
	case l.dropped:
		return nil, syscall.EBADF
	case l.sim.broken != nil:
		return nil, l.sim.broken
	case l.held[line] == nil:
		return nil, syscall.ENODEV
	}
	return l.held[line], nil
}

func (l *simLines) get(line int) (bool, error) {
	l.sim.mu.Lock()
	defer l.sim.mu.Unlock()
	w, err := l.wire(line)
	if err != nil {
		return false, err
	}
	if w.output {
		return false, fmt.Errorf("line of %q: an output is not read: %w", w.name, syscall.EPERM)
	}
	return w.high != w.activeLow, nil
}

func (l *simLines) set(line int, active bool) error {
	l.sim.mu.Lock()
	defer l.sim.mu.Unlock()
	w, err := l.wire(line)
	if err != nil {
		return err
	}
	if !w.output {
		return fmt.Errorf("line of %q: an input is not set: %w", w.name, syscall.EPERM)
	}
	if err := l.sim.fails(w, active); err != nil {
		return fmt.Errorf("line of %q: %w", w.name, err)
	}
	l.sim.drive(w, active)
	return nil
}

// lease does nothing: simulated relays have no Keeper.
func (l *simLines) lease(int, time.Duration) {}

func (l *simLines) edges(until time.Duration, into []edge) ([]edge, error) {
	into, err := l.take(into)
	wait := until - l.now()
	if err != nil || len(into) > 0 || wait <= 0 {
		return into, err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-l.ready:
	case <-timer.C:
	}
	return l.take(into)
}

func (l *simLines) take(into []edge) ([]edge, error) {
	l.sim.mu.Lock()
	defer l.sim.mu.Unlock()
	into = append(into, l.waiting...)
	l.waiting = l.waiting[:0]
	if l.dropped {
		return into, syscall.EBADF
	}
	return into, nil
}

func (l *simLines) wake() {
	select {
	case l.ready <- struct{}{}:
	default: // one token is enough: edges takes all there is
	}
}

func (l *simLines) now() time.Duration { return time.Since(l.sim.start) }

// close leaves the wires as they are: an output stays driven on kernels without strict_gpiod.
func (l *simLines) close() error {
	l.sim.mu.Lock()
	defer l.sim.mu.Unlock()
	for _, w := range l.held {
		if w != nil && w.owner == l {
			w.owner = nil
		}
	}
	l.dropped = true
	return nil
}

// queue is what an interrupt does: of more than eventBuffer edges the oldest are lost, per line in the
// kernel, here of all. sim.mu is held.
func (l *simLines) queue(e edge) {
	if len(l.waiting) == eventBuffer {
		l.waiting = append(l.waiting[:0], l.waiting[1:]...)
	}
	l.waiting = append(l.waiting, e)
	l.wake()
}

// kill takes all lines away. sim.mu is held.
func (l *simLines) kill() {
	l.dropped = true
	l.wake()
}

// unplug takes one line away with its chip. sim.mu is held.
func (l *simLines) unplug(line int) {
	if !l.held[line].output {
		l.queue(edge{line: line, err: syscall.ENODEV})
	}
	l.held[line] = nil
}
