package rtp

import (
	"net/netip"
	"time"
)

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// same compares without the IPv6 zone, which signalling does not know.
func same(a, b netip.AddrPort) bool { return a.Port() == b.Port() && sameHost(a, b) }

func sameHost(a, b netip.AddrPort) bool { return a.Addr().WithZone("") == b.Addr().WithZone("") }

// latch is where the far end's packets come from.
type latch struct {
	addr   netip.AddrPort // zero until the first packet
	last   time.Duration  // when its latest packet came
	proved bool           // by latchProof packets
	count  int

	// One that had to give way to the negotiated address while it spoke.
	before     netip.AddrPort
	beforeLast time.Duration

	// One that has begun to prove itself.
	candidate     netip.AddrPort
	candidateSSRC uint32
	candidateNext uint16
	candidateRun  int // packets in sequence
}

const latchProof = 3 // packets in sequence: one or two may be anybody's

// fromPeer judges where a packet comes from. The negotiated address begins the stream with its first packet;
// another port of its host, or an address that is allowed, with three in sequence. From then on the stream
// stays, but that
//   - the negotiated address takes it with three in sequence, and gives it back if it falls silent while the
//     old one goes on: forged packets cost a phone behind a NAT no more than their own time;
//   - an address that is no longer allowed, or that sent fewer than three packets, gives way to one that is;
//   - another port of the same host takes it in a pause if it goes on with SSRC and numbers (a NAT forgot).
func (s *Stream) fromPeer(from netip.AddrPort, at time.Duration) bool {
	l := &s.latch
	if from == l.addr {
		l.last = at
		l.count++
		l.proved = l.proved || l.count >= latchProof
		return true
	}
	negotiated := same(from, s.params.Remote)
	quiet := at-l.last >= silence
	switch {
	case l.before.IsValid() && from == l.before && at-l.beforeLast <= 2*silence:
		l.beforeLast = at
		if !quiet {
			s.stats.Foreign++
			return false
		}
	case !negotiated && !s.allowed(from.Addr()):
		s.stranger(from)
		return false
	case negotiated && !l.addr.IsValid():
	case !s.inSequence(from):
		return false
	case negotiated, !l.addr.IsValid(), quiet && !l.proved:
	case !s.allowed(l.addr.Addr()):
	case sameHost(from, l.addr) && quiet && s.source.goesOn(s.parsed.SSRC, s.parsed.SequenceNumber):
	default:
		s.stranger(from)
		return false
	}
	*l = latch{addr: from, last: at, count: 1, before: l.addr, beforeLast: l.last,
		proved: l.candidateRun >= latchProof}
	return true
}

// allowed says whether the far end may be at an address, whatever the port.
func (s *Stream) allowed(a netip.Addr) bool {
	return a.WithZone("") == s.params.Remote.Addr().WithZone("") ||
		s.cfg.LatchFrom != nil && s.cfg.LatchFrom(a)
}

// inSequence counts a candidate's packets and reports whether they prove it.
func (s *Stream) inSequence(from netip.AddrPort) bool {
	l, p := &s.latch, &s.parsed
	if from != l.candidate || p.SSRC != l.candidateSSRC || p.SequenceNumber != l.candidateNext {
		l.candidate, l.candidateSSRC, l.candidateRun = from, p.SSRC, 0
	}
	l.candidateNext = p.SequenceNumber + 1
	l.candidateRun++
	return l.candidateRun >= latchProof
}

func (s *Stream) stranger(from netip.AddrPort) {
	s.stats.Foreign++
	s.stats.Strangers++
	s.stats.Stranger = from
}

// target is where RTP goes: back to where it comes from (RFC 4961).
func (s *Stream) target() netip.AddrPort {
	if s.latch.addr.IsValid() {
		return s.latch.addr
	}
	return s.params.Remote
}

// rtcpTarget is where RTCP goes, by which connection; nil: by none.
func (s *Stream) rtcpTarget() (PacketConn, netip.AddrPort) {
	switch {
	case s.params.Mux:
		return s.cfg.Conn, s.target()
	case s.latch.addr.IsValid() && s.latch.addr != s.params.Remote && s.latch.addr.Port() < 65535:
		// Behind the latch's NAT this is the best guess.
		return s.cfg.RTCP, netip.AddrPortFrom(s.latch.addr.Addr(), s.latch.addr.Port()+1)
	}
	return s.cfg.RTCP, s.params.RemoteRTCP
}
