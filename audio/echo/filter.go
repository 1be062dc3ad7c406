package echo

import "math"

// filter is the linear part of the canceller: a partitioned-block frequency-domain adaptive filter in two
// copies. The background copy is a Kalman filter with a diagonal state covariance (Enzner and Vary 2006;
// Kuech, Mabande and Enzner 2014). The near end's spectrum and the filter's own uncertainty set the step of
// every bin, so double talk slows it and a fresh start does not. The foreground copy does not adapt. It
// takes the background's weights when they have proved better, and gives them back when the background has
// diverged (Ochiai 1977; Valin 2007).
//
// A partition is two hops long, so one spectrum of the reference per hop serves all of them: partition p
// reads the one of 2p hops ago. The transform is at least 3.2 hops long, so overlap-save leaves more than one
// hop of valid output.
type filter struct {
	hop, size, bins, parts int
	taps                   int // per partition
	fft                    *fft

	window     []float32 // the last size samples of the reference
	xr, xi, xp []float32 // ring of reference spectra and their powers, slots x bins
	slots      int
	head       int

	fr, fi []float32 // foreground weights, parts x bins
	br, bi []float32 // background weights
	cov    []float32 // background state covariance
	near   []float32 // PSD of what the background leaves: the measurement noise
	sum    []float32 // sum over partitions of |X|^2 cov, then the inverse of the innovation's PSD
	yr, yi []float32
	er, ei []float32
	block  []float32
	long   []float32 // parts x taps, for shift
	turn   int       // the partition whose aliased taps are cleared next
	bgErr  []float32
	bgEcho []float32

	coupling       float32 // of the microphone's power over the reference's
	farSum, micSum float32
	quiet, fresh   int

	d1, d2     float32 // smoothed difference of foreground and background error power, fast and slow
	v1, v2     float32 // and their variances
	pMic, pOut float32 // energy before and behind the foreground, over 200 ms
	cross      []crossSpectrum
	coherence  float32 // share of the background's error that follows the foreground's echo estimate
	proven     bool    // the foreground has fitted since it last diverged
	holdOff    int     // frames until the next change of path is believed
	diverged   bool    // the last cancel found the echo path changed
}

const (
	freshCov   = 1     // state covariance of the first partition of a fresh filter, in units of |W|^2
	freshDecay = .7    // and its decay per partition
	forget     = 5e-4  // process noise per hop over |W|^2: the echo path's pace
	leastCov   = 1e-6  // what an unexcited bin keeps, so that it can still learn
	nearKeep   = .85   // smoothing of the measurement noise
	movedCov   = .01   // of freshCov, after the path has changed
	leastPower = 1e-12 // of a bin, so that no division meets a zero
)

func newFilter(hop, parts int) *filter {
	size := transformSize(hop)
	f := &filter{
		hop: hop, size: size, bins: size/2 + 1, fft: newFFT(size),
		parts: parts, taps: 2 * hop, slots: 2*parts - 1,
	}
	for _, p := range []*[]float32{&f.xr, &f.xi, &f.xp} {
		*p = make([]float32, f.slots*f.bins)
	}
	for _, p := range []*[]float32{&f.fr, &f.fi, &f.br, &f.bi, &f.cov} {
		*p = make([]float32, parts*f.bins)
	}
	for _, p := range []*[]float32{&f.near, &f.sum, &f.yr, &f.yi, &f.er, &f.ei} {
		*p = make([]float32, f.bins)
	}
	for _, p := range []*[]float32{&f.window, &f.block} {
		*p = make([]float32, size)
	}
	for _, p := range []*[]float32{&f.bgErr, &f.bgEcho} {
		*p = make([]float32, hop)
	}
	f.long = make([]float32, parts*f.taps)
	f.cross = make([]crossSpectrum, (f.bins-coherenceFirst)/2)
	f.reset()
	return f
}

// transformSize returns the power of two that holds three hops: a bin is 31.25 Hz wide at either rate.
func transformSize(hop int) int {
	size := 1
	for size < 3*hop {
		size *= 2
	}
	return size
}

// reset forgets the echo path.
func (f *filter) reset() {
	for _, p := range [][]float32{f.fr, f.fi, f.br, f.bi, f.cov, f.near} {
		clear(p)
	}
	clear(f.cross)
	f.d1, f.d2, f.v1, f.v2, f.pMic, f.pOut, f.coherence, f.proven = 0, 0, 0, 0, 0, 0, 0, false
	f.farSum, f.micSum, f.coupling = 1e-9, 0, coupleLeast
	f.fresh, f.quiet = coupleFresh, coupleHold+1
	f.inflateCov(1)
}

