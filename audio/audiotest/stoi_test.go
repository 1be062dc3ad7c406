package audiotest

import (
	"fmt"
	"math"
	"testing"
)

// vowels is something like speech: harmonics of a gliding pitch under moving formants, in syllables, with a
// pause in every two seconds.
func vowels(rate, n int) []int16 {
	s := make([]int16, n)
	var phase float64
	hill := func(f, centre, width float64) float64 { return 1 / (1 + (f-centre)*(f-centre)/(width*width)) }
	for i := range s {
		t := float64(i) / float64(rate)
		turn := func(hz float64) float64 { return math.Sin(2 * math.Pi * hz * t) }
		pitch := 120 + 20*turn(0.7)
		phase += 2 * math.Pi * pitch / float64(rate)
		var v float64
		for h := 1.0; h <= 30; h++ {
			f := h * pitch
			mouth := hill(f, 500+300*turn(1.3), 150) + 0.5*hill(f, 1700-600*turn(0.9), 250) +
				0.2*hill(f, 2900, 400)
			v += mouth * math.Sin(h*phase)
		}
		if math.Mod(t, 2) < 1.5 {
			s[i] = int16(math.Floor(4000*v*max(0, turn(2.1)) + 0.5))
		}
	}
	return s
}

// hiss is uniform noise of a linear congruential generator (Numerical Recipes, 7.1).
func hiss(n int, seed uint32, amplitude float64) []int16 {
	s := make([]int16, n)
	for i := range s {
		seed = seed*1664525 + 1013904223
		s[i] = int16(math.Floor(amplitude*float64(int16(seed>>16))/32768 + 0.5))
	}
	return s
}

func sum(a, b []int16) []int16 {
	s := make([]int16, len(a))
	for i := range s {
		s[i] = int16(min(max(int(a[i])+int(b[i]), -32768), 32767))
	}
	return s
}

// TestSTOI holds the measure against a second implementation, in Python on numpy, whose figures for the same
// signals are typed in here.
func TestSTOI(t *testing.T) {
	for _, c := range []struct {
		rate                              int
		low, mid, high, gaps, late, alone float64
	}{
		{8000, .9968, .9589, .7151, .8315, .9607, .2935},
		{10000, .9969, .9615, .7394, .8315, .9607, .3100},
		{16000, .9984, .9766, .8142, .8313, .9607, .2903},
	} {
		t.Run(fmt.Sprint(c.rate), func(t *testing.T) {
			n := 4 * c.rate
			x := vowels(c.rate, n)
			gaps, late := make([]int16, n), make([]int16, n)
			for i, v := range x {
				if i%(c.rate/5) >= c.rate*3/100 {
					gaps[i] = v
				}
				if i >= c.rate/100 {
					late[i] = int16(math.Floor(float64(x[i-c.rate/100])/4 + 0.5))
				}
			}
			for _, s := range []struct {
				name     string
				degraded []int16
				want     float64
				within   float64
			}{
				{"identical", x, 1, 1e-6},
				{"a little noise", sum(x, hiss(n, 1, 500)), c.low, .002},
				{"noise", sum(x, hiss(n, 1, 2000)), c.mid, .002},
				{"much noise", sum(x, hiss(n, 1, 8000)), c.high, .002},
				{"30 of 200 ms lost", gaps, c.gaps, .002},
				{"12 dB down, 10 ms late", late, c.late, .002},
				{"noise alone", hiss(n, 2, 3000), c.alone, .002},
			} {
				got := STOI(x, s.degraded, c.rate)
				t.Logf("%-22s %.4f, %.4f in Python", s.name, got, s.want)
				if !(math.Abs(got-s.want) <= s.within) {
					t.Errorf("%s: %.4f, want %.4f", s.name, got, s.want)
				}
			}
		})
	}
}

// TestSTOIOfNothing is 0, not NaN, which would pass any bound.
func TestSTOIOfNothing(t *testing.T) {
	x := vowels(8000, 8000)
	mute := make([]int16, 8000)
	for _, c := range []struct {
		name            string
		clean, degraded []int16
		rate            int
	}{
		{"empty", nil, nil, 8000},
		{"one frame", x[:300], x[:300], 8000},
		{"short", x[:3000], x[:3000], 8000},
		{"said nothing", mute, x, 8000},
		{"heard nothing", x, mute, 8000},
		{"both mute", mute, mute, 8000},
		{"odd rate", x, x, 7919},
		{"no rate", x, x, 0},
	} {
		if got := STOI(c.clean, c.degraded, c.rate); got != 0 {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func BenchmarkSTOI(b *testing.B) {
	x := vowels(16000, 40*16000)
	y := sum(x, hiss(len(x), 1, 2000))
	for b.Loop() {
		STOI(x, y, 16000)
	}
}
