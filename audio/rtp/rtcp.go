package rtp

import (
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/pion/rtcp"
)

// rtcpInterval is the mean time between two reports (RFC 3550, 6.2: 5 s at least).
const rtcpInterval = 5 * time.Second

// control is the RTCP side of a stream.
type control struct {
	next     time.Duration
	lastSR   uint32        // middle 32 bits of the far end's NTP stamp, RFC 3550, 6.4.1
	lastSRAt time.Duration // when it came

	// Of the far end's latest report of us.
	sent uint64 // by us, when it came
	high uint32 // sequence number
	deaf int    // reports in a row that say that nothing has come
}

// start plans the first report: half the interval, randomised (6.2).
func (c *control) start(now time.Duration) { c.next = now + randomised(rtcpInterval/2) }

func randomised(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.5 + rand.Float64()))
}

// Report sends a report when its time has come. stamp is the RTP time stamp that belongs to now.
func (s *Stream) Report(now time.Duration, stamp uint32) {
	if !s.started || now < s.control.next {
		return
	}
	s.control.next = now + randomised(rtcpInterval)
	s.writeControl(s.compound(now, stamp))
}

func (s *Stream) bye(now time.Duration, stamp uint32) {
	bye, _ := rtcp.Goodbye{Sources: []uint32{s.header.SSRC}}.Marshal() // one source always fits
	s.writeControl(append(s.compound(now, stamp), bye...))
}

// compound begins with a report and the CNAME, as every RTCP datagram has to (6.1): SR, or RR, which has no
// sender info (6.4.1, 6.4.2), then SDES (6.5).
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|V=2|P|    RC   | PT=200 or 201 |             length            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         SSRC of sender                        |
//	+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
//	|              NTP timestamp, most significant word             | SR alone
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|             NTP timestamp, least significant word             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         RTP timestamp                         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                     sender's packet count                     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                      sender's octet count                     |
//	+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
//	|                  report block, if RC is 1                     |
//	+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
//	|V=2|P|   SC=1  |  PT=SDES=202  |             length            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                              SSRC                             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|    CNAME=1    |     length    | user and domain name        ...
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
func (s *Stream) compound(now time.Duration, stamp uint32) []byte {
	var blocks []rtcp.ReceptionReport
	if s.source.live {
		blocks = append(blocks, s.reportBlock(now))
	}
	cname, err := rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
		Source: s.header.SSRC,
		Items:  []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: s.cfg.CNAME}},
	}}}.Marshal()
	if err != nil { // a CNAME of more than 255 bytes: reports go without it
		cname = nil
	}
	var report []byte // neither kind fails with one block of numbers in range
	if s.params.Sends {
		report, _ = rtcp.SenderReport{
			SSRC:        s.header.SSRC,
			NTPTime:     ntp(time.Now()),
			RTPTime:     stamp,
			PacketCount: uint32(s.stats.Sent),
			OctetCount:  uint32(s.stats.SentBytes),
			Reports:     blocks,
		}.Marshal()
	} else {
		report, _ = rtcp.ReceiverReport{SSRC: s.header.SSRC, Reports: blocks}.Marshal()
	}
	return append(report, cname...)
}

// reportBlock tells of the far end's source (6.4.1):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
//	|                         SSRC of source                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| fraction lost |       cumulative number of packets lost       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           extended highest sequence number received           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                      interarrival jitter                      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         last SR (LSR)                         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                   delay since last SR (DLSR)                  |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
func (s *Stream) reportBlock(now time.Duration) rtcp.ReceptionReport {
	r := &s.source
	b := rtcp.ReceptionReport{
		SSRC:               r.ssrc,
		FractionLost:       r.interval(),
		TotalLost:          uint32(max(0, min(r.cumulative(), 1<<23-1))),
		LastSequenceNumber: uint32(r.high),
		Jitter:             uint32(r.jitter * float64(r.clockRate)),
		LastSenderReport:   s.control.lastSR,
	}
	if s.control.lastSR != 0 {
		b.Delay = uint32((now - s.control.lastSRAt) * 65536 / time.Second)
	}
	return b
}

func (s *Stream) writeControl(b []byte) {
	if conn, to := s.rtcpTarget(); conn != nil {
		_ = conn.WritePacket(b, to) // lost, as on the wire
	}
}

