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
	name  string
	line  int
	lines lines

	mu     sync.Mutex
	closed bool
}

func (l *lamp) Set(on bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.set(on)
}

func (l *lamp) set(on bool) error {
	err := ErrClosed
	if !l.closed {
		err = l.lines.set(l.line, on)
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
	err := l.set(false)
	l.closed = true
	return err
}
