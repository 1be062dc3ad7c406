package device

import (
	"errors"
	"time"

	"portero/device/event"
	"portero/sip"
	"portero/sip/sdp"
	"portero/sip/ua"
)

// ringDoorLimit is how long an incoming call rings at the door.
const ringDoorLimit = 30 * time.Second

// incoming hears of calls that others place. It runs on the stack's loop: rules are looked up here, the rest
// is the station's.
func (s *Station) incoming(c *ua.Call, ev ua.CallEvent) {
	var rule *allowRule
	if ev.Kind == ua.Offered && !ev.Renewed {
		rule = s.phone.rule(ev.Flow, ev.From.URI)
	}
	s.box.Put(func() {
		if rule != nil {
			s.offered(c, ev, rule)
			return
		}
		if v := s.visit; v != nil && v.bell == nil && v.parties[0].call == c {
			s.callEvent(v.parties[0], ev)
		}
	})
}

func (s *Station) offered(c *ua.Call, ev ua.CallEvent, rule *allowRule) {
	s.step(onOffered, input{call: c, sip: ev, rule: rule})
}

func (s *Station) autoAnswer() bool { return s.cfg.Incoming.AutoAnswer || s.in.rule.AutoAnswer }

// admitCall begins the visit of an incoming call.
func (s *Station) admitCall() *party {
	s.stopEndingTone()
	v := &visit{since: time.Now(), who: s.in.sip.From.URI.String()}
	p := &party{v: v, call: s.in.call, sip: s.in.sip.Leg}
	p.target.Text = v.who
	p.media = s.newMedia(p)
	if s.in.rule.source.Server {
		p.media.At = s.phone.hostsOf(s.in.sip.From.URI.Username())
	}
	v.parties = []*party{p}
	s.visit = v
	if s.in.rule.MayOpen {
		v.entry = s.codes.NewEntry(p.id())
	}
	s.tell(event.Event{Kind: event.CallStarted, Call: p.id(), Target: v.who, Who: v.who})
	return p
}

// answerAtOnce answers without anybody at the door having asked for it, so the door hears a signal first.
func (s *Station) answerAtOnce() {
	p := s.admitCall()
	s.signal(p)
	s.answer(p, s.in.sip)
}

// ringDoor rings at the door until a bell is pressed.
func (s *Station) ringDoor() {
	p := s.admitCall()
	p.v.stops = append(p.v.stops, s.after(ringDoorLimit, func() { s.step(onLimit, input{}) }))
	p.v.pending = s.in.sip
	p.sip.Progress(180, nil)
	s.sounds.follow(s.sounds.incoming)
	s.tell(event.Event{Kind: event.CallRinging, Call: p.id(), Target: p.target.Text})
}

// pickUp answers the call that rings at the door, for who has pressed a bell there, or for a command: then
// the door hears a signal.
func (s *Station) pickUp() {
	p, bell := s.visit.parties[0], s.in.bell
	s.sounds.stop()
	p.v.picked = bell
	if p.signalled = bell != nil; !p.signalled {
		s.signal(p)
	}
	s.answer(p, p.v.pending)
}

// ackWithin is how long a picked-up call may keep the ACK back: a forged INVITE must not swallow the press of
// a bell for longer.
const ackWithin = 2 * time.Second

// ringInstead rings for the bell that was pressed to answer somebody who is not there.
func (s *Station) ringInstead() {
	s.in.bell = s.visit.picked
	s.endVisit("the caller is not there", false)
	s.ring()
}

// notAcked: a call that the station answered by itself is nobody's yet, and keeps no visitor from ringing.
func (s *Station) notAcked() bool {
	v := s.visit
	return v.bell == nil && v.picked == nil && !v.talk.acked
}

// answer answers the offer of a caller, or makes one where it came without.
func (s *Station) answer(p *party, offered ua.CallEvent) {
	v := p.v
	v.stopTimers()
	v.talk, v.answered = p, time.Now()
	local, err := s.phone.LocalFor(offered.Flow)
	peer := offered.Flow.Remote.Addr()
	switch {
	case err != nil:
		s.answerWith(p, nil, err)
	case len(offered.Body) > 0:
		body, err := p.media.Answer(offered.Body, local, peer)
		s.answerWith(p, body, err)
	default:
		p.offered = true
		s.offer(p, local, peer, func(body []byte, err error) { s.answerWith(p, body, err) })
	}
}

// answerWith sends the answer; the sound starts with its ACK.
func (s *Station) answerWith(p *party, body []byte, err error) {
	if err != nil {
		s.refuse(p, p.sip, err)
		s.step(onHangUp, input{reason: err.Error()})
		return
	}
	v := p.v
	p.sip.Answer(body)
	s.watchSound(p)
	if v.picked != nil {
		v.stops = append(v.stops, s.after(ackWithin, func() {
			if !p.acked {
				s.step(onUnacked, input{})
			}
		}))
	}
	v.stops = append(v.stops, s.after(incomingTalkLimit, func() { s.step(onTalk, input{reason: "talk limit"}) }))
	s.tell(event.Event{Kind: event.CallAnswered, Call: p.id(), Target: p.target.Text, Who: v.who})
}

// refuse answers an offer that cannot be answered, and tells both ends why: here, with both lists of codecs.
func (s *Station) refuse(p *party, leg *ua.Leg, err error) {
	status, warning := 488, sip.Warning{Code: 399, Text: err.Error()}
	if mismatch := (*sdp.Mismatch)(nil); errors.As(err, &mismatch) {
		warning.Code, warning.Text = mismatch.Code, mismatch.Text
	} else if syntax := (*sdp.SyntaxError)(nil); errors.As(err, &syntax) {
		status = 400
	}
	s.log.Warn("offer of sound refused", "call", p.id(), "status", status, "err", err)
	leg.Reject(status, warning)
}

// incomingTalkLimit bounds calls that no bell placed.
const incomingTalkLimit = 10 * time.Minute

func (s *Station) nobodyAtDoor() {
	s.visit.parties[0].sip.Reject(480)
	s.endVisit("nobody answered at the door", false)
}

func (s *Station) endQuietly() { s.endVisit(s.in.reason, false) }
