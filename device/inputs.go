package device

import (
	"time"

	"portero/board"
	"portero/device/access"
	"portero/device/config"
	"portero/device/event"
)

// letIn is how long after its relay was released a door may be opened by those who were let in.
const letIn = 10 * time.Second

// sensor is an input with what goes on at it.
type sensor struct {
	*config.Input
	stopHeld func() // ends the wait for a door that stands open for too long
	known    bool   // its level was told
}

// sense takes a change of an input. It works in every state of the station, and needs nobody's network.
func (s *Station) sense(in *sensor, ev board.Event) {
	if ev.Active || !ev.Initial || in.known {
		s.tell(event.Event{Kind: event.InputChanged, Input: in.Name, Door: in.Door, Active: ev.Active})
	}
	in.known = true
	switch in.Kind {
	case config.REX:
		// A button held since before the start was pressed for an earlier life of the station.
		if ev.Active && !ev.Initial {
			if err := s.doors.Open(access.Opening{Door: in.Door, Who: in.Name, How: event.ByREX}); err != nil {
				s.log.Error("door not opened", "door", in.Door, "err", err)
				s.sounds.load()
				s.sounds.overlay(s.sounds.refused) // who wants to leave is not left to guess
			}
		}
	case config.Contact:
		s.doorMoved(in, ev)
	case config.Tamper:
		switch {
		case ev.Active && ev.Initial:
			s.doors.Alarm(in.Name, "the case was open at the start")
		case ev.Active:
			s.doors.Alarm(in.Name, "the case was opened")
		}
	}
}

// forget ends the wait for a door that stands open.
func (in *sensor) forget() {
	if in.stopHeld != nil {
		in.stopHeld()
		in.stopHeld = nil
	}
}

// doorMoved takes what a door contact tells.
func (s *Station) doorMoved(in *sensor, ev board.Event) {
	in.forget()
	if !ev.Active {
		return
	}
	late := in.Sustained() // it was open for so long when it was told
	if ev.Initial {
		late = 0
	}
	// Nobody knows how a door came to be open that is found so.
	// A station on its last good file has no doors: it opens none, so it cannot tell who was let in.
	if !ev.Initial && s.doors.State(in.Door) != "" && !s.doors.OpenedWithin(in.Door, letIn+late) {
		s.tell(event.Event{Kind: event.DoorForced, Door: in.Door, Input: in.Name})
	}
	if wait := in.HeldOpenAfter; wait > 0 {
		in.stopHeld = s.after(max(wait-late, 0), func() {
			s.tell(event.Event{Kind: event.DoorHeldOpen, Door: in.Door, Input: in.Name, DurationMS: wait.Milliseconds()})
		})
	}
}
