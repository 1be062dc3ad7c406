package audiotest

import (
	"math"
	"sync"
)

// Recorder keeps what it is given; its Write fits Card.Speaker.
type Recorder struct {
	mu      sync.Mutex
	samples []int16
}

// Write appends samples.
func (r *Recorder) Write(s []int16) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples = append(r.samples, s...)
}

// Samples returns a copy of everything.
func (r *Recorder) Samples() []int16 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]int16(nil), r.samples...)
}

// Reset forgets everything.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples = nil
}

// Player returns a function for Card.Mic that plays s once (or for ever), then silence.
func Player(s []int16, loop bool) func([]int16) {
	at := 0
	return func(capture []int16) {
		for i := range capture {
			if at == len(s) && loop {
				at = 0
			}
			if at == len(s) {
				capture[i] = 0
				continue
			}
			capture[i] = s[at]
			at++
		}
	}
}

// Sine returns n samples of a tone.
func Sine(hz float64, rate, n int, amplitude float64) []int16 {
	s := make([]int16, n)
	for i := range s {
		s[i] = int16(math.Round(amplitude * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))))
	}
	return s
}

// Level returns the level of s in dBFS, where a full-scale square wave has 0; silence has -120.
func Level(s []int16) float64 {
	var sum float64
	for _, v := range s {
		sum += float64(v) * float64(v)
	}
	return decibels(sum / float64(max(1, len(s))))
}

// ToneLevel returns the level of the tone at hz in s, in dBFS as Level: a Goertzel filter over all of s.
func ToneLevel(s []int16, rate int, hz float64) float64 {
	w := 2 * math.Pi * hz / float64(rate)
	c := 2 * math.Cos(w)
	var s1, s2 float64
	for _, v := range s {
		s1, s2 = float64(v)+c*s1-s2, s1
	}
	n := float64(max(1, len(s)))
	return decibels(2 * (s1*s1 + s2*s2 - c*s1*s2) / (n * n))
}

func decibels(power float64) float64 {
	return max(-120, 10*math.Log10(power/(32768*32768)+1e-30))
}

// SNR finds where got follows want best, within maxLag samples, fits the gain and returns the ratio of signal
// to what is left in dB, and the lag. Both have the same rate; the part of want that is compared is all that
// got covers.
func SNR(want, got []int16, maxLag int) (db float64, lag int) {
	n := min(len(want), len(got)-maxLag)
	if n <= 0 {
		return 0, 0
	}
	// Every seventh sample at every third lag first, then around the best one in full.
	best := math.Inf(-1)
	for l := 0; l <= maxLag; l += 3 {
		var c float64
		for i := 0; i < n; i += 7 {
			c += float64(want[i]) * float64(got[l+i])
		}
		if c > best {
			best, lag = c, l
		}
	}
	best = math.Inf(-1)
	for l, end := max(0, lag-3), min(maxLag, lag+3); l <= end; l++ {
		if c := dot(want[:n], got[l:l+n]); c > best {
			best, lag = c, l
		}
	}
	x, y := want[:n], got[lag:lag+n]
	xy, xx, yy := dot(x, y), dot(x, x), dot(y, y)
	if xx == 0 || yy == 0 {
		return 0, lag
	}
	noise := yy - xy*xy/xx
	return 10 * math.Log10(xy*xy/xx/math.Max(noise, 1e-9)), lag
}

func dot(a, b []int16) float64 {
	var s float64
	for i, v := range a {
		s += float64(v) * float64(b[i])
	}
	return s
}
