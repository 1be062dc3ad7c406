package device

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"portero/audio"
	"portero/device/access"
	"portero/device/config"
	"portero/device/event"
	"portero/device/media"
	"portero/sip/sdp"
	"portero/sip/transport"
	"portero/sip/ua"
)

// visit is one stay at the door: from the press of a bell, or from an incoming call, to the end of talking.
type visit struct {
	bell     *config.Bell // nil: an incoming call
	who      string       // the far end, once there is one
	since    time.Time
	answered time.Time
	parties  []*party
	next     int    // of the bell's targets, when they are called one after the other
	talk     *party // the leg that talks
	entry    *access.Entry
	tones    bool         // the far end is heard, or our ring-back
	early    *party       // whose early media is heard: one voice at a time
	picked   *config.Bell // the bell that was pressed to answer an incoming call
	pending  ua.CallEvent // the offer of a call that rings at the door
	stops    []func()
	stopHunt func()
	asked    time.Time // when absent targets were last asked again for a press
}

// party is one call of a visit: a phone that rings, or talks, or that calls the door.
type party struct {
	v       *visit
	target  config.Target
	call    *ua.Call
	sip     *ua.Leg
	media   *media.Leg
	ended   bool
	rang    bool    // told as ringing
	absent  bool    // nobody is there yet; it is rung when somebody is
	status  int     // of the response that says why nobody came; 0: none
	refusal string  // why nobody came
	alerts  bool    // the far end has said that the call makes progress
	early   *ua.Leg // the dialog whose provisional response brought the answer
	offered bool    // the far end owes the answer to our late offer
	info    infoReader
	unasked bool      // it was told that keys come as nobody agreed
	sounds  bool      // its sound is to run
	onHold  time.Time // when the far end was last known to have the door on hold

	// Incoming calls: see hearing.
	acked      bool
	signalled  bool
	signalling int // number of the signal that sounds; 0: none
	signals    int // begun
}

// id is the Call-ID, which marks all events of a call.
func (p *party) id() string {
	if p.call == nil {
		return ""
	}
	return p.call.ID
}

func (v *visit) stopTimers() {
	for _, stop := range v.stops {
		stop()
	}
	v.stops = nil
	if v.stopHunt != nil {
		v.stopHunt()
	}
}

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

// callEvent takes what the SIP stack tells of a leg. Legs of earlier visits tell nothing any more.
func (s *Station) callEvent(p *party, ev ua.CallEvent) {
	if p.ended || p.v != s.visit {
		return
	}
	on := input{party: p, sip: ev}
	switch ev.Kind {
	case ua.Progress:
		switch {
		case ev.Status == 182:
			s.notThere(p, ev)
		case ev.Status > 100:
			s.step(onProgress, on)
		}
	case ua.Waiting:
		s.notThere(p, ev)
	case ua.Answered:
		// The answer may have come with a provisional response, and is not always said twice: not even by a
		// server that gives the 200 another tag.
		if len(ev.Body) == 0 && p.early != nil {
			p.sip = ev.Leg
			s.step(onAnswered, on)
			return
		}
		if err := p.media.Accept(ev.Body); err != nil {
			s.log.Warn("answer of sound refused", "call", p.id(), "target", p.target.Text, "err", err)
			s.partyFailed(p, 0, err.Error())
			return
		}
		p.sip = ev.Leg
		s.step(onAnswered, on)
	case ua.Offered:
		s.step(onRenewed, on)
	case ua.Acked:
		s.step(onAcked, on)
	case ua.Info:
		for _, key := range p.info.keys(ev.ContentType, ev.Body) {
			s.digitHeard(p, access.ByINFO, key)
		}
	case ua.Ended:
		if p == p.v.talk || p.v.bell == nil {
			p.ended = true
			on.reason = "the far end hung up"
			if !ev.ByPeer {
				on.reason = ev.Reason
			}
			s.step(onBye, on)
			return
		}
		reason := ev.Reason
		if ev.Err != nil {
			reason = ev.Err.Error()
		}
		s.partyFailed(p, ev.Status, reason)
	}
}

