package device

import (
	"strings"
	"time"

	"portero/device/access"
	"portero/device/event"
	"portero/sip"
)

// digitHeard takes a digit from the sound or from an INFO. The first way that brings one is the call's way: a
// phone that sends both would press every key twice.
func (s *Station) digitHeard(p *party, by digitSource, digit rune) {
	if p.ended || p.v != s.visit || p != p.v.talk {
		return
	}
	if p.digits == "" {
		p.digits = by
	}
	if p.digits == by {
		s.step(onDigit, input{party: p, digit: digit})
	}
}

// digit is part of a code, in calls that may open: those the station placed, and those whose rule says so.
func (s *Station) digit() {
	v := s.visit
	if v.entry == nil {
		return
	}
	switch res := v.entry.Digit(s.in.digit, time.Now()); res.Outcome {
	case access.Accepted:
		for _, door := range res.Doors {
			o := access.Opening{Door: door, Who: res.Who, How: event.ByCode, Call: v.talk.id()}
			if err := s.doors.Open(o); err != nil {
				s.log.Error("door not opened", "door", door, "call", o.Call, "err", err)
			}
		}
	case access.Wrong, access.LockedOut:
		s.sounds.overlay(s.sounds.refused)
	}
}

// doorOpened tells the station of a door that its talk has opened. One who leaves by another door ends
// nobody's talk.
func (s *Station) doorOpened(o access.Opening) {
	if id := s.talkID(); id == "" || o.Call != id {
		return
	}
	for i := range s.cfg.Doors {
		if d := &s.cfg.Doors[i]; d.Name == o.Door {
			s.step(onOpened, input{door: d})
		}
	}
}

// forgetCode forgets half a code at a tamper alarm and at its end: it is no part of one after it.
func (s *Station) forgetCode() {
	if v := s.visit; v != nil && v.entry != nil {
		v.entry.Forget()
	}
}

// opened tells the visitor, and ends the call a little later if the door says so.
func (s *Station) opened() {
	s.sounds.overlay(s.sounds.opened)
	if wait := s.in.door.HangUpAfter; wait > 0 {
		v := s.visit
		v.stops = append(v.stops, s.after(wait, func() { s.step(onHangUp, input{reason: "the door was opened"}) }))
	}
}

// infoDigit reads a digit from the body of an INFO: "Signal=5" of application/dtmf-relay, or the bare digit
// of application/dtmf.
func infoDigit(contentType string, body []byte) (rune, bool) {
	text := strings.TrimSpace(string(body))
	if sip.MediaType(contentType) == "application/dtmf-relay" {
		found := false
		for line := range strings.Lines(text) {
			name, value, _ := strings.Cut(line, "=")
			if strings.EqualFold(strings.TrimSpace(name), "signal") {
				text, found = strings.TrimSpace(value), true
				break
			}
		}
		if !found {
			return 0, false
		}
	}
	switch text { // event codes in place of the keys, as some phones send
	case "10":
		text = "*"
	case "11":
		text = "#"
	}
	if len(text) != 1 || !strings.Contains("0123456789*#ABCD", strings.ToUpper(text)) {
		return 0, false
	}
	return rune(strings.ToUpper(text)[0]), true
}
