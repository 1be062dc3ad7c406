package board

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// heartbeat is how often Run reads inputs that report no edges: some kernels (6.1) do not wake the reader of
// a chip that vanishes.
const heartbeat = 5 * time.Second

// Board is a set of requested lines. Its methods may be called by several goroutines.
type Board struct {
	lines  lines
	sim    *Sim
	late   bool
	byName map[string]request // all lines of the configuration
	rank   map[string]int     // their order
	inputs map[string]*debouncer
	relays map[string]*relay
	lamps  map[string]*lamp
	doubt  atomic.Bool // a relay's or lamp's chip seems to have gone

	// Run's.
	outputs map[string]vanishing // relays and lamps
	byLine  []*debouncer         // indexed by line; nil: an output, or not held
	lost    []*lost              // in the order of requests
	pause   time.Duration        // between the tries for them
	again   time.Duration        // when the next is due

	mu      sync.Mutex
	running chan struct{} // closed when Run has returned; nil: Run is not running
	closed  bool
}

// vanishing is a relay or a lamp.
type vanishing interface {
	vanished() (line int, err error)
	absent(why error)
}

// Open requests the lines of c, outputs at their inactive level, and starts nothing. A line that cannot be had
// is an error, a busy one a [*BusyError], unless c is Late or it is a lamp's, as bells and doors matter more.
func Open(c Config) (*Board, error) {
	if c.Sim {
		return NewSim().Open(c)
	}
	if errs := c.validate(); errs != nil {
		return nil, errors.Join(errs...)
	}
	dev, err := newChardev(c, listChips)
	if err != nil {
		return nil, err
	}
	dev.retain()
	return open(c, dev)
}

// open requests the lines of a valid c from l, which it closes on errors.
func open(c Config, l lines) (*Board, error) {
	b := &Board{lines: l, late: c.Late, byName: map[string]request{}, rank: map[string]int{}, inputs: map[string]*debouncer{},
		relays: map[string]*relay{}, lamps: map[string]*lamp{}, outputs: map[string]vanishing{}}
	log := c.logger()
	none := output{why: errors.New("it was not asked for yet"), lines: l, doubt: func() { b.doubt.Store(true); l.wake() }}
	for _, in := range c.Inputs {
		b.inputs[in.Name] = newDebouncer(in)
	}
	for _, o := range c.Relays {
		b.relays[o.Name] = &relay{name: o.Name, maxOn: o.MaxOn, log: log, output: none}
		b.outputs[o.Name] = b.relays[o.Name]
	}
	for _, o := range c.Lamps {
		b.lamps[o.Name] = &lamp{name: o.Name, output: none}
		b.outputs[o.Name] = b.lamps[o.Name]
	}
	for i, r := range c.requests() {
		b.byName[r.name], b.rank[r.name] = r, i
		err := b.have(r)
		switch {
		case err == nil:
		case c.Late || r.kind == "lamp":
			b.missing(r, false, err)
		default:
			return nil, errors.Join(fmt.Errorf("board: request %s %q: %w", r.kind, r.name, err), l.close())
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
// (nil), the board is closed ([ErrClosed]) or a line is gone. On a Late board it posts what is lost and what is
// had again instead, and goes on. post is called by one goroutine, in the order of time on each input; it must
// neither wait nor close the board.
func (b *Board) Run(ctx context.Context, post func(Event)) error {
	done := make(chan struct{})
	if err := b.enter(done); err != nil {
		return err
	}
	defer b.leave(done)
	defer context.AfterFunc(ctx, b.lines.wake)()

	for _, l := range b.lost {
		l.told = false
	}
	b.tellLost(post)
	for line, d := range b.byLine {
		switch {
		case d == nil:
		case d.found:
			d.begin(d.level, d.levelAt, post) // what was pressed since the lines are held is a press
		default:
			if err := b.look(line, func(level bool, at time.Duration) { d.begin(level, at, post) }); err != nil {
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
		var err error
		if edges, err = b.lines.edges(b.due(beat), edges[:0]); err != nil {
			return fmt.Errorf("board: run: %w", err)
		}
		for _, e := range edges {
			switch d := b.byLine[e.line]; {
			case d == nil: // lost since
			case e.err == nil:
				d.edge(e.active, e.at, post)
			default:
				if err := b.loses(e.line, e.err); err != nil {
					return err
				}
			}
		}
		now := b.lines.now()
		for line, d := range b.byLine {
			if d == nil {
				continue
			}
			if d.settles(now) || now >= beat && !d.open {
				if err := b.look(line, func(level bool, at time.Duration) { d.settle(level, at, post) }); err != nil {
					return err
				}
			}
			d.stuck(now, post)
		}
		if b.doubt.Swap(false) || now >= beat {
			b.vanish()
		}
		if now >= beat {
			beat = now + heartbeat
		}
		b.seek(post)
	}
	return nil
}

// due is the earlier of t and the time at which an input or a lost line has something to do.
func (b *Board) due(t time.Duration) time.Duration {
	for _, d := range b.byLine {
		if d != nil {
			t = d.due(t)
		}
	}
	if b.late && len(b.lost) > 0 {
		t = min(t, b.again)
	}
	return t
}

// look reads an input, which may be lost by that.
func (b *Board) look(line int, take func(level bool, at time.Duration)) error {
	if err := b.read(line, take); err != nil {
		return b.loses(line, err)
	}
	return nil
}

// read takes the time before the level: an edge stamped earlier is then surely part of the level.
func (b *Board) read(line int, take func(level bool, at time.Duration)) error {
	at := b.lines.now()
	level, err := b.lines.get(line)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	take(level, at)
	return nil
}

// Inputs lists the names of the inputs, of each of which Run posts an initial level, or that its line is lost.
func (b *Board) Inputs() []string { return slices.Sorted(maps.Keys(b.inputs)) }

// Relay is the relay of that name; an unknown one answers every call with an error.
func (b *Board) Relay(name string) Relay {
	if r, ok := b.relays[name]; ok {
		return r
	}
	return noOutput{"relay", name}
}

// Lamp is the lamp of that name; an unknown one answers every call with an error.
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
	c = c.relabelled(chips, true).distinct(chips)
	c.ChipLabels, c.Keeper = nil, nil
	dev, err := newChardev(c, func() ([]Chip, []error) { return chips, nil })
	if err != nil {
		return err
	}
	return releaseAll(c, dev)
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
