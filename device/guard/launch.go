package guard

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
)

// launcher starts guards.
type launcher struct {
	end   *Station
	again bool // something has failed before: nothing of the disk is to be needed

	mu   sync.Mutex
	prog *program // nil: not mapped
}

// launch makes the socket of a guard. What is said before start lies there, and is read even if the station dies meanwhile.
func (l *launcher) launch() (g *end, start func() error, err error) {
	if err := l.load(); err != nil {
		return nil, nil, err
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, nil, err
	}
	var process atomic.Pointer[os.Process]
	g = ours.open(func(sig os.Signal) error {
		if p := process.Load(); p != nil {
			return p.Signal(sig)
		}
		return os.ErrProcessDone
	})
	return g, func() error {
		p, err := l.start(theirs)
		if err = errors.Join(err, theirs.Close()); err != nil {
			return err
		}
		process.Store(p)
		go func() { _, _ = p.Wait() }() // how it ended does not matter: only that it is gone
		return nil
	}, nil
}

func (l *launcher) start(theirs *os.File) (*os.Process, error) {
	_, format := l.end.logger()
	p, err := l.prog.start(guardRole, format, theirs, l.again)
	if err != nil && !l.again {
		p, err = l.prog.start(guardRole, format, theirs, true)
	}
	l.again = true
	return p, err
}

// load maps the program, once that works.
func (l *launcher) load() (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.prog == nil {
		l.prog, err = mapProgram()
	}
	return err
}

// lock reads the program from the card, if it has to, and locks it. From a slow card that takes a while.
func (l *launcher) lock() {
	err := l.load()
	if err == nil {
		err = l.prog.lock()
	}
	if err != nil {
		log, _ := l.end.logger()
		log.Warn("station memory not locked", "part", "guard", "loss", "a card that fails may stop the station",
			"remedy", "LimitMEMLOCK=infinity in the unit", "err", err)
	}
}
