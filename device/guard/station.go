package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"portero/board"
	"portero/device/systemd"
)

const (
	greetTakes = 5 * time.Second // the guard's first messages lie in the socket when a station is started
	dropTakes  = time.Second
)

// Station is the station's end. It is a board.Keeper from New on; Run keeps a guard beside the station.
type Station struct {
	launch     func() (g *end, start func() error, err error) // a guard's end of the socket, and what then starts it
	lock       func()                                         // locks the station's memory, once
	deenergize func(fd int) error
	close      func(fd int)

	ready     chan struct{} // closed when the first guard may be started
	readyOnce sync.Once
	armed     chan struct{} // closed when it stands there, or could not be started
	armedOnce sync.Once
	ended     string // how the station before this one ended; "": there was none
	given     []byte // the settings of the station before

	mu       sync.Mutex
	log      *slog.Logger
	format   string                     // of the guards' logs: "text" or "json"
	guard    *end                       // nil: there is none
	left     map[string]int             // lines of the station before, by key
	kept     map[string]int             // lines that a guard is to hold: the board's own descriptors
	tense    map[string]time.Time       // until when relays are energised at most
	settings []byte                     // what a later station is given
	drops    map[string]chan<- struct{} // answers that Drop waits for
	watch    *time.Timer                // fires when the guard is silent
	heard    bool                       // the guard has said something
	loop     bool                       // Alive was called
}

// New is the station's end; a station that a guard has started takes what the one before has left. It starts
// nothing.
func New() (*Station, error) {
	return newStation(board.Deenergize, slog.New(slog.NewTextHandler(systemd.NewStderr(), nil)))
}

func newStation(deenergize func(fd int) error, log *slog.Logger) (*Station, error) {
	s := newStationEnd(deenergize, log)
	l := &launcher{end: s}
	s.launch, s.lock = l.launch, sync.OnceFunc(l.lock)
	if os.Getenv(roleKey) != stationRole {
		return s, nil
	}
	rename("portero")
	l.again = true
	p, pid, err := inherited()
	if err != nil {
		return nil, err
	}
	return s, s.greeted(p.open(parentProcess(pid)))
}

func newStationEnd(deenergize func(fd int) error, log *slog.Logger) *Station {
	return &Station{log: log, deenergize: deenergize, ready: make(chan struct{}), armed: make(chan struct{}), lock: func() {}, left: map[string]int{}, kept: map[string]int{}, tense: map[string]time.Time{},
		drops: map[string]chan<- struct{}{}, close: func(fd int) { _ = unix.Close(fd) }}
}

// greeted takes what the guard gives to a station that it has started.
func (s *Station) greeted(g *end) error {
	late := time.After(greetTakes)
	for {
		select {
		case m, ok := <-g.in:
			switch {
			case !ok:
				return errors.New("guard: it ended before it had given the station before's lines")
			case m.Kind == keep:
				s.left[m.Line] = m.fd
			case m.Kind == settings:
				s.given, s.settings = m.Data, m.Data
			case m.Kind == begin:
				s.ended, s.guard = string(m.Data), g
				return nil
			}
		case <-late:
			return fmt.Errorf("guard: it has not given the station before's lines within %v", greetTakes)
		}
	}
}

// SetLog has the station's end, and the guards that it starts from now on, write as the configuration asks:
// format is "text" or "json".
func (s *Station) SetLog(log *slog.Logger, format string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log, s.format = log, format
}

func (s *Station) logger() (log *slog.Logger, format string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log, s.format
}

// Before says how the station ended that this one replaces; "": none did.
func (s *Station) Before() string { return s.ended }

// Settings are those of the station that this one replaces, for the case that their file cannot be read; nil:
// there are none.
func (s *Station) Settings() []byte { return s.given }

// Run keeps a guard beside the station until ctx ends, which says that the station ends as it was told to.
func (s *Station) Run(ctx context.Context) error {
	if s.present() == nil {
		select {
		case <-s.ready:
		case <-ctx.Done():
			return nil
		}
		s.lock() // before the guard: it shares the pages, and the card may fail at any time
	} else {
		go s.lock() // the guard waits for signs of life; the lock ends by itself
	}
	for brief := 0; ; { // how many guards in a row failed to start, or lived briefly
		began := time.Now()
		if s.present() == nil {
			if err := s.call(); err != nil {
				log, _ := s.logger()
				log.Error("guard not started", "part", "guard", "loss", "a relay may stay energised if the station is killed", "err", err)
			}
		}
		s.armedOnce.Do(func() { close(s.armed) })
		if s.present() != nil && s.attend(ctx) {
			return nil
		}
		if time.Since(began) > shortLife {
			brief = 0
		}
		select {
		case <-time.After(time.Duration(brief) * time.Second): // the first is replaced at once
		case <-ctx.Done():
			return nil
		}
		brief = min(brief+1, 60)
	}
}

// Armed is closed when the guard stands beside the station, with all that it needs in locked memory, or when
// that has failed and was told. Before that the loss of the disk may still do harm.
func (s *Station) Armed() <-chan struct{} { return s.armed }

// Ready lets Run start the first guard: it costs the start of the station nothing.
func (s *Station) Ready() { s.readyOnce.Do(func() { close(s.ready) }) }

func (s *Station) present() *end {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.guard
}

