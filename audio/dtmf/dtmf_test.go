package dtmf

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// signal describes a row of digits as a test set makes it.
type signal struct {
	rate                  int
	on, off               float64 // ms
	level                 float64 // dBFS of both tones together, a full-scale sine being 0
	twist                 float64 // dB, column over row
	rowShift, columnShift float64 // of the frequency
	snr                   float64 // dB of white noise over the telephone's band; 0: none
}

func (s signal) make(digits string, seed uint64) []int16 {
	r := rand.New(rand.NewPCG(seed, 1))
	n := func(ms float64) int { return int(ms * float64(s.rate) / 1000) }
	total := math.Pow(10, s.level/10) * 32767 * 32767 / 2
	pc := total / (1 + math.Pow(10, -s.twist/10))
	ar, ac := math.Sqrt(2*(total-pc)), math.Sqrt(2*pc)
	noise := 0.0
	if s.snr != 0 {
		noise = math.Sqrt(total / math.Pow(10, s.snr/10) * float64(s.rate) / 8000)
	}
	out := make([]int16, 0, len(digits)*n(s.on+s.off)+n(50))
	put := func(v float64) {
		out = append(out, int16(max(-32768, min(32767, math.Round(v+noise*r.NormFloat64())))))
	}
	for range n(20) + r.IntN(n(20)) {
		put(0)
	}
	for _, d := range digits {
		row, column, _ := Frequencies(d)
		row, column = row*(1+s.rowShift), column*(1+s.columnShift)
		p, q := r.Float64()*2*math.Pi, r.Float64()*2*math.Pi
		for i := range n(s.on) {
			t := float64(i) / float64(s.rate)
			put(ar*math.Sin(2*math.Pi*row*t+p) + ac*math.Sin(2*math.Pi*column*t+q))
		}
		for range n(s.off) {
			put(0)
		}
	}
	for range n(50) {
		put(0)
	}
	return out
}

// detect feeds the samples as they come in a call.
func detect(rate int, pcm []int16) string {
	d := NewDetector(rate)
	var got []rune
	var buf [4]Event
	for len(pcm) > 0 {
		n := min(len(pcm), rate/100)
		for _, e := range d.Process(pcm[:n], buf[:0]) {
			got = append(got, e.Digit)
		}
		pcm = pcm[n:]
	}
	return string(got)
}

const ten = Digits + Digits + Digits + Digits + Digits + Digits + Digits + Digits + Digits + Digits

func TestDetects160Of160(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		good := signal{rate: rate, on: 40, off: 40, level: -10}
		for name, change := range map[string]func(*signal){
			"clean":         func(*signal) {},
			"-35 dBFS":      func(s *signal) { s.level = -35 },
			"loud":          func(s *signal) { s.level = -1 },
			"SNR 10":        func(s *signal) { s.snr = 10 },
			"faint, SNR 10": func(s *signal) { s.level, s.snr = -35, 10 },
			"twist +6":      func(s *signal) { s.twist = 6 },
			"twist -6":      func(s *signal) { s.twist = -6 },
			"+1.5 %":        func(s *signal) { s.rowShift, s.columnShift = 0.015, 0.015 },
			"-1.5 %":        func(s *signal) { s.rowShift, s.columnShift = -0.015, -0.015 },
			"crosswise":     func(s *signal) { s.rowShift, s.columnShift = 0.015, -0.015 },
			"all at once": func(s *signal) {
				s.level, s.twist, s.rowShift, s.columnShift, s.snr = -30, -6, 0.015, 0.015, 15
			},
			"long": func(s *signal) { s.on, s.off = 200, 60 },
		} {
			for seed := range uint64(16000 / rate) {
				s := good
				change(&s)
				want := Digits
				if rate == 8000 && slices.Contains([]string{"clean", "-35 dBFS", "SNR 10"}, name) {
					want = ten
				}
				if got := detect(rate, s.make(want, seed)); got != want {
					t.Errorf("%d Hz, %s, seed %d: %d of %d: %s", rate, name, seed, len(got), len(want), got)
				}
			}
		}
	}
}

func TestRejects(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		good := signal{rate: rate, on: 60, off: 60, level: -10}
		for name, change := range map[string]func(*signal){
			"row +3.5 %":     func(s *signal) { s.rowShift = 0.035 },
			"row -3.5 %":     func(s *signal) { s.rowShift = -0.035 },
			"column +3.5 %":  func(s *signal) { s.columnShift = 0.035 },
			"column -3.5 %":  func(s *signal) { s.columnShift = -0.035 },
			"both +3.5 %":    func(s *signal) { s.rowShift, s.columnShift = 0.035, 0.035 },
			"both -5 %":      func(s *signal) { s.rowShift, s.columnShift = -0.05, -0.05 },
			"20 ms":          func(s *signal) { s.on = 20 },
			"-50 dBFS":       func(s *signal) { s.level = -50 },
			"SNR 0":          func(s *signal) { s.snr = 0.01 },
			"one tone":       func(s *signal) { s.twist = 60 },
			"the other tone": func(s *signal) { s.twist = -60 },
		} {
			s := good
			change(&s)
			if got := detect(rate, s.make(Digits, 3)); got != "" {
				t.Errorf("%d Hz, %s: %d digits: %s", rate, name, len(got), got)
			}
		}
	}
}

