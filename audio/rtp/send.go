package rtp

import (
	"errors"
	"net/netip"
	"time"
)

// Start begins a stream's life on the clock of Monotonic: its first report and its first keep-alive are
// planned.
func (s *Stream) Start(now time.Duration) {
	s.started, s.heard, s.keepNext = true, now, now
	s.rtcpRead = now - rtcpPause
	s.control.start(now)
}

// Payload is the room for the next packet's payload.
func (s *Stream) Payload() []byte { return s.out[headerLen:] }

// Send sends n octets of Payload. A far end that cannot be reached is told by Stats.Quiet, by RTCP, and by
// Stats.SendErr.
func (s *Stream) Send(payloadType uint8, stamp uint32, marker bool, n int) {
	s.header.PayloadType, s.header.Timestamp, s.header.Marker = payloadType, stamp, marker
	h, _ := s.header.MarshalTo(s.out[:]) // fails on a short buffer alone
	s.header.SequenceNumber++
	if err := s.cfg.Conn.WritePacket(s.out[:h+n], s.target()); err != nil {
		s.stats.SendErr, s.refused = err, Monotonic()
		return
	}
	s.stats.Sent++
	s.stats.SentBytes += uint64(n)
}

// KeepAlive holds a NAT's binding open where nothing else is sent: every 15 s a packet without payload, of a
// type that was not negotiated, which every receiver ignores (RFC 6263, 4.6).
func (s *Stream) KeepAlive(now time.Duration, stamp uint32) {
	if now < s.keepNext {
		return
	}
	s.keepNext = now + keepAlive
	s.Send(s.idle, stamp, false, 0)
}

// Stats returns the counters.
func (s *Stream) Stats() Stats {
	st := s.stats
	st.Lost, st.Jitter = s.source.Lost(), s.source.Jitter()
	st.Source, st.Expected = s.latch.addr, s.target()
	if s.started {
		st.Quiet = Monotonic() - s.heard
	}
	if st.SendErr != nil {
		st.SendAgo = Monotonic() - s.refused
	}
	return st
}

// Hears reports whether packets of that SSRC pass at present, if only events.
func (s *Stream) Hears(ssrc uint32) bool { return s.source.Hears(ssrc) }

// Signs counts the far end's first sign of life, and each that came after more than 1 s of nothing.
func (s *Stream) Signs() uint64 { return s.signs }

// Strangers returns who sent last from an address that is not let in, where the far end should be, and how
// many such packets came.
func (s *Stream) Strangers() (from, expected netip.AddrPort, packets uint64) {
	return s.stats.Stranger, s.target(), s.stats.Strangers
}

// Close says goodbye by RTCP, with a time stamp as Report takes it, and closes the connections. Call it once.
func (s *Stream) Close(stamp uint32) error {
	if s.started {
		s.bye(Monotonic(), stamp)
	}
	err := s.cfg.Conn.Close()
	if s.cfg.RTCP != nil {
		err = errors.Join(err, s.cfg.RTCP.Close())
	}
	return err
}
