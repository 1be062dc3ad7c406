package audio

import (
	"time"

	"portero/audio/dtmf"
	"portero/audio/playout"
	"portero/audio/rtp"
)

// receive drains the sockets once per wake-up of the thread: a card's long period runs several blocks at
// once.
func (s *Session) receive(now time.Duration) {
	if now-s.drained < blockTime/4 {
		return
	}
	s.drained = now
	s.stream.Receive(now, s.take)
}

// take gets a packet of one of the payload types that Media names.
func (s *Session) take(p *rtp.Packet) {
	if !s.media.Direction.receives() {
		return
	}
	format := s.formatOf(p.PayloadType)
	if format < 0 {
		s.takeEvent(p)
		return
	}
	s.sounded = p.At
	s.stats.SoundIn++
	if format != s.format {
		s.decode(format)
	}
	s.buffer.Put(playout.Packet{
		Epoch: p.Epoch, Seq: p.Seq, Timestamp: p.Timestamp, Payload: p.Payload, At: p.At,
	})
}

// formatOf returns the index in media.Receive; -1: telephone-events.
func (s *Session) formatOf(pt uint8) int {
	for i := range s.media.Receive {
		if s.media.Receive[i].PayloadType == pt {
			return i
		}
	}
	return -1
}

// eventStream is the events of one SSRC.
type eventStream struct {
	eventReceiver
	used bool
	ssrc uint32
}

// eventStreamOf returns which of the two streams an SSRC is. A new one takes over from one that is heard no
// more, as after a hold or a transfer, else it is the second.
func (s *Session) eventStreamOf(ssrc uint32) int {
	free := -1
	for i := range s.events {
		e := &s.events[i]
		switch {
		case e.used && e.ssrc == ssrc:
			return i
		case free < 0 && !(e.used && s.stream.Hears(e.ssrc)):
			free = i
		}
	}
	free = max(free, 0) // rtp.Source lets two in, so one is free
	s.events[free] = eventStream{used: true, ssrc: ssrc}
	return free
}

func (s *Session) takeEvent(p *rtp.Packet) {
	e, ok := parseTelephoneEvent(p.Payload)
	if !ok || int(e.event) >= len(eventDigits) {
		s.stats.Invalid++
		return
	}
	s.hasEvent = true
	clockRate, n := s.media.eventClock(), s.eventStreamOf(p.SSRC)
	d := Digit{Rune: rune(eventDigits[e.event]), At: p.At, Stream: n,
		Duration: time.Duration(e.duration) * time.Second / time.Duration(clockRate)}
	if p.PayloadType != s.media.EventPTRecv && p.PayloadType != s.media.EventPT {
		d.Unasked = p.PayloadType
	}
	if s.events[n].take(e, uint16(p.Seq), p.Timestamp, p.At, clockRate) {
		s.tell(d)
	}
}

const (
	strangersAtLeast = 3           // fewer are a straggler or a scan, and not worth a word
	strangersEvery   = time.Minute // between two tellings
)

// strangers reports whether s.stranger is to be told.
func (s *Session) strangers(now time.Duration) bool {
	if s.cfg.OnStranger == nil || s.counted > 0 && now-s.told < strangersEvery {
		return false
	}
	from, expected, n := s.stream.Strangers()
	if n-s.counted < strangersAtLeast {
		return false
	}
	s.stranger = Stranger{From: from, Expected: expected, Packets: n - s.counted}
	s.counted, s.told = n, now
	return true
}

func (s *Session) tell(d Digit) {
	if s.nDigits == len(s.digits) {
		return // nine presses in 10 ms are no finger's
	}
	s.stats.Digits++
	if s.cfg.OnDigit != nil {
		s.digits[s.nDigits] = d
		s.nDigits++
	}
}

// play adds the next block of received sound to mix.
func (s *Session) play(mix []int32, now time.Duration) {
	if !s.media.Direction.receives() {
		return
	}
	rate := s.media.Receive[s.format].Codec.SampleRate
	pcm := s.pcm[:rate/blocksPerSecond]
	s.buffer.Get(pcm, now)
	if s.detector != nil && !s.hasEvent {
		for _, e := range s.detector.Process(pcm, s.heard[:0]) {
			s.tell(inBandDigit(e, now, rate))
		}
	}
	n := s.toCard.Process(s.block[:], pcm)
	for i, v := range s.block[:n] {
		mix[i] += int32(v)
	}
}

func inBandDigit(e dtmf.Event, now time.Duration, rate int) Digit {
	long := time.Duration(e.Length) * time.Second / time.Duration(rate)
	return Digit{Rune: e.Digit, At: now - long, Duration: long, InBand: true}
}
