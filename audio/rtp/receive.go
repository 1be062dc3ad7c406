package rtp

import (
	"net/netip"
	"time"
)

// Receive drains the sockets: RTP's every time, RTCP's twenty times a second. take gets each packet that was
// admitted; now is the time on the clock of Monotonic.
func (s *Stream) Receive(now time.Duration, take func(*Packet)) {
	for range maxDrain {
		n, from, at, err := s.cfg.Conn.ReadPacket(s.in[:])
		if n == 0 || err != nil {
			break
		}
		if s.admit(s.in[:n], unmap(from), min(at, now)) {
			take(&s.packet)
		}
	}
	if s.cfg.RTCP == nil || now-s.rtcpRead < rtcpPause {
		return
	}
	s.rtcpRead = now
	for range maxDrain / 8 {
		n, from, at, err := s.cfg.RTCP.ReadPacket(s.in[:])
		if n == 0 || err != nil {
			break
		}
		s.takeControl(s.in[:n], unmap(from), min(at, now))
	}
}

// admit handles one datagram of the RTP port (RFC 3550, 5.1) and reports whether s.packet is to be handed on:
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
func (s *Stream) admit(b []byte, from netip.AddrPort, at time.Duration) bool {
	if len(b) >= 2 && b[1] >= 192 && b[1] <= 223 {
		if s.params.Mux {
			s.takeControl(b, from, at)
		} else {
			s.stats.Invalid++
		}
		return false
	}
	if len(b) < headerLen || b[0]>>6 != 2 || s.parsed.Unmarshal(b) != nil {
		s.stats.Invalid++
		return false
	}
	p := &s.parsed
	kind := s.payload[p.PayloadType&127]
	if kind == (Payload{}) && from == s.latch.addr && unasked(p.PayloadType, p.Payload) {
		kind = s.params.Unasked
	}
	if kind == (Payload{}) {
		s.passOver(len(p.Payload), from, at)
		return false
	}
	if !s.fromPeer(from, at) {
		return false
	}
	seq, ok := s.source.Admit(p.SSRC, p.SequenceNumber, p.Timestamp, at, kind.Event)
	if !ok {
		s.stats.Foreign++
		return false
	}
	s.alive(at)
	s.stats.Received++
	s.stats.ReceivedBytes += uint64(len(p.Payload))
	if !kind.Event {
		s.source.Timed(p.Timestamp, at, kind.ClockRate)
		s.stats.Paused = s.stats.Paused || s.sounded && at-s.sound > time.Second
		s.sound, s.sounded = at, true
	}
	s.packet = Packet{
		PayloadType: p.PayloadType, SSRC: p.SSRC, Marker: p.Marker, Epoch: s.source.epoch, Seq: seq,
		Timestamp: p.Timestamp, Payload: p.Payload, At: at,
	}
	return true
}

func (s *Stream) alive(at time.Duration) { s.heard, s.stats.Heard = at, true }

// unasked knows an event of RFC 4733, 2.3, by its looks: a code of a key, no reserved bit, some duration.
func unasked(payloadType uint8, b []byte) bool {
	return payloadType >= dynamicMin && len(b) == 4 && b[0] < 16 && b[1]&0x40 == 0 && b[2]|b[3] != 0
}

// comfortNoise are the payload types of RFC 3389: its own, and the one that G.711's senders used before.
func comfortNoise(payloadType uint8) bool { return payloadType == 13 || payloadType == 19 }

// passOver takes a packet of a type that was not negotiated: comfort noise or a keep-alive (RFC 6263). It
// latches nothing and changes no source, but it is a sign of life, and its sequence number is not lost.
func (s *Stream) passOver(size int, from netip.AddrPort, at time.Duration) {
	p := &s.parsed
	latched := from == s.latch.addr
	if latched || !s.latch.addr.IsValid() && same(from, s.params.Remote) {
		s.alive(at)
		s.stats.Noise = s.stats.Noise || comfortNoise(p.PayloadType)
	}
	ssrc, known := s.source.SSRC()
	if known = known && latched && ssrc == p.SSRC; known {
		_, known = s.source.Admit(p.SSRC, p.SequenceNumber, p.Timestamp, at, true)
	}
	switch {
	case !known:
		s.stats.Foreign++
	case size > 1:
		s.stats.Invalid++
	}
}
