package echo

import "math"

// suppressor takes what the filter leaves of the echo down to the background noise, and the noise down a
// little. It works bin by bin on a spectrum with 10 ms of delay; what it leaves out it fills with comfort
// noise.
type suppressor struct {
	hop, size, bins int
	ns              bool
	fft             *fft
	analysis, synth []float32
	in, tmp, ola    []float32
	er, ei          []float32
	pe              []float32 // power spectrum of the filter's error
	py              []float32 // of the echo estimate; the filter writes it
	res             []float32 // PSD of the residual echo
	speech          []float32 // PSD of the near end as the last frame let it out
	gain            []float32
	noise           *noiseFloor
	wind            *wind
	edges           []int // band b is bins edges[b] to edges[b+1]
	eb, rb, nb      []float32
	leak            []float32 // residual over echo, per band
	heard           int       // frames of echo since the leak was last reset
	coherence       float32   // share of the error that follows the echo estimate; the filter tells it
	near            float32   // share of the near end, 0 to 1
	seed            uint32
	cos             [256]float32
}

const (
	bandFirst     = 3   // bin: 94 Hz
	bandWidth     = .16 // of its lower edge
	leakFirst     = .9  // step per frame of a leak that knows nothing,
	leakLearn     = 200 // over the frames of echo heard from then on,
	leakStep      = .06 // and at last
	leakRank      = .6  // the quantile of error over echo that the leak follows
	leakTalk      = .97 // of a rise is withheld while the near end talks
	leakMost      = 4
	leakLeast     = 1e-5
	resDecay      = .5 // of the residual per frame, at least: reverberation behind the filter, T60 200 ms
	nearFactor    = 3  // a band shows the near end where the error exceeds this much residual
	nearNoise     = 2  // and this much noise
	nearLow       = .15
	nearHigh      = .35 // share of bands between which the near end comes to dominate
	coherenceLow  = .08 // from which on the error is taken for echo,
	coherenceHigh = .16 // and is nothing else
	nearAttack    = .7
	nearDecay     = .75
	overAlone     = 8 // oversubtraction of the residual while the far end is alone
	overNear      = 1.2
	leastAlone    = .005 // gain, -46 dB
	leastNear     = .25  // -12 dB
	deepen        = 2    // exponent, above 1, of the gain while the far end is alone
	smoothPrio    = .9   // decision-directed a priori SNR
	noiseGain     = .4   // -8 dB
)

func newSuppressor(rate int, ns bool) *suppressor {
	hop := rate / 100
	size := transformSize(hop)
	s := &suppressor{hop: hop, size: size, bins: size/2 + 1, ns: ns, fft: newFFT(size), seed: 1}
	s.analysis, s.synth = windows(size, hop)
	for _, p := range []*[]float32{&s.in, &s.tmp} {
		*p = make([]float32, size)
	}
	for _, p := range []*[]float32{&s.er, &s.ei, &s.pe, &s.py, &s.res, &s.gain, &s.speech} {
		*p = make([]float32, s.bins)
	}
	s.ola = make([]float32, hop)
	for lo := bandFirst; lo < s.bins; lo += max(3, int(float64(lo)*bandWidth)) {
		s.edges = append(s.edges, lo)
	}
	for _, p := range []*[]float32{&s.eb, &s.rb, &s.nb, &s.leak} {
		*p = make([]float32, len(s.edges))
	}
	s.edges = append(s.edges, s.bins)
	for b := range s.leak {
		s.leak[b] = 1
	}
	s.noise, s.wind = newNoiseFloor(s.bins), newWind()
	for i := range s.cos {
		s.cos[i] = float32(math.Cos(2 * math.Pi * float64(i) / float64(len(s.cos))))
	}
	return s
}

// windows returns an analysis window with a long rise and a fall of one hop, and the synthesis window over
// the last two hops that makes their product a Hann window. That gives the resolution of the long window at
// one hop of delay (Mauler and Martin 2007).
func windows(size, hop int) (analysis, synth []float32) {
	analysis, synth = make([]float32, size), make([]float32, size)
	rise := size - hop
	for i := range size {
		if i < rise {
			analysis[i] = float32(math.Sin(math.Pi / 2 * (float64(i) + .5) / float64(rise)))
		} else {
			analysis[i] = float32(math.Cos(math.Pi / 2 * (float64(i-rise) + .5) / float64(hop)))
		}
		if j := i - (size - 2*hop); j >= 0 {
			h := math.Sin(math.Pi * (float64(j) + .5) / float64(2*hop))
			synth[i] = float32(h*h) / analysis[i]
		}
	}
	return analysis, synth
}

// resetLeak makes the suppressor expect as much residual as there is echo, until it has seen otherwise.
func (s *suppressor) resetLeak() {
	for b := range s.leak {
		s.leak[b] = max(s.leak[b], 1)
	}
	s.heard = 0
}

