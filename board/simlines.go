package board

import (
	"fmt"
	"syscall"
	"time"
)

// simLines is the kernel's side of a Sim for one board: like a process, it holds lines and has queues of
// edges.
type simLines struct {
	sim   *Sim
	ready chan struct{} // holds a token when edges is to return

	// Guarded by sim.mu.
	held    []*wire // by line
	waiting []edge
	dropped bool // the lines were taken away
}

func (l *simLines) request(r request) (int, error) {
	s := l.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return 0, s.broken
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

func (l *simLines) get(line int) (bool, error) {
	l.sim.mu.Lock()
	defer l.sim.mu.Unlock()
	if err := l.gone(); err != nil {
		return false, err
	}
	w := l.held[line]
	if w.output {
		return false, fmt.Errorf("line of %q: an output is not read: %w", w.name, syscall.EPERM)
	}
	return w.high != w.activeLow, nil
}

func (l *simLines) set(line int, active bool) error {
	l.sim.mu.Lock()
	defer l.sim.mu.Unlock()
	if err := l.gone(); err != nil {
		return err
	}
	w := l.held[line]
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
	return into, l.gone()
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
		if w.owner == l {
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

// drop takes the lines away. sim.mu is held.
func (l *simLines) drop() {
	l.dropped = true
	l.wake()
}

// gone says whether the lines can still be used. sim.mu is held.
func (l *simLines) gone() error {
	if l.dropped {
		return syscall.EBADF
	}
	return l.sim.broken
}
