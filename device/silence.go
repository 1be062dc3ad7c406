package device

import (
	"net/netip"
	"time"

	"portero/audio"
	"portero/device/media"
	"portero/sip"
	"portero/sip/transport"
	"portero/sip/ua"
)

// How long the far end of a talk may say nothing at all before a press of the bell rings all phones again. A
// far end that sends comfort noise, or that is muted and sends RTCP, may take longer.
const (
	aliveFor     = 3 * time.Second
	aliveForGaps = 7 * time.Second
)

// askAhead is how long before the end of a silence limit the question is asked, so that an answer in time leaves the
// microphone open.
const askAhead = 200 * time.Millisecond

// silenceEvery bounds how often silence is told: a muted phone may be heard every 15 s alone.
const silenceEvery = time.Minute

// vanishedAfter is how many silence limits end a talk, whatever the far end's signalling says: a server that
// stands between may answer for a phone that is gone.
const vanishedAfter = 4

// silence is by what a party's far end is known to be there, and what came of its saying nothing.
type silence struct {
	word  time.Time // its latest within the dialog, or its answer
	shown time.Time // when the dialog last showed that it is there; zero: never
	there bool      // somebody is known to be there: see hearing

	greeted bool // it was asked because it has never been heard
	asked   int  // silence limits at whose end it was asked
	told    bool // that it is silent
	warned  time.Time
	deaf    bool // it was told that it hears nothing
	moving  bool // it was told another address of ours, and has not answered
	stop    func()
}

func patience(l media.Life) time.Duration {
	if l.Gaps {
		return aliveForGaps
	}
	return aliveFor
}

// quiet is how long nothing has come from the far end, neither sound nor a request within the dialog.
func (p *party) quiet(l media.Life) time.Duration { return min(l.Quiet, time.Since(p.silent.word)) }

// lookForLife decides whether anybody is known to be at the far end of the talk. An answer alone does not say
// where its sound goes: the first packet does, as the ACK does of a caller. An answered OPTIONS is worth an
// ACK: it bears the tags of the dialog.
func (s *Station) lookForLife(p *party) {
	l := p.media.Life()
	known := l.Heard || p.acked || !p.silent.shown.IsZero()
	p.silent.there = known && min(p.quiet(l), time.Since(p.silent.shown)) < s.cfg.SIP.SilenceLimit
}

// watch looks at the silence of a talk, and again when it is long enough for something. On hold nothing is due,
// and nobody hears the door.
func (s *Station) watch(p *party) {
	if p.ended || p.v != s.visit {
		return
	}
	x := &p.silent
	if x.stop != nil {
		x.stop()
	}
	l := p.media.Life()
	quiet, patience, limit := p.quiet(l), patience(l), s.cfg.SIP.SilenceLimit
	wait := min(limit-quiet%limit, limit-(quiet+askAhead)%limit)
	if quiet < patience {
		wait = min(wait, patience-quiet)
	}
	if shown := time.Since(x.shown); shown < limit {
		wait = min(wait, limit-shown) // the microphone's
	}
	if quiet >= aliveFor || l.Refusal != nil {
		wait = min(wait, aliveFor)
		s.follow(p)
	}
	x.stop = s.after(wait, func() { s.watch(p) })
	if !l.Hears {
		return
	}
	s.tellDeaf(p, l)
	limits := int((quiet + askAhead) / limit)
	switch {
	case l.Due && quiet >= vanishedAfter*limit:
		s.step(onVanished, input{reason: vanished})
		return
	case l.Due && limits >= vanishedAfter:
	case limits > x.asked:
		x.asked = limits
		p.sip.Ask()
	case !l.Heard && x.shown.IsZero() && !x.greeted && (quiet >= aliveFor || !l.Due):
		x.greeted = true // a phone that is muted from the first is told from one that is not there
		p.sip.Ask()
	}
	if !l.Due || quiet < patience {
		return
	}
	s.tellSilence(p, l)
	if v := p.v; v.pressed != nil && v.again == nil && time.Since(v.pressedAt) <= quiet {
		s.step(onSilent, input{bell: v.pressed})
	}
}

const vanished = "the far end has vanished"

