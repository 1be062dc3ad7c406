package alsa

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"portero/audio"
)

func mustOpen(t testing.TB, s system, c Config, use audio.Use) *duplex {
	t.Helper()
	d, err := s.openDuplex(context.Background(), c, use)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d.(*duplex)
}

// caller exchanges numbered samples, from which the offset between the two sides can be read.
type caller struct {
	t             testing.TB
	d             audio.Duplex
	play, capture []int16
	next, heard   int
	offset        int // of the last Exchange: index captured less index played; -1 unknown
	first         int // index captured that offset was read at
	slip          audio.Slip
	drifts        bool // samples may repeat or be left out
}

func newCaller(t testing.TB, d audio.Duplex) *caller {
	return &caller{t: t, d: d, play: make([]int16, d.Period()), capture: make([]int16, d.Period())}
}

// number is never silence, and negative half the time.
func number(i int) int16 { return int16(i%65535 + 1) }

func (c *caller) exchange() error {
	for i := range c.play {
		c.play[i] = number(c.next)
		c.next++
	}
	var err error
	c.slip, err = c.d.Exchange(c.play, c.capture)
	if err != nil {
		return err
	}
	c.offset = -1
	for i, v := range c.capture {
		if v != 0 {
			played := int(uint16(v)) - 1 // number's inverse
			c.first = c.heard + i
			c.offset = ((c.heard+i-played)%65535 + 65535) % 65535
			break
		}
	}
	for i := 1; i < len(c.capture); i++ {
		if a, b := c.capture[i-1], c.capture[i]; a != 0 && b != 0 && b != a+1 && b != 1 &&
			!(c.drifts && (b == a || b == a+2)) {
			c.t.Fatalf("sample %d: %d after %d", c.heard+i, b, a)
		}
	}
	c.heard += len(c.capture)
	return nil
}

func (c *caller) run(periods int) {
	c.t.Helper()
	for range periods {
		if err := c.exchange(); err != nil {
			c.t.Fatal(err)
		}
	}
}

// The sequence that doc.go promises.
func TestSequence(t *testing.T) {
	s, f := newFake(t, usbCard(0))
	d := mustOpen(t, s, Config{}, audio.FullDuplex)
	c := newCaller(t, d)
	expect := func(want string) {
		t.Helper()
		if got := strings.Join(f.log, ", "); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		f.log = nil
	}
	expect("open p, open c, p HW_PARAMS, p SW_PARAMS, c HW_PARAMS, c SW_PARAMS, LINK")
	c.run(1)
	expect("p PREPARE, p WRITEI 320, p WRITEI 160, p START, c READI 160")
	polls := f.polls
	c.run(10)
	expect(strings.TrimSuffix(strings.Repeat("p WRITEI 160, c READI 160, ", 10), ", "))
	if f.polls-polls != 10 {
		t.Errorf("%d wake-ups in 10 periods", f.polls-polls)
	}
	f.late(time.Second)
	c.run(1)
	expect("p WRITEI 160, p STATUS, c STATUS, p DROP, p PREPARE, p WRITEI 320, p WRITEI 160, p START, " +
		"p STATUS, c STATUS, c READI 160")
}

