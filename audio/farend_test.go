package audio_test

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio"
	"portero/audio/audiotest"
)

// farEnd sends RTP by hand, from one address and SSRC, with the numbers of one sender.
type farEnd struct {
	*audiotest.Conn
	ssrc   uint32
	number uint16
	ts     uint32
}

func (f *farEnd) send(pt uint8, ts uint32, payload ...byte) {
	b := []byte{0x80, pt, 11: 0}
	binary.BigEndian.PutUint16(b[2:], f.number)
	binary.BigEndian.PutUint32(b[4:], ts)
	binary.BigEndian.PutUint32(b[8:], f.ssrc)
	f.number++
	f.WritePacket(append(b, payload...), netip.MustParseAddrPort(addrA))
}

// voice sends n packets of 20 ms.
func (f *farEnd) voice(n int) {
	for range n {
		f.send(0, f.ts, make([]byte, 160)...)
		f.ts += 160
		time.Sleep(20 * time.Millisecond)
	}
}

// key sends a press of 100 ms under a payload type, and 60 ms of voice unless the far end is mute.
func (f *farEnd) key(pt, code uint8, mute bool) {
	for i := range 8 {
		d, end := uint16(160*min(i+1, 5)), byte(10)
		if i >= 5 {
			end |= 0x80
		}
		f.send(pt, f.ts, code, end, byte(d>>8), byte(d))
		if i < 5 {
			time.Sleep(20 * time.Millisecond)
		}
	}
	f.ts += 800
	if !mute {
		f.voice(3)
		return
	}
	time.Sleep(60 * time.Millisecond)
	f.ts += 480
}

// house is a session that hears far ends, and all it says of them.
type house struct {
	net       *audiotest.Net
	session   *audio.Session
	mu        sync.Mutex
	digits    []audio.Digit
	strangers []audio.Stranger
	signs     atomic.Int64
	card      *audiotest.Card
}

func (h *house) farEnd(addr string, ssrc uint32) *farEnd {
	return &farEnd{Conn: h.net.Listen(addr), ssrc: ssrc, number: 100, ts: 16000}
}

func (h *house) typed() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var s strings.Builder
	for _, d := range h.digits {
		s.WriteRune(d.Rune)
	}
	return s.String()
}

// inHouse runs f in a bubble beside a session whose media edit has changed.
func inHouse(t *testing.T, edit func(*audio.Media), allow func(netip.Addr) bool, f func(*house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &house{net: &audiotest.Net{}}
		m := media(addrB, audio.PCMU)
		if edit != nil {
			edit(&m)
		}
		var err error
		h.session, err = audio.NewSession(audio.SessionConfig{
			Conn: h.net.Listen(addrA), Media: m, LatchFrom: allow,
			OnDigit: func(d audio.Digit) {
				h.mu.Lock()
				defer h.mu.Unlock()
				h.digits = append(h.digits, d)
			},
			OnSign: func() { h.signs.Add(1) },
			OnStranger: func(s audio.Stranger) {
				h.mu.Lock()
				defer h.mu.Unlock()
				h.strangers = append(h.strangers, s)
			}})
		if err != nil {
			t.Fatal(err)
		}
		a := newParty(t, h.net, 48000, 480, "192.0.2.1:4100", media(addrB, audio.PCMU))
		h.card = a.card
		stop := run(t, a)
		defer stop()
		a.engine.Attach(h.session)
		f(h)
		time.Sleep(50 * time.Millisecond)
	})
}

// The payload types under which phones send their keys: ours, that of their own answer, and one that nobody
// has negotiated, which is told.
func TestEventPayloadTypes(t *testing.T) {
	for name, tc := range map[string]struct {
		send, recv, used, unasked uint8
	}{
		"ours": {101, 101, 101, 0}, "theirs": {122, 101, 122, 0}, "ours of two": {122, 101, 101, 0},
		"unasked": {0, 0, 101, 101}, "unasked beside another": {101, 101, 97, 97},
	} {
		inHouse(t, func(m *audio.Media) { m.EventPT, m.EventPTRecv = tc.send, tc.recv }, nil, func(h *house) {
			p := h.farEnd(addrB, 7)
			p.voice(5)
			for _, code := range []uint8{1, 2, 2, 11} {
				p.key(tc.used, code, false)
			}
			synctest.Wait()
			if h.typed() != "122#" || h.digits[0].Unasked != tc.unasked {
				t.Errorf("%s: %q under %d, want 122# under %d", name, h.typed(), h.digits[0].Unasked,
					tc.unasked)
			}
		})
	}
}

