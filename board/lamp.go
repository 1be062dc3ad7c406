package board

import (
	"fmt"
	"sync"
)

// Lamp is an output without a lease. It may be used by several goroutines.
type Lamp interface {
	Set(on bool) error
}

type lamp struct {
	name string

	mu sync.Mutex
	output
	closed bool
}

func (l *lamp) Set(on bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.switched(on)
}

func (l *lamp) switched(on bool) error {
	err := ErrClosed
	if !l.closed {
		err = l.set(on)
	}
	if err != nil {
		return fmt.Errorf("board: set lamp %q: %w", l.name, err)
	}
	return nil
}

// close switches the lamp off: it shows the state of a program that ends.
func (l *lamp) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() { l.closed = true }()
	if l.why != nil {
		return nil
	}
	return l.switched(false)
}

// take is relay.take.
func (l *lamp) take(line int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.output.take(line)
	return true
}

// vanished is relay.vanished.
func (l *lamp) vanished() (line int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, nil
	}
	return l.output.vanished()
}

// absent is relay.absent.
func (l *lamp) absent(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.why = why
}