// Whatever the hardware, a sample comes back the same and the offset is the silence laid ahead, before and
// after xruns.
func TestConstantOffset(t *testing.T) {
	for _, format := range []uint32{formatS16, formatS24, formatS32, formatS24in3} {
		for _, channels := range []uint32{1, 2, 8} {
			for _, rate := range []uint32{8000, 16000, 44100, 48000} {
				// unlinked at the low rates
				for _, alone := range []bool{false, true}[:2-min(rate/16001, 1)] {
					t.Run(fmt.Sprint(format, channels, rate, alone), func(t *testing.T) {
						card := usbCard(0)
						card.alone = alone
						for _, m := range card.pcms {
							m[0].formats, m[0].channels, m[0].rates = []uint32{format},
								[2]uint32{channels, 8}, []uint32{rate}
						}
						s, f := newFake(t, card)
						f.logging = false
						d := mustOpen(t, s, Config{Rate: 16000}, audio.FullDuplex)
						if d.Rate() != int(rate) || d.Period() != int(rate)/100 || d.linked == alone {
							t.Fatalf("rate %d, period %d, linked %v", d.Rate(), d.Period(), d.linked)
						}
						c := newCaller(t, d)
						for _, pause := range []time.Duration{0, 3 * time.Millisecond, 19 * time.Millisecond,
							35 * time.Millisecond, time.Second} {
							microphone := f.streams(streamCapture)
							due := float64(microphone.start) + float64(microphone.appl)/microphone.speed()
							f.late(pause)
							c.run(1)
							lost := int(math.Round((float64(microphone.start) - due) * microphone.speed()))
							if microphone.appl != d.Period() { // no restart
								lost = 0
							} else if pause == 0 {
								lost = 0 // the first start
							}
							if slip := (audio.Slip{Captured: lost, Played: lost}); near(c.slip.Captured,
								slip.Captured) != 0 || c.slip.Captured != c.slip.Played {
								t.Errorf("pause of %v: slip %v, want %v", pause, c.slip, slip)
							}
							if (lost > 0) != (pause > 30*time.Millisecond) {
								t.Errorf("pause of %v: %d frames lost", pause, lost)
							}
							c.run(5)
							if want := 2 * d.Period(); c.offset != want {
								t.Errorf("offset %d after a pause of %v, want %d", c.offset, pause, want)
							}
						}
					})
				}
			}
		}
	}
}

// near is 0 where two counts differ by a rounded frame at most.
func near(a, b int) int {
	if a-b >= -1 && a-b <= 1 {
		return 0
	}
	return a - b
}

// Long and odd hardware periods and coarse positions take a longer offset, still a constant one, without an
// xrun.
func TestHardwarePeriods(t *testing.T) {
	for _, c := range []struct {
		periods []uint32
		step    int
		offset  int
	}{
		{[]uint32{64, 128, 256}, 1, 320},   // 128 divides ours best
		{[]uint32{64, 128, 256}, 64, 320},  // and moves in bursts
		{[]uint32{1024}, 1, 160 + 1024},    // six of ours in one
		{[]uint32{1024}, 1024, 160 + 1024}, // and all at once
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			card := usbCard(0)
			for _, m := range card.pcms {
				m[0].periods, m[0].step = c.periods, c.step
			}
			s, f := newFake(t, card)
			f.logging = false
			x := newCaller(t, mustOpen(t, s, Config{}, audio.FullDuplex))
			for range 300 {
				x.run(1)
				if x.slip != (audio.Slip{}) {
					t.Fatalf("slip %v", x.slip)
				}
			}
			if x.offset != c.offset {
				t.Errorf("offset %d, want %d", x.offset, c.offset)
			}
		})
	}
}

func TestPlaybackAlone(t *testing.T) {
	s, f := newFake(t, usbCard(0))
	d := mustOpen(t, s, Config{}, audio.Playback)
	if slices.Contains(f.log, "open c") {
		t.Error("the microphone was opened")
	}
	f.logging = false
	play := make([]int16, d.Period())
	for range 10 {
		if _, err := d.Exchange(play, nil); err != nil {
			t.Fatal(err)
		}
	}
	began, polls := f.now, f.polls
	for range 100 {
		if slip, err := d.Exchange(play, nil); err != nil || slip != (audio.Slip{}) {
			t.Fatal(slip, err)
		}
	}
	if took := time.Duration(f.now - began); took != time.Second || f.polls-polls != 100 {
		t.Errorf("100 periods of 10 ms took %v and %d wake-ups", took, f.polls-polls)
	}
	// Two periods are queued; half a second later the next one sounds 480 ms and the new silence late.
	f.late(500 * time.Millisecond)
	if slip, err := d.Exchange(play, nil); err != nil ||
		near(slip.Played, 480*16+320) != 0 || slip.Captured != 0 {
		t.Errorf("slip %v, %v", slip, err)
	}
}

