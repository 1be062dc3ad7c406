package device

import (
	"slices"

	"portero/board"
	"portero/device/config"
	"portero/device/event"
)

// lineHeld takes the loss of a line and its return. Nothing is made of a missing input: a tamper contact that
// cannot be read blocks no door.
func (s *Station) lineHeld(ev board.Event) {
	told, without := s.lineOf(ev.Line)
	was := slices.Contains(s.view.missing, ev.Line)
	missing := slices.DeleteFunc(slices.Clone(s.view.missing), func(name string) bool { return name == ev.Line })
	told.Kind = event.LineBack
	if ev.Lost != nil {
		missing = append(missing, ev.Line)
		told.Kind, told.Reason = event.LineLost, without+": "+ev.Lost.Error()
	}
	s.view.missing = missing
	if in := s.inputs[ev.Line]; in != nil && ev.Lost != nil {
		in.forget() // nobody knows whether the door is shut meanwhile
	}
	for _, l := range s.lamps {
		if config.LampName(l.Name) == ev.Line {
			l.lit, l.told = false, ev.Lost != nil
		}
	}
	if ev.Lost != nil || was {
		s.tell(told)
	}
}

// lineOf says what a name on the board is of, as in an event, and what fails without it.
func (s *Station) lineOf(name string) (ev event.Event, without string) {
	for _, b := range s.cfg.Bells {
		if config.BellInput(b.Name) == name {
			return event.Event{Bell: b.Name}, "its button rings nobody"
		}
	}
	if in := s.inputs[name]; in != nil {
		return event.Event{Input: in.Name, Door: in.Door}, map[string]string{
			config.REX:     "the inside button opens nothing",
			config.Contact: "nobody watches whether the door is open",
			config.Tamper:  "nobody watches the case, and no door is blocked",
		}[in.Kind]
	}
	for _, d := range s.cfg.Doors {
		if config.DoorRelay(d.Name) == name {
			return event.Event{Door: d.Name}, "nothing opens the door"
		}
	}
	for _, l := range s.cfg.Lamps {
		if config.LampName(l.Name) == name {
			return event.Event{Lamp: l.Name}, "it stays dark"
		}
	}
	return event.Event{}, ""
}
