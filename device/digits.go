package device

import (
	"net/netip"
	"time"

	"portero/audio"
	"portero/device/access"
	"portero/device/event"
	"portero/device/media"
	"portero/sip"
	"portero/sip/transport"
)

// digitHeard takes a key from the events of RTP, the sound, or an INFO.
func (s *Station) digitHeard(p *party, by access.Way, digit rune) {
	if p.ended || p.v != s.visit || p != p.v.talk {
		return
	}
	s.step(onDigit, input{party: p, by: by, digit: digit})
}

// keyHeard takes a key that the session has heard.
func (s *Station) keyHeard(p *party, d audio.Digit) {
	if d.Unasked != 0 && !p.unasked && !p.ended {
		p.unasked = true
		s.log.Warn("keys are taken that the phone did not agree to send: set its DTMF to RFC 2833 (RFC 4733)",
			"call", p.id(), "phone", p.target.Text, "payload_type", d.Unasked, "agreed", media.EventsPayload)
	}
	by := access.ByEvents
	switch {
	case d.InBand:
		by = access.ByTones
	case d.Stream > 0:
		by = access.ByOtherEvents
	}
	s.digitHeard(p, by, d.Rune)
}

// strangerHeard tells that somebody sends sound from where the phone should not be.
func (s *Station) strangerHeard(p *party, x audio.Stranger) {
	s.log.Warn("sound from elsewhere not let in", "call", p.id(), "phone", p.target.Text, "from", x.From, "expected", x.Expected,
		"packets", x.Packets, "remedy", "if it is the phone's, have it register from there, or correct the address that it names")
}

// findSound looks up the name that a phone gives as its address of sound.
func (s *Station) findSound(p *party, name string) {
	u := sip.URI{Scheme: "sip", Host: name, Port: 5060} // with a port there are no SRV records to ask for
	s.phone.Agent.Stack().Resolve(u, func(targets []transport.Target, err error) {
		s.box.Put(func() { s.soundFound(p, name, targets, err) })
	})
}

func (s *Station) soundFound(p *party, name string, targets []transport.Target, err error) {
	var addrs []netip.Addr
	for _, t := range targets {
		addrs = append(addrs, t.Addr.Addr())
	}
	if err == nil {
		err = p.media.Resolved(name, addrs)
	}
	if err != nil && !p.ended {
		s.log.Warn("phone's name for its sound leads nowhere, sound goes to where its signalling comes from", "call", p.id(),
			"phone", p.target.Text, "name", name, "remedy", "have the phone tell its IP address in SDP", "err", err)
	}
}

// digit is part of a code, in calls that may open: those the station placed, and those whose rule says so.
func (s *Station) digit() {
	v := s.visit
	if v.entry == nil {
		return
	}
	switch res := v.entry.Digit(s.in.by, s.in.digit, time.Now()); res.Outcome {
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