// tellSilence says, once in a silence, that nothing comes.
func (s *Station) tellSilence(p *party, l media.Life) {
	x := &p.silent
	if x.told || time.Since(x.warned) < silenceEvery {
		return
	}
	x.told, x.warned = true, time.Now()
	remedy := "let UDP from the phone to the ports of rtp_ports through, and have the phone tell an address of its own"
	if l.Heard {
		remedy = "see to the phone's network; if it is muted, have it send comfort noise or RTCP"
	}
	s.log.Warn("nothing is heard of the phone", "call", p.id(), "phone", p.target.Text, "for", patience(l), "before", l.Heard,
		"remedy", remedy)
}

// tellDeaf says, once each time, that the door is not heard.
func (s *Station) tellDeaf(p *party, l media.Life) {
	was := p.silent.deaf
	p.silent.deaf = l.Deaf
	switch {
	case was || !l.Deaf:
	case l.Refusal != nil:
		s.log.Warn("nothing of the door reaches the phone", "call", p.id(), "phone", p.target.Text, "remedy",
			"see that the phone still runs, and that the network lets UDP to it through", "err", l.Refusal)
	default:
		s.log.Warn("nothing of the door reaches the phone", "call", p.id(), "phone", p.target.Text, "remedy",
			"let UDP from the ports of rtp_ports to the phone through; behind a router, have the phone register by it")
	}
}

// soundOf says which ways sound went in a talk: "both", "in", "out" or "none". Out is what was sent, unless the far
// end has reported that nothing of it came.
func soundOf(st audio.Stats) string {
	in, out := st.SoundIn > 0, st.SoundOut > 0 && (st.RemoteGot || st.RemoteReports < 2)
	switch {
	case in && out:
		return "both"
	case in:
		return "in"
	case out:
		return "out"
	}
	return "none"
}

// follow offers a silent talk anew when this host is not reached any more where it was: its address towards the
// far end is another one, as after a new lease or over another link.
func (s *Station) follow(p *party) {
	was, peer := p.media.Ends()
	if !was.IsValid() || p.silent.moving {
		return
	}
	now, err := s.phone.LocalFor(transport.Flow{Proto: sip.UDP, Remote: netip.AddrPortFrom(peer, 5060)})
	if err != nil || now.Unmap() == was.Unmap() || now.Unmap().Is4() != was.Unmap().Is4() {
		return // no route for the moment, or the same
	}
	body, err := p.media.Move(now)
	if err != nil {
		s.log.Warn("new address of the station not offered", "call", p.id(), "from", was, "to", now, "err", err)
		return
	}
	s.log.Info("talk offered from the station's new address", "call", p.id(), "from", was, "to", now)
	p.silent.moving = true
	p.sip.Moved(was, body)
}

// followed takes the answer to what follow has offered.
func (s *Station) followed(p *party, ev ua.CallEvent) {
	p.silent.moving = false
	if ev.Kind == ua.Refused {
		s.log.Warn("new address of the station refused, the phone may hear nothing", "call", p.id(), "phone", p.target.Text,
			"status", ev.Status, "reason", ev.Reason)
		return
	}
	s.word(p)
	if len(ev.Body) == 0 {
		return
	}
	if err := p.media.Accept(ev.Body); err != nil {
		s.log.Warn("answer of sound refused", "call", p.id(), "phone", p.target.Text, "err", err)
	}
}

// word takes a request of the far end's within the dialog.
func (s *Station) word(p *party) {
	p.silent.word = time.Now()
	p.silent.shown = p.silent.word
	s.alive(p)
}

// alive takes the end of a silence.
func (s *Station) alive(p *party) {
	if p.ended || p.v != s.visit || p != p.v.talk {
		return
	}
	p.silent.asked, p.silent.told = 0, false
	if p.v.again != nil {
		s.step(onHeard, input{party: p})
	}
}

// asked takes the answer to the question whether the far end is there. It changes nothing for one that has been
// heard meanwhile.
func (s *Station) asked(p *party, ev ua.CallEvent) {
	l := p.media.Life()
	if p != p.v.talk || !l.Hears {
		return
	}
	switch quiet := p.quiet(l); {
	case ev.Status != 408 && ev.Status != 481: // RFC 3261 §12.2.1.2
		p.silent.shown = time.Now()
	case ev.Status == 481 && quiet >= aliveFor:
		s.step(onVanished, input{reason: "the far end has lost the call"})
	case ev.Status == 408 && quiet >= s.cfg.SIP.SilenceLimit:
		s.step(onVanished, input{reason: vanished})
	}
}
