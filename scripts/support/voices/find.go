package voices

import (
	"fmt"
	"math"
	"math/cmplx"
	"time"
)

const (
	rate      = 8000            // Hz: everything is judged in the telephone band
	piece     = rate * 32 / 100 // 320 ms: two or three syllables, too long to look alike by accident
	hop       = piece / 2
	slack     = rate * 60 / 1000 // a jitter buffer slips by three packets of 20 ms at most while sound goes on
	search    = rate / 4         // and by any number of them in a gap
	speechDB  = -25.0            // a piece this far below the loudest is a pause, not speech
	heardFrom = 0.80             // correlation from which a piece counts as heard
	places    = 3                // how many of the best places in the recording are looked at
	sameFrom  = 0.75             // share of the pieces from which the sentence counts as heard
)

// Match says how much of a reference was found in a recording.
type Match struct {
	Delay       time.Duration // of the reference's start in the recording
	Correlation float64       // of the whole sentence at Delay with one gain, 0..1
	Heard       float64       // share of the reference's speech pieces found, 0..1
	GainDB      float64       // of the recording against the reference
	Pieces      int           // how many pieces held speech
}

// Same reports whether the reference was spoken in the recording.
func (m Match) Same() bool { return m.Pieces >= 4 && m.Heard >= sameFrom }

func (m Match) String() string {
	return fmt.Sprintf("%.0f %% of %d pieces heard, correlation %.2f, %+.1f dB, from %.2f s", 100*m.Heard, m.Pieces,
		m.Correlation, m.GainDB, m.Delay.Seconds())
}

// Find looks for reference in recording. A recording shorter than the reference holds at most a part of it.
func Find(reference, recording Clip) Match {
	ref, rec := telephone(reference.At(rate).Samples), telephone(recording.At(rate).Samples)
	if len(ref) == 0 || len(rec) == 0 || energy(ref) == 0 || energy(rec) == 0 {
		return Match{}
	}
	sums := make([]float64, len(rec)+1)
	for i, s := range rec {
		sums[i+1] = sums[i] + s*s
	}
	window := func(from, n int) float64 { // energy of rec[from:from+n], what lies outside is silence
		return sums[min(max(from+n, 0), len(rec))] - sums[min(max(from, 0), len(rec))]
	}
	// A stretch of near silence must not win by being small: the floor is a hundredth of the loudest place.
	floor := 0.0
	for from := 0; from < len(rec); from += hop {
		floor = max(floor, window(from, len(ref))/100)
	}
	refEnergy := energy(ref)
	fit := make([]float64, len(ref)+len(rec)-1) // at index lag+len(ref)-1
	products := correlate(ref, rec)
	for i := range fit {
		lag := i - len(ref) + 1
		fit[i] = products[(lag+len(products))%len(products)] / math.Sqrt(refEnergy*max(window(lag, len(ref)), floor))
	}
	// The sentence may be there more than once, and the best fit as a whole need not be the most complete one.
	var found Match
	for range places {
		best := 0
		for i, c := range fit {
			if c > fit[best] {
				best = i
			}
		}
		if m := follow(ref, rec, best-len(ref)+1, fit[best], window); found.Pieces == 0 || m.Heard > found.Heard {
			found = m
		}
		for i := max(best-len(ref)/2, 0); i < min(best+len(ref)/2, len(fit)); i++ {
			fit[i] = math.Inf(-1)
		}
		if found.Heard == 1 {
			break
		}
	}
	return found
}

