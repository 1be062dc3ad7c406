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
		s.takeEvent(p.Payload, p.Timestamp, p.At)
		return
	}
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

func (s *Session) takeEvent(payload []byte, ts uint32, at time.Duration) {
	e, ok := parseTelephoneEvent(payload)
	if !ok || int(e.event) >= len(eventDigits) {
		s.stats.Invalid++
		return
	}
	s.hasEvent = true
	clockRate := s.media.Receive[s.format].Codec.ClockRate
	if s.events.take(e, ts, clockRate) {
		s.tell(Digit{
			Rune: rune(eventDigits[e.event]), At: at,
			Duration: time.Duration(e.duration) * time.Second / time.Duration(clockRate),
		})
	}
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
