package board

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
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

// placeable leaves out the lamps whose lines are not among the chips. A bell's, input's or relay's line that
// is not there is an error.
func (c Config) placeable(chips []Chip) (Config, error) {
	if _, errs := place(chips, c.requests()); errs == nil {
		return c, nil
	}
	lamps := c.Lamps
	c.Lamps = nil
	if _, errs := place(chips, c.requests()); errs != nil {
		return c, errors.Join(errs...)
	}
	for _, o := range lamps {
		with := c
		with.Lamps = append(slices.Clone(c.Lamps), o)
		if _, errs := place(chips, with.requests()); errs != nil {
			tellDark(c.logger(), request{name: o.Name, line: o.Line}, errors.Join(errs...))
			continue
		}
		c = with
	}
	return c, nil
}

// tellDark tells that a lamp stays dark.
func tellDark(log *slog.Logger, r request, err error) {
	log.Error("lamp's line cannot be had, the lamp stays dark", "lamp", r.name, "line", r.line,
		"remedy", "free the line in config.txt if a peripheral owns it (I2S sound, serial console, SPI), or take another", "err", err)
}
