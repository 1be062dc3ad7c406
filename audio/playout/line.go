package playout

const (
	lineCap = 6144 // samples
	history = 60   // ms kept behind the read position
)

// line is the PCM between decoder and loudspeaker: what was played (for concealment and stretching), then
// what is to be played.
type line struct {
	pcm        [lineCap]int16
	read, tail int
	keep       int
	perMs      int
}

func (l *line) reset(rate int) {
	*l = line{perMs: rate / 1000}
	l.keep = history * l.perMs
	l.read, l.tail = l.keep, l.keep
}

func (l *line) ahead() int { return l.tail - l.read }

// past returns everything that was or will be played, up to the tail: at least 60 ms.
func (l *line) past() []int16 { return l.pcm[:l.tail] }

// space returns room for n samples behind the tail.
func (l *line) space(n int) []int16 {
	if l.tail+n > lineCap {
		from := l.read - l.keep
		copy(l.pcm[:], l.pcm[from:l.tail])
		l.read -= from
		l.tail -= from
	}
	return l.pcm[l.tail : l.tail+n]
}

func (l *line) pop(out []int16) {
	l.read += copy(out, l.pcm[l.read:l.tail])
}

// drop forgets what was to be played.
func (l *line) drop() { l.tail = l.read }

const (
	lagMin, lagMax = 5, 30 // half ms: pitch from 67 to 400 Hz
	fade           = 5     // ms of cross-fade
	compare        = 8     // ms compared
	quiet          = 40    // rms below which any cut goes unheard
)

// talks reports whether what is played next stands out from the background, whose energy per sample is floor.
func (l *line) talks(floor float32) bool {
	next := l.pcm[l.read : l.read+min(l.ahead(), compare*l.perMs)]
	var e float32
	for _, v := range next {
		e += float32(v) * float32(v)
	}
	return e > max(16*floor, quiet*quiet)*float32(len(next))
}

// similar returns the lag in [lo, hi] at which the signal at the read position and the one lag samples away
// (dir +1: later, -1: before) are most alike, with their normalised correlation. Similarity of the waveforms
// at the joint is what WSOLA asks for (Verhelst and Roelands 1993).
func (l *line) similar(lo, hi, dir int) (lag int, corr float32) {
	w := min(compare*l.perMs, l.ahead())
	if dir > 0 {
		w = min(w, l.ahead()-lo)
	}
	a := l.pcm[l.read : l.read+w]
	var aa float32
	for _, v := range a {
		aa += float32(v) * float32(v)
	}
	if aa < quiet*quiet*float32(w) {
		return hi, 1
	}
	best := float32(-1)
	for p := lo; p <= hi; p++ {
		o := l.read + dir*p
		m := w
		if dir > 0 {
			m = min(m, l.tail-o)
		}
		if m < fade*l.perMs {
			break
		}
		b := l.pcm[o : o+m]
		var ab, bb, am float32
		for i, v := range b {
			x, y := float32(a[i]), float32(v)
			ab += x * y
			bb += y * y
			am += x * x
		}
		if c := ab / sqrt(am*bb+1); c > best {
			best, lag = c, p
		}
	}
	return lag, best
}

// cut removes p samples at the read position. It needs p plus the cross-fade ahead.
func (l *line) cut(p int) {
	w := min(fade*l.perMs, l.ahead()-p)
	x := l.pcm[l.read:]
	for i := range w {
		x[i] = blend(x[i], x[p+i], i, w)
	}
	copy(x[w:], l.pcm[l.read+p+w:l.tail])
	l.tail -= p
}

// repeat plays the last p samples again.
func (l *line) repeat(p int) {
	l.space(p)
	l.tail += p
	x := l.pcm[l.read-p : l.tail] // x[p:] is to be played
	copy(x[2*p:], x[p:len(x)-p])
	w := min(fade*l.perMs, p)
	for i := range p {
		if i < w {
			x[p+i] = blend(x[2*p+i], x[i], i, w)
		} else {
			x[p+i] = x[i]
		}
	}
}

func blend(from, to int16, i, n int) int16 {
	return int16((int32(from)*int32(n-i) + int32(to)*int32(i)) / int32(n))
}
