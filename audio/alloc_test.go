package audio

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"portero/audio/rtp"
)

// loop is a connection that hears itself: what is sent comes back from the negotiated address.
type loop struct {
	from netip.AddrPort
	ring [16][400]byte
	size [16]int
	r, w int
}

func (l *loop) ReadPacket(b []byte) (int, netip.AddrPort, time.Duration, error) {
	if l.r == l.w {
		return 0, netip.AddrPort{}, 0, nil
	}
	n := copy(b, l.ring[l.r%16][:l.size[l.r%16]])
	l.r++
	return n, l.from, rtp.Monotonic(), nil
}

func (l *loop) WritePacket(b []byte, _ netip.AddrPort) error {
	l.size[l.w%16] = copy(l.ring[l.w%16][:], b)
	l.w++
	return nil
}

func (l *loop) LocalAddr() netip.AddrPort { return l.from }
func (l *loop) Close() error              { return nil }

// instant is a card that does not wait.
type instant struct{ rate int }

func (c instant) Rate() int   { return c.rate }
func (c instant) Period() int { return c.rate / 100 }
func (c instant) Close() error {
	return nil
}
func (c instant) Exchange(play, capture []int16) (Slip, error) {
	copy(capture, play)
	return Slip{}, nil
}

// running is a call on a card, ready for its next period.
func running(t testing.TB, codec *Codec, rate int, echo EchoOptions) func() {
	f := Format{codec, codec.PayloadType}
	l := &loop{from: netip.MustParseAddrPort("192.0.2.2:5000")}
	s, err := NewSession(SessionConfig{Conn: l, Media: Media{Remote: l.from, Send: f, Receive: []Format{f}}})
	if err != nil {
		t.Fatal(err)
	}
	e := NewEngine(nil, EngineOptions{Log: slog.New(slog.DiscardHandler), Echo: echo})
	e.Attach(s)
	e.Play(Clip{Samples: sine(440, 16000, 1600, 3000), Rate: 16000, Loop: true})
	r := &runner{Engine: e, use: FullDuplex}
	if r.card, err = newPatch(instant{rate}, FullDuplex); err != nil {
		t.Fatal(err)
	}
	r.block.listen(echo, e.log)
	period := func() {
		s.drained -= time.Second // or the sockets rest, because no time passes here
		r.wants()
		if err := r.exchange(); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 {
		period()
	}
	if st := s.Stats(); st.Received < 20 {
		t.Fatalf("the call does not run: %+v", st)
	}
	return period
}

func TestCallAllocatesNothing(t *testing.T) {
	for _, c := range Codecs() {
		for rate, echo := range map[int]EchoOptions{16000: {}, 48000: {Off: true}} {
			if n := testing.AllocsPerRun(50, running(t, c, rate, echo)); n != 0 {
				t.Errorf("%s at %d Hz: %g allocations per period", c.Name, rate, n)
			}
		}
	}
}

func BenchmarkPeriod(b *testing.B) {
	for _, tc := range []struct {
		name string
		c    *Codec
		rate int
		echo EchoOptions
	}{
		{"PCMU 16k", PCMU, 16000, EchoOptions{Off: true}},
		{"PCMU 48k", PCMU, 48000, EchoOptions{Off: true}},
		{"G722 48k", G722, 48000, EchoOptions{Off: true}},
		{"PCMU 48k echo", PCMU, 48000, EchoOptions{}},
	} {
		b.Run(tc.name, func(b *testing.B) {
			period := running(b, tc.c, tc.rate, tc.echo)
			b.ReportAllocs()
			for b.Loop() {
				period()
			}
		})
	}
}
