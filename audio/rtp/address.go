package rtp

import "net/netip"

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// same compares without the IPv6 zone, which signalling does not know.
func same(a, b netip.AddrPort) bool { return a.Port() == b.Port() && sameHost(a, b) }

func sameHost(a, b netip.AddrPort) bool { return a.Addr().WithZone("") == b.Addr().WithZone("") }

// fromPeer applies the one latch: packets come from where the stream comes from already, or from the
// negotiated address, which outranks a latch; or they are the first ones and their address is allowed.
func (s *Stream) fromPeer(from netip.AddrPort) bool {
	switch {
	case from == s.latch:
		return true
	case same(from, s.params.Remote):
	case s.latch.IsValid():
		return false
	case sameHost(from, s.params.Remote):
	case s.cfg.LatchFrom != nil && s.cfg.LatchFrom(from.Addr()):
	default:
		return false
	}
	s.latch = from
	return true
}

// target is where RTP goes: back to where it comes from (RFC 4961).
func (s *Stream) target() netip.AddrPort {
	if s.latch.IsValid() {
		return s.latch
	}
	return s.params.Remote
}

// rtcpTarget is where RTCP goes, by which connection; nil: by none.
func (s *Stream) rtcpTarget() (PacketConn, netip.AddrPort) {
	switch {
	case s.params.Mux:
		return s.cfg.Conn, s.target()
	case s.latch.IsValid() && s.latch != s.params.Remote && s.latch.Port() < 65535:
		// Behind the latch's NAT this is the best guess.
		return s.cfg.RTCP, netip.AddrPortFrom(s.latch.Addr(), s.latch.Port()+1)
	}
	return s.cfg.RTCP, s.params.RemoteRTCP
}