// What only looks like an event nobody asked for presses no key: a static type, another length, a keep-alive
// of zeros, another source.
func TestUnaskedEventsRefused(t *testing.T) {
	inHouse(t, func(m *audio.Media) { m.EventPT, m.EventPTRecv = 0, 0 }, nil, func(h *house) {
		p, other := h.farEnd(addrB, 7), h.farEnd("203.0.113.9:9000", 7)
		p.send(101, p.ts, 1, 10, 0, 160) // the stream comes from nowhere yet
		p.voice(5)
		p.send(13, p.ts, 1, 10, 0, 160)
		p.send(101, p.ts, 1, 10, 0, 160, 0)
		p.send(101, p.ts, 0, 0, 0, 0)
		p.send(101, p.ts, 16, 10, 0, 160)
		p.send(101, p.ts, 1, 0x4a, 0, 160)
		other.number = p.number
		other.key(101, 2, true)
		if h.typed() != "" {
			t.Errorf("%q", h.typed())
		}
	})
}

// Voice under the payload type of the far end's own description is heard.
func TestVoiceUnderTheirType(t *testing.T) {
	inHouse(t, func(m *audio.Media) { m.Send.PayloadType = 97 }, nil, func(h *house) {
		p := h.farEnd(addrB, 7)
		for range 10 {
			p.send(97, p.ts, make([]byte, 160)...)
			p.ts += 160
			time.Sleep(20 * time.Millisecond)
		}
		if st := h.session.Stats(); st.SoundIn != 10 {
			t.Errorf("%d packets of sound, want 10", st.SoundIn)
		}
	})
}

// After a hold or a transfer the keys of another SSRC, with another clock, go on where the old one's ended;
// events beside a voice that goes on are a stream of their own.
func TestEventStreams(t *testing.T) {
	inHouse(t, nil, nil, func(h *house) {
		p, aside, resumed := h.farEnd(addrB, 7), h.farEnd(addrB+"0", 8), h.farEnd(addrB+"1", 9)
		aside.Conn, resumed.Conn = p.Conn, p.Conn
		p.ts = 40000
		p.voice(5)
		p.key(101, 1, false)
		aside.key(101, 2, true)
		p.voice(5)
		time.Sleep(200 * time.Millisecond)
		resumed.ts = 160
		resumed.voice(5)
		resumed.key(101, 1, false)
		resumed.key(101, 3, false)
		synctest.Wait()
		var streams []int
		for _, d := range h.digits {
			streams = append(streams, d.Stream)
		}
		if h.typed() != "1213" || streams[0] != 0 || streams[1] != 1 || streams[2] != streams[3] {
			t.Errorf("%q of the streams %v", h.typed(), streams)
		}
	})
}

// Who takes the stream from whom: the far end sits behind a NAT, and others send, too.
func TestLatchMoves(t *testing.T) {
	const otherPort, registered, elsewhere = "192.0.2.2:7777", "198.51.100.7:7000", "203.0.113.9:9000"
	allow := func(a netip.Addr) bool { return a == netip.MustParseAddr("198.51.100.7") }
	source := func(t *testing.T, h *house, want string) {
		t.Helper()
		synctest.Wait()
		got := h.session.Stats().Source
		if want == "" && got.IsValid() || want != "" && got.String() != want {
			t.Errorf("the stream comes from %s, want %q", got, want)
		}
	}
	t.Run("two packets are not enough", func(t *testing.T) {
		inHouse(t, nil, allow, func(h *house) {
			p := h.farEnd(registered, 7)
			p.voice(2)
			source(t, h, "")
			p.number += 5
			p.voice(2)
			source(t, h, "")
			p.voice(1)
			source(t, h, registered)
		})
	})
	t.Run("one forged packet before the phone", func(t *testing.T) {
		inHouse(t, nil, allow, func(h *house) {
			forger, p := h.farEnd(addrB, 1), h.farEnd(otherPort, 7)
			forger.voice(1)
			source(t, h, addrB)
			p.voice(10)
			source(t, h, otherPort)
		})
	})
	t.Run("forged packets amid the phone's", func(t *testing.T) {
		inHouse(t, nil, allow, func(h *house) {
			forger, p := h.farEnd(addrB, 1), h.farEnd(otherPort, 7)
			p.voice(10)
			forger.voice(1)
			p.voice(1)
			source(t, h, otherPort)
			for range 3 {
				forger.voice(1)
				p.voice(1)
			}
			source(t, h, addrB)
			p.voice(10)
			source(t, h, otherPort)
			p.key(101, 5, false)
			if h.typed() != "5" {
				t.Errorf("digits %q, want 5", h.typed())
			}
		})
	})
	t.Run("a thief before the phone", func(t *testing.T) {
		inHouse(t, nil, allow, func(h *house) {
			thief, p := h.farEnd(otherPort, 1), h.farEnd(addrB, 7)
			thief.voice(10)
			for range 10 {
				p.voice(1)
				thief.voice(1)
			}
			source(t, h, addrB)
		})
	})
	t.Run("in a pause of the phone", func(t *testing.T) {
		inHouse(t, nil, allow, func(h *house) {
			thief, p := h.farEnd(otherPort, 1), h.farEnd(addrB, 7)
			p.voice(10)
			thief.voice(50)
			source(t, h, addrB)
		})
	})
	t.Run("the NAT forgot", func(t *testing.T) {
		inHouse(t, nil, allow, func(h *house) {
			p := h.farEnd(addrB, 7)
			p.voice(10)
			p.Conn = h.net.Listen(otherPort)
			p.key(101, 1, false)
			p.key(101, 2, false)
			source(t, h, otherPort)
			if h.typed() != "12" {
				t.Errorf("digits %q, want 12", h.typed())
			}
		})
	})
	t.Run("the phone registers elsewhere", func(t *testing.T) {
		var now netip.Addr
		var mu sync.Mutex
		registers := func(a netip.Addr) bool { mu.Lock(); defer mu.Unlock(); return a == now }
		inHouse(t, nil, registers, func(h *house) {
			old, p := h.farEnd(registered, 7), h.farEnd(elsewhere, 8)
			mu.Lock()
			now = netip.MustParseAddr("198.51.100.7")
			mu.Unlock()
			old.voice(10)
			p.voice(10)
			source(t, h, registered)
			mu.Lock()
			now = netip.MustParseAddr("203.0.113.9")
			mu.Unlock()
			p.voice(10)
			source(t, h, elsewhere)
		})
	})
}

