package audio

import (
	"math"
	"slices"
	"testing"
)

var commonRates = []int{8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000}

func sine(hz float64, rate, n int, amplitude float64) []int16 {
	s := make([]int16, n)
	for i := range s {
		s[i] = int16(math.Round(amplitude * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))))
	}
	return s
}

// power returns the mean square of s, the tone at hz apart.
func power(s []int16, hz float64, rate int) (tone, rest float64) {
	var re, im, sum float64
	for i, v := range s {
		w := 2 * math.Pi * hz * float64(i) / float64(rate)
		re += float64(v) * math.Cos(w)
		im += float64(v) * math.Sin(w)
		sum += float64(v) * float64(v)
	}
	n := float64(len(s))
	tone = 2 * (re*re + im*im) / (n * n)
	return tone, max(0, sum/n-tone)
}

func db(ratio float64) float64 { return 10 * math.Log10(ratio) }

func TestResamplePassBand(t *testing.T) {
	for i, from := range commonRates {
		for k, to := range commonRates {
			r, err := NewResampler(from, to)
			if err != nil {
				t.Fatal(err)
			}
			low := min(from, to)
			// Two frequencies for each pair of rates; all five come up for every rate.
			all := []float64{0.02, 0.1, 0.25, 0.35, 0.43}
			for _, f := range []float64{all[(i+k)%4], 0.43} {
				hz := math.Round(f*float64(low)/50) * 50 // a whole number of periods in 20 ms
				in := sine(hz, from, from/4, 16000)
				out := make([]int16, r.MaxOut(len(in)))
				out = out[:r.Process(out, in)]
				tail := out[to/25:][:to/5]
				tone, rest := power(tail, hz, to)
				if level := db(tone / (16000 * 16000 / 2)); math.Abs(level) > 0.1 {
					t.Errorf("%d -> %d: %g Hz at %+.2f dB", from, to, hz, level)
				}
				if snr := db(tone / rest); snr < 70 {
					t.Errorf("%d -> %d: %g Hz with %.1f dB SNR", from, to, hz, snr)
				}
			}
		}
	}
}

// Sound above 0.57 of the lower rate must come out (as an alias, or as an image) 80 dB down. The sum of the
// frequency response is read from the filter itself: 16-bit samples have a floor of their own.
func TestResampleStopBand(t *testing.T) {
	for _, from := range commonRates {
		for _, to := range commonRates {
			r, err := NewResampler(from, to)
			if err != nil || r.up == r.down || from%11025 == 0 && from < 44100 ||
				to%11025 == 0 && to < 44100 {
				continue // the rates of old sound files take the same filter
			}
			// Interleave the branches into the prototype at the rate from*up.
			h := make([]float64, r.taps*r.up)
			for p := range r.up {
				for i := range r.taps {
					h[(r.taps-1-i)*r.up+p] = float64(r.bank[p*r.taps+i])
				}
			}
			worst, at := -300.0, 0.0
			proto, low := float64(from*r.up), float64(min(from, to))
			for hz := 0.57 * low; hz < min(proto/2, 4*low); hz += low / 23 {
				var re, im float64
				w := 2 * math.Pi * hz / proto
				c, s := math.Cos(w), math.Sin(w)
				cr, ci := 1.0, 0.0
				for _, v := range h {
					re += v * cr
					im += v * ci
					cr, ci = cr*c-ci*s, cr*s+ci*c
				}
				if a := db((re*re + im*im) / float64(r.up*r.up)); a > worst {
					worst, at = a, hz
				}
			}
			if worst > -80 {
				t.Errorf("%d -> %d: %.1f dB at %.0f Hz", from, to, worst, at)
			}
		}
	}
}