// inflateCov raises the background's uncertainty to at least share of a fresh filter's.
func (f *filter) inflateCov(share float32) {
	g := freshCov * share * f.coupling
	for p := range f.parts {
		for k, c := range f.cov[p*f.bins:][:f.bins] {
			f.cov[p*f.bins+k] = max(c, g)
		}
		g *= freshDecay
	}
}

// hush makes the reference's past silent.
func (f *filter) hush() {
	clear(f.window)
	clear(f.xr)
	clear(f.xi)
	clear(f.xp)
}

// push takes one hop of the reference.
func (f *filter) push(x []float32) {
	copy(f.window, f.window[f.hop:])
	copy(f.window[f.size-f.hop:], x)
	if f.head++; f.head == f.slots {
		f.head = 0
	}
	o := f.head * f.bins
	xr, xi, xp := f.xr[o:][:f.bins], f.xi[o:][:f.bins], f.xp[o:][:f.bins]
	f.fft.forward(xr, xi, f.window)
	for k, v := range xr {
		xp[k] = v*v + xi[k]*xi[k]
	}
}

// spectrum returns where in the ring the reference's spectrum of age hops ago lies.
func (f *filter) spectrum(age int) int {
	s := f.head - age
	if s < 0 {
		s += f.slots
	}
	return s * f.bins
}

// weights returns the foreground's weights of partition p.
func (f *filter) weights(p int) (re, im []float32) {
	return f.fr[p*f.bins:][:f.bins], f.fi[p*f.bins:][:f.bins]
}

// cancel writes mic minus the echo to out, the echo to echo and the echo's power spectrum to power, and
// adapts. It returns the energy that both paths leave.
func (f *filter) cancel(mic, out, echo, power []float32) float32 {
	f.convolve(f.br, f.bi)
	f.fft.inverse(f.block, f.yr, f.yi)
	copy(f.bgEcho, f.block[f.size-f.hop:])
	f.uncertainty()
	f.convolve(f.fr, f.fi)
	f.hann(power)
	f.fft.inverse(f.block, f.yr, f.yi)
	copy(echo, f.block[f.size-f.hop:])

	f.couple(mic)
	var sdd, sff, see, dbf float32
	for i, d := range mic {
		a, b := unclip(d, echo[i]), unclip(d, f.bgEcho[i])
		out[i], f.bgErr[i] = a, b
		sdd += d * d
		sff += a * a
		see += b * b
		dbf += (a - b) * (a - b)
	}

	clear(f.block[:f.size-f.hop])
	copy(f.block[f.size-f.hop:], f.bgErr)
	f.fft.forward(f.er, f.ei, f.block)
	f.adapt()
	f.constrain(f.turn)
	if f.turn++; f.turn == f.parts {
		f.turn = 0
	}
	f.compare()
	f.choose(sff, see, dbf, out, echo)
	f.judge(sdd, sff, mic, out)
	return sff + see
}

// unclip returns d-y, or 0 where the converter clipped at d and the echo alone explains it.
func unclip(d, y float32) float32 {
	const rail = 32767. / 32768
	if d >= rail && y > d || d <= -rail && y < d {
		return 0
	}
	return d - y
}

// convolve sets yr, yi to the reference through the weights.
func (f *filter) convolve(wr, wi []float32) {
	n := f.bins
	yr, yi := f.yr[:n], f.yi[:n]
	for p := range f.parts {
		s := f.spectrum(2 * p)
		xr, xi := f.xr[s:][:n], f.xi[s:][:n]
		ar, ai := wr[p*n:][:n], wi[p*n:][:n]
		if p == 0 {
			for k := range yr {
				a, b, g, h := xr[k], xi[k], ar[k], ai[k]
				yr[k] = a*g - b*h
				yi[k] = a*h + b*g
			}
			continue
		}
		for k := range yr {
			a, b, g, h := xr[k], xi[k], ar[k], ai[k]
			yr[k] += a*g - b*h
			yi[k] += a*h + b*g
		}
	}
}

