package rtp

import (
	"testing"

	"github.com/pion/rtcp"
)

// TestControlPassesOver: a kind of packet that is not read may be malformed and takes nothing of what stands
// beside it; one that is read makes the datagram void.
func TestControlPassesOver(t *testing.T) {
	const ours, theirs = 0x01020304, 0xa1a2a3a4
	report, err := rtcp.ReceiverReport{SSRC: theirs,
		Reports: []rtcp.ReceptionReport{{SSRC: ours, FractionLost: 64}}}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		beside  string
		invalid uint64
		lost    float64
	}{
		"nothing":            {"", 0, .25},
		"SDES without end":   {"81 ca 0002 a1a2a3a4 01ff646f", 0, .25},
		"an unknown kind":    {"80 df 0000", 0, .25},
		"a REMB cut short":   {"8f ce 0001 a1a2a3a4", 0, .25},
		"SR without numbers": {"80 c8 0001 a1a2a3a4", 1, 0},
		"longer than it is":  {"80 df 0009", 1, 0},
		"another version":    {"40 c9 0001 a1a2a3a4", 1, 0},
	} {
		control := &line{local: here}
		s, err := New(Config{Conn: &line{local: here}, RTCP: control},
			Params{Remote: there, SendClockRate: 8000, Sends: true})
		if err != nil {
			t.Fatal(err)
		}
		now := Monotonic()
		s.header.SSRC = ours
		s.source.Admit(theirs, 1, 160, now, false)
		s.Start(now)
		control.in = []datagram{{b: append(report[:len(report):len(report)], unhex(t, tt.beside)...),
			from: s.params.RemoteRTCP, at: now}}
		s.Receive(now, func(*Packet) { t.Error("RTCP was handed on") })
		if st := s.Stats(); uint64(st.Invalid) != tt.invalid || st.RemoteLost != tt.lost {
			t.Errorf("%s: %d invalid, %v lost", name, st.Invalid, st.RemoteLost)
		}
	}
}
