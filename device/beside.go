package device

import (
	"time"

	"portero/device/config"
	"portero/device/event"
	"portero/sip/ua"
)

// The bell rings again beside a talk that nobody hears: a visit of its own, that nobody has answered yet. The old
// leg keeps the talk, with its code entry, until somebody answers, and alone if it is heard again.

// remember keeps a press in a talk for the moment at which its silence is long enough.
func (s *Station) remember(b *config.Bell) {
	if v := s.visit; s.state == Talking && v.again == nil {
		v.pressed, v.pressedAt = b, time.Now()
	}
}

// nobodyHeard: the talk has been silent for so long that a press rings.
func (s *Station) nobodyHeard() bool {
	v := s.visit
	if v.again != nil || !s.sameBell() && s.replaces() {
		return false
	}
	l := v.talk.media.Life()
	return l.Due && v.talk.quiet(l) >= patience(l)
}

func (s *Station) ringsBeside() bool { return s.visit.again != nil }

// ringBeside calls the targets of the bell that was pressed beside the talk.
func (s *Station) ringBeside() {
	talk := s.visit
	talk.pressed = nil
	s.ring()
	talk.again, s.visit = s.visit, talk
}

// aside runs an action of a ringing visit on the one beside the talk.
func (s *Station) aside(act func(*Station)) {
	talk := s.visit
	if talk.again == nil {
		return // a straggler of the talk's own
	}
	s.visit = talk.again
	act(s)
	s.visit = talk
}

func (s *Station) progressBeside() { s.aside((*Station).progress) }
func (s *Station) huntBeside()     { s.aside((*Station).hunt) }
func (s *Station) huntOnBeside()   { s.aside((*Station).huntOn) }

func (s *Station) othersLeftBeside() (left bool) {
	s.aside(func(s *Station) { left = s.othersLeft() })
	return left
}

// nobodyBeside ends a ring beside the talk that nobody has answered.
func (s *Station) nobodyBeside() {
	s.aside((*Station).tellUnheard)
	s.stopBeside(event.NotAnswered)
}

// heardAgain: the old leg wins.
func (s *Station) heardAgain() { s.stopBeside("the talk is heard again") }

// stopBeside ends the ring beside the talk, if there is one.
func (s *Station) stopBeside(reason string) {
	again := s.visit.again
	if again == nil {
		return
	}
	s.visit.again = nil
	again.stopTimers()
	s.sounds.stop()
	for _, p := range again.parties {
		if !p.ended {
			s.dropParty(p, (*ua.Call).Hangup)
			s.tell(event.Event{Kind: event.CallRefused, Call: p.id(), Target: p.target.Text, Reason: reason})
		}
	}
}

// leaveTalk ends the talk; what rings beside it is the visit now.
func (s *Station) leaveTalk(reason string) {
	again := s.visit.again
	s.visit.again = nil
	s.endVisit(reason, false)
	s.visit = again
}

// takeOver gives the talk to who has answered beside the silent one.
func (s *Station) takeOver() {
	if s.visit.again == nil {
		return
	}
	s.leaveTalk("another phone has answered")
	s.connect()
}

// ringOn goes on ringing after the end of the silent talk.
func (s *Station) ringOn() {
	s.leaveTalk(s.in.reason)
	if v := s.visit; v.early == nil {
		v.tones = false // its end has stopped the ring-back
		s.ringBack(v)
	}
}

// current says whether a party is of the visit, or of the ring beside it.
func (s *Station) current(p *party) bool {
	return s.visit != nil && (p.v == s.visit || p.v == s.visit.again)
}
