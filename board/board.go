package board

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// heartbeat is how often Run reads inputs that report no edges: some kernels (6.1) do not wake the reader of
// a chip that vanishes.
const heartbeat = 5 * time.Second

// Board is a set of requested lines. Its methods may be called by several goroutines.
type Board struct {
	lines  lines
	sim    *Sim
	byLine []*debouncer // indexed by line; nil: an output
	relays map[string]*relay
	lamps  map[string]*lamp

	mu      sync.Mutex
	running chan struct{} // closed when Run has returned; nil: Run is not running
	closed  bool
}

// Open requests the lines of c, outputs at their inactive level, and starts nothing. A busy line is a
// [*BusyError]. A lamp whose line cannot be had is left out, as bells and doors matter more: see [Board.Lamps].
func Open(c Config) (*Board, error) {
	if c.Sim {
		return NewSim().Open(c)
	}
	if errs := c.validate(); errs != nil {
		return nil, errors.Join(errs...)
	}
	chips, err := Chips()
	if err != nil {
		return nil, err
	}
	c = c.relabelled(chips, false)
	if c, err = c.placeable(chips); err != nil {
		return nil, err
	}
	dev, err := newChardev(chips, c.Keeper, c.logger())
	if err != nil {
		return nil, err
	}
	dev.retain(c.requests())
	return open(c, dev)
}

// open requests the lines of a valid c from l, which it closes on errors.
func open(c Config, l lines) (*Board, error) {
	b := &Board{lines: l, relays: map[string]*relay{}, lamps: map[string]*lamp{}}
	ids, log := map[string]int{}, c.logger()
	for _, r := range c.requests() {
		id, err := l.request(r)
		if err != nil && r.kind == "lamp" {
			tellDark(log, r, err)
			continue
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("board: request %s %q: %w", r.kind, r.name, err), l.close())
		}
		ids[r.name] = id
	}
	for _, o := range c.Relays {
		b.relays[o.Name] = &relay{name: o.Name, line: ids[o.Name], lines: l, maxOn: o.MaxOn, log: log}
	}
	for _, o := range c.Lamps {
		if id, ok := ids[o.Name]; ok {
			b.lamps[o.Name] = &lamp{name: o.Name, line: id, lines: l}
		}
	}
	b.byLine = make([]*debouncer, len(ids))
	for _, in := range c.Inputs {
		b.byLine[ids[in.Name]] = newDebouncer(in)
	}
	for line, d := range b.byLine {
		if d == nil {
			continue
		}
		if err := b.read(line, func(level bool, at time.Duration) { d.level, d.levelAt, d.found = level, at, true }); err != nil {
			return nil, errors.Join(err, l.close())
		}
	}
	return b, nil
}

func (c Config) logger() *slog.Logger {
	if c.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Log.With("part", "board")
}

// Run posts the level that every input had at Open (a second Run: has), then its changes, until ctx ends
// (nil), the board is closed ([ErrClosed]) or a line is gone. post is called by one goroutine, in the order
// of time on each input; it must neither wait nor close the board.
func (b *Board) Run(ctx context.Context, post func(Event)) error {
	done := make(chan struct{})
	if err := b.enter(done); err != nil {
		return err
	}
	defer b.leave(done)
	defer context.AfterFunc(ctx, b.lines.wake)()

	for line, d := range b.byLine {
		switch {
		case d == nil:
		case d.found:
			d.begin(d.level, d.levelAt, post) // what was pressed since the lines are held is a press
		default:
			if err := b.read(line, func(level bool, at time.Duration) { d.begin(level, at, post) }); err != nil {
				return err
			}
		}
	}
	beat := b.lines.now() + heartbeat
	var edges []edge
	for ctx.Err() == nil {
		if b.isClosed() {
			return fmt.Errorf("board: run: %w", ErrClosed)
		}
		until := beat
		for _, d := range b.byLine {
			if d != nil {
				until = d.due(until)
			}
		}
		var err error
		if edges, err = b.lines.edges(until, edges[:0]); err != nil {
			return fmt.Errorf("board: run: %w", err)
		}
		for _, e := range edges {
			b.byLine[e.line].edge(e.active, e.at, post)
		}
		now := b.lines.now()
		for line, d := range b.byLine {
			if d == nil {
				continue
			}
			if d.settles(now) || now >= beat && !d.open {
				if err := b.read(line, func(level bool, at time.Duration) { d.settle(level, at, post) }); err != nil {
					return err
				}
			}
			d.stuck(now, post)
		}
		if now >= beat {
			beat = now + heartbeat
		}
	}
	return nil
}