// call starts a guard and hands it everything.
func (s *Station) call() error {
	g, start, err := s.launch()
	if err != nil {
		return err
	}
	if err = s.handOver(g); err == nil {
		err = start()
	}
	if err != nil {
		g.close()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.guard = nil
		return err
	}
	log, _ := s.logger()
	log.Info("guard started", "part", "guard")
	return nil
}

// handOver says to a guard what it is to know, and makes it the station's: what changes from then on is said
// to it as well.
func (s *Station) handOver(g *end) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for key, fd := range s.kept {
		left := max(0, time.Until(s.tense[key]))
		err = errors.Join(err, g.send(message{Kind: keep, Line: key, For: left, fd: fd}))
	}
	if s.settings != nil {
		err = errors.Join(err, g.send(message{Kind: settings, Data: s.settings}))
	}
	if s.loop {
		err = errors.Join(err, g.send(message{Kind: alive}))
	}
	if err == nil {
		s.guard = g
	}
	return err
}

// attend answers the guard until it is lost (false) or ctx ends (true).
func (s *Station) attend(ctx context.Context) (done bool) {
	g := s.present()
	s.mu.Lock()
	s.watch, s.heard = time.NewTimer(silentLong), false
	silence := s.watch.C
	s.mu.Unlock()
	for {
		select {
		case m, ok := <-g.in:
			if !ok {
				s.lose(g, "it ended")
				return false
			}
			s.answer(g, m)
		case <-silence:
			select { // a station that was late itself hears first
			case m, ok := <-g.in:
				if ok {
					s.answer(g, m)
					continue
				}
				s.lose(g, "it ended")
			default:
				s.lose(g, "it is silent")
			}
			return false
		case <-ctx.Done():
			_ = g.send(message{Kind: bye})
			return true
		}
	}
}

func (s *Station) answer(g *end, m message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = true
	s.expect()
	switch m.Kind {
	case ping:
		_ = g.send(message{Kind: pong})
	case drop:
		if answer := s.drops[m.Line]; answer != nil {
			close(answer)
			delete(s.drops, m.Line)
		}
	}
}

// expect has the guard's next sign of life come in time. s.mu is held.
func (s *Station) expect() {
	if s.watch == nil || !s.heard { // one that starts is given its time, and no more
		return
	}
	now := time.Now()
	maps.DeleteFunc(s.tense, func(_ string, until time.Time) bool { return !now.Before(until) })
	if len(s.tense) > 0 {
		s.watch.Reset(silentTense)
	} else {
		s.watch.Reset(silentLong)
	}
}

// lose gives a guard up, and releases the relays: nobody watches them until there is another.
func (s *Station) lose(g *end, how string) {
	_ = g.kill(os.Kill)
	g.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.Error("guard lost", "part", "guard", "how", how)
	s.guard, s.watch = nil, nil
	for key, fd := range s.kept {
		if err := s.deenergize(fd); err != nil {
			s.log.Error("relay release failed", "part", "guard", "line", key, "err", err) // its lease goes on to its end
		}
	}
	clear(s.tense)
	for line, answer := range s.drops {
		close(answer) // with the guard its duplicates are gone
		delete(s.drops, line)
	}
}

// say tells the guard something, if there is one. s.mu is held.
func (s *Station) say(m message) {
	if s.guard != nil {
		_ = s.guard.send(m) // a guard that takes nothing is silent, too
	}
}

// Alive tells that the station's loop goes on. Once told, it has to come again within 8 s.
func (s *Station) Alive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loop = true
	s.say(message{Kind: alive})
}

// Save has data be the Settings of a station that replaces this one.
func (s *Station) Save(data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settings = data
	s.say(message{Kind: settings, Data: data})
}

// Retain is board.Keeper's.
func (s *Station) Retain(keys []string) {
	s.mu.Lock()
	var gone []string
	for key := range s.left {
		if !slices.Contains(keys, key) {
			gone = append(gone, key)
		}
	}
	s.mu.Unlock()
	for _, key := range gone {
		if fd, ok := s.Take(key); ok {
			s.close(fd)
			if err := s.Drop(key); err != nil {
				log, _ := s.logger()
				log.Warn("line of the station before not given up", "part", "guard", "line", key, "err", err)
			}
		}
	}
}

// Take is board.Keeper's.
func (s *Station) Take(key string) (fd int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fd, ok = s.left[key]; ok {
		delete(s.left, key)
		s.kept[key] = fd
	}
	return fd, ok
}

// Keep is board.Keeper's.
func (s *Station) Keep(key string, fd int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[key] = fd
	if s.guard == nil {
		return nil // the next one gets it
	}
	return s.guard.send(message{Kind: keep, Line: key, fd: fd})
}

// Drop is board.Keeper's.
func (s *Station) Drop(key string) error {
	s.mu.Lock()
	delete(s.kept, key)
	delete(s.tense, key)
	if s.guard == nil {
		s.mu.Unlock()
		return nil
	}
	answer := make(chan struct{})
	s.drops[key] = answer
	err := s.guard.send(message{Kind: drop, Line: key})
	s.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case <-answer:
		return nil
	case <-time.After(dropTakes):
		return fmt.Errorf("guard: drop line %q: no answer within %v", key, dropTakes)
	}
}

// Lease is board.Keeper's.
func (s *Station) Lease(key string, atMost time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.tense)
	if atMost > 0 {
		s.tense[key] = time.Now().Add(atMost)
	} else {
		delete(s.tense, key)
	}
	s.say(message{Kind: lease, Line: key, For: atMost})
	if before == 0 && len(s.tense) > 0 {
		s.expect()
	}
}
