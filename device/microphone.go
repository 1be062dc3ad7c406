package device

import (
	"slices"

	"portero/audio"
	"portero/device/media"
)

// hearing is all that decides whether the far end of a call may hear the door.
type hearing struct {
	talks     bool // it is the one that the visit's call was given to
	ended     bool // the call is over
	there     bool // somebody is known to be there (see silence.go)
	placed    bool // the station called it, because a bell was pressed
	acked     bool // as a caller, it has shown that it is there and where it says (RFC 3261 §13.2.2.4: the ACK)
	signalled bool // as a caller: those at the door know that somebody listens
}

// mayHear is the one rule. Nobody hears the door while it rings, or after the end, or when nobody is known to be
// there. Whom a bell has called hears it from the answer on; a caller, from when the door has been told.
func (h hearing) mayHear() bool {
	return h.talks && !h.ended && h.there && (h.placed || h.acked && h.signalled)
}

// getsSilence says whether silence is sent to one who may not hear: there are far ends that wait for our first
// packet. A caller gets nothing before it has shown that it is where it says.
func (h hearing) getsSilence() bool {
	return h.talks && !h.ended && !h.mayHear() && (h.placed || h.acked)
}

func (p *party) hearing() hearing {
	return hearing{talks: p == p.v.talk, ended: p.ended, there: p.silent.there, placed: p.v.bell != nil, acked: p.acked, signalled: p.signalled}
}

// newMedia makes a party's side of the sound: muted, as every leg is made.
func (s *Station) newMedia(p *party) *media.Leg {
	m := s.media.NewLeg(func(d audio.Digit) { s.box.Put(func() { s.keyHeard(p, d) }) })
	m.OnStranger = func(x audio.Stranger) { s.box.Put(func() { s.strangerHeard(p, x) }) }
	m.OnSign = func() { s.box.Put(func() { s.alive(p) }) }
	m.OnName = func(name string) { s.box.Put(func() { s.findSound(p, name) }) }
	return m
}

// microphone has the sound of each call follow the rule. The loop calls it after all that has happened;
// nothing else mutes or unmutes.
func (s *Station) microphone() {
	if s.visit == nil {
		return
	}
	for _, p := range s.visit.everybody() {
		if p.ended {
			continue
		}
		s.renewSignal(p)
		s.lookForLife(p)
		h := p.hearing()
		if err := p.media.Mute(!h.mayHear(), h.getsSilence()); err != nil {
			s.log.Error("microphone not switched", "call", p.id(), "err", err)
		}
		if p.sounds {
			p.media.Start()
		}
	}
}

// everybody is the parties of the visit, and of the ring beside it.
func (v *visit) everybody() []*party {
	if v.again == nil {
		return v.parties
	}
	return slices.Concat(v.parties, v.again.parties)
}

// renewSignal has a caller that took the door off hold heard of again before it hears: those at the door may
// be others by now.
func (s *Station) renewSignal(p *party) {
	switch {
	case p.v.bell != nil || !p.media.Settled():
	case !p.media.Sends():
		p.signalled, p.signalling = false, 0
	case !p.signalled && p.signalling == 0:
		s.signal(p)
	}
}

// signal tells those at the door that somebody listens. The microphone waits for its end, also when the card
// comes late.
func (s *Station) signal(p *party) {
	p.signals++
	n, c := p.signals, s.sounds.signal
	p.signalled, p.signalling = false, n
	c.Done = func() {
		s.box.Put(func() {
			if p.signalling == n {
				p.signalled, p.signalling = true, 0
			}
		})
	}
	s.sounds.play(c)
}
