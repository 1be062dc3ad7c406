package audio

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtcp"
	pion "github.com/pion/rtp"

	"portero/audio/rtp"
)

// A flood of hostile datagrams on both ports must not panic, dial or grow anything; what is not RTP is
// counted.
func FuzzSessionReceives(f *testing.F) {
	packet, _ := (&pion.Packet{Header: pion.Header{Version: 2, PayloadType: 0, SSRC: 7, SequenceNumber: 9},
		Payload: make([]byte, 160)}).Marshal()
	f.Add(packet)
	f.Add([]byte{0x80, 101, 0, 11, 0, 2, 0, 0, 0, 0, 0, 1, 7, 0x0a, 0, 80})
	f.Add([]byte{0xb3, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0xbe, 0xde, 0xff, 0xff})
	report, _ := rtcp.Marshal([]rtcp.Packet{&rtcp.SenderReport{SSRC: 7,
		Reports: []rtcp.ReceptionReport{{SSRC: 1}}}})
	f.Add(report)
	f.Fuzz(func(t *testing.T, b []byte) {
		l := &loop{from: netip.MustParseAddrPort("192.0.2.2:5000")}
		formats := []Format{{PCMU, 0}, {G722, 9}}
		s, err := NewSession(SessionConfig{
			Conn: l, InBand: true,
			Media: Media{Remote: l.from, Send: formats[0], Receive: formats, EventPTRecv: 101, RTCPMux: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		var mix [blockLen]int32
		var mic [blockLen]int16
		for i := range 4 {
			if len(b) > 3 {
				b[3] += byte(i) // a sequence number that may pass
			}
			l.r, l.w, s.drained = 0, 0, rtp.Monotonic()-time.Second
			l.WritePacket(b, l.from)
			s.receive(rtp.Monotonic())
			s.play(mix[:], rtp.Monotonic())
			l.r, l.w = 0, 0
			s.send(mic[:], rtp.Monotonic())
		}
		st := s.Stats()
		if len(b) > 0 && len(b) < 12 && st.Invalid == 0 && st.Quiet == 0 && st.Foreign == 0 {
			t.Errorf("%d bytes went unnoticed: %+v", len(b), st)
		}
		if st.Digits > 4 {
			t.Errorf("%d digits from 4 packets", st.Digits)
		}
	})
}

// The first three packets of a stream: marker, then time stamps by the packet's length, sequence numbers by
// one.
func TestRTPHeaders(t *testing.T) {
	for _, codec := range Codecs() {
		l := &loop{from: netip.MustParseAddrPort("192.0.2.2:5000")}
		f := Format{codec, 96}
		s, err := NewSession(SessionConfig{Conn: l,
			Media: Media{Remote: l.from, Send: f, Receive: []Format{f}, PTime: 30}})
		if err != nil {
			t.Fatal(err)
		}
		NewEngine(nil, EngineOptions{Log: slog.New(slog.DiscardHandler)}).Attach(s)
		var mic [blockLen]int16
		for range 6 {
			s.send(mic[:], 0)
		}
		var first, p pion.Packet
		for i := range 3 {
			if err := p.Unmarshal(l.ring[i][:l.size[i]]); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = p
			}
			if p.Marker != (i == 0) || p.PayloadType != 96 || p.SSRC != first.SSRC || len(p.Payload) != 240 ||
				p.SequenceNumber != first.SequenceNumber+uint16(i) ||
				p.Timestamp != first.Timestamp+uint32(240*i) {
				t.Errorf("%s: packet %d: %+v", codec.Name, i, p.Header)
			}
		}
	}
}

// A session that only listens keeps the way through a NAT open with packets that no receiver plays.
func TestKeepAlive(t *testing.T) {
	l := &loop{from: netip.MustParseAddrPort("192.0.2.2:5000")}
	f := Format{PCMU, 0}
	s, err := NewSession(SessionConfig{Conn: l,
		Media: Media{Remote: l.from, Send: f, Receive: []Format{f}, EventPT: 127, Direction: RecvOnly}})
	if err != nil {
		t.Fatal(err)
	}
	s.open(0)
	var mic [blockLen]int16
	for ms := range 40000 / 10 {
		s.send(mic[:], time.Duration(ms)*10*time.Millisecond)
	}
	if l.w != 3 || l.size[1] != 12 || l.ring[1][1]&127 != 126 {
		t.Errorf("%d packets, %d bytes, type %d", l.w, l.size[1], l.ring[1][1]&127)
	}
}
