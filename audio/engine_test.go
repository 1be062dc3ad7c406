package audio_test

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio"
	"portero/audio/audiotest"
)

const (
	addrA = "192.0.2.1:4000"
	addrB = "192.0.2.2:5000"
)

func above(addr string) string {
	a := netip.MustParseAddrPort(addr)
	return netip.AddrPortFrom(a.Addr(), a.Port()+1).String()
}

// party is one end of a call.
type party struct {
	card    *audiotest.Card
	rec     *audiotest.Recorder
	engine  *audio.Engine
	session *audio.Session

	mu     sync.Mutex
	digits []audio.Digit
	events []audio.CardEvent
}

func (p *party) dialled() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	for _, d := range p.digits {
		b.WriteRune(d.Rune)
	}
	return b.String()
}

func (p *party) states() []audio.CardState {
	p.mu.Lock()
	defer p.mu.Unlock()
	var s []audio.CardState
	for _, e := range p.events {
		s = append(s, e.State)
	}
	return s
}

func media(remote string, c *audio.Codec) audio.Media {
	f := audio.Format{Codec: c, PayloadType: c.PayloadType}
	return audio.Media{
		Remote: netip.MustParseAddrPort(remote), Send: f, Receive: []audio.Format{f},
		EventPT: 101, EventPTRecv: 101,
	}
}

func newParty(t *testing.T, net *audiotest.Net, rate, period int, local string, m audio.Media) *party {
	t.Helper()
	p := &party{card: audiotest.NewCard(rate, period), rec: &audiotest.Recorder{}}
	p.card.Speaker = p.rec.Write
	p.engine = audio.NewEngine(p.card.Open, audio.EngineOptions{
		Log:  slog.New(slog.DiscardHandler),
		Echo: audio.EchoOptions{Off: true},
		Events: func(e audio.CardEvent) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.events = append(p.events, e)
		},
	})
	p.session = newSession(t, net, local, m, func(d audio.Digit) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.digits = append(p.digits, d)
	})
	return p
}

func newSession(t *testing.T, net *audiotest.Net, local string, m audio.Media,
	onDigit func(audio.Digit)) *audio.Session {
	t.Helper()
	s, err := audio.NewSession(audio.SessionConfig{
		Conn: net.Listen(local), RTCP: net.Listen(above(local)), Media: m, OnDigit: onDigit,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run starts the engines and returns a function that ends them and waits.
func run(t *testing.T, parties ...*party) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, p := range parties {
		wg.Go(func() {
			if err := p.engine.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

// voice is a signal with the band and the pauses of speech: harmonics of a gliding pitch below 3.2 kHz under
// a syllable's envelope.
func voice(rate, n int) []int16 {
	s := make([]int16, n)
	phase := 0.0
	for i := range s {
		t := float64(i) / float64(rate)
		pitch := 140 + 30*math.Sin(2*math.Pi*0.7*t)
		phase += 2 * math.Pi * pitch / float64(rate)
		var v float64
		for k := 1.0; k*pitch < 3000; k++ {
			v += math.Sin(k*phase+k*k) / k
		}
		envelope := 0.15 + math.Pow(math.Sin(2*math.Pi*1.5*t), 2)
		s[i] = int16(6000 * envelope * v)
	}
	return s
}

// steady is the median level of a tone in the last half second, by 50 ms: the jitter buffer may cut or
// stretch it meanwhile, which turns its phase.
func steady(s []int16, rate int, hz float64) float64 {
	if len(s) < rate/2 {
		return -120
	}
	var levels []float64
	for i := range 10 {
		levels = append(levels, audiotest.ToneLevel(s[len(s)-rate/2+i*rate/20:][:rate/20], rate, hz))
	}
	slices.Sort(levels)
	return levels[5]
}

func TestCallCarriesSound(t *testing.T) {
	for _, tc := range []struct {
		name         string
		codec        *audio.Codec
		rate, period int
		ptime        int
		delay        bool
		want         float64
	}{
		{"PCMA 48k", audio.PCMA, 48000, 480, 20, false, 30},
		{"PCMU 16k 10 ms", audio.PCMU, 16000, 160, 10, true, 30},
		{"PCMA 44k1 30 ms, odd period", audio.PCMA, 44100, 512, 30, false, 25},
		{"G722", audio.G722, 16000, 320, 20, true, 20},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := &audiotest.Net{}
				if tc.delay {
					net.Delay = func(audiotest.Packet) time.Duration { return 30 * time.Millisecond }
				}
				ma, mb := media(addrB, tc.codec), media(addrA, tc.codec)
				ma.PTime, mb.PTime = tc.ptime, tc.ptime
				a := newParty(t, net, tc.rate, tc.period, addrA, ma)
				b := newParty(t, net, tc.rate, tc.period, addrB, mb)
				sound := voice(tc.rate, 5*tc.rate)
				a.card.Mic = audiotest.Player(sound, false)
				stop := run(t, a, b)
				a.engine.Attach(a.session)
				b.engine.Attach(b.session)
				time.Sleep(4500 * time.Millisecond)
				stop()

				got := b.rec.Samples()
				from := 3 * tc.rate // the jitter buffer has settled
				db, lag := audiotest.SNR(sound[from:][:tc.rate*3/4], got[from:][:tc.rate*9/8], tc.rate/8)
				if db < tc.want {
					t.Errorf("SNR %.1f dB at a lag of %d ms, want %.0f", db, lag*1000/tc.rate, tc.want)
				}
				t.Logf("SNR %.1f dB, lag %.1f ms", db, float64(lag)*1000/float64(tc.rate))
				if st := b.session.Stats(); st.Lost+st.Late+st.Foreign+st.Invalid != 0 ||
					st.Received < uint64(4400/tc.ptime) {
					t.Errorf("statistics %+v", st)
				}
				if l := audiotest.Level(a.rec.Samples()); l > -70 { // A-law has no zero
					t.Errorf("the silent way has %.0f dBFS", l)
				}
			})
		})
	}
}

func TestFirstPacketBeforeCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &audiotest.Net{}
		peer := net.Listen(addrB)
		a := newParty(t, net, 48000, 480, addrA, media(addrB, audio.PCMU))
		a.engine.Attach(a.session) // nobody runs the engine
		var b [1500]byte
		n, from, _, _ := peer.ReadPacket(b[:])
		if n != 12+160 || from.String() != addrA || b[0] != 0x80 || b[1] != 0x80 {
			t.Fatalf("first packet of %d bytes from %s: % x", n, from, b[:min(n, 12)])
		}
	})
}

