package echo

import "math"

// delayFinder measures how far the echo lags the reference: the cross-correlation of both at 4 kHz, whitened
// (GCC-PHAT, Knapp and Carter 1976) and averaged over half a second of far-end activity. It sees 0 to 125 ms.
type delayFinder struct {
	decim          int
	lpX, lpD       biquad
	phase          int
	x, d           []float32 // the last two blocks of both at 4 kHz
	fill           int
	round          int
	taper          []float32
	fft            *fft
	xr, xi, dr, di []float32
	cr, ci         []float32 // averaged whitened cross-spectrum
	corr           []float32
	candidate      int
	votes          int
	lag            int // samples at 4 kHz of the strongest path, -1 while unknown
}

const (
	delayRate  = 4000
	delayBlock = 500 // samples: 125 ms
	delaySize  = 1024
	delayHop   = 256      // samples between measurements while the lag is unknown; afterwards every second
	delayKeep  = .85      // of the average, per measurement
	delayPeak  = 7        // a lag counts if it stands this far out of the correlation's RMS
	delayVotes = 2        // measurements in a row
	delayLow   = 25       // bins of 3.9 Hz: 100 Hz
	delayHigh  = 350      // and 1.4 kHz carry the voice and pass the decimator
	delayFar   = 1e-6     // mean square of the reference below which nothing is measured: -60 dBFS
	delayMic   = 1e-9 / 2 // and of the microphone
)

func newDelayFinder(rate int) *delayFinder {
	f := &delayFinder{decim: rate / delayRate, fft: newFFT(delaySize), lag: -1}
	f.lpX = lowPass(rate, 1200, math.Sqrt2/2)
	f.lpD = f.lpX
	f.taper = make([]float32, delaySize/2)
	for i := range f.taper {
		f.taper[i] = float32(.5 - .5*math.Cos(2*math.Pi*(float64(i)+.5)/(delaySize/2)))
	}
	for _, p := range []*[]float32{&f.x, &f.d, &f.corr} {
		*p = make([]float32, delaySize)
	}
	for _, p := range []*[]float32{&f.xr, &f.xi, &f.dr, &f.di, &f.cr, &f.ci} {
		*p = make([]float32, delaySize/2+1)
	}
	return f
}

// forget drops what was learnt, after the delay is known to have moved.
func (f *delayFinder) forget() {
	clear(f.cr)
	clear(f.ci)
	f.votes = 0
	f.lag = -1
}

// push takes one frame of both signals and reports whether the lag was measured anew.
func (f *delayFinder) push(x, d []float32) bool {
	fresh := false
	for i, v := range x {
		a, b := f.lpX.step(v), f.lpD.step(d[i])
		if f.phase++; f.phase < f.decim {
			continue
		}
		f.phase = 0
		n := delaySize - delayHop + f.fill
		f.x[n], f.d[n] = a, b
		if f.fill++; f.fill < delayHop {
			continue
		}
		f.fill = 0
		if f.round++; f.lag < 0 || f.round%2 == 0 {
			fresh = f.measure()
		}
		copy(f.x, f.x[delayHop:])
		copy(f.d, f.d[delayHop:])
	}
	f.lpX.flush()
	f.lpD.flush()
	return fresh
}

func (f *delayFinder) measure() bool {
	var ex, ed float32
	for i, v := range f.x {
		ex += v * v
		ed += f.d[i] * f.d[i]
	}
	if ex < delaySize*delayFar || ed < delaySize*delayMic {
		return false
	}
	// The reference in full against the microphone's second half: every lag up to half the size is free of
	// wrapping. Both end at the same moment, so without a taper their edges would correlate at lag 0.
	const half = delaySize / 2
	for i := range f.corr {
		f.corr[i] = f.x[i] * f.taper[i/2]
	}
	f.fft.forward(f.xr, f.xi, f.corr)
	clear(f.corr[:half])
	for i, w := range f.taper {
		f.corr[half+i] = f.d[half+i] * w
	}
	f.fft.forward(f.dr, f.di, f.corr)
	for k := range f.cr {
		a, b, c, d := f.xr[k], f.xi[k], f.dr[k], f.di[k]
		re, im := a*c+b*d, a*d-b*c
		w := (1 - delayKeep) / (float32(math.Sqrt(float64(re*re+im*im))) + 1e-9)
		f.cr[k] = delayKeep*f.cr[k] + w*re
		f.ci[k] = delayKeep*f.ci[k] + w*im
	}
	clear(f.xr)
	clear(f.xi)
	copy(f.xr[delayLow:delayHigh], f.cr[delayLow:])
	copy(f.xi[delayLow:delayHigh], f.ci[delayLow:])
	f.fft.inverse(f.corr, f.xr, f.xi)

	best, top, sum := 0, float32(0), float32(0)
	for i, c := range f.corr[:delayBlock] {
		c *= c
		sum += c
		if c > top {
			best, top = i, c
		}
	}
	if top*delayBlock < delayPeak*delayPeak*sum {
		f.votes = 0
		return false
	}
	if d := best - f.candidate; d < -1 || d > 1 {
		f.candidate, f.votes = best, 0
	}
	if f.votes++; f.votes < delayVotes {
		return false
	}
	f.lag = best
	return true
}
