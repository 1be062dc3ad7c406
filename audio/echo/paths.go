package echo

const (
	judgeKeep         = .05 // smoothing per frame
	movedShare        = .03 // weight energy that a change of path moves at least
	movedHoldOff      = 25  // frames
	coherenceFirst    = 4   // bin: 125 Hz; every second is compared
	coherenceKeep     = .97 // smoothing per frame: a third of a second
	divergedCoherence = .15 // a changed path gives .22 to .4, the near end less than .05
	provenOut         = .03 // of the microphone's energy is left: below that the path is proven
	divergedCov       = .15 // of freshCov
	divergedHoldOff   = 50
	coupleFloor       = 1e-6 // of the reference: -60 dBFS
	coupleHold        = 10   // frames for which its echo may follow
	coupleKeep        = .995
	coupleLeast       = 1 // less only slows the start
	coupleMost        = 300
	coupleFresh       = 50 // frames
)

// choose compares the two paths' error energies of this block as Valin 2007 does. The background's weights
// move to the foreground when the difference stands out of its own variance, and back when the background
// is clearly worse.
func (f *filter) choose(sff, see, dbf float32, out, echo []float32) {
	d := sff - see
	dbf += 1e-9
	f.d1, f.d2 = .6*f.d1+.4*d, .85*f.d2+.15*d
	f.v1, f.v2 = .36*f.v1+.16*sff*dbf, .7225*f.v2+.0225*sff*dbf
	if f.holdOff >= 0 {
		f.holdOff--
	}
	switch {
	case d*abs(d) > sff*dbf || f.d1*abs(f.d1) > .5*f.v1 || f.d2*abs(f.d2) > .25*f.v2:
		if f.holdOff < 0 && f.moved() {
			f.inflateCov(movedCov)
			f.holdOff = movedHoldOff
		}
		copy(f.fr, f.br)
		copy(f.fi, f.bi)
		for i, e := range f.bgErr { // no step in the sound
			w := float32(i) / float32(f.hop)
			out[i] += w * (e - out[i])
			echo[i] += w * (f.bgEcho[i] - echo[i])
		}
	case -d*abs(d) > 4*sff*dbf || -f.d1*abs(f.d1) > 4*f.v1 || -f.d2*abs(f.d2) > 4*f.v2:
		copy(f.br, f.fr)
		copy(f.bi, f.fi)
	default:
		return
	}
	f.d1, f.d2, f.v1, f.v2 = 0, 0, 0, 0
}

// moved tells whether the better background has left the foreground so far that the echo path must have
// changed.
func (f *filter) moved() bool {
	var d, w float32
	for k := 0; k < len(f.fr); k += 2 {
		a, b := f.fr[k], f.fi[k]
		w += a*a + b*b
		a, b = a-f.br[k], b-f.bi[k]
		d += a*a + b*b
	}
	return d > movedShare*w
}

// crossSpectrum holds, for a bin, the smoothed cross-spectrum of error and echo estimate and the power
// spectra of both.
type crossSpectrum struct{ re, im, err, echo float32 }

// compare measures the coherence of the background's error er, ei with the foreground's echo estimate yr, yi,
// averaged over the bins by the error's power. A near end has none, however loud it is; a changed path leaves
// every bin of the echo turned and scaled by something of its own, which a correlation over time would
// average away. The error's block is a third of the transform, so even a perfect likeness gives a third.
func (f *filter) compare() {
	var all, same float32
	for i := range f.cross {
		k, l := coherenceFirst+2*i, &f.cross[i]
		a, b, c, d := f.er[k], f.ei[k], f.yr[k], f.yi[k]
		l.re = coherenceKeep*l.re + a*c + b*d
		l.im = coherenceKeep*l.im + b*c - a*d
		l.err = coherenceKeep*l.err + a*a + b*b
		l.echo = coherenceKeep*l.echo + c*c + d*d
		all += l.err
		same += (l.re*l.re + l.im*l.im) / (l.echo + leastPower)
	}
	f.coherence = same / (all + leastPower)
}

// judge follows what the foreground achieves over the last 200 ms, given the energies of the microphone and
// of what is left.
func (f *filter) judge(sdd, sff float32, mic, out []float32) {
	f.diverged = false
	f.pMic += judgeKeep * (sdd - f.pMic)
	f.pOut += judgeKeep * (sff - f.pOut)
	switch {
	case f.pOut > 1.5*f.pMic+1e-6: // a foreground that adds to the microphone is worse than none
		clear(f.fr)
		clear(f.fi)
		copy(out, mic)
		f.pOut = f.pMic
		f.restartBackground()
	case f.pOut < provenOut*f.pMic:
		f.proven = true
	case f.proven && f.coherence > divergedCoherence: // what still converges is like its echo, too
		f.restartBackground()
	}
}

// restartBackground lets the background learn anew.
func (f *filter) restartBackground() {
	if f.holdOff < 0 {
		f.inflateCov(divergedCov)
		f.holdOff = divergedHoldOff
		f.diverged, f.proven = true, false
	}
}

// couple follows the power that the microphone hears over what the loudspeaker got. It scales what the filter
// expects of the echo path, and until half a second of far end has passed a fresh filter's expectation grows
// with it.
func (f *filter) couple(mic []float32) {
	var sxx, sdd float32
	for i, x := range f.window[f.size-f.hop:] {
		sxx += x * x
		sdd += mic[i] * mic[i]
	}
	if sxx < coupleFloor*float32(f.hop) && f.quiet > coupleHold {
		return
	}
	if f.quiet++; sxx >= coupleFloor*float32(f.hop) {
		f.quiet = 0
	}
	f.farSum, f.micSum = coupleKeep*f.farSum+sxx, coupleKeep*f.micSum+sdd
	was := f.coupling
	f.coupling = max(coupleLeast, min(coupleMost, f.micSum/f.farSum))
	if f.fresh > 0 {
		if f.fresh--; f.coupling > 1.2*was {
			f.inflateCov(1)
		} else {
			f.coupling = was
		}
	}
}
