package board

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// A lost line is asked for again after againFirst, then at twice the distance each time, up to againLast; while
// its relay may be energised, as often as a failing release is tried.
const (
	againFirst = 250 * time.Millisecond
	againLast  = 10 * time.Second
)

// How long a line may be lost until that is told.
const (
	blip       = 2 * againFirst   // of a chip that is there again at once
	oursWithin = 2 * time.Second  // of one that an earlier run is just letting go
	udevWithin = 10 * time.Second // at boot, until udev has given the chip to the group gpio
)

// lost is a line of the configuration that is not held.
type lost struct {
	request
	err   error
	had   bool // it was held
	since time.Duration
	told  bool
}

// patience is how long the loss may last untold: what ends by itself is no fault.
func (l *lost) patience() time.Duration {
	var busy *BusyError
	switch {
	case errors.As(l.err, &busy) && busy.Ours():
		return oursWithin
	case errors.Is(l.err, fs.ErrPermission):
		return udevWithin
	case l.had:
		return blip
	}
	return 0
}

// missing notes that a line is not held, and has it asked for soon.
func (b *Board) missing(r request, had bool, err error) {
	now := b.lines.now()
	b.absent(r.name, err)
	b.lost = append(b.lost, &lost{request: r, err: err, had: had, since: now})
	slices.SortStableFunc(b.lost, func(x, y *lost) int { return b.rank[x.name] - b.rank[y.name] })
	b.pause = againFirst
	b.again = now + b.pause
}

// absent has a relay or lamp answer why it has no line.
func (b *Board) absent(name string, why error) {
	if o := b.outputs[name]; o != nil {
		o.absent(why)
	}
}

// have asks for a line and gives it to the input, relay or lamp that it is of.
func (b *Board) have(r request) error {
	line, err := b.lines.request(r)
	if err != nil {
		return err
	}
	for len(b.byLine) <= line {
		b.byLine = append(b.byLine, nil)
	}
	switch {
	case b.relays[r.name] != nil:
		if !b.relays[r.name].take(line) {
			b.lines.drop(line)
		}
	case b.lamps[r.name] != nil:
		if !b.lamps[r.name].take(line) {
			b.lines.drop(line)
		}
	default:
		d := b.inputs[r.name]
		if err := b.read(line, func(level bool, at time.Duration) { d.level, d.levelAt, d.found = level, at, true }); err != nil {
			b.lines.drop(line)
			return err
		}
		b.byLine[line] = d
	}
	return nil
}

// loses takes the loss of an input's line. Unless the board is Late, it returns it as an error.
func (b *Board) loses(line int, err error) error {
	r := b.byName[b.byLine[line].name]
	if !b.late {
		return fmt.Errorf("board: run: input %q on %q: %w", r.name, r.line, err)
	}
	b.byLine[line] = nil
	b.lines.drop(line)
	b.doubt.Store(true) // the chip's outputs may have gone with it
	b.missing(r, true, fmt.Errorf("line %q: %w", r.line, err))
	return nil
}

// vanish finds outputs whose chip has gone. The others are not touched.
func (b *Board) vanish() {
	if !b.late {
		return
	}
	for name, o := range b.outputs {
		if line, err := o.vanished(); err != nil {
			b.lines.drop(line)
			b.missing(b.byName[name], true, fmt.Errorf("line %q: %w", b.byName[name].line, err))
		}
	}
}

// seek asks again for the lines that are lost, once that is due, and tells what has become of them.
func (b *Board) seek(post func(Event)) {
	if !b.late || len(b.lost) == 0 || b.lines.now() < b.again {
		return
	}
	b.lines.look()
	before := b.lost
	b.lost = nil
	for _, l := range before {
		if err := b.have(l.request); err != nil {
			l.err = err
			b.absent(l.name, err)
			b.lost = append(b.lost, l)
			continue
		}
		post(Event{Line: l.name, Back: true})
		if d := b.inputs[l.name]; d != nil {
			d.begin(d.level, d.levelAt, post)
		}
	}
	b.tellLost(post)
	b.pause = min(2*b.pause, againLast)
	now := b.lines.now()
	b.again = now + b.pause
	for _, l := range b.lost {
		if r := b.relays[l.name]; r != nil && r.energised() {
			b.again = min(b.again, now+retryMax)
		}
		if !l.told { // after one try more
			b.again = min(b.again, l.since+l.patience())
		}
	}
}

// tellLost posts what is lost for longer than it may be untold.
func (b *Board) tellLost(post func(Event)) {
	for _, l := range b.lost {
		if b.late && !l.told && b.lines.now() >= l.since+l.patience() {
			l.told = true
			post(Event{Line: l.name, Lost: l.err})
		}
	}
}
