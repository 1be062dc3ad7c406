package rtp

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// FuzzRTCP feeds one hostile datagram to the port for RTCP of a stream that has a source. Nothing panics;
// what is not RTCP is counted; a stranger's SSRC tells of neither loss nor goodbye; and our own reports stay
// well-formed.
func FuzzRTCP(f *testing.F) {
	const ours, theirs = 0x01020304, 0xa1a2a3a4
	for _, packets := range [][]rtcp.Packet{
		{&rtcp.SenderReport{SSRC: theirs, NTPTime: 1 << 40,
			Reports: []rtcp.ReceptionReport{{SSRC: ours, FractionLost: 26, LastSenderReport: 1}}}},
		{&rtcp.ReceiverReport{SSRC: theirs, Reports: []rtcp.ReceptionReport{{SSRC: ours,
			TotalLost: 1<<24 - 1, Jitter: 1<<32 - 1}}}},
		{&rtcp.ReceiverReport{SSRC: theirs}, &rtcp.Goodbye{Sources: []uint32{theirs}}},
		{&rtcp.ReceiverReport{SSRC: theirs},
			&rtcp.PictureLossIndication{SenderSSRC: theirs, MediaSSRC: ours}},
		{&rtcp.ReceiverReport{SSRC: 7}, &rtcp.Goodbye{Sources: []uint32{7}, Reason: "bye"}},
	} {
		b, err := rtcp.Marshal(packets)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		conn, control := &line{local: here}, &line{local: here}
		s, err := New(Config{Conn: conn, RTCP: control},
			Params{Remote: there, SendClockRate: 8000, Sends: true})
		if err != nil {
			t.Fatal(err)
		}
		now := Monotonic()
		s.header.SSRC = ours
		s.source.Admit(theirs, 1, 160, now, false)
		s.Start(now)
		control.in = []datagram{{b: b, from: s.params.RemoteRTCP, at: now}}
		s.Receive(now, func(*Packet) { t.Error("RTCP was handed on") })
		packets, err := rtcp.Unmarshal(b)
		st := s.Stats()
		if err == nil && st.Invalid > 0 || len(b) > 0 && len(b) < 4 && st.Invalid == 0 {
			t.Errorf("%v, and %d invalid", err, st.Invalid)
		}
		var about, bye bool
		for _, p := range packets {
			switch p := p.(type) {
			case *rtcp.SenderReport:
				about = about || mentions(p.Reports, ours)
			case *rtcp.ReceiverReport:
				about = about || mentions(p.Reports, ours)
			case *rtcp.Goodbye:
				for _, ssrc := range p.Sources {
					bye = bye || ssrc == theirs
				}
			}
		}
		read := err == nil || st.Invalid > 0 // false: a kind that is passed over was malformed
		if read && (st.RemoteBye != bye || !about && (st.RemoteLost != 0 || st.RemoteJitter != 0 || st.RTT != 0)) {
			t.Errorf("%+v of %v", st, packets)
		}
		if st.RemoteLost < 0 || st.RemoteLost >= 1 || st.RemoteJitter < 0 ||
			st.RTT < 0 || st.RTT > time.Minute {
			t.Errorf("out of range: %+v", st)
		}
		s.Report(now+time.Minute, 0)
		if len(control.out) != 1 {
			t.Fatalf("%d reports", len(control.out))
		}
		if got, err := rtcp.Unmarshal(control.out[0].b); err != nil || len(got) != 2 {
			t.Errorf("our report: %v, %v", got, err)
		}
	})
}

func mentions(reports []rtcp.ReceptionReport, ssrc uint32) bool {
	for _, r := range reports {
		if r.SSRC == ssrc {
			return true
		}
	}
	return false
}
