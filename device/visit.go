package device

import (
	"errors"
	"net/netip"
	"time"

	"portero/audio"
	"portero/device/access"
	"portero/device/config"
	"portero/device/event"
	"portero/device/media"
	"portero/sip/sdp"
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

	// See beside.go.
	pressed   *config.Bell // the bell that was pressed last, at pressedAt, in the talk
	pressedAt time.Time
	again     *visit // that rings beside the talk
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
	unasked bool // it was told that keys come as nobody agreed
	sounds  bool // its sound is to run
	silent  silence

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
	if v.talk != nil && v.talk.silent.stop != nil {
		v.talk.silent.stop()
	}
}

// callEvent takes what the SIP stack tells of a leg. Legs of earlier visits tell nothing any more.
func (s *Station) callEvent(p *party, ev ua.CallEvent) {
	if p.ended || !s.current(p) {
		return
	}
	on := input{party: p, sip: ev}
	switch ev.Kind {
	case ua.Offered, ua.Acked, ua.Info:
		s.word(p)
	}
	switch ev.Kind {
	case ua.Progress:
		switch {
		case ev.Status == 182:
			s.notThere(p, ev)
		case ev.Status > 100:
			s.step(onProgress, on)
		}
	case ua.Refused:
		s.followed(p, ev)
	case ua.Waiting:
		s.notThere(p, ev)
	case ua.Answered:
		if ev.Renewed {
			s.followed(p, ev)
			return
		}
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
	case ua.Asked:
		s.asked(p, ev)
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
		s.partyFailed(p, ev.Status, reasonOf(ev))
	}
}

// partyFailed ends one leg of a ringing visit.
func (s *Station) partyFailed(p *party, status int, reason string) {
	if p.ended || !s.current(p) {
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

// connect makes one leg the talk and ends the others.
func (s *Station) connect() {
	v, p := s.visit, s.in.party
	v.stopTimers()
	v.talk, v.who, v.answered = p, p.target.Text, time.Now()
	for _, other := range v.parties {
		if other != p && !other.ended {
			s.dropParty(other, (*ua.Call).AnsweredElsewhere)
			s.tell(event.Event{Kind: event.CallRefused, Call: other.id(), Target: other.target.Text, Reason: event.AnsweredElsewhere})
		}
	}
	s.sounds.stop()
	p.sounds = true
	p.silent.word = v.answered
	s.box.Put(func() { s.watch(p) })
	v.entry = s.codes.NewEntry(p.id())
	v.stops = append(v.stops, s.after(v.bell.TalkLimit, func() { s.step(onTalk, input{reason: "talk limit"}) }))
	s.tell(event.Event{Kind: event.CallAnswered, Call: p.id(), Bell: v.bell.Name, Target: p.target.Text})
}

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

func (s *Station) sameBell() bool {
	v := s.visit
	return v.bell == s.in.bell || v.again != nil && v.again.bell == s.in.bell
}

func (s *Station) replaces() bool { return s.in.bell.WhenBusy == "replace" }

func (s *Station) pressAgain() {
	s.tell(event.Event{Kind: event.BellIgnored, Bell: s.in.bell.Name, Reason: "pressed again"})
	s.sounds.load()
	s.sounds.overlay(s.sounds.chimes[s.in.bell.Name])
	if v := s.visit; v.again != nil {
		s.askAgain(v.again)
	} else {
		s.askAgain(v)
	}
}

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
	s.endVisit(event.NotAnswered, true)
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
	s.stopBeside(reason)
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
			ev.RTP, ev.Sound = rtpStats(st, codec), soundOf(st)
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
