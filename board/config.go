package board

import (
	"fmt"
	"log/slog"
	"time"
)

// Bias is the pull inside the chip. The empty Bias leaves it as it is.
type Bias string

// The biases of linux/gpio.h.
const (
	PullUp   Bias = "pull-up"
	PullDown Bias = "pull-down"
	NoBias   Bias = "none"
)

// Input is a button or a sensor.
type Input struct {
	Name       string        // as events name it
	Line       string        // "GPIO17", or chip and offset: "pinctrl-bcm2711:17"
	ActiveLow  bool          // pressed pulls the line low
	Bias       Bias          // usually PullUp with ActiveLow
	Debounce   time.Duration // the line must be quiet this long before another change counts; 0: every edge counts
	Hold       time.Duration // active counts once it has lasted so long without a gap; 0: at once
	AC         bool          // gaps of up to 25 ms are none: AC flows through the contact
	StuckAfter time.Duration // active longer than this is reported once per press; 0: never
	Sensor     bool          // nobody waits at it: its line is asked for after the buttons' and relays'
}

// Output is a relay or a lamp.
type Output struct {
	Name      string
	Line      string        // as Input.Line
	ActiveLow bool          // low energises, as on most relay modules
	MaxOn     time.Duration // relays: the longest continuous on-time, required; lamps have none
}

// Config describes a board. Names are unique across inputs, relays and lamps.
type Config struct {
	Sim    bool // a simulated board: every Line exists
	Inputs []Input
	Relays []Output
	Lamps  []Output
	Log    *slog.Logger // failing releases; nil: nowhere
	Keeper Keeper       // of the relays' lines, on a real board; nil: none
	Late   bool         // a line that cannot be had costs only itself: Run tells, and has it later; false: it is an error, but a lamp's

	// ChipLabels is what [ChipLabels] gave when the lines were right: it finds chips again.
	ChipLabels map[string]string
}

// request is one line to ask the kernel for.
type request struct {
	kind      string // "input", "relay", "lamp": for messages
	name      string
	line      string
	output    bool // requested at its inactive level, always
	activeLow bool
	bias      Bias
}

// requests lists the buttons first, for the bell rings and nobody is locked in, then the doors, and last what
// nobody is shut out by.
func (c Config) requests() []request {
	var reqs []request
	inputs := func(sensors bool) {
		for _, in := range c.Inputs {
			if in.Sensor == sensors {
				reqs = append(reqs, request{kind: "input", name: in.Name, line: in.Line, activeLow: in.ActiveLow, bias: in.Bias})
			}
		}
	}
	inputs(false)
	for _, o := range c.Relays {
		reqs = append(reqs, request{kind: "relay", name: o.Name, line: o.Line, output: true, activeLow: o.ActiveLow})
	}
	inputs(true)
	for _, o := range c.Lamps {
		reqs = append(reqs, request{kind: "lamp", name: o.Name, line: o.Line, output: true, activeLow: o.ActiveLow})
	}
	return reqs
}

// validate reports what is wrong whatever the hardware is.
func (c Config) validate() []error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("board: "+format, args...)) }

	names, lines := map[string]string{}, map[string]request{}
	for _, r := range c.requests() {
		switch {
		case r.name == "":
			bad("%s on %q has no name", r.kind, r.line)
		case names[r.name] != "":
			bad("%s %q: the name is taken by the %s; give it another", r.kind, r.name, names[r.name])
		}
		names[r.name] = r.kind
		if r.line == "" {
			bad("%s %q has no line; name one like \"GPIO17\"", r.kind, r.name)
			continue
		}
		if other, taken := lines[r.line]; taken {
			errs = append(errs, usedTwice(r, other))
		}
		lines[r.line] = r
	}
	for _, in := range c.Inputs {
		switch in.Bias {
		case "", PullUp, PullDown, NoBias:
		default:
			bad("input %q: bias %q is none of %q, %q, %q", in.Name, in.Bias, PullUp, PullDown, NoBias)
		}
		if in.Debounce < 0 {
			bad("input %q: debounce %v is negative", in.Name, in.Debounce)
		}
		if in.Hold < 0 {
			bad("input %q: hold %v is negative", in.Name, in.Hold)
		}
		if in.StuckAfter < 0 {
			bad("input %q: stuck after %v is negative", in.Name, in.StuckAfter)
		}
	}
	for _, o := range c.Relays {
		if o.MaxOn <= 0 {
			bad("relay %q: longest on-time %v: a relay needs one above zero", o.Name, o.MaxOn)
		}
	}
	for _, o := range c.Lamps {
		if o.MaxOn != 0 {
			bad("lamp %q: longest on-time %v: a lamp has none; make it a relay", o.Name, o.MaxOn)
		}
	}
	return errs
}

func usedTwice(r, other request) error {
	return fmt.Errorf("board: %s %q on %q: %s %q on %q uses the same line", r.kind, r.name, r.line, other.kind, other.name, other.line)
}
