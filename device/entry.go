package device

import (
	"time"

	"portero/device/access"
	"portero/device/config"
	"portero/device/event"
)

// furnish makes doors and codes, inputs and lamps. What doors and codes do is told as events; an opened door is an occasion of the
// station too.
func (s *Station) furnish() error {
	emit := func(ev event.Event) {
		s.tell(ev)
		switch ev.Kind {
		case event.DoorOpened:
			s.doorOpened(ev)
		case event.TamperAlarm, event.TamperOver: // half a code from before is no part of one after it
			if v := s.visit; v != nil && v.entry != nil {
				v.entry.Forget()
			}
		}
	}
	s.lock = access.NewLockout(s.Config.Station.DataDir, s.Config.Access, emit, s.Log)
	var err error
	if s.codes, err = access.NewCodes(s.Config, s.lock, emit); err != nil {
		return err
	}
	s.tamper = access.NewTamper(s.Config.Station.DataDir, s.Config.Access, loopClock{s}, emit, s.Log)
	s.doors = access.NewDoors(s.Config, s.Board.Relay, s.tamper, loopClock{s}, emit, s.Log)
	s.inputs, s.up = map[string]*sensor{}, map[string]bool{}
	for i := range s.Config.Inputs {
		in := &s.Config.Inputs[i]
		s.inputs[config.InputName(in.Name)] = &sensor{Input: in}
	}
	for i := range s.Config.Lamps {
		l := &s.Config.Lamps[i]
		s.lights = append(s.lights, &light{Lamp: l, lamp: s.Board.Lamp(config.LampName(l.Name))})
	}
	return nil
}

// doorOpened tells the station of a door that its talk has opened. One who leaves by another door ends nobody's talk.
func (s *Station) doorOpened(ev event.Event) {
	if s.visit == nil || s.visit.talk == nil || ev.Call != s.visit.talk.id() {
		return
	}
	for i := range s.Config.Doors {
		if d := &s.Config.Doors[i]; d.Name == ev.Door {
			s.step(onOpened, occurrence{door: d})
		}
	}
}

// loopClock fires the doors' timers on the station's loop.
type loopClock struct{ s *Station }

func (c loopClock) AfterFunc(d time.Duration, f func()) (stop func()) { return c.s.after(d, f) }

// digitHeard takes a digit from the sound or from an INFO. The first way that brings one is the call's way: a phone that sends
// both would press every key twice.
func (s *Station) digitHeard(l *leg, by digitSource, digit rune) {
	if l.over || l.v != s.visit || l != l.v.talk {
		return
	}
	if l.digits == "" {
		l.digits = by
	}
	if l.digits == by {
		s.step(onDigit, occurrence{leg: l, digit: digit})
	}
}

// digit is part of a code, in calls that may open: those the station placed, and those whose rule says so.
func (s *Station) digit() {
	v := s.visit
	if v.entry == nil {
		return
	}
	switch res := v.entry.Digit(s.on.digit, time.Now()); res.Outcome {
	case access.Accepted:
		for _, door := range res.Doors {
			if err := s.doors.Open(door, res.Who, event.ByCode, v.talk.id()); err != nil {
				s.Log.Error("door", "err", err)
			}
		}
	case access.Wrong, access.LockedOut:
		s.sounds.over(s.sounds.refused)
	}
}

// opened tells the visitor, and ends the call a little later if the door says so.
func (s *Station) opened() {
	s.sounds.over(s.sounds.opened)
	if wait := s.on.door.HangUpAfter; wait > 0 {
		v := s.visit
		v.stops = append(v.stops, s.after(wait, func() { s.step(onHangUp, occurrence{reason: "the door was opened"}) }))
	}
}