// follow goes through ref piece by piece, expecting its start at best in rec.
func follow(ref, rec []float64, best int, fit float64, window func(from, n int) float64) Match {
	m := Match{Correlation: fit}
	refEnergy := energy(ref)
	m.Delay = time.Duration(best) * time.Second / rate
	m.GainDB = 10 * math.Log10(max(window(best, len(ref)), 1e-12)/refEnergy)

	loudest := 0.0
	for from := 0; from+piece <= len(ref); from += hop {
		loudest = max(loudest, energy(ref[from:from+piece]))
	}
	heard, slip, lost := 0, 0, true
	for from := 0; from+piece <= len(ref); from += hop {
		p := ref[from : from+piece]
		e := energy(p)
		if e < loudest*math.Pow(10, speechDB/10) {
			continue
		}
		m.Pieces++
		around := slack
		if lost {
			around = search
		}
		top, at := 0.0, 0
		low, high := max(best+from+slip-around, 0), min(best+from+slip+around+piece, len(rec))
		if high-low >= piece {
			products := correlate(p, rec[low:high])
			for lag := low; lag+piece <= high; lag++ {
				if w := window(lag, piece); w > 0 {
					if r := products[lag-low] / math.Sqrt(e*w); r > top {
						top, at = r, lag
					}
				}
			}
		}
		if lost = top < heardFrom; !lost {
			heard++
			slip = max(-search, min(at-best-from, search))
		}
	}
	if m.Pieces > 0 {
		m.Heard = float64(heard) / float64(m.Pieces)
	}
	return m
}

func energy(s []float64) float64 {
	e := 0.0
	for _, v := range s {
		e += v * v
	}
	return e
}

// telephone keeps 300-3400 Hz: what lies outside is hum and codec filters, not speech.
func telephone(s []float64) []float64 {
	n := 1
	for n < len(s)+rate/10 {
		n *= 2
	}
	x := make([]complex128, n)
	for i, v := range s {
		x[i] = complex(v, 0)
	}
	fft(x, false)
	for i := range x {
		hz := float64(min(i, n-i)) * rate / float64(n)
		if hz < 300 || hz > 3400 {
			x[i] = 0
		}
	}
	fft(x, true)
	out := make([]float64, len(s))
	for i := range out {
		out[i] = real(x[i])
	}
	return out
}

// correlate returns the magnitude of the sum over i of a[i]*b[i+lag], b analytic, at index lag, negative lags from the end: alike
// counts whatever the phase, for a high-pass against hum and wind turns that and no ear minds.
func correlate(a, b []float64) []float64 {
	n := 1
	for n < len(a)+len(b) {
		n *= 2
	}
	x, y := make([]complex128, n), make([]complex128, n)
	for i, v := range a {
		x[i] = complex(v, 0)
	}
	for i, v := range b {
		y[i] = complex(v, 0)
	}
	fft(x, false)
	fft(y, false)
	for i := range x {
		switch {
		case i == 0 || i == n/2:
			x[i] = cmplx.Conj(x[i]) * y[i]
		case i < n/2:
			x[i] = 2 * cmplx.Conj(x[i]) * y[i]
		default:
			x[i] = 0
		}
	}
	fft(x, true)
	out := make([]float64, n)
	for i := range out {
		out[i] = cmplx.Abs(x[i])
	}
	return out
}

// fft is the radix-2 transform in place; inverse divides by the length. len(x) is a power of two.
func fft(x []complex128, inverse bool) {
	n := len(x)
	for i, j := 1, 0; i < n; i++ {
		bit := n >> 1
		for ; j&bit != 0; bit >>= 1 {
			j ^= bit
		}
		j |= bit
		if i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	turns, row := make([]complex128, n/2), make([]complex128, n/2)
	for k := range turns {
		sin, cos := math.Sincos(-2 * math.Pi * float64(k) / float64(n))
		if inverse {
			sin = -sin
		}
		turns[k] = complex(cos, sin)
	}
	for size := 2; size <= n; size *= 2 {
		half, step := size/2, n/size
		for k := range half {
			row[k] = turns[k*step] // close together, or the cache would miss on every one
		}
		for start := 0; start < n; start += size {
			for k := range half {
				even, odd := x[start+k], x[start+k+half]*row[k]
				x[start+k], x[start+k+half] = even+odd, even-odd
			}
		}
	}
	if inverse {
		for i := range x {
			x[i] /= complex(float64(n), 0)
		}
	}
}