// read takes the time before the level: an edge stamped earlier is then surely part of the level.
func (b *Board) read(line int, take func(level bool, at time.Duration)) error {
	at := b.lines.now()
	level, err := b.lines.get(line)
	if err != nil {
		return fmt.Errorf("board: read input %q: %w", b.byLine[line].name, err)
	}
	take(level, at)
	return nil
}

// Inputs lists the names of the inputs that the board has, each of which Run posts an initial level of.
func (b *Board) Inputs() []string {
	var names []string
	for _, d := range b.byLine {
		if d != nil {
			names = append(names, d.name)
		}
	}
	return names
}

// Lamps lists the names of the lamps whose lines could be had, sorted.
func (b *Board) Lamps() []string { return slices.Sorted(maps.Keys(b.lamps)) }

// Relay is the relay of that name; an unknown one answers every call with an error.
func (b *Board) Relay(name string) Relay {
	if r, ok := b.relays[name]; ok {
		return r
	}
	return noOutput{"relay", name}
}

// Lamp is the lamp of that name; an unknown one, and one whose line could not be had, answers every call with an error.
func (b *Board) Lamp(name string) Lamp {
	if l, ok := b.lamps[name]; ok {
		return l
	}
	return noOutput{"lamp", name}
}

// Sim is the simulated hardware under the board, nil under a real one.
func (b *Board) Sim() *Sim { return b.sim }

// Close releases every relay, switches the lamps off, waits for Run to return and gives the lines back.
func (b *Board) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	running := b.running
	b.mu.Unlock()

	var errs []error
	for _, r := range b.relays {
		errs = append(errs, r.close())
	}
	for _, l := range b.lamps {
		errs = append(errs, l.close())
	}
	b.lines.wake()
	if running != nil {
		<-running
	}
	return errors.Join(append(errs, b.lines.close())...)
}

func (b *Board) enter(done chan struct{}) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return fmt.Errorf("board: run: %w", ErrClosed)
	case b.running != nil:
		return errors.New("board: run: it runs already")
	}
	b.running = done
	return nil
}

func (b *Board) leave(done chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running = nil
	close(done)
}

func (b *Board) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// ReleaseAll drives the relays and lamps of c to their inactive level and gives the lines back: for systemd's
// ExecStopPost, after a process was killed while a relay was on. A line that cannot be had does not keep the
// others from being released.
func ReleaseAll(c Config) error {
	if c.Sim {
		return nil
	}
	chips, err := Chips()
	if err != nil {
		return err
	}
	dev, err := newChardev(chips, nil, c.logger())
	if err != nil {
		return err
	}
	return releaseAll(c.relabelled(chips, true).distinct(chips), dev)
}

// distinct leaves out outputs that are on an earlier one's line, by whatever name: the first has it.
func (c Config) distinct(chips []Chip) Config {
	seen := map[*Line]bool{}
	again := func(o Output) bool {
		at, err := find(chips, o.Line)
		if err != nil {
			return false // to be told when it is requested
		}
		defer func() { seen[at.line] = true }()
		return seen[at.line]
	}
	c.Relays = slices.DeleteFunc(slices.Clone(c.Relays), again)
	c.Lamps = slices.DeleteFunc(slices.Clone(c.Lamps), again)
	return c
}

func releaseAll(c Config, l lines) error {
	var errs []error
	for _, r := range c.requests() {
		if !r.output {
			continue
		}
		if _, err := l.request(r); err != nil {
			errs = append(errs, fmt.Errorf("board: release %s %q: %w", r.kind, r.name, err))
		}
	}
	return errors.Join(append(errs, l.close())...)
}