func TestMicrophoneOpensOnlyForSenders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &audiotest.Net{}
		m := media(addrB, audio.PCMA)
		m.Direction = audio.RecvOnly
		a := newParty(t, net, 48000, 480, addrA, m)
		stop := run(t, a)
		check := func(step string, want audio.Use) {
			t.Helper()
			time.Sleep(50 * time.Millisecond)
			if got := a.card.Use(); got != want {
				t.Errorf("%s: card open for %d, want %d", step, got, want)
			}
		}
		check("idle", 0)
		end := a.engine.Play(audio.RingbackTone("de"))
		check("ring-back", audio.Playback)
		a.engine.Attach(a.session)
		check("early media", audio.Playback)
		end()
		check("early media alone", audio.Playback)
		m.Direction = audio.SendRecv
		a.session.Update(m)
		check("answered", audio.FullDuplex)
		m.Direction = audio.Inactive
		a.session.Update(m)
		check("held", 0)
		m.Direction = audio.SendOnly
		a.session.Update(m)
		check("music on hold", audio.FullDuplex)
		m.Direction = audio.RecvOnly
		a.session.Update(m)
		check("listening", audio.Playback)
		a.engine.Detach(a.session)
		a.engine.Detach(a.session)
		check("over", 0)
		stop()
		open := false
		for _, e := range a.events {
			switch e.State {
			case audio.CardOpened:
				open = e.Use == audio.FullDuplex
			case audio.CardClosed:
				open = false
			default:
				t.Errorf("event %v", e)
			}
		}
		if open || len(a.events) != 2*len(a.card.Opens()) {
			t.Errorf("events %v for uses %v", a.events, a.card.Opens())
		}
	})
}

func TestIdleEngineSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newParty(t, &audiotest.Net{}, 48000, 480, addrA, media(addrB, audio.PCMA))
		stop := run(t, a)
		played := make(chan time.Duration, 1)
		start := time.Now()
		a.engine.Play(audio.Clip{Samples: audiotest.Sine(1000, 8000, 800, 8000), Rate: 8000,
			Done: func() { played <- time.Since(start) }})
		if d := <-played; d < 80*time.Millisecond || d > 150*time.Millisecond {
			t.Errorf("a clip of 100 ms was done after %v", d)
		}
		time.Sleep(time.Second)
		if a.card.Use() != 0 {
			t.Error("the card is open")
		}
		n := len(a.rec.Samples())
		time.Sleep(time.Hour)
		if m := len(a.rec.Samples()); m != n {
			t.Errorf("%d samples were played to nobody", m-n)
		}
		stop()
	})
}

func TestClipsMixAndStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newParty(t, &audiotest.Net{}, 16000, 160, addrA, media(addrB, audio.PCMA))
		stop := run(t, a)
		end := a.engine.Play(audio.Clip{Samples: audiotest.Sine(1000, 16000, 1600, 8000),
			Rate: 16000, Loop: true})
		a.engine.Play(audio.Clip{Samples: audiotest.Sine(2500, 48000, 48000, 8000), Rate: 48000, Gain: -6})
		time.Sleep(500 * time.Millisecond)
		s := a.rec.Samples()
		s = s[len(s)-3200:]
		if l := audiotest.ToneLevel(s, 16000, 1000); math.Abs(l+15.3) > 0.3 {
			t.Errorf("loop at %.1f dBFS", l)
		}
		if l := audiotest.ToneLevel(s, 16000, 2500); math.Abs(l+21.3) > 0.3 {
			t.Errorf("clip at %.1f dBFS", l)
		}
		end()
		end()
		time.Sleep(2 * time.Second)
		if a.card.Use() != 0 {
			t.Error("card still open")
		}
		biggest := 0
		for i, v := range s[1:] {
			biggest = max(biggest, int(v)-int(s[i]), int(s[i])-int(v))
		}
		if biggest > 8000 {
			t.Errorf("a step of %d: it clicks", biggest)
		}
		stop()
	})
}

func TestLoudSumIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newParty(t, &audiotest.Net{}, 16000, 160, addrA, media(addrB, audio.PCMA))
		stop := run(t, a)
		var ends []func()
		for range 4 {
			ends = append(ends, a.engine.Play(audio.Clip{Samples: audiotest.Sine(1000, 16000, 1600, 20000),
				Rate: 16000, Loop: true}))
		}
		time.Sleep(time.Second)
		s := a.rec.Samples()
		s = s[len(s)-8000:]
		tone, all := audiotest.ToneLevel(s, 16000, 1000), audiotest.Level(s)
		if all-tone > 0.05 || slices.Max(s) > 29500 {
			t.Errorf("peak %d, %.2f dB beside the tone", slices.Max(s), all-tone)
		}
		for _, end := range ends {
			end()
		}
		stop()
	})
}

func TestCardLostAndRecovered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &audiotest.Net{}
		a := newParty(t, net, 48000, 480, addrA, media(addrB, audio.PCMA))
		b := newParty(t, net, 16000, 160, addrB, media(addrA, audio.PCMA))
		a.card.Mic = audiotest.Player(audiotest.Sine(700, 48000, 48000, 8000), true)
		stop := run(t, a, b)
		a.engine.Attach(a.session)
		b.engine.Attach(b.session)
		time.Sleep(2 * time.Second)
		before := b.session.Stats().Received
		a.card.Break(errors.New("no such device"))
		time.Sleep(2 * time.Second)
		if n := b.session.Stats().Received - before; n < 95 || n > 105 {
			t.Errorf("%d packets in 2 s without a card, want 100", n)
		}
		s := b.rec.Samples()
		if l := audiotest.Level(s[len(s)-8000:]); l > -70 {
			t.Errorf("lost card sounds with %.0f dBFS", l)
		}
		b.session.SendDigits("7")
		time.Sleep(time.Second)
		if a.dialled() != "7" {
			t.Errorf("digits without a card: %q", a.dialled())
		}
		a.card.Break(nil)
		time.Sleep(7 * time.Second)
		s = b.rec.Samples()
		if l := steady(s, 16000, 700); math.Abs(l+15.3) > 1 {
			t.Errorf("recovered card sounds with %.0f dBFS", l)
		}
		stop()
		want := []audio.CardState{audio.CardOpened, audio.CardLost, audio.CardRecovered, audio.CardClosed}
		if got := a.states(); !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
		if st := b.session.Stats(); st.Lost != 0 || st.Late > 5 {
			t.Errorf("far end lost packets: %+v", st)
		}
	})
}

