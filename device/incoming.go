package device

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"portero/audio"
	"portero/device/event"
	"portero/sip"
	"portero/sip/sdp"
	"portero/sip/transport"
	"portero/sip/ua"
)

var errNoCodec = sdp.ErrNoCommonCodec

// ringDoorLimit is how long an incoming call rings at the door.
const ringDoorLimit = 30 * time.Second

// incoming hears of calls that others place. It runs on the stack's loop: rules are looked up here, the rest is the station's.
func (s *Station) incoming(c *ua.Call, ev ua.CallEvent) {
	var rule *allowRule
	if ev.Kind == ua.Offered && !ev.Renewed {
		rule = s.Phone.rule(ev.Flow, ev.From.URI)
	}
	s.box.Put(func() {
		if rule != nil {
			s.offered(c, ev, rule)
			return
		}
		if v := s.visit; v != nil && v.bell == nil && v.legs[0].call == c {
			s.callEvent(v.legs[0], ev)
		}
	})
}

func (s *Station) offered(c *ua.Call, ev ua.CallEvent, rule *allowRule) {
	s.step(onOffered, occurrence{call: c, sip: ev, rule: rule})
}

func (s *Station) autoAnswer() bool { return s.Config.Incoming.AutoAnswer || s.on.rule.AutoAnswer }

// admitCall begins the visit of an incoming call.
func (s *Station) admitCall() *leg {
	s.quiet()
	v := &visit{since: time.Now(), who: s.on.sip.From.URI.String()}
	l := &leg{v: v, call: s.on.call, sip: s.on.sip.Leg}
	l.target.Text = v.who
	l.media = s.media.newMedia(func(d audio.Digit) { s.box.Put(func() { s.digitHeard(l, byRTP, d.Rune) }) })
	_ = l.media.hold() // there is no session yet
	l.unacked = true
	v.legs = []*leg{l}
	s.visit = v
	if s.on.rule.MayOpen {
		v.entry = s.codes.NewEntry(l.id())
	}
	s.tell(event.Event{Kind: event.CallStarted, Call: l.id(), Target: v.who, Who: v.who})
	return l
}

// answerAtOnce answers without anybody at the door having asked for it, so the door hears a signal first.
func (s *Station) answerAtOnce() {
	l := s.admitCall()
	s.signal(l)
	s.answer(l, s.on.sip)
}

// signal tells those at the door that somebody listens. The microphone waits for its end, also when the card comes late.
func (s *Station) signal(l *leg) {
	l.signals++
	l.unsignalled = true
	c, n := s.sounds.signal, l.signals
	c.Done = func() {
		s.box.Put(func() {
			if l.v == s.visit && l.signals == n {
				l.unsignalled = false
				s.listen(l)
			}
		})
	}
	s.sounds.play(c)
}

// listen opens the microphone to an incoming call when nothing stands against it any more.
func (s *Station) listen(l *leg) {
	if l.unacked || l.unsignalled || l.over {
		return
	}
	if err := l.media.unmute(); err != nil {
		s.Log.Error("sound", "call_id", l.id(), "err", err)
	}
}

// ringDoor rings at the door until a bell is pressed.
func (s *Station) ringDoor() {
	l := s.admitCall()
	l.v.stops = append(l.v.stops, s.after(ringDoorLimit, func() { s.step(onLimit, occurrence{}) }))
	l.v.pending = s.on.sip
	l.sip.Progress(180, nil)
	s.sounds.follow(s.sounds.incoming)
	s.tell(event.Event{Kind: event.CallRinging, Call: l.id(), Target: l.target.Text})
}

// pickUp answers the call that rings at the door.
func (s *Station) pickUp() {
	l, bell := s.visit.legs[0], s.on.bell
	s.sounds.stop()
	l.v.picked = bell
	s.answer(l, l.v.pending)
}

// ackWithin is how long a picked-up call may keep the ACK back: a forged INVITE must not swallow the press of a bell for longer.
const ackWithin = 2 * time.Second

// unacked rings for the bell that was pressed to answer somebody who is not there.
func (s *Station) unacked() {
	s.on.bell = s.visit.picked
	s.endVisit("the caller is not there", false)
	s.ring()
}

// notAcked: a call that the station answered by itself is nobody's yet, and keeps no visitor from ringing.
func (s *Station) notAcked() bool {
	v := s.visit
	return v.bell == nil && v.picked == nil && v.talk.unacked
}

func (s *Station) answer(l *leg, offer ua.CallEvent) {
	v := l.v
	v.stopTimers()
	v.talk, v.answered = l, time.Now()
	local, err := s.Phone.LocalFor(offer.Flow)
	var body []byte
	peer := offer.Flow.Remote.Addr()
	if err == nil {
		if len(offer.Body) > 0 {
			body, err = l.media.answer(offer.Body, local, peer)
		} else {
			body, err = l.media.offer(local, peer)
			l.offered = true
		}
	}
	if err != nil {
		status := 488
		if _, unreadable := errors.AsType[*sdp.SyntaxError](err); unreadable {
			status = 400
		}
		l.sip.Reject(status)
		s.step(onHangUp, occurrence{reason: err.Error()})
		return
	}
	l.sip.Answer(body) // the sound starts with the ACK
	s.watchSound(l)
	if v.picked != nil {
		v.stops = append(v.stops, s.after(ackWithin, func() {
			if l.unacked {
				s.step(onUnacked, occurrence{})
			}
		}))
	}
	v.stops = append(v.stops, s.after(incomingTalkLimit, func() { s.step(onTalk, occurrence{reason: "talk limit"}) }))
	s.tell(event.Event{Kind: event.CallAnswered, Call: l.id(), Target: l.target.Text, Who: v.who})
}

// incomingTalkLimit bounds calls that no bell placed.
const incomingTalkLimit = 10 * time.Minute

func (s *Station) nobodyAtDoor() {
	s.visit.legs[0].sip.Reject(480)
	s.endVisit("nobody answered at the door", false)
}

func (s *Station) over() { s.endVisit(s.on.reason, false) }

// LocalFor returns the local address that the far end of a flow sees.
func (p *Phone) LocalFor(f transport.Flow) (netip.Addr, error) {
	local, err := p.Agent.Stack().Local(transport.Target{Proto: f.Proto, Addr: f.Remote, Flow: f})
	return local.Addr(), err
}

// infoDigit reads a digit from the body of an INFO: "Signal=5" of application/dtmf-relay, or the bare digit of application/dtmf.
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