// A tone that is held, or that has a hole of 10 ms, is one digit; one that stops for 40 ms is two.
func TestOneDigitPerTone(t *testing.T) {
	for off, want := range map[float64]string{8: "5", 40: "55"} {
		d := NewDetector(8000)
		var g Generator
		g.Start('5', 8000)
		tone := make([]int16, 640)
		g.Fill(tone)
		pcm := append(append(append([]int16{}, tone...), make([]int16, int(off*8))...), tone...)
		pcm = append(pcm, make([]int16, 400)...)
		var got []rune
		for _, e := range d.Process(pcm, nil) {
			got = append(got, e.Digit)
		}
		if string(got) != want {
			t.Errorf("pause of %g ms: %q, want %q", off, string(got), want)
		}
	}
}

// The event tells when the tone began.
func TestEventTime(t *testing.T) {
	var g Generator
	g.Start('8', 8000)
	pcm := make([]int16, 4000)
	g.Fill(pcm[2000:])
	e := NewDetector(8000).Process(pcm, nil)
	if len(e) != 1 || e[0].Digit != '8' || e[0].At < 1880 || e[0].At > 2120 ||
		e[0].Length < 200 || e[0].Length > 400 {
		t.Errorf("%+v", e)
	}
}

// Something like a voice: harmonics of a gliding pitch through moving formants. It must not dial.
func TestVoiceDialsNothing(t *testing.T) {
	const rate = 8000
	r := rand.New(rand.NewPCG(5, 6))
	d := NewDetector(rate)
	pcm := make([]int16, rate/10)
	phase, pitch := 0.0, 120.0
	f1, f2 := 500.0, 1500.0
	glide := 0.0
	for block := range 10 * 10 {
		if block%2 == 0 {
			glide = (0.4 + 0.6*r.Float64()) / rate // a share of the pitch per second, as in speech
			pitch, f1, f2 = 80+r.Float64()*300, 300+r.Float64()*600, 900+r.Float64()*1500
		}
		for i := range pcm {
			phase += 2 * math.Pi * pitch / rate
			pitch *= 1 + glide
			var v float64
			for k := 1.0; k*pitch < 3500; k++ {
				hz := k * pitch
				v += (1/(1+math.Pow((hz-f1)/80, 2)) + 0.6/(1+math.Pow((hz-f2)/100, 2)) +
					0.4/(1+math.Pow((hz-2600)/150, 2)) + 0.05) * math.Sin(k*phase)
			}
			pcm[i] = int16(max(-32000, min(32000, 9000*v+50*r.NormFloat64())))
		}
		for _, e := range d.Process(pcm, nil) {
			t.Errorf("%c after %.1f s", e.Digit, float64(e.At)/rate)
		}
	}
}

func TestGenerator(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		for _, digit := range Digits {
			var g Generator
			if !g.Start(digit, rate) {
				t.Fatalf("%c refused", digit)
			}
			pcm := make([]int16, rate/10)
			g.Fill(pcm[:33])
			g.Fill(pcm[33:])
			if got := detect(rate, append(pcm, make([]int16, rate/20)...)); got != string(digit) {
				t.Errorf("%c at %d Hz is heard as %q", digit, rate, got)
			}
			var sum float64
			for _, v := range pcm {
				sum += float64(v) * float64(v)
			}
			if l := 10 * math.Log10(sum/float64(len(pcm))/32768/32768); math.Abs(l+10) > 0.2 {
				t.Errorf("%c: %.2f dBFS", digit, l)
			}
		}
	}
	var g Generator
	if g.Start('x', 8000) {
		t.Error("x is a digit")
	}
}

func TestDetectorAllocs(t *testing.T) {
	d := NewDetector(8000)
	pcm, buf := signal{rate: 8000, on: 40, off: 40, level: -10}.make("123", 1)[:80], make([]Event, 0, 4)
	if n := testing.AllocsPerRun(100, func() { d.Process(pcm, buf[:0]) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func BenchmarkDetector10ms(b *testing.B) {
	d := NewDetector(8000)
	pcm, buf := make([]int16, 80), make([]Event, 0, 4)
	b.ReportAllocs()
	for b.Loop() {
		d.Process(pcm, buf[:0])
	}
}
