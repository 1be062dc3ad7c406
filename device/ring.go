package device

import (
	"net/netip"
	"slices"
	"time"

	"portero/device/event"
	"portero/sip/transport"
	"portero/sip/ua"
)

// A bell's targets are called at once or in turn. One that is not there is waited for, and rung when it is.

// ring begins a visit: the phones are called first, then the visitor hears the chime.
func (s *Station) ring() {
	s.stopEndingTone()
	v := &visit{bell: s.in.bell, since: time.Now()}
	s.visit = v
	v.stops = append(v.stops, s.after(v.bell.RingLimit, func() { s.step(onLimit, input{}) }))
	n := len(v.bell.Targets)
	if v.bell.Strategy == "serial" {
		n = 1
	}
	for range n {
		s.callNext(v)
	}
	s.sounds.load()
	s.sounds.play(s.sounds.chimes[v.bell.Name])
}

// callNext calls the visit's next target.
func (s *Station) callNext(v *visit) {
	text := v.bell.Targets[v.next]
	v.next++
	p := &party{v: v}
	v.parties = append(v.parties, p)
	p.media = s.newMedia(p)
	var err error
	if p.target, err = s.cfg.Target(v.bell, text); err == nil {
		if p.target.Local {
			p.media.At = s.phone.hostsOf(p.target.User)
		}
		name := v.bell.DisplayName
		if name == "" {
			name = v.bell.Name
		}
		p.call, err = s.phone.Dial(p.target, name,
			func(local netip.Addr, t transport.Target, done func([]byte, error)) {
				p.media.Offer(local, t.Addr.Addr(), done)
			},
			func(ev ua.CallEvent) { s.box.Put(func() { s.callEvent(p, ev) }) })
	}
	if err != nil {
		s.box.Put(func() { s.partyFailed(p, 0, err.Error()) })
		return
	}
	s.tell(event.Event{Kind: event.CallStarted, Call: p.id(), Bell: v.bell.Name, Target: p.target.Text, Account: p.target.Account})
	if v.bell.Strategy == "serial" && v.next < len(v.bell.Targets) {
		v.stopHunt = s.after(v.bell.HuntAfter, func() { s.step(onHunt, input{party: p}) })
		v.stops = append(v.stops, s.after(absentAfter, func() {
			if !p.alerts && !p.absent && !p.ended {
				s.step(onAbsent, input{party: p})
			}
		}))
	}
}

// absentAfter is how long a target may say nothing before the next in turn is called beside it.
const absentAfter = 5 * time.Second

// notThere takes word that nobody is there yet: the visit goes on. The log hears of each reason once.
func (s *Station) notThere(p *party, ev ua.CallEvent) {
	if !p.absent || p.status != ev.Status || p.refusal != ev.Reason {
		p.absent, p.status, p.refusal = true, ev.Status, ev.Reason
		s.log.Warn("target not reached, it is rung when it is there", "call", p.id(), "target", p.target.Text,
			"again", ev.Again, "reason", p.absence(s.phone.absentSince(p.target.User)))
	}
	s.step(onAbsent, input{party: p})
}

// othersLeft says whether somebody else may still answer.
func (s *Station) othersLeft() bool {
	for _, p := range s.visit.parties {
		if !p.ended {
			return true
		}
	}
	return s.visit.next < len(s.visit.bell.Targets)
}

// hunt goes on when a target has failed, or is not there yet: to the next, if it was the one whose turn it is.
func (s *Station) hunt() {
	v := s.visit
	s.ringBack(v)
	if v.bell.Strategy != "serial" || v.next >= len(v.bell.Targets) || s.in.party != v.parties[len(v.parties)-1] {
		return
	}
	if v.stopHunt != nil {
		v.stopHunt()
	}
	s.callNext(v)
}

func (s *Station) huntOn() {
	p := s.in.party
	s.dropParty(p, (*ua.Call).Hangup)
	p.refusal = event.NotAnswered
	s.tell(event.Event{Kind: event.CallRefused, Call: p.id(), Target: p.target.Text, Reason: event.NotAnswered})
	s.callNext(s.visit)
}

// progress lets the visitor hear that it rings: the far end's own sound if it sends any, else our ring-back.
func (s *Station) progress() {
	p, v := s.in.party, s.visit
	p.alerts, p.absent = true, false
	if !p.rang && s.in.sip.Status == 180 || !p.rang && s.in.sip.Status == 183 {
		p.rang = true
		s.tell(event.Event{Kind: event.CallRinging, Call: p.id(), Target: p.target.Text})
	}
	if len(s.in.sip.Body) > 0 && s.in.sip.Leg != nil && !p.media.Settled() {
		if err := p.media.Accept(s.in.sip.Body); err != nil {
			s.log.Warn("early media not heard", "call", p.id(), "err", err)
		} else {
			p.early = s.in.sip.Leg
			if v.early == nil {
				s.sounds.stop()
				v.early, v.tones, p.sounds = p, true, true
			}
		}
	}
	s.ringBack(v)
}

// ringBack lets the visitor hear that a phone rings, or is waited for, where nothing else tells it.
func (s *Station) ringBack(v *visit) {
	if !v.tones && slices.ContainsFunc(v.parties, func(p *party) bool { return (p.alerts || p.absent) && !p.ended }) {
		v.tones = true
		s.sounds.follow(s.sounds.ringBack)
	}
}

// askAgain has targets that are waited for called at once: the visitor asks for them again.
func (s *Station) askAgain(v *visit) {
	if time.Since(v.asked) < askedMost {
		return
	}
	v.asked = time.Now()
	for _, p := range v.parties {
		if p.absent && !p.ended {
			p.call.Again()
		}
	}
}

// askedMost is how often a button that is pressed again and again asks a server.
const askedMost = 2 * time.Second