// takeControl reads one RTCP datagram; it has to come from the address that RTP comes from.
func (s *Stream) takeControl(b []byte, from netip.AddrPort, at time.Duration) {
	if from.Addr() != s.target().Addr() && !same(from, s.params.RemoteRTCP) {
		s.stats.Foreign++
		return
	}
	s.alive(at)
	told, err := readControl(b)
	if err != nil {
		s.stats.Invalid++
		return
	}
	for _, sr := range told.senders {
		if s.source.live && sr.SSRC == s.source.ssrc {
			s.control.lastSR, s.control.lastSRAt = uint32(sr.NTPTime>>16), at
		}
	}
	s.takeReports(told.reports, at)
	for _, ssrc := range told.gone {
		s.stats.RemoteBye = s.stats.RemoteBye || s.source.live && ssrc == s.source.ssrc
	}
}

// told is what a datagram says that is read here.
type told struct {
	senders []rtcp.SenderReport
	reports []rtcp.ReceptionReport // of senders and receivers
	gone    []uint32               // the sources of BYEs
}

// readControl reads the packets of a datagram. What is neither SR, RR nor BYE is passed over: rtcp.Unmarshal
// would read all sixteen kinds there are, with 180 kB of the binary.
func readControl(b []byte) (t told, err error) {
	for more := true; more; more = len(b) > 0 {
		var h rtcp.Header
		if err := h.Unmarshal(b); err != nil {
			return told{}, err
		}
		n := 4 * (int(h.Length) + 1)
		if n > len(b) {
			return told{}, io.ErrUnexpectedEOF
		}
		var (
			sr  rtcp.SenderReport
			rr  rtcp.ReceiverReport
			bye rtcp.Goodbye
		)
		switch h.Type {
		case rtcp.TypeSenderReport:
			err = sr.Unmarshal(b[:n])
			t.senders = append(t.senders, sr)
		case rtcp.TypeReceiverReport:
			err = rr.Unmarshal(b[:n])
		case rtcp.TypeGoodbye:
			err = bye.Unmarshal(b[:n])
		}
		if err != nil {
			return told{}, err
		}
		t.reports = slices.Concat(t.reports, sr.Reports, rr.Reports)
		t.gone = append(t.gone, bye.Sources...)
		b = b[n:]
	}
	return t, nil
}

func (s *Stream) takeReports(reports []rtcp.ReceptionReport, at time.Duration) {
	got := false
	for _, r := range reports {
		if r.SSRC != s.header.SSRC {
			continue
		}
		got = r.FractionLost < 255 && (r.LastSequenceNumber != s.control.high || !s.stats.RemoteGot)
		s.control.high = r.LastSequenceNumber
		s.stats.RemoteLost = float64(r.FractionLost) / 256
		s.stats.RemoteJitter = time.Duration(r.Jitter) * time.Second / time.Duration(s.params.SendClockRate)
		if r.LastSenderReport != 0 {
			// RTT = A - LSR - DLSR in units of 1/65536 s (6.4.1, figure 2); negative means a clock was set
			// meanwhile.
			arrival := time.Now().Add(at - Monotonic())
			rtt := int32(uint32(ntp(arrival)>>16) - r.LastSenderReport - r.Delay)
			if rtt >= 0 && rtt < 60<<16 {
				s.stats.RTT = time.Duration(rtt) * time.Second / 65536
			}
		}
	}
	s.judge(got)
}

// fewSent are packets of which a report need not know.
const fewSent = 50

// judge takes whether a report says that the far end gets what we send. A report tells of all that were heard
// since the one before (RFC 3550, 6.4): without a block about us, nothing was.
func (s *Stream) judge(got bool) {
	switch c := &s.control; {
	case got:
		c.deaf, s.stats.RemoteGot = 0, true
	case s.stats.Sent-c.sent < fewSent:
		return
	default:
		c.deaf++
	}
	s.control.sent = s.stats.Sent
	s.stats.RemoteReports++
	s.stats.RemoteDeaf = s.control.deaf >= 2
}

// ntp is the 64-bit time of RFC 3550, section 4: seconds since 1900 and their fraction.
func ntp(t time.Time) uint64 {
	const since1900 = 2208988800
	return uint64(t.Unix()+since1900)<<32 | uint64(t.Nanosecond())<<32/1e9
}