// notThere takes word that nobody is there yet: the visit goes on. The log hears of each reason once.
func (s *Station) notThere(p *party, ev ua.CallEvent) {
	if !p.absent || p.status != ev.Status || p.refusal != ev.Reason {
		p.absent, p.status, p.refusal = true, ev.Status, ev.Reason
		s.log.Warn("target not reached, it is rung when it is there", "call", p.id(), "target", p.target.Text,
			"again", ev.Again, "reason", p.absence(s.phone.absentSince(p.target.User)))
	}
	s.step(onAbsent, input{party: p})
}

// partyFailed ends one leg of a ringing visit.
func (s *Station) partyFailed(p *party, status int, reason string) {
	if p.ended || p.v != s.visit {
		return
	}
	s.dropParty(p, (*ua.Call).Hangup)
	p.status, p.refusal = status, reason
	s.tell(event.Event{Kind: event.CallRefused, Call: p.id(), Target: p.target.Text, Status: status, Reason: reason})
	s.step(onFailed, input{party: p, reason: reason})
}

// dropParty ends a leg's call, in one way or another, and its sound.
func (s *Station) dropParty(p *party, end func(*ua.Call)) {
	p.ended = true
	if p.call != nil {
		end(p.call)
	}
	p.media.Close()
	if v := p.v; v.early == p {
		v.early, v.tones = nil, false
	}
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
	p.refusal = notAnswered
	s.tell(event.Event{Kind: event.CallRefused, Call: p.id(), Target: p.target.Text, Reason: notAnswered})
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

// connect makes one leg the talk and ends the others.
func (s *Station) connect() {
	v, p := s.visit, s.in.party
	v.stopTimers()
	v.talk, v.who, v.answered = p, p.target.Text, time.Now()
	for _, other := range v.parties {
		if other != p && !other.ended {
			s.dropParty(other, (*ua.Call).AnsweredElsewhere)
			s.tell(event.Event{Kind: event.CallRefused, Call: other.id(), Target: other.target.Text, Reason: "answered elsewhere"})
		}
	}
	s.sounds.stop()
	p.sounds = true
	s.watchSound(p)
	v.entry = s.codes.NewEntry(p.id())
	v.stops = append(v.stops, s.after(v.bell.TalkLimit, func() { s.step(onTalk, input{reason: "talk limit"}) }))
	s.tell(event.Event{Kind: event.CallAnswered, Call: p.id(), Bell: v.bell.Name, Target: p.target.Text})
}

// watchSound ends a talk whose far end has vanished without a word: a microphone is not left open for nobody.
// RTCP counts as a word, so a phone that suppresses silence is safe; so does the time on hold, when no
// microphone is open.
func (s *Station) watchSound(p *party) {
	if !p.media.Sends() {
		p.onHold = time.Now()
	}
	if st, _, ok := p.media.Stats(); ok && st.Quiet > vanishedAfter && time.Since(p.onHold) > vanishedAfter {
		s.step(onHangUp, input{reason: "the far end has vanished"})
		return
	}
	p.v.stops = append(p.v.stops, s.after(vanishedAfter/4, func() { s.watchSound(p) }))
}

const vanishedAfter = time.Minute

// renew answers a re-INVITE: hold, resume, a new address, another codec.
func (s *Station) renew() {
	p, leg, peer := s.in.party, s.in.sip.Leg, s.in.sip.Flow.Remote.Addr()
	take := func(body []byte, err error) {
		if err != nil {
			s.refuse(p, leg, err)
			return
		}
		leg.Answer(body)
	}
	if len(s.in.sip.Body) > 0 {
		take(p.media.Answer(s.in.sip.Body, netip.Addr{}, peer))
		return
	}
	p.offered = true
	s.offer(p, netip.Addr{}, peer, take)
}

// offer makes an offer for a 2xx to an INVITE without one, and gives it to take on the loop, while the call
// lasts.
func (s *Station) offer(p *party, local, peer netip.Addr, take func([]byte, error)) {
	p.media.Offer(local, peer, func(body []byte, err error) {
		s.box.Put(func() {
			if !p.ended && p.v == s.visit {
				take(body, err)
			}
		})
	})
}

// acked takes what the ACK of an answer brings: the answer to a late offer, and the knowledge that the caller
// is there, since the ACK bears the tag of our 200. Who forged the INVITE's source never learns it, and is
// sent nothing.
func (s *Station) acked() {
	p := s.in.party
	p.acked = true
	if p.offered {
		p.offered = false
		if len(s.in.sip.Body) == 0 && p.media.Settled() {
			s.log.Warn("offer of a re-INVITE not answered, sound goes on as it was", "call", p.id())
			return
		}
		if err := p.media.Accept(s.in.sip.Body); err != nil {
			s.log.Warn("answer of sound refused", "call", p.id(), "err", err)
			reason := "no common codec"
			if !errors.Is(err, sdp.ErrNoCommonCodec) {
				reason = err.Error()
			}
			s.step(onHangUp, input{reason: reason})
			return
		}
	}
	p.sounds = true
}

// The same bell again, another bell, another caller.

func (s *Station) sameBell() bool { return s.visit.bell == s.in.bell }

func (s *Station) replaces() bool { return s.in.bell.WhenBusy == "replace" }

func (s *Station) pressAgain() {
	s.tell(event.Event{Kind: event.BellIgnored, Bell: s.in.bell.Name, Reason: "pressed again"})
	s.sounds.load()
	s.sounds.overlay(s.sounds.chimes[s.in.bell.Name])
	s.askAgain(s.visit)
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

func (s *Station) pressBusy() {
	s.tell(event.Event{Kind: event.BellIgnored, Bell: s.in.bell.Name, Reason: "busy"})
	if s.in.bell.WhenBusy == "busy-tone" {
		s.sounds.load()
		s.sounds.overlay(s.sounds.busy)
	}
}

func (s *Station) replace() {
	s.endVisit("another bell was pressed", false)
	s.ring()
}

func (s *Station) busyHere() {
	s.tell(event.Event{Kind: event.CallRefused, Call: s.in.call.ID, Who: s.in.sip.From.URI.String(), Status: 486, Reason: "busy"})
	s.in.sip.Leg.Reject(486)
}

// Ends.

func (s *Station) nobody() {
	s.tellUnheard()
	s.endVisit(s.in.reason, true)
}

func (s *Station) unanswered() {
	s.tellUnheard()
	s.endVisit(notAnswered, true)
}

func (s *Station) giveUp() { s.endVisit(s.in.reason, true) }

func (s *Station) farewell() { s.endVisit(s.in.reason, true) }

// endVisit ends all legs and tells of the call's end; a tone may follow, after which the station is idle.
func (s *Station) endVisit(reason string, tone bool) {
	s.stopEndingTone()
	v := s.visit
	if v == nil {
		return
	}
	s.visit = nil
	v.stopTimers()
	s.sounds.stop()
	ev := event.Event{Kind: event.CallEnded, Reason: reason, Target: v.who, DurationMS: time.Since(v.since).Milliseconds()}
	if v.bell != nil {
		ev.Bell = v.bell.Name
	}
	for _, p := range v.parties {
		if ev.Call == "" || p == v.talk {
			ev.Call = p.id()
		}
		if st, codec, ok := p.media.Stats(); ok && p == v.talk {
			ev.RTP = rtpStats(st, codec)
		}
		if !p.ended {
			s.dropParty(p, (*ua.Call).Hangup)
		} else {
			p.media.Close()
		}
	}
	s.tell(ev)
	if tone {
		s.tone = s.after(endingTone, func() { s.stopEndingTone(); s.step(onToneOver, input{}) })
		s.sounds.play(s.sounds.busy)
	}
}

// endingTone is how long the busy tone sounds.
const endingTone = 2 * time.Second

// stopEndingTone ends the tone of an earlier visit.
func (s *Station) stopEndingTone() {
	if s.tone != nil {
		s.tone()
		s.tone = nil
		s.sounds.stop()
	}
}

func rtpStats(st audio.Stats, codec string) *event.RTP {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return &event.RTP{Codec: codec, Sent: st.Sent, Received: st.Received, Lost: st.Lost, Late: st.Late,
		Concealed: uint64(st.Concealed.Milliseconds()), JitterMS: ms(st.Jitter), DelayMS: ms(st.Delay),
		RTTMS: ms(st.RTT), RemoteLost: st.RemoteLost}
}
