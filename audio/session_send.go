package audio

import "time"

// keepAlive is how often a stream that only listens holds a NAT's binding open (RFC 6263 wants 15 s).
const keepAlive = 15 * time.Second

// open sends the first packet at once: it opens the way through a NAT, and the far end's latch, before the card is ready.
func (s *Session) open(now time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.opened {
		return
	}
	s.opened, s.since, s.keepNext = true, now, now
	s.drained, s.drainedRTCP = now-time.Second, now-time.Second
	s.rtcp.start(now)
	switch {
	case s.media.Direction.sends():
		clear(s.frame)
		s.transmit()
		s.clock += uint32(s.media.PTime / 10 * s.unit())
	default:
		s.stayOpen(now)
	}
}

// send takes one block of the microphone.
func (s *Session) send(mic []int16, now time.Duration) {
	unit := s.unit()
	if !s.media.Direction.sends() {
		s.talking = false
		s.stayOpen(now)
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
	h := s.rtpHeader(s.media.Send.PayloadType, s.clock, !s.talking)
	n := s.encoder.Encode(s.out[h:], s.frame)
	s.write(s.out[:h+n], n)
	s.talking, s.filled = true, 0
}

func (s *Session) rtpHeader(pt uint8, ts uint32, marker bool) int {
	s.header.PayloadType, s.header.Timestamp, s.header.Marker = pt, ts, marker
	n, _ := s.header.MarshalTo(s.out[:]) // fails on a short buffer alone
	s.header.SequenceNumber++
	return n
}

func (s *Session) write(b []byte, payload int) {
	if s.cfg.Conn.WritePacket(b, s.target()) != nil {
		return // an unreachable far end: Quiet tells, and RTCP
	}
	s.stats.Sent++
	s.stats.SentBytes += uint64(payload)
}

func (s *Session) sendEvent(unit int) {
	if s.queue.at == 0 {
		s.queue.start = s.clock
	}
	e, times := s.queue.next(unit)
	for i := range times {
		// The marker tells where an event begins (RFC 4733, 2.5.1.2).
		h := s.rtpHeader(s.media.EventPT, s.queue.start, s.queue.at == 1 && i == 0)
		n := e.put(s.out[h:])
		s.write(s.out[:h+n], n)
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

// stayOpen sends an RTP packet without payload, of a type that was not negotiated, which every receiver ignores (RFC 6263, 4.6).
func (s *Session) stayOpen(now time.Duration) {
	if now < s.keepNext {
		return
	}
	s.keepNext = now + keepAlive
	h := s.rtpHeader(s.unusedType(), s.clock, false)
	s.write(s.out[:h], 0)
}

func (s *Session) unusedType() uint8 {
	for pt := uint8(127); pt > 96; pt-- {
		if f, event := s.formatOf(pt); f < 0 && !event && pt != s.media.Send.PayloadType && pt != s.media.EventPT {
			return pt
		}
	}
	return 96
}