func TestResampleStreams(t *testing.T) {
	for _, rates := range [][2]int{{48000, 16000}, {16000, 48000}, {44100, 16000},
		{16000, 44100}, {8000, 16000}} {
		from, to := rates[0], rates[1]
		in := sine(440, from, from, 12000)
		whole, _ := NewResampler(from, to)
		want := make([]int16, whole.MaxOut(len(in)))
		want = want[:whole.Process(want, in)]
		if len(want) != to {
			t.Errorf("%d -> %d: one second gives %d samples", from, to, len(want))
		}
		parts, _ := NewResampler(from, to)
		var got []int16
		for at, k := 0, 1; at < len(in); at, k = at+k, k%977+13 {
			k = min(k, len(in)-at)
			out := make([]int16, parts.MaxOut(k))
			got = append(got, out[:parts.Process(out, in[at:at+k])]...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d -> %d: pieces differ from the whole", from, to)
		}
	}
}

func TestResampleDelay(t *testing.T) {
	for _, rates := range [][2]int{{48000, 8000}, {8000, 48000}, {16000, 8000}, {44100, 8000},
		{8000, 16000}, {48000, 16000}} {
		from, to := rates[0], rates[1]
		r, _ := NewResampler(from, to)
		in := make([]int16, from/10)
		in[from/100] = 30000
		out := make([]int16, r.MaxOut(len(in)))
		peak := 0
		for i, v := range out[:r.Process(out, in)] {
			if v > out[peak] {
				peak = i
			}
		}
		if delay := (float64(peak)/float64(to) - 0.01) * 1000; delay < 0 || delay > 3 {
			t.Errorf("%d -> %d: delay of %.2f ms", from, to, delay)
		}
	}
}

func TestResampleRefuses(t *testing.T) {
	for _, rates := range [][2]int{{0, 8000}, {8000, -1}, {8000, 44101}, {48000, 0}} {
		if _, err := NewResampler(rates[0], rates[1]); err == nil {
			t.Errorf("%v accepted", rates)
		}
	}
}

// A full-scale square wave overshoots in the filter: it must be limited, not wrap around.
func TestResampleOverload(t *testing.T) {
	r, _ := NewResampler(8000, 48000)
	in := make([]int16, 800)
	for i := range in {
		in[i] = 32767
		if i/20%2 == 1 {
			in[i] = -32768
		}
	}
	out := make([]int16, r.MaxOut(len(in)))
	delay, limited := zeroCrossings*6, 0
	for i, v := range out[:r.Process(out, in)] {
		at := i - delay
		if at < 0 || at%120 < 12 || at%120 > 108 {
			continue // within two input samples of an edge
		}
		if (v > 0) != (at/120%2 == 0) {
			t.Fatalf("sample %d: %d", i, v)
		}
		if v == 32767 || v == -32768 {
			limited++
		}
	}
	if limited == 0 {
		t.Error("nothing was limited: a poor signal")
	}
}

func TestClipResampleKeepsTime(t *testing.T) {
	c := Clip{Samples: sine(500, 44100, 44100, 10000), Rate: 44100}
	got, err := c.Resample(16000)
	if err != nil || len(got.Samples) != 16000 || got.Rate != 16000 {
		t.Fatalf("%d samples of %d Hz, %v", len(got.Samples), got.Rate, err)
	}
	want := sine(500, 16000, 16000, 10000)
	for i := 200; i < 15800; i++ {
		if d := int(got.Samples[i]) - int(want[i]); d < -60 || d > 60 {
			t.Fatalf("sample %d: %d, want %d", i, got.Samples[i], want[i])
		}
	}
}

func BenchmarkResample(b *testing.B) {
	for _, c := range []struct {
		name     string
		from, to int
	}{{"48to16", 48000, 16000}, {"16to48", 16000, 48000}, {"16to8", 16000, 8000}, {"8to16", 8000, 16000}} {
		b.Run(c.name, func(b *testing.B) {
			r, _ := NewResampler(c.from, c.to)
			in := sine(440, c.from, c.from/100, 9000)
			out := make([]int16, r.MaxOut(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				r.Process(out, in)
			}
		})
	}
}

func TestResampleAllocs(t *testing.T) {
	r, _ := NewResampler(44100, 16000)
	in, out := make([]int16, 441), make([]int16, 200)
	if n := testing.AllocsPerRun(100, func() { r.Process(out, in) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}