// process takes a frame of the filter's error and writes the frame that left one hop ago; mute lets only
// comfort noise out.
func (s *suppressor) process(e, out []float32, mute bool) {
	copy(s.in, s.in[s.hop:])
	copy(s.in[s.size-s.hop:], e)
	for i, w := range s.analysis {
		s.tmp[i] = w * s.in[i]
	}
	s.fft.forward(s.er, s.ei, s.tmp)
	er, ei := s.er, s.ei[:len(s.er)]
	for k, v := range er {
		s.pe[k] = v*v + ei[k]*ei[k] + leastPower
	}
	s.noise.update(s.pe)
	s.residual()
	s.dominance()
	if mute {
		clear(s.gain)
		clear(s.speech)
	} else {
		s.gains()
	}
	s.synthesise(out)
}

// residual estimates the PSD of the echo that the filter leaves: the echo estimate times a leak per band.
func (s *suppressor) residual() {
	// Robbins and Monro 1951: a call whose first second is double talk cannot wait for small steps.
	step := max(leakStep, min(leakFirst, leakLearn/float32(s.heard+1)))
	echo := false
	for b, leak := range s.leak {
		var e, y, r, n float32
		lo, hi := s.edges[b], s.edges[b+1]
		pe, py, res, psd := s.pe[lo:hi], s.py[lo:hi], s.res[lo:hi], s.noise.psd[lo:hi]
		for k, p := range pe {
			e += p
			y += py[k]
			n += psd[k]
			v := max(resDecay*res[k], leak*py[k])
			res[k] = v
			r += v
		}
		s.eb[b], s.rb[b], s.nb[b] = e, r, n
		if y*leak < .1*n && y < 2*n {
			continue // the noise hides whatever is left
		}
		echo = true
		// A quantile, unlike a mean, bears with words of the near end that the dominance has missed.
		if max(e-n, .05*n) > leak*y {
			s.leak[b] = min(leak*(1+step*leakRank*(1-leakTalk*s.near)), leakMost)
		} else {
			s.leak[b] = max(leak*(1-step*(1-leakRank)), leakLeast)
		}
	}
	if echo && step > leakStep {
		s.heard++
	}
	for k := range s.edges[0] {
		s.res[k] = max(resDecay*s.res[k], s.leak[0]*s.py[k])
	}
}

// dominance judges the share of the near end by the bands in which more is left than residual echo and
// noise explain. A remainder that follows the echo does not count: then the residual is more than was
// thought.
func (s *suppressor) dominance() {
	var sum float32
	for b, e := range s.eb {
		excess := e/(s.rb[b]*nearFactor+s.nb[b]*nearNoise+leastPower) - 1
		sum += max(0, min(1, excess*.5))
	}
	p := max(0, min(1, (sum/float32(len(s.eb))-nearLow)/(nearHigh-nearLow)))
	p *= max(0, min(1, (coherenceHigh-s.coherence)/(coherenceHigh-coherenceLow)))
	if p > s.near {
		s.near += nearAttack * (p - s.near)
	} else {
		s.near = nearDecay*s.near + (1-nearDecay)*p
	}
}

// noiseLeft returns the gain that steady noise is left with.
func (s *suppressor) noiseLeft() float32 {
	if s.ns {
		return noiseGain
	}
	return 1
}

// gains sets the Wiener gain of every bin, with the a priori SNR of Ephraim and Malah 1984: deep while the
// far end is alone, shallow while the near end talks.
func (s *suppressor) gains() {
	over := overAlone + (overNear-overAlone)*s.near
	least := leastAlone + (leastNear-leastAlone)*s.near
	deep := deepen * (1 - s.near)
	left := s.noiseLeft()
	n := len(s.pe)
	psd, res, speech, gain := s.noise.psd[:n], s.res[:n], s.speech[:n], s.gain[:n]
	for k, e := range s.pe {
		r := over * res[k]
		q := psd[k]
		if !s.ns {
			q = 0
		}
		inv := 1 / (r + q + leastPower)
		xi := smoothPrio*speech[k]*inv + (1-smoothPrio)*max(0, e*inv-1)
		g := xi / (1 + xi)
		speech[k] = g * g * e
		// Where noise and not echo is the trouble, its own floor holds.
		w := q * inv
		g = max(g, least+(left-least)*w)
		gain[k] = max(0, g*(1+(1-w)*deep*(g-1)))
	}
}

// synthesise applies the gains, fills up to the noise that is meant to be left, and overlaps.
func (s *suppressor) synthesise(out []float32) {
	left := s.noiseLeft()
	left *= left
	n := len(s.gain)
	er, ei, psd := s.er[:n], s.ei[:n], s.noise.psd[:n]
	for k, g := range s.gain {
		re, im := g*er[k], g*ei[k]
		if c := psd[k] * (left - g*g); c > 0 {
			s.seed = s.seed*1664525 + 1013904223
			a := float32(math.Sqrt(float64(c)))
			re += a * s.cos[s.seed>>24]
			im += a * s.cos[(s.seed>>24+64)&255]
		}
		er[k], ei[k] = re, im
	}
	if s.ns {
		s.wind.process(er, ei, psd)
	}
	ei[0], ei[n-1] = 0, 0
	s.fft.inverse(s.tmp, er, ei)
	fresh, synth := s.tmp[s.size-2*s.hop:], s.synth[s.size-2*s.hop:]
	for i, v := range s.ola {
		out[i] = v + fresh[i]*synth[i]
		s.ola[i] = fresh[s.hop+i] * synth[s.hop+i]
	}
}