// Strangers are told once they are three packets, and then once a minute.
func TestStrangersAreTold(t *testing.T) {
	inHouse(t, nil, nil, func(h *house) {
		p, x := h.farEnd(addrB, 7), h.farEnd("203.0.113.9:9000", 1)
		p.voice(5)
		x.voice(2)
		if len(h.strangers) != 0 {
			t.Fatalf("%v of two packets", h.strangers)
		}
		x.voice(3000)
		x.voice(500)
		if len(h.strangers) != 2 {
			t.Fatalf("told %d times in 70 s, want 2", len(h.strangers))
		}
		s := h.strangers[0]
		if s.From.String() != "203.0.113.9:9000" || s.Expected.String() != addrB || s.Packets != 3 ||
			h.strangers[1].Packets < 2900 {
			t.Errorf("%+v", h.strangers)
		}
	})
}

// raw sends what is no RTP.
func (f *farEnd) raw(b ...byte) { f.WritePacket(b, netip.MustParseAddrPort(addrA)) }

// stunIndication is a binding indication (RFC 8489, 5): type 0x0011, no attributes, the magic cookie.
var stunIndication = []byte{0x00, 0x11, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}

// What the counters say of a far end that is muted, pauses, or is not there.
func TestSignsOfLife(t *testing.T) {
	for name, tc := range map[string]struct {
		do                   func(p, stranger *farEnd)
		heard, noise, paused bool
		in                   uint64
	}{
		"nobody": {func(_, x *farEnd) { x.voice(50) }, false, false, false, 0},
		"speaks": {func(p, _ *farEnd) { p.voice(50) }, true, false, false, 50},
		"pauses": {func(p, _ *farEnd) { p.voice(5); time.Sleep(2 * time.Second); p.voice(5) },
			true, false, true, 10},
		"is muted": {func(p, _ *farEnd) { p.send(13, 0, 64) }, true, true, false, 0},
		"keeps alive": {func(p, _ *farEnd) { p.voice(5); time.Sleep(time.Minute); p.send(120, 0) },
			true, false, true, 5},
		"keeps alive by an empty datagram":   {func(p, _ *farEnd) { p.raw() }, true, false, false, 0},
		"keeps alive by a line feed":         {func(p, _ *farEnd) { p.raw([]byte("\r\n\r\n")...) }, true, false, false, 0},
		"keeps alive by a STUN indication":   {func(p, _ *farEnd) { p.raw(stunIndication...) }, true, false, false, 0},
		"keeps alive by RTP of version 0":    {func(p, _ *farEnd) { p.raw(make([]byte, 12)...) }, true, false, false, 0},
		"keeps alive by RTCP nobody has":     {func(p, _ *farEnd) { p.raw(0x80, 201, 0, 1, 0, 0, 0, 7) }, true, false, false, 0},
		"a stranger sends an empty datagram": {func(_, x *farEnd) { x.raw() }, false, false, false, 0},
		"a stranger sends line feeds":        {func(_, x *farEnd) { x.raw([]byte("\r\n\r\n")...) }, false, false, false, 0},
		"presses":                            {func(p, _ *farEnd) { p.key(101, 1, true) }, true, false, false, 0},
	} {
		inHouse(t, nil, nil, func(h *house) {
			time.Sleep(300 * time.Millisecond)
			tc.do(h.farEnd(addrB, 7), h.farEnd("203.0.113.9:9000", 1))
			time.Sleep(50 * time.Millisecond)
			st := h.session.Stats()
			if st.Heard != tc.heard || st.Noise != tc.noise || st.Paused != tc.paused || st.SoundIn != tc.in {
				t.Errorf("%s: heard %v, noise %v, paused %v, in %d; want %v, %v, %v, %d", name, st.Heard,
					st.Noise, st.Paused, st.SoundIn, tc.heard, tc.noise, tc.paused, tc.in)
			}
			if tc.heard != (st.Quiet < 200*time.Millisecond) || st.SoundOut == 0 {
				t.Errorf("%s: quiet for %v, out %d", name, st.Quiet, st.SoundOut)
			}
			if got := st.SoundQuiet < 200*time.Millisecond; got != (name == "speaks" || name == "pauses") {
				t.Errorf("%s: no sound for %v", name, st.SoundQuiet)
			}
		})
	}
}