func TestSuspend(t *testing.T) {
	for _, alone := range []bool{false, true} {
		card := usbCard(0)
		card.alone = alone
		s, f := newFake(t, card)
		c := newCaller(t, mustOpen(t, s, Config{}, audio.FullDuplex))
		c.run(10)
		f.mu.Lock()
		f.streams(streamCapture).halt(stateSuspended, f.now)
		f.streams(streamPlayback).halt(stateSuspended, f.now)
		f.mu.Unlock()
		f.late(time.Second)
		c.run(1)
		if near(c.slip.Captured, 16000) != 0 {
			t.Errorf("slip %v after a second's sleep", c.slip)
		}
		c.run(5)
		if c.offset != 320 {
			t.Errorf("offset %d", c.offset)
		}
	}
}

func TestGone(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(*fakeCard, *fake)
		want error
	}{
		"unplugged": {func(c *fakeCard, _ *fake) { c.gone = true }, unix.ENODEV},
		"EIO":       {func(c *fakeCard, _ *fake) { c.fail = unix.EIO }, unix.EIO},
		"EBADFD": {func(_ *fakeCard, f *fake) {
			f.streams(streamCapture).halt(stateSetup, f.now)
		}, unix.EBADFD},
		"stuck":     {func(c *fakeCard, _ *fake) { c.stuck = true }, unix.ETIMEDOUT},
		"storm":     {func(c *fakeCard, _ *fake) { c.fail = unix.EPIPE }, unix.EPIPE},
		"no frames": {func(c *fakeCard, _ *fake) { c.fail = unix.EAGAIN }, unix.EIO},
	} {
		for _, use := range []audio.Use{audio.Playback, audio.FullDuplex} {
			t.Run(fmt.Sprint(name, use), func(t *testing.T) {
				if name == "EBADFD" && use == audio.Playback {
					t.Skip("harms the microphone")
				}
				s, f := newFake(t, usbCard(0))
				d := mustOpen(t, s, Config{}, use)
				c0 := newCaller(t, d)
				c0.run(10)
				f.mu.Lock()
				c.harm(f.cards[0], f)
				f.mu.Unlock()
				var err error
				for range 2 { // the second one is sure to write
					if _, err = d.Exchange(c0.play, c0.capture); err != nil {
						break
					}
				}
				if !errors.Is(err, ErrGone) || !errors.Is(err, c.want) {
					t.Fatalf("got %v, want %v", err, c.want)
				}
				f.mu.Lock()
				f.cards[0].gone, f.cards[0].fail, f.cards[0].stuck = false, 0, false
				f.mu.Unlock()
				if _, again := d.Exchange(c0.play, c0.capture); again != err {
					t.Errorf("then %v", again)
				}
			})
		}
	}
}