func TestXrunSkipsTimeStamps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &audiotest.Net{}
		peer := net.Listen(addrB)
		a := newParty(t, net, 48000, 480, addrA, media(addrB, audio.PCMA))
		stop := run(t, a)
		a.engine.Attach(a.session)
		time.Sleep(time.Second)
		a.card.Xrun(audio.Slip{Captured: 4800, Played: 4800})
		time.Sleep(time.Second)
		stop()
		var first, last rtpSeen
		var buf [1500]byte
		for {
			n, _, at, _ := peer.ReadPacket(buf[:])
			if n == 0 {
				break
			}
			last = seen(buf[:n], at)
			if first.at == 0 {
				first = last
			}
		}
		elapsed := (last.at - first.at).Seconds()
		if ts := float64(last.ts-first.ts) / 8000; math.Abs(ts-elapsed) > 0.045 {
			t.Errorf("time stamps moved by %.3f s in %.3f s", ts, elapsed)
		}
	})
}

type rtpSeen struct {
	at   time.Duration
	pt   uint8
	mark bool
	seq  uint16
	ts   uint32
	ssrc uint32
	data []byte
}

func seen(b []byte, at time.Duration) rtpSeen {
	u32 := func(i int) uint32 { return binary.BigEndian.Uint32(b[i:]) }
	return rtpSeen{at, b[1] & 127, b[1]&128 != 0, uint16(b[2])<<8 | uint16(b[3]), u32(4),
		u32(8), slices.Clone(b[12:])}
}

func TestHoldAndCodecChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &audiotest.Net{}
		a := newParty(t, net, 16000, 160, addrA, media(addrB, audio.PCMA))
		b := newParty(t, net, 16000, 160, addrB, media(addrA, audio.PCMA))
		a.card.Mic = audiotest.Player(audiotest.Sine(700, 16000, 16000, 8000), true)
		b.card.Mic = audiotest.Player(audiotest.Sine(1300, 16000, 16000, 8000), true)
		stop := run(t, a, b)
		a.engine.Attach(a.session)
		b.engine.Attach(b.session)
		level := func(p *party, rate int, hz float64) float64 {
			return steady(p.rec.Samples(), rate, hz)
		}
		hear := func(step string, aHears, bHears bool) {
			t.Helper()
			a.rec.Reset()
			b.rec.Reset()
			time.Sleep(1500 * time.Millisecond)
			if l := level(a, 16000, 1300); (l > -18) != aHears {
				t.Errorf("%s: a hears %.0f dBFS", step, l)
			}
			if l := level(b, 16000, 700); (l > -18) != bHears {
				t.Errorf("%s: b hears %.0f dBFS", step, l)
			}
		}
		set := func(da, db audio.Direction, c *audio.Codec) {
			t.Helper()
			ma, mb := media(addrB, c), media(addrA, c)
			ma.Direction, mb.Direction = da, db
			if err := errors.Join(a.session.Update(ma), b.session.Update(mb)); err != nil {
				t.Fatal(err)
			}
		}
		hear("start", true, true)
		set(audio.SendOnly, audio.RecvOnly, audio.PCMA)
		hear("b listens", false, true)
		set(audio.Inactive, audio.Inactive, audio.PCMA)
		sent := a.session.Stats().Sent
		hear("held", false, false)
		if n := a.session.Stats().Sent - sent; n > 2 {
			t.Errorf("%d packets sent while held", n)
		}
		set(audio.SendRecv, audio.SendRecv, audio.PCMA)
		hear("resumed", true, true)
		set(audio.SendRecv, audio.SendRecv, audio.G722)
		hear("G.722", true, true)
		set(audio.SendRecv, audio.SendRecv, audio.PCMU)
		hear("PCMU", true, true)
		// The far end may change within what was negotiated, without a word.
		mb := media(addrA, audio.PCMU)
		mb.Receive = append(mb.Receive, media(addrA, audio.G722).Receive...)
		if err := errors.Join(b.session.Update(mb), a.session.Update(media(addrB, audio.G722))); err != nil {
			t.Fatal(err)
		}
		ma := media(addrB, audio.G722)
		ma.Receive = media(addrB, audio.PCMU).Receive
		if err := a.session.Update(ma); err != nil {
			t.Fatal(err)
		}
		hear("asymmetric", true, true)
		stop()
		if st := a.session.Stats(); st.Lost != 0 || st.Foreign != 0 {
			t.Errorf("statistics %+v", st)
		}
	})
}
