package audio

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/pion/rtcp"
)

// rtcpInterval is the mean time between two reports (RFC 3550, 6.2: 5 s at least).
const rtcpInterval = 5 * time.Second

// control is the RTCP side of a session.
type control struct {
	next     time.Duration
	lastSR   uint32        // middle 32 bits of the far end's NTP stamp, RFC 3550, 6.4.1
	lastSRAt time.Duration // when it came
}

// start plans the first report: half the interval, randomised (6.2).
func (c *control) start(now time.Duration) { c.next = now + randomised(rtcpInterval/2) }

func randomised(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.5 + rand.Float64()))
}

// report sends SR or RR when its time has come.
func (s *Session) report(now time.Duration) {
	if !s.opened || now < s.rtcp.next {
		return
	}
	s.rtcp.next = now + randomised(rtcpInterval)
	s.writeControl(s.compound(now))
}

func (s *Session) sendBye() {
	s.writeControl(append(s.compound(Monotonic()), &rtcp.Goodbye{Sources: []uint32{s.header.SSRC}}))
}

// compound begins with a report and the CNAME, as every RTCP datagram has to (6.1).
func (s *Session) compound(now time.Duration) []rtcp.Packet {
	var blocks []rtcp.ReceptionReport
	if r := &s.arrivals; r.live {
		b := rtcp.ReceptionReport{
			SSRC:               r.ssrc,
			FractionLost:       r.interval(),
			TotalLost:          uint32(max(0, min(r.cumulative(), 1<<23-1))),
			LastSequenceNumber: r.highest - 1<<16,
			Jitter:             uint32(s.buffer.Stats().JitterMs * float64(s.media.Receive[s.format].Codec.ClockRate) / 1000),
			LastSenderReport:   s.rtcp.lastSR,
		}
		if s.rtcp.lastSR != 0 {
			b.Delay = uint32((now - s.rtcp.lastSRAt) * 65536 / time.Second)
		}
		blocks = append(blocks, b)
	}
	cname := &rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
		Source: s.header.SSRC,
		Items:  []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: s.cfg.CNAME}},
	}}}
	if !s.media.Direction.sends() {
		return []rtcp.Packet{&rtcp.ReceiverReport{SSRC: s.header.SSRC, Reports: blocks}, cname}
	}
	return []rtcp.Packet{&rtcp.SenderReport{
		SSRC:        s.header.SSRC,
		NTPTime:     ntp(time.Now()),
		RTPTime:     s.clock,
		PacketCount: uint32(s.stats.Sent),
		OctetCount:  uint32(s.stats.SentBytes),
		Reports:     blocks,
	}, cname}
}

func (s *Session) writeControl(packets []rtcp.Packet) {
	conn, to := s.cfg.RTCP, s.media.RemoteRTCP
	if s.media.RTCPMux {
		conn, to = s.cfg.Conn, s.target()
	} else if s.source.IsValid() && s.source != s.media.Remote && s.source.Port() < 65535 {
		to = netip.AddrPortFrom(s.source.Addr(), s.source.Port()+1) // behind the latch's NAT this is the best guess
	}
	if conn == nil {
		return
	}
	if b, err := rtcp.Marshal(packets); err == nil {
		_ = conn.WritePacket(b, to)
	}
}

// takeControl reads one RTCP datagram; it has to come from the address that the sound comes from.
func (s *Session) takeControl(b []byte, from netip.AddrPort, at time.Duration) {
	if from.Addr() != s.target().Addr() && !same(from, s.media.RemoteRTCP) {
		s.stats.Foreign++
		return
	}
	packets, err := rtcp.Unmarshal(b)
	if err != nil {
		s.stats.Invalid++
		return
	}
	s.since = at
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.SenderReport:
			if s.arrivals.live && p.SSRC == s.arrivals.ssrc {
				s.rtcp.lastSR, s.rtcp.lastSRAt = uint32(p.NTPTime>>16), at
			}
			s.takeReports(p.Reports, at)
		case *rtcp.ReceiverReport:
			s.takeReports(p.Reports, at)
		case *rtcp.Goodbye:
			for _, ssrc := range p.Sources {
				s.stats.RemoteBye = s.stats.RemoteBye || s.arrivals.live && ssrc == s.arrivals.ssrc
			}
		}
	}
}

func (s *Session) takeReports(reports []rtcp.ReceptionReport, at time.Duration) {
	for _, r := range reports {
		if r.SSRC != s.header.SSRC {
			continue
		}
		s.stats.RemoteLost = float64(r.FractionLost) / 256
		s.stats.RemoteJitter = time.Duration(r.Jitter) * time.Second / time.Duration(s.media.Send.Codec.ClockRate)
		if r.LastSenderReport != 0 {
			// RTT = A - LSR - DLSR in units of 1/65536 s (6.4.1, figure 2); negative means a clock was set meanwhile.
			arrival := time.Now().Add(at - Monotonic())
			rtt := int32(uint32(ntp(arrival)>>16) - r.LastSenderReport - r.Delay)
			if rtt >= 0 && rtt < 60<<16 {
				s.stats.RTT = time.Duration(rtt) * time.Second / 65536
			}
		}
	}
}

// ntp is the 64-bit time of RFC 3550, section 4: seconds since 1900 and their fraction.
func ntp(t time.Time) uint64 {
	const since1900 = 2208988800
	return uint64(t.Unix()+since1900)<<32 | uint64(t.Nanosecond())<<32/1e9
}
