package config

import (
	"slices"
	"time"

	"portero/board"
)

// BellInput is the board's name of a bell's button.
func BellInput(bell string) string { return "bell:" + bell }

// DoorRelay is the board's name of a door's relay.
func DoorRelay(door string) string { return "door:" + door }

// InputName is the board's name of an input.
func InputName(input string) string { return "input:" + input }

// LampName is the board's name of a lamp.
func LampName(lamp string) string { return "lamp:" + lamp }

// BoardConfig gives the board's lines: an input for each bell and input, a relay for each door whose lease is
// the door's ceiling, the lamps.
func (c *Config) BoardConfig() board.Config {
	bc := board.Config{Sim: c.Board.Sim}
	for _, b := range c.Bells {
		bc.Inputs = append(bc.Inputs, board.Input{Name: BellInput(b.Name), Line: b.Line, ActiveLow: b.ActiveLow,
			Bias: board.Bias(b.Bias), Debounce: b.Debounce, Hold: b.Hold, AC: b.AC,
			StuckAfter: b.StuckAfter})
	}
	for _, in := range c.Inputs {
		bc.Inputs = append(bc.Inputs, board.Input{Name: InputName(in.Name), Line: in.Line, ActiveLow: in.ActiveLow,
			Bias: board.Bias(in.Bias), Debounce: in.Debounce, Hold: in.Sustained(), AC: in.AC,
			Sensor: in.Kind != REX})
	}
	for _, d := range c.Doors {
		bc.Relays = append(bc.Relays, d.output())
	}
	for _, l := range c.Lamps {
		bc.Lamps = append(bc.Lamps, l.output())
	}
	return bc
}

// How long a contact must last before it counts, where the file does not say: what a spike on the wire does
// must not be an alarm.
const (
	contactHold = 100 * time.Millisecond
	tamperHold  = 200 * time.Millisecond
)

// Sustained is how long the input must be active before that counts.
func (in *Input) Sustained() time.Duration {
	switch {
	case in.Hold > 0:
		return in.Hold
	case in.Kind == Contact:
		return contactHold
	case in.Kind == Tamper:
		return tamperHold
	}
	return in.Debounce
}

// HasRelay says whether a door's relay hangs on that line with that polarity, in the last good copy also of a
// door that it keeps shut.
func (c *Config) HasRelay(line string, activeLow bool) bool {
	is := func(d Door) bool { return d.Line == line && d.ActiveLow == activeLow }
	return slices.ContainsFunc(c.Doors, is) || slices.ContainsFunc(c.copied.shut, is)
}

// MayBlink says whether the lamp outlives that: a relay would wear out.
func (l *Lamp) MayBlink() bool { return !l.Relay }

// SameLine says whether the line of that name on the board is the same in both configurations.
func (c *Config) SameLine(other *Config, name string) bool {
	line, known := c.lines()[name]
	was, had := other.lines()[name]
	return known && had && line == was
}

// lines are the lines of all that is on the board, by its name there.
func (c *Config) lines() map[string]string {
	bc, all := c.BoardConfig(), map[string]string{}
	for _, in := range bc.Inputs {
		all[in.Name] = in.Line
	}
	for _, o := range slices.Concat(bc.Relays, bc.Lamps) {
		all[o.Name] = o.Line
	}
	return all
}

func (l *Lamp) output() board.Output {
	return board.Output{Name: LampName(l.Name), Line: l.Line, ActiveLow: l.ActiveLow}
}

func (d *Door) output() board.Output {
	return board.Output{Name: DoorRelay(d.Name), Line: d.Line, ActiveLow: d.ActiveLow, MaxOn: d.Longest}
}