func TestCloseUnblocks(t *testing.T) {
	for _, use := range []audio.Use{audio.Playback, audio.FullDuplex} {
		s, f := newFake(t, usbCard(0))
		d := mustOpen(t, s, Config{}, use)
		c := newCaller(t, d)
		c.run(3)
		f.mu.Lock()
		f.cards[0].stuck, f.hold = true, make(chan struct{})
		f.mu.Unlock()
		done := make(chan error)
		go func() {
			var err error
			for err == nil {
				_, err = d.Exchange(c.play, c.capture)
			}
			done <- err
		}()
		<-f.hold // blocked for good
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, os.ErrClosed) || errors.Is(err, ErrGone) {
			t.Errorf("got %v", err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if _, err := d.Exchange(c.play, c.capture); !errors.Is(err, os.ErrClosed) {
			t.Errorf("got %v after Close", err)
		}
		if len(f.fds) != 0 {
			t.Errorf("%d descriptors left", len(f.fds))
		}
	}
}

// Close may come at any point of an Exchange.
func TestCloseAnytime(t *testing.T) {
	for range 20 {
		s, f := newFake(t, usbCard(0))
		f.logging = false
		d := mustOpen(t, s, Config{}, audio.FullDuplex)
		c := newCaller(t, d)
		started := make(chan struct{})
		done := make(chan error)
		go func() {
			close(started)
			var err error
			for err == nil {
				_, err = d.Exchange(c.play, c.capture)
			}
			done <- err
		}()
		<-started
		d.Close()
		if err := <-done; !errors.Is(err, os.ErrClosed) {
			t.Fatal(err)
		}
	}
}

// Two cards' clocks drift apart: a period now and then is skipped, both streams go on, and what was reported
// explains where the samples are.
func TestTwoClocks(t *testing.T) {
	for _, ppm := range []float64{0, 4000, -4000} {
		t.Run(fmt.Sprint(ppm), func(t *testing.T) {
			speaker, microphone := usbCard(0), usbCard(1)
			speaker.info.ID, microphone.info.ID, microphone.ppm = "Speaker", "Mic", ppm
			s, f := newFake(t, speaker, microphone)
			d := mustOpen(t, s, Config{Playback: "Speaker", Capture: "Mic"}, audio.FullDuplex)
			if slices.Contains(f.log, "LINK") {
				t.Error("linked across cards")
			}
			c := newCaller(t, d)
			c.drifts = true
			c.run(1)
			f.log = nil
			var total audio.Slip
			const periods = 1500 // 15 s
			played := []int{0}   // frames lost before each period
			before := 320
			for range periods {
				c.run(1)
				total.Captured += c.slip.Captured
				total.Played += c.slip.Played
				played = append(played, total.Played)
				if c.offset < 0 {
					continue
				}
				if c.offset < 160-2 || c.offset > 480+2 {
					t.Fatalf("offset %d", c.offset)
				}
				now := c.offset + total.Captured - played[(c.first-c.offset)/160]
				if now < before-2 || now > before+2 {
					t.Fatalf("offset %d with slips of %v: %d after %d", c.offset, total, now, before)
				}
				before = now
			}
			if slices.Contains(f.log, "p PREPARE") {
				t.Error("the streams were restarted")
			}
			want := int(periods * 160 * ppm / 1e6)
			if got := total.Captured - total.Played; got < want-320 ||
				got > want+320 || ppm == 0 && got != 0 {
				t.Errorf("slips of %v for a drift of %d", total, want)
			}
		})
	}
}

func TestInterrupted(t *testing.T) {
	s, f := newFake(t, usbCard(0))
	c := newCaller(t, mustOpen(t, s, Config{}, audio.FullDuplex))
	f.interrupts = 100
	c.run(5)
	if f.interrupts != 0 || c.slip != (audio.Slip{}) {
		t.Errorf("%d left, slip %v", f.interrupts, c.slip)
	}
}

func TestWrongLength(t *testing.T) {
	s, f := newFake(t, usbCard(0))
	d := mustOpen(t, s, Config{}, audio.FullDuplex)
	f.log = nil
	for _, n := range [][2]int{{0, 160}, {160, 0}, {161, 161}} {
		if _, err := d.Exchange(make([]int16, n[0]), make([]int16, n[1])); err == nil {
			t.Errorf("%v frames were taken", n)
		}
	}
	if len(f.log) != 0 {
		t.Errorf("it did %v", f.log)
	}
	newCaller(t, d).run(3)
}

// null is a kernel whose transfers do nothing, at once: what is left is the package's own work.
type null struct{ *fake }

func (null) poll([]unix.PollFd, time.Duration) (int, unix.Errno) { return 1, 0 }

func (null) ioctl(_ int, req uintptr, arg unsafe.Pointer) unix.Errno {
	if req == pcmWriteI || req == pcmReadI {
		x := (*xferi)(arg)
		x.result = int(x.frames)
	}
	return 0
}

func openNull(t testing.TB, use audio.Use) func() {
	s, f := newFake(t, usbCard(0))
	d := mustOpen(t, s, Config{Rate: 48000}, use)
	d.k, d.play.k = null{f}, null{f}
	if d.capture != nil {
		d.capture.k = null{f}
	}
	play, capture := make([]int16, d.Period()), make([]int16, d.Period())
	return func() {
		if _, err := d.Exchange(play, capture); err != nil {
			t.Fatal(err)
		}
	}
}

func TestExchangeAllocs(t *testing.T) {
	for _, use := range []audio.Use{audio.Playback, audio.FullDuplex} {
		if n := testing.AllocsPerRun(100, openNull(t, use)); n != 0 {
			t.Errorf("%v allocations per Exchange", n)
		}
	}
}

// 10 ms at 48 kHz.
func BenchmarkExchange(b *testing.B) {
	exchange := openNull(b, audio.FullDuplex)
	b.ReportAllocs()
	for b.Loop() {
		exchange()
	}
}
