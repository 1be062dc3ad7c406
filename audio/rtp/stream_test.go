package rtp

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// RFC 3550, 5.1, byte by byte, both ways.
func TestPacketWire(t *testing.T) {
	a, la := camera(t, here, there)
	b, lb := camera(t, there, here)
	a.header.SSRC, a.header.SequenceNumber = 0x01020304, 0x0506
	copy(a.Payload(), "pixel")
	a.Send(96, 0x0708090a, true, 5)
	want := unhex(t, "80 e0 0506 0708090a 01020304 706978656c")
	if len(la.out) != 1 || !bytes.Equal(la.out[0].b, want) || la.out[0].to != there {
		t.Fatalf("sent %x, want %x", sent(la), want)
	}
	carry(la, lb, 0)
	var got []Packet
	b.Receive(Monotonic(), func(p *Packet) {
		got = append(got, *p)
		if string(p.Payload) != "pixel" {
			t.Errorf("payload %q", p.Payload)
		}
	})
	if len(got) != 1 || got[0].PayloadType != 96 || !got[0].Marker || got[0].Seq != 0x0506 ||
		got[0].Timestamp != 0x0708090a || got[0].Epoch != 1 {
		t.Errorf("received %+v", got)
	}
	if st := b.Stats(); st.Received != 1 || st.ReceivedBytes != 5 || st.Source != here {
		t.Errorf("%+v", st)
	}
}

// A packet that is cut short, of another version, or of a type that nobody negotiated is counted and not
// handed on.
func TestReceiveRefuses(t *testing.T) {
	good := unhex(t, "80 60 0506 0708090a 01020304 706978656c")
	for n := range good {
		if n >= headerLen {
			break
		}
		s, l := camera(t, here, there)
		l.in = []datagram{{b: good[:n], from: there}}
		s.Receive(Monotonic(), func(p *Packet) { t.Errorf("%d bytes handed on", n) })
		if st := s.Stats(); n > 0 && st.Invalid != 1 {
			t.Errorf("%d bytes: %+v", n, st)
		}
	}
	for name, spoil := range map[string]func([]byte){
		"version": func(b []byte) { b[0] = 0x40 }, "type": func(b []byte) { b[1] = 97 },
		"CSRC": func(b []byte) { b[0] |= 15 },
	} {
		s, l := camera(t, here, there)
		b := bytes.Clone(good)
		spoil(b)
		l.in = []datagram{{b: b, from: there}}
		s.Receive(Monotonic(), func(p *Packet) { t.Errorf("%s handed on", name) })
		if st := s.Stats(); st.Invalid+st.Foreign != 1 {
			t.Errorf("%s: %+v", name, st)
		}
	}
}

func TestUpdateRefuses(t *testing.T) {
	s, _ := camera(t, here, there)
	good := s.params
	for name, spoil := range map[string]func(*Params){
		"address":    func(p *Params) { p.Remote = netip.AddrPort{} },
		"port":       func(p *Params) { p.Remote = netip.AddrPortFrom(p.Remote.Addr(), 0) },
		"receive":    func(p *Params) { p.Receive = map[uint8]Payload{128: {ClockRate: 8000}} },
		"clock":      func(p *Params) { p.Receive = map[uint8]Payload{96: {}} },
		"send":       func(p *Params) { p.Send = []uint8{128} },
		"send clock": func(p *Params) { p.SendClockRate = 0 },
	} {
		p := good
		spoil(&p)
		if err := s.Update(p); err == nil || !strings.HasPrefix(err.Error(), "rtp: ") {
			t.Errorf("%s: %v", name, err)
		}
		if s.params.Remote != there || len(s.params.Receive) != 1 {
			t.Errorf("%s changed something: %+v", name, s.params)
		}
	}
	if _, err := New(Config{}, good); err == nil {
		t.Error("no connection accepted")
	}
}

// RFC 3550, 6.4.1 and 6.5, byte by byte: what a sender reports that has heard three of four packets, and what
// it says at its end.
func TestReportWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // 2000-01-01T00:00:00Z: 3155673600 s since 1900
		s, l := camera(t, here, there)
		s.header.SSRC, s.stats.Sent, s.stats.SentBytes = 0x01020304, 258, 772
		now := Monotonic()
		for _, number := range []uint16{0xfffe, 0xffff, 1} {
			s.source.Admit(0xa1a2a3a4, number, 160*uint32(int16(number)), now, false)
		}
		s.source.jitter, s.source.clockRate = 0.001, 90000
		s.control.lastSR, s.control.lastSRAt = 0xb1b2b3b4, now-1500*time.Millisecond
		s.started = true
		if err := s.Close(0x0708090a); err != nil {
			t.Fatal(err)
		}
		want := unhex(t, `
			81 c8 000c 01020304  bc17c200 00000000 0708090a 00000102 00000304
			           a1a2a3a4  40 000001 00010001 0000005a b1b2b3b4 00018000
			81 ca 0003 01020304  01 04 646f6f72 00 00
			81 cb 0001 01020304`)
		if len(l.out) != 1 || !bytes.Equal(l.out[0].b, want) || l.out[0].to != there {
			t.Errorf("sent\n%x, want\n%x", sent(l), want)
		}
	})
}

// Two streams without sound: loss, round trip and the goodbye come across.
func TestStreamWithoutSound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const way = 30 * time.Millisecond
		a, la := camera(t, here, there)
		b, lb := camera(t, there, here)
		a.Start(Monotonic())
		b.Start(Monotonic())
		for i := range 500 {
			stamp := uint32(i) * 3600
			a.Send(96, stamp, true, 1000)
			if i%10 == 9 {
				la.out = la.out[:len(la.out)-1]
			}
			b.Send(96, stamp, true, 1000)
			a.Report(Monotonic(), stamp)
			b.Report(Monotonic(), stamp)
			carry(la, lb, way)
			carry(lb, la, way)
			time.Sleep(40 * time.Millisecond)
			a.Receive(Monotonic(), func(*Packet) {})
			b.Receive(Monotonic(), func(*Packet) {})
		}
		sa, sb := a.Stats(), b.Stats()
		if sa.RTT < 2*way-time.Millisecond || sa.RTT > 2*way+time.Millisecond {
			t.Errorf("round trip %v, want %v", sa.RTT, 2*way)
		}
		if sa.RemoteLost < .08 || sa.RemoteLost > .12 || sb.RemoteLost != 0 ||
			sb.Lost != 49 && sb.Lost != 50 {
			t.Errorf("lost %v, %v, %d; want .1, 0, 49 or 50", sa.RemoteLost, sb.RemoteLost, sb.Lost)
		}
		if err := a.Close(0); err != nil {
			t.Fatal(err)
		}
		carry(la, lb, way)
		b.Receive(Monotonic()+way, func(*Packet) {})
		if !b.Stats().RemoteBye {
			t.Error("the goodbye did not come")
		}
	})
}

func TestStreamAllocatesNothing(t *testing.T) {
	s, l := camera(t, here, there)
	peer, _ := camera(t, there, here)
	in := make([]datagram, 1)
	taken := 0
	if n := testing.AllocsPerRun(200, func() {
		peer.header.MarshalTo(peer.out[:])
		peer.header.PayloadType = 96
		peer.header.SequenceNumber++
		in[0] = datagram{b: peer.out[:1000], from: there}
		l.in = in
		s.Receive(Monotonic(), func(*Packet) { taken++ })
	}); n != 0 || taken < 190 {
		t.Errorf("%g allocations per packet, %d taken", n, taken)
	}
}
