package board

import "fmt"

// Check compares c with the hardware and reports all it finds; it requests no line and moves nothing. What
// stands in the way of Open is reported, and what Open cannot help: a relay on a pin that moves before Linux
// has started, as a [*PinError]. A line that cannot be had is a [*LineError]; those of a running Portero are a
// [*BusyError] that is Ours.
func Check(c Config) []error {
	errs := c.validate()
	if c.Sim {
		return errs
	}
	chips, err := Chips()
	if err != nil {
		return append(errs, err)
	}
	return append(errs, check(chips, c, i2cOn(deviceTree))...)
}

func check(chips []Chip, c Config, i2c bool) []error {
	configured, reqs := c.requests(), c.relabelled(chips, false).requests()
	places, errs := place(chips, reqs)
	for i, r := range reqs {
		at := places[i]
		if at.line == nil {
			continue
		}
		if at.line.Used {
			busy := &BusyError{Line: at.String(), Consumer: at.line.Consumer, Remedy: remedy(at)}
			errs = append(errs, &LineError{r.name, fmt.Errorf("board: %s %q: %w", r.kind, r.name, busy)})
		}
		if r.kind != "relay" || !headerChip(at.chip.Label) {
			continue
		}
		if err := relayPin(at.line.Offset, r.activeLow, i2c); err != nil {
			line := configured[i].line
			spelt := RelayPin(line, r.activeLow)
			err.Relay, err.Line, err.Spelt = r.name, line, spelt != nil && spelt.Problem == err.Problem
			errs = append(errs, err)
		}
	}
	return errs
}
