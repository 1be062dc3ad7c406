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
	"portero/sip/transport"
	"portero/sip/ua"
)

// visit is one stay at the door: from the press of a bell, or from an incoming call, to the end of talking.
type visit struct {
	bell     *config.Bell // nil: an incoming call
	who      string       // the far end, once there is one
	since    time.Time
	answered time.Time
	legs     []*leg
	next     int  // of the bell's targets, when they are called one after the other
	talk     *leg // the leg that talks
	entry    *access.Entry
	tones    bool         // the far end is heard, or our ring-back
	early    *leg         // whose early media is heard: one voice at a time
	picked   *config.Bell // the bell that was pressed to answer an incoming call
	pending  ua.CallEvent // the offer of a call that rings at the door
	stops    []func()
	stopHunt func()
}

// leg is one call of a visit.
type leg struct {
	v       *visit
	target  config.Target
	call    *ua.Call
	sip     *ua.Leg
	media   *media
	over    bool
	rang    bool        // told as ringing
	alerts  bool        // the far end has said that the call makes progress
	early   *ua.Leg     // the dialog whose provisional response brought the answer
	offered bool        // the far end owes the answer to our late offer
	digits  digitSource // which way its digits come
	mute    time.Time   // when the far end was last known to have the door on hold

	// Incoming calls: what stands against the microphone.
	unacked     bool // the caller has not shown that it is there
	unsignalled bool // the door has not heard that somebody listens
	deaf        bool // it was on hold when the media in force was agreed
	signals     int  // begun
}

type digitSource string

const (
	byRTP  digitSource = "RTP"
	byINFO digitSource = "INFO"
)

// id is the Call-ID, which marks all events of a call.
func (l *leg) id() string {
	if l.call == nil {
		return ""
	}
	return l.call.ID
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
	s.quiet()
	v := &visit{bell: s.on.bell, since: time.Now()}
	s.visit = v
	v.stops = append(v.stops, s.after(v.bell.RingLimit, func() { s.step(onLimit, occurrence{}) }))
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
	l := &leg{v: v}
	v.legs = append(v.legs, l)
	l.media = s.media.newMedia(func(d audio.Digit) { s.box.Put(func() { s.digitHeard(l, byRTP, d.Rune) }) })
	var err error
	if l.target, err = s.Config.Target(v.bell, text); err == nil {
		name := v.bell.DisplayName
		if name == "" {
			name = v.bell.Name
		}
		l.call, err = s.Phone.Dial(l.target, name,
			func(local netip.Addr, t transport.Target) ([]byte, error) { return l.media.offer(local, t.Addr.Addr()) },
			func(ev ua.CallEvent) { s.box.Put(func() { s.callEvent(l, ev) }) })
	}
	if err != nil {
		s.box.Put(func() { s.legFailed(l, 0, err.Error()) })
		return
	}
	s.tell(event.Event{Kind: event.CallStarted, Call: l.id(), Bell: v.bell.Name, Target: l.target.Text, Account: l.target.Account})
	if v.bell.Strategy == "serial" && v.next < len(v.bell.Targets) {
		v.stopHunt = s.after(v.bell.HuntAfter, func() { s.step(onHunt, occurrence{leg: l}) })
	}
}

