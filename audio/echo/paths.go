package echo

const (
	judgeKeep    = .05 // smoothing per frame
	movedShare   = .03 // weight energy that a change of path moves at least
	movedCalm    = 25  // frames
	suspectCross = .35 // of the echo estimate is left
	suspectLike  = .2  // squared correlation coefficient of the two
	suspectOut   = .25 // of the microphone's energy is left
	suspectShare = .15 // of freshCov
	suspectCalm  = 50
	coupleFloor  = 1e-6 // of the reference: -60 dBFS
	coupleHold   = 10   // frames for which its echo may follow
	coupleKeep   = .995
	coupleLeast  = 1 // less only slows the start
	coupleMost   = 300
	coupleFresh  = 50 // frames
)

// choose compares the two paths' error energies of this block as Valin 2007 does: the background's weights move to the
// foreground when the difference stands out of its own variance, and back when the background is clearly worse.
func (f *filter) choose(sff, see, dbf float32, out, echo []float32) {
	d := sff - see
	dbf += 1e-9
	f.d1, f.d2 = .6*f.d1+.4*d, .85*f.d2+.15*d
	f.v1, f.v2 = .36*f.v1+.16*sff*dbf, .7225*f.v2+.0225*sff*dbf
	if f.calm >= 0 {
		f.calm--
	}
	switch {
	case d*abs(d) > sff*dbf || f.d1*abs(f.d1) > .5*f.v1 || f.d2*abs(f.d2) > .25*f.v2:
		if f.calm < 0 && f.moved() {
			f.doubt(doubtShare)
			f.calm = movedCalm
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

// moved tells whether the better background has left the foreground so far that the echo path must have changed.
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

// judge follows what the foreground achieves over the last 200 ms, given the energies of the microphone, of what is left and
// of the echo estimate, and the correlation of the last two.
func (f *filter) judge(sdd, sff, syy, sey float32, mic, out []float32) {
	f.astray = false
	f.pMic += judgeKeep * (sdd - f.pMic)
	f.pOut += judgeKeep * (sff - f.pOut)
	f.pEcho += judgeKeep * (syy - f.pEcho)
	f.cross += judgeKeep * (sey - f.cross)
	switch {
	case f.pOut > 1.5*f.pMic+1e-6: // a foreground that adds to the microphone is worse than none
		clear(f.fr)
		clear(f.fi)
		copy(out, mic)
		f.pOut = f.pMic
		f.suspect()
	case abs(f.cross) > suspectCross*f.pEcho && f.cross*f.cross > suspectLike*f.pEcho*f.pOut && f.pOut > suspectOut*f.pMic:
		f.suspect()
	}
}

// suspect lets the background learn anew when much of what the foreground leaves looks like its own echo estimate: a
// filter that fits leaves what is orthogonal to it, a visitor included.
func (f *filter) suspect() {
	if f.calm < 0 {
		f.doubt(suspectShare)
		f.calm = suspectCalm
		f.astray = true
	}
}

// couple follows the power that the microphone hears over what the loudspeaker got. It scales what the filter expects of the
// echo path, and until half a second of far end has passed a fresh filter's expectation grows with it.
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
			f.doubt(1)
		} else {
			f.coupling = was
		}
	}
}
