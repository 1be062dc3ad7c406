package audio

import "time"

// open sends the first packet at once: it opens the way through a NAT, and the far end's latch, before the
// card is ready.
func (s *Session) open(now time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.opened {
		return
	}
	s.opened, s.drained, s.sounded = true, now-time.Second, now
	s.stream.Start(now)
	switch {
	case s.media.Direction.sends():
		clear(s.frame)
		s.transmit()
		s.clock += uint32(s.media.PTime / 10 * s.unit())
	default:
		s.stream.KeepAlive(now, s.clock)
	}
}

// send takes one block of the microphone.
func (s *Session) send(mic []int16, now time.Duration) {
	unit := s.unit()
	if !s.media.Direction.sends() {
		s.talking = false
		s.stream.KeepAlive(now, s.clock)
		s.clock += uint32(unit)
		return
	}
	tones := s.queue.active() && s.media.EventPT == 0
	if s.queue.active() && !tones {
		s.filled = 0 // what the packet at hand held makes way
		s.sendEvent(unit)
		s.clock += uint32(unit)
		return
	}
	if s.media.Silent {
		mic = s.block[:]
		clear(mic)
	}
	if tones {
		mic = s.sendTone(unit)
	}
	s.filled += s.fromMic.Process(s.frame[s.filled:], mic)
	if s.filled < len(s.frame) {
		s.clock += uint32(unit)
		return
	}
	s.clock -= uint32((s.media.PTime/10 - 1) * unit)
	s.transmit()
	s.clock += uint32(s.media.PTime / 10 * unit)
}

// transmit sends the frame under the time stamp of s.clock.
func (s *Session) transmit() {
	n := s.encoder.Encode(s.stream.Payload(), s.frame)
	s.stream.Send(s.media.Send.PayloadType, s.clock, !s.talking, n)
	if !s.media.Silent {
		s.stats.SoundOut++
	}
	s.talking, s.filled = true, 0
}

func (s *Session) sendEvent(unit int) {
	if s.queue.at == 0 {
		s.queue.start = s.clock
	}
	e, times := s.queue.next(unit)
	for i := range times {
		// The marker tells where an event begins (RFC 4733, 2.5.1.2).
		n := e.put(s.stream.Payload())
		s.stream.Send(s.media.EventPT, s.queue.start, s.queue.at == 1 && i == 0, n)
	}
	s.talking = false
}

// sendTone makes the sound of a digit for a far end without telephone-events.
func (s *Session) sendTone(unit int) []int16 {
	if s.queue.at == 0 {
		s.tone.Start(rune(s.queue.queue[0]), engineRate)
	}
	e, _ := s.queue.next(unit)
	if e.end {
		clear(s.block[:])
	} else {
		s.tone.Fill(s.block[:])
	}
	return s.block[:]
}