// callEvent takes what the SIP stack tells of a leg. Legs of earlier visits tell nothing any more.
func (s *Station) callEvent(l *leg, ev ua.CallEvent) {
	if l.over || l.v != s.visit {
		return
	}
	on := occurrence{leg: l, sip: ev}
	switch ev.Kind {
	case ua.Progress:
		if ev.Status > 100 {
			s.step(onProgress, on)
		}
	case ua.Answered:
		// The answer may have come with a provisional response of the same dialog, and is not always said twice.
		if len(ev.Body) == 0 && l.early != nil && l.early == ev.Leg {
			l.sip = ev.Leg
			s.step(onAnswered, on)
			return
		}
		if err := l.media.accept(ev.Body); err != nil {
			s.legFailed(l, 0, err.Error())
			return
		}
		l.sip = ev.Leg
		s.step(onAnswered, on)
	case ua.Offered:
		s.step(onRenewed, on)
	case ua.Acked:
		s.step(onAcked, on)
	case ua.Info:
		if d, ok := infoDigit(ev.ContentType, ev.Body); ok {
			s.digitHeard(l, byINFO, d)
		}
	case ua.Ended:
		if l == l.v.talk || l.v.bell == nil {
			l.over = true
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
		s.legFailed(l, ev.Status, reason)
	}
}

// legFailed ends one leg of a ringing visit.
func (s *Station) legFailed(l *leg, status int, reason string) {
	if l.over || l.v != s.visit {
		return
	}
	s.dropLeg(l)
	s.tell(event.Event{Kind: event.CallRefused, Call: l.id(), Target: l.target.Text, Status: status, Reason: reason})
	s.step(onFailed, occurrence{leg: l, reason: reason})
}

// dropLeg ends a leg's call and sound.
func (s *Station) dropLeg(l *leg) {
	l.over = true
	if l.call != nil {
		l.call.Hangup()
	}
	l.media.close()
	if v := l.v; v.early == l {
		v.early, v.tones = nil, false
	}
}

// othersLeft says whether somebody else may still answer.
func (s *Station) othersLeft() bool {
	for _, l := range s.visit.legs {
		if !l.over {
			return true
		}
	}
	return s.visit.next < len(s.visit.bell.Targets)
}

// hunt goes on to the next target when the one that rang failed.
func (s *Station) hunt() {
	v := s.visit
	s.ringBack(v)
	if v.bell.Strategy != "serial" || v.next >= len(v.bell.Targets) {
		return
	}
	if v.stopHunt != nil {
		v.stopHunt()
	}
	s.callNext(v)
}

func (s *Station) huntOn() {
	s.dropLeg(s.on.leg)
	s.tell(event.Event{Kind: event.CallRefused, Call: s.on.leg.id(), Target: s.on.leg.target.Text, Reason: "not answered"})
	s.callNext(s.visit)
}

// progress lets the visitor hear that it rings: the far end's own sound if it sends any, else our ring-back.
func (s *Station) progress() {
	l, v := s.on.leg, s.visit
	l.alerts = true
	if !l.rang && s.on.sip.Status == 180 || !l.rang && s.on.sip.Status == 183 {
		l.rang = true
		s.tell(event.Event{Kind: event.CallRinging, Call: l.id(), Target: l.target.Text})
	}
	if len(s.on.sip.Body) > 0 && s.on.sip.Leg != nil && !l.media.settled() {
		err := l.media.hold()
		if err == nil {
			err = l.media.accept(s.on.sip.Body)
		}
		if err != nil {
			s.Log.Warn("early media", "call_id", l.id(), "err", err)
		} else {
			l.early = s.on.sip.Leg
			if v.early == nil {
				s.sounds.stop()
				v.early, v.tones = l, true
				l.media.start()
			}
		}
	}
	s.ringBack(v)
}

// ringBack lets the visitor hear that a phone rings, where nothing else tells it.
func (s *Station) ringBack(v *visit) {
	if !v.tones && slices.ContainsFunc(v.legs, func(l *leg) bool { return l.alerts && !l.over }) {
		v.tones = true
		s.sounds.follow(s.sounds.ringBack)
	}
}

// connect makes one leg the talk and ends the others.
func (s *Station) connect() {
	v, l := s.visit, s.on.leg
	v.stopTimers()
	v.talk, v.who, v.answered = l, l.target.Text, time.Now()
	for _, other := range v.legs {
		if other != l && !other.over {
			s.dropLeg(other)
			s.tell(event.Event{Kind: event.CallRefused, Call: other.id(), Target: other.target.Text, Reason: "answered elsewhere"})
		}
	}
	s.sounds.stop()
	if err := l.media.unmute(); err != nil {
		s.Log.Error("sound", "call_id", l.id(), "err", err)
	}
	l.media.start()
	s.watchSound(l)
	v.entry = s.codes.NewEntry(l.id())
	v.stops = append(v.stops, s.after(v.bell.TalkLimit, func() { s.step(onTalk, occurrence{reason: "talk limit"}) }))
	s.tell(event.Event{Kind: event.CallAnswered, Call: l.id(), Bell: v.bell.Name, Target: l.target.Text})
}

// watchSound ends a talk whose far end has vanished without a word: a microphone is not left open for nobody. RTCP counts as a
// word, so a phone that suppresses silence is safe; so does the time on hold, when no microphone is open.
func (s *Station) watchSound(l *leg) {
	if !l.media.sends() {
		l.mute = time.Now()
	}
	if st, _, ok := l.media.stats(); ok && st.Quiet > vanishedAfter && time.Since(l.mute) > vanishedAfter {
		s.step(onHangUp, occurrence{reason: "the far end has vanished"})
		return
	}
	l.v.stops = append(l.v.stops, s.after(vanishedAfter/4, func() { s.watchSound(l) }))
}

const vanishedAfter = time.Minute

// renew answers a re-INVITE: hold, resume, a new address, another codec.
func (s *Station) renew() {
	l := s.on.leg
	var body []byte
	err := s.guard(l)
	switch {
	case err != nil:
	case len(s.on.sip.Body) > 0:
		body, err = l.media.answer(s.on.sip.Body, netip.Addr{}, s.on.sip.Flow.Remote.Addr())
	default:
		body, err = l.media.offer(netip.Addr{}, s.on.sip.Flow.Remote.Addr())
		l.offered = true
	}
	if err != nil {
		s.Log.Warn("re-INVITE refused", "call_id", l.id(), "err", err)
		s.on.sip.Leg.Reject(488)
		return
	}
	s.on.sip.Leg.Answer(body)
	s.resumed(l)
}

// guard keeps the microphone out of what an incoming call that does not hear the door is about to agree to.
func (s *Station) guard(l *leg) error {
	if l.v.bell != nil || !l.media.settled() || l.media.sends() {
		return nil
	}
	l.deaf = true
	return l.media.hold()
}

// resumed signals to the door that an incoming call hears it again.
func (s *Station) resumed(l *leg) {
	if l.deaf && l.media.sends() {
		l.deaf = false
		s.signal(l)
	}
}

// acked takes what the ACK of an answer brings: the answer to a late offer, and the knowledge that the caller is there, since the ACK
// bears the tag of our 200. Who forged the INVITE's source never learns it, and is sent nothing.
func (s *Station) acked() {
	l := s.on.leg
	l.unacked = false
	if l.offered {
		l.offered = false
		err := s.guard(l)
		if err == nil {
			err = l.media.accept(s.on.sip.Body)
		}
		if err != nil {
			reason := "no common codec"
			if !errors.Is(err, errNoCodec) {
				reason = err.Error()
			}
			s.step(onHangUp, occurrence{reason: reason})
			return
		}
		s.resumed(l)
	}
	l.media.start()
	if l.v.bell == nil {
		s.listen(l)
	}
}

// The same bell again, another bell, another caller.

func (s *Station) sameBell() bool { return s.visit.bell == s.on.bell }

func (s *Station) replaces() bool { return s.on.bell.WhenBusy == "replace" }

func (s *Station) pressAgain() {
	s.tell(event.Event{Kind: event.BellIgnored, Bell: s.on.bell.Name, Reason: "pressed again"})
	s.sounds.load()
	s.sounds.over(s.sounds.chimes[s.on.bell.Name])
}

func (s *Station) pressBusy() {
	s.tell(event.Event{Kind: event.BellIgnored, Bell: s.on.bell.Name, Reason: "busy"})
	if s.on.bell.WhenBusy == "busy-tone" {
		s.sounds.load()
		s.sounds.over(s.sounds.busy)
	}
}

func (s *Station) replace() {
	s.endVisit("another bell was pressed", false)
	s.ring()
}

func (s *Station) busyHere() {
	s.tell(event.Event{Kind: event.CallRefused, Call: s.on.call.ID, Who: s.on.sip.From.URI.String(), Status: 486, Reason: "busy"})
	s.on.sip.Leg.Reject(486)
}

// Ends.

func (s *Station) nobody() { s.endVisit(s.on.reason, true) }

func (s *Station) unanswered() { s.endVisit("not answered", true) }

func (s *Station) giveUp() { s.endVisit(s.on.reason, true) }

func (s *Station) farewell() { s.endVisit(s.on.reason, true) }

// endVisit ends all legs and tells of the call's end; a tone may follow, after which the station is idle.
func (s *Station) endVisit(reason string, tone bool) {
	s.quiet()
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
	for _, l := range v.legs {
		if ev.Call == "" || l == v.talk {
			ev.Call = l.id()
		}
		if st, codec, ok := l.media.stats(); ok && l == v.talk {
			ev.RTP = rtpStats(st, codec)
		}
		if !l.over {
			s.dropLeg(l)
		} else {
			l.media.close()
		}
	}
	s.tell(ev)
	if tone {
		s.tone = s.after(endingTone, func() { s.quiet(); s.step(onToneOver, occurrence{}) })
		s.sounds.play(s.sounds.busy)
	}
}

// endingTone is how long the busy tone sounds.
const endingTone = 2 * time.Second

// quiet ends the tone of an earlier visit.
func (s *Station) quiet() {
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
