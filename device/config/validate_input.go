package config

import (
	"fmt"
	"slices"
	"time"
)

func (d *document) input(c *Config, i int) {
	in := &c.Inputs[i]
	at := fmt.Sprintf("input[%d].", i)
	d.name(at+"name", in.Name, "input")
	d.oneOf(at+"kind", in.Kind, REX, Contact, Tamper)
	d.oneOf(at+"bias", in.Bias, "pull-up", "pull-down", "none")
	least := time.Duration(0)
	if in.Kind == REX {
		least = 10 * time.Millisecond // what is shorter may be a spike on the wire, and must not open the door
	}
	d.between(at+"debounce", in.Debounce, least, time.Second)
	shortest := 10 * time.Millisecond
	if in.Kind == Tamper || in.AC {
		shortest = 50 * time.Millisecond // an alarm closes all doors; with ac two spikes may be 25 ms apart
	}
	switch {
	case in.Hold != 0:
		d.between(at+"hold", in.Hold, shortest, 10*time.Second)
	case in.Kind == REX && in.AC && in.Sustained() < shortest:
		d.fault(at+"hold", "", "missing: with ac = true two spikes on the wire would open the door",
			`write hold = "50ms"`)
	}
	if in.HeldOpenAfter != 0 {
		d.between(at+"held_open_after", in.HeldOpenAfter, time.Second, 24*time.Hour)
	}
	// A contact may rest at its active level, so that a cut wire is told. A button must not: a cut wire would
	// open the door.
	if in.Kind == REX && (in.ActiveLow && in.Bias == "pull-down" || !in.ActiveLow && in.Bias == "pull-up") {
		d.warn(at+"bias", in.Bias,
			fmt.Sprintf("pulls an open button to its pressed level (active_low = %v): a cut wire opens the door", in.ActiveLow),
			`a button to ground wants active_low = true with "pull-up", one to 3.3 V active_low = false with "pull-down"`)
	}

	doors := names(c.Doors, func(x Door) string { return x.Name })
	missing := "missing: the button would open nothing"
	if in.Kind == Contact {
		missing = "missing: which door does it watch?"
	}
	switch {
	case in.Kind == Tamper && in.Door != "":
		d.fault(at+"door", in.Door, "a tamper contact belongs to no door: its alarm closes them all", "remove it")
	case in.Kind != REX && in.Kind != Contact:
	case in.Door == "":
		d.fault(at+"door", "", missing, `write door = "front"`)
	case !slices.Contains(doors, in.Door):
		d.fault(at+"door", in.Door, "no such door", d.suggest(in.Door, doors))
	}
}

func (d *document) lamp(c *Config, i int) {
	l := &c.Lamps[i]
	at := fmt.Sprintf("lamp[%d].", i)
	d.name(at+"name", l.Name, "lamp")
	d.oneOf(at+"shows", l.Shows, ShowsReady, ShowsRinging, ShowsTalking, ShowsOpen)
	if l.Relay && l.Shows == ShowsRinging {
		d.warn(at+"shows", l.Shows,
			"the relay is on for as long as it rings, up to ring_limit: the coil of a gong burns",
			"switch a light with it, or a gong through a relay module that ends by itself after a second")
	}
}