// The first sign of life is told at once, and the next one after a silence; a stream that goes on is not.
func TestSignsAreTold(t *testing.T) {
	inHouse(t, nil, nil, func(h *house) {
		p := h.farEnd(addrB, 7)
		for i, step := range []struct {
			do   func()
			told int64
		}{
			{func() { time.Sleep(3 * time.Second) }, 0},
			{func() { p.voice(100) }, 1},
			{func() { time.Sleep(900 * time.Millisecond); p.voice(10) }, 1},
			{func() { time.Sleep(4 * time.Second) }, 1},
			{func() { p.raw() }, 2},
			{func() { time.Sleep(15 * time.Second); p.send(13, 0, 64) }, 3},
		} {
			step.do()
			time.Sleep(50 * time.Millisecond)
			if got := h.signs.Load(); got != step.told {
				t.Fatalf("after step %d: told %d times, want %d", i, got, step.told)
			}
		}
	})
}

// A gap that began under another agreement, on hold for one, does not say that silence is suppressed.
func TestHoldIsNoPause(t *testing.T) {
	inHouse(t, nil, nil, func(h *house) {
		p, m := h.farEnd(addrB, 7), media(addrB, audio.PCMU)
		p.voice(5)
		for _, d := range []audio.Direction{audio.RecvOnly, audio.SendRecv} {
			m.Direction = d
			if err := h.session.Update(m); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
		}
		p.voice(5)
		if st := h.session.Stats(); st.Paused || !st.Heard {
			t.Errorf("paused %v, heard %v", st.Paused, st.Heard)
		}
	})
}

// A silent session sends at real pace, needs no microphone, and holds nothing that it has heard before.
func TestSilentSession(t *testing.T) {
	inHouse(t, func(m *audio.Media) { m.Silent, m.PTime = true, 60 }, nil, func(h *house) {
		p, m := h.farEnd(addrB, 7), media(addrB, audio.PCMU)
		m.PTime = 60
		h.card.Mic = audiotest.Player(audiotest.Sine(700, 48000, 48000, 8000), true)
		uses := map[bool]bool{}
		var loud [2]int
		b := make([]byte, 1500)
		time.Sleep(3 * time.Millisecond) // never at the moment of a block
		for range 20 {
			for i, silent := range []bool{true, false} {
				if m.Silent = silent; h.session.Update(m) != nil {
					t.Fatal("not updated")
				}
				packets := 0
				for range 47 { // not a whole number of packets
					time.Sleep(20 * time.Millisecond)
					for {
						n, from, _, _ := p.ReadPacket(b)
						if !from.IsValid() {
							break
						}
						packets++
						for _, v := range b[12:n] {
							if v != 0xff && v != 0x7f {
								loud[i]++
							}
						}
					}
				}
				if packets < 14 || packets > 17 {
					t.Fatalf("silent %v: %d packets of 60 ms in 940 ms", silent, packets)
				}
				uses[silent] = h.card.Use() == audio.FullDuplex
			}
		}
		if uses[true] || !uses[false] {
			t.Errorf("the microphone is open: silent %v, else %v", uses[true], uses[false])
		}
		if loud[0] != 0 || loud[1] == 0 {
			t.Errorf("%d octets of sound while silent, %d else", loud[0], loud[1])
		}
	})
}
