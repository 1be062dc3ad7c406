package audio

import (
	"net/netip"
	"time"

	"portero/audio/dtmf"
	"portero/audio/playout"
)

// maxDrain bounds the packets taken per block: a flood stays in the kernel's buffer and is dropped there.
const maxDrain = 64

// receive drains the sockets, RTP's once per wake-up of the thread (a card's long period runs several blocks at once), RTCP's
// twenty times a second.
func (s *Session) receive(now time.Duration) {
	if now-s.drained < blockTime/4 {
		return
	}
	s.drained = now
	for range maxDrain {
		n, from, at, err := s.cfg.Conn.ReadPacket(s.in[:])
		if n == 0 || err != nil {
			break
		}
		s.take(s.in[:n], unmap(from), min(at, now))
	}
	if s.cfg.RTCP == nil || now-s.drainedRTCP < 50*time.Millisecond {
		return
	}
	s.drainedRTCP = now
	for range maxDrain / 8 {
		n, from, at, err := s.cfg.RTCP.ReadPacket(s.in[:])
		if n == 0 || err != nil {
			break
		}
		s.takeControl(s.in[:n], unmap(from), min(at, now))
	}
}

// take handles one datagram of the RTP port:
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|V=2|P|X|  CC   |M|     PT      |       sequence number         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                           timestamp                           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           synchronization source (SSRC) identifier            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// With RTCP-mux, payload types 64 to 95 with the marker are RTCP (RFC 5761, 4).
func (s *Session) take(b []byte, from netip.AddrPort, at time.Duration) {
	if len(b) >= 2 && b[1] >= 192 && b[1] <= 223 {
		if s.media.RTCPMux {
			s.takeControl(b, from, at)
		} else {
			s.stats.Invalid++
		}
		return
	}
	if len(b) < 12 || b[0]>>6 != 2 || s.packet.Unmarshal(b) != nil {
		s.stats.Invalid++
		return
	}
	p := &s.packet
	format, event := s.formatOf(p.PayloadType)
	if format < 0 && !event {
		// Comfort noise (13) or a keep-alive (RFC 6263): no sound, but its sequence number is not lost.
		switch {
		case from != s.source || !s.arrivals.admit(p.SSRC, p.SequenceNumber, at, true):
			s.stats.Foreign++
		case len(p.Payload) > 1:
			s.stats.Invalid++
		}
		return
	}
	if !s.fromPeer(from) {
		s.stats.Foreign++
		return
	}
	if !s.arrivals.admit(p.SSRC, p.SequenceNumber, at, event) {
		s.stats.Foreign++
		return
	}
	s.since = at
	s.stats.Received++
	s.stats.ReceivedBytes += uint64(len(p.Payload))
	if !s.media.Direction.receives() {
		return
	}
	if event {
		s.takeEvent(p.Payload, p.Timestamp, at)
		return
	}
	if format != s.format {
		s.decode(format)
	}
	s.buffer.Put(playout.Packet{
		SSRC: p.SSRC, Seq: p.SequenceNumber, Timestamp: p.Timestamp, Marker: p.Marker, Payload: p.Payload, At: at,
	})
}

func (s *Session) formatOf(pt uint8) (format int, event bool) {
	for i := range s.media.Receive {
		if s.media.Receive[i].PayloadType == pt {
			return i, false
		}
	}
	return -1, pt == s.media.EventPTRecv && pt != 0
}

// fromPeer applies the one latch: packets come from where the stream comes from already, or from the negotiated address, which
// outranks a latch; or they are the first ones and their address is allowed.
func (s *Session) fromPeer(from netip.AddrPort) bool {
	switch {
	case from == s.source:
		return true
	case same(from, s.media.Remote):
		s.source = from
		return true
	case s.source.IsValid():
		return false
	case from.Addr().WithZone("") == s.media.Remote.Addr().WithZone("") || s.cfg.LatchFrom != nil && s.cfg.LatchFrom(from.Addr()):
		s.source = from
		return true
	}
	return false
}

// same compares without the IPv6 zone, which signalling does not know.
func same(a, b netip.AddrPort) bool {
	return a.Port() == b.Port() && a.Addr().WithZone("") == b.Addr().WithZone("")
}

// target is where RTP goes: back to where it comes from (RFC 4961).
func (s *Session) target() netip.AddrPort {
	if s.source.IsValid() {
		return s.source
	}
	return s.media.Remote
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