// uncertainty sets sum to the echo power that the background's state covariance stands for.
func (f *filter) uncertainty() {
	n := f.bins
	sum := f.sum[:n]
	clear(sum)
	for p := range f.parts {
		xp, c := f.xp[f.spectrum(2*p):][:n], f.cov[p*n:][:n]
		for k := range sum {
			sum[k] += xp[k] * c[k]
		}
	}
}

// hann sets power to the power spectrum of yr, yi as a Hann window would have given it: the sum of three bins
// stands in for one more transform.
func (f *filter) hann(power []float32) {
	n := f.bins - 1
	yr, yi := f.yr[:n+1], f.yi[:n+1]
	power = power[:n+1]
	for k := 1; k < n; k++ {
		re := .5*yr[k] - .25*(yr[k-1]+yr[k+1])
		im := .5*yi[k] - .25*(yi[k-1]+yi[k+1])
		power[k] = re*re + im*im + leastPower
	}
	power[0], power[n] = power[1], power[n-1]
}

// adapt is the Kalman step of the background weights on the error spectrum er, ei.
func (f *filter) adapt() {
	n := f.bins
	ratio := float32(f.hop) / float32(f.size)
	er, ei, near, sum := f.er[:n], f.ei[:n], f.near[:n], f.sum[:n]
	for k := range er {
		e := er[k]*er[k] + ei[k]*ei[k]
		near[k] = nearKeep*near[k] + (1-nearKeep)*e + 1e-9
		sum[k] = 1 / (sum[k] + near[k]/ratio)
	}
	for p := range f.parts {
		s := f.spectrum(2 * p)
		xr, xi, xp := f.xr[s:][:n], f.xi[s:][:n], f.xp[s:][:n]
		wr, wi, cov := f.br[p*n:][:n], f.bi[p*n:][:n], f.cov[p*n:][:n]
		for k := range er {
			c := cov[k]
			g := c * sum[k]
			a, b := g*xr[k], g*xi[k]
			u, v := wr[k]+a*er[k]+b*ei[k], wi[k]+a*ei[k]-b*er[k]
			wr[k], wi[k] = u, v
			cov[k] = (1-forget)*(c-ratio*g*xp[k]*c) + forget*(u*u+v*v+leastCov)
		}
	}
}

// constrain clears the background's taps of partition p that circular convolution would fold over.
func (f *filter) constrain(p int) {
	wr, wi := f.br[p*f.bins:][:f.bins], f.bi[p*f.bins:][:f.bins]
	f.fft.inverse(f.block, wr, wi)
	clear(f.block[f.taps:])
	f.fft.forward(wr, wi, f.block)
}

// strongest returns the foreground's partition with the most energy.
func (f *filter) strongest() int {
	best, top := 0, float32(0)
	for p := range f.parts {
		wr, wi := f.weights(p)
		var e float32
		for k := 0; k < len(wr); k += 4 {
			e += wr[k]*wr[k] + wi[k]*wi[k]
		}
		if e > top {
			best, top = p, e
		}
	}
	return best
}

// peak returns the foreground's strongest tap.
func (f *filter) peak() int {
	best, top := 0, float32(0)
	for p := range f.parts {
		wr, wi := f.weights(p)
		f.fft.inverse(f.block, wr, wi)
		for i, v := range f.block[:f.taps] {
			if abs(v) > top {
				best, top = p*f.taps+i, abs(v)
			}
		}
	}
	return best
}

// shift moves both paths' impulse responses by d taps, later for positive d.
func (f *filter) shift(d int) {
	n := len(f.long)
	for _, w := range [2][2][]float32{{f.fr, f.fi}, {f.br, f.bi}} {
		for p := range f.parts {
			f.fft.inverse(f.block, w[0][p*f.bins:][:f.bins], w[1][p*f.bins:][:f.bins])
			copy(f.long[p*f.taps:], f.block[:f.taps])
		}
		if d > 0 {
			copy(f.long[min(d, n):], f.long)
			clear(f.long[:min(d, n)])
		} else {
			copy(f.long, f.long[min(-d, n):])
			clear(f.long[max(0, n+d):])
		}
		clear(f.block)
		for p := range f.parts {
			copy(f.block, f.long[p*f.taps:][:f.taps])
			f.fft.forward(w[0][p*f.bins:][:f.bins], w[1][p*f.bins:][:f.bins], f.block)
		}
	}
}

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

func decibel(ratio float64) float64 { return 10 * math.Log10(ratio) }
