package board

import (
	"fmt"
	"strings"
)

// Check compares c with the hardware and reports all it finds; it requests no line and moves nothing. What stands in the way of Open
// is reported, and what Open cannot help: a relay that the SoC's power-on pull energises before Linux starts.
// The lines of a running Portero are reported as a [*BusyError] that is Ours.
func Check(c Config) []error {
	errs := c.validate()
	if c.Sim {
		return errs
	}
	chips, err := Chips()
	if err != nil {
		return append(errs, err)
	}
	return append(errs, check(chips, c)...)
}

func check(chips []Chip, c Config) []error {
	reqs := c.requests()
	places, errs := place(chips, reqs)
	for i, r := range reqs {
		at := places[i]
		if at.line == nil {
			continue
		}
		if at.line.Used {
			busy := &BusyError{Line: at.String(), Consumer: at.line.Consumer}
			errs = append(errs, fmt.Errorf("board: %s %q: %w", r.kind, r.name, busy))
		}
		if err := powerOn(r, at); r.kind == "relay" && err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// powerOn knows the pulls that the pins of a Raspberry Pi's header have from power-on until Linux requests them.
func powerOn(r request, at found) error {
	if !strings.HasPrefix(at.chip.Label, "pinctrl-bcm2") && at.chip.Label != "pinctrl-rp1" {
		return nil
	}
	bad := func(module, pull, remedy string) error {
		return fmt.Errorf("board: relay %q on %s is %s, and the pin's power-on pull is %s: it would be energised before Linux starts; use %s",
			r.name, at, module, pull, remedy)
	}
	switch gpio := at.line.Offset; {
	case r.activeLow && gpio >= 9 && gpio <= 27:
		return bad("active-low", "down", "GPIO4 to GPIO8, or a relay that is active-high")
	case !r.activeLow && gpio <= 8:
		return bad("active-high", "up", "GPIO16 to GPIO27, or a relay that is active-low")
	}
	return nil
}
