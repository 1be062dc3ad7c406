package playout

import "math"

const (
	order    = 16 // of the linear predictor at 16 kHz; 10 at 8 kHz
	histMax  = history * 16
	pitchMax = 15 * 16 // samples

	fadeFrom  = 10 // ms of concealment at full level
	fadeOver  = 140
	noiseFrom = 30 // ms until noise mixes in, lest the repetition buzzes
	noiseOver = 120

	pitchCompare = 5 // ms: longer follows a moving pitch less well, shorter takes formants for the pitch
)

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// concealer extrapolates speech. It repeats the last pitch period, as ITU-T G.711 Appendix I does. Noise of
// the same spectrum (an LPC filter) is blended in, to the degree that the signal was unvoiced and as time
// goes by. The whole fades into the background.
type concealer struct {
	perMs  int
	active bool
	x      [histMax]float32
	n      int // samples of x in use
	pitch  int
	voice  float32 // 0 unvoiced, 1 voiced
	period [pitchMax]float32
	at     int // samples made since start
	lpc    [order]float32
	gain   float32 // rms of the excitation
	mem    [order]float32
	ord    int
	rng    uint32
}

func (c *concealer) reset(rate int) {
	*c = concealer{perMs: rate / 1000, rng: 1, ord: 10}
	if rate >= 16000 {
		c.ord = order
	}
}

func (c *concealer) random() float32 {
	c.rng = c.rng*1664525 + 1013904223
	return float32(int32(c.rng)) * (1.7320508 / (1 << 31)) // variance 1
}

// start analyses the end of past, which holds at least 60 ms.
func (c *concealer) start(past []int16) {
	c.n = history * c.perMs
	past = past[len(past)-c.n:]
	for i, v := range past {
		c.x[i] = float32(v)
	}
	x := c.x[:c.n]
	c.at, c.active = 0, true
	c.pitch, c.voice = findPitch(x, c.perMs, pitchCompare)
	p := c.pitch
	// The repetition starts where the past ends: the step between them is spread over a quarter of the
	// period.
	seg := x[c.n-p:]
	step := x[c.n-1] - x[c.n-p-1]
	q := p / 4
	for i := range p {
		c.period[i] = seg[i]
		if i < q {
			c.period[i] += step * float32(q-i) / float32(q)
		}
	}
	w := 20 * c.perMs
	c.gain = predictor(c.lpc[:c.ord], x[c.n-w:])
	for i := range c.ord {
		c.mem[i] = x[c.n-1-i]
	}
}

// findPitch returns the lag of the best correlation of the last w ms of x with what lies 2.5 to 15 ms before,
// and how voiced that is.
func findPitch(x []float32, perMs, w int) (lag int, voice float32) {
	n := len(x)
	w *= perMs
	a := x[n-w:]
	var aa float32
	for _, v := range a {
		aa += v * v
	}
	lo, hi := lagMin*perMs/2, min(lagMax*perMs/2, n-w)
	best := float32(-1)
	lag = lo
	var bb float32
	for _, v := range x[n-w-lo : n-lo] {
		bb += v * v
	}
	for p := lo; p <= hi; p++ {
		b := x[n-w-p : n-p]
		var ab float32
		for i, v := range b {
			ab += a[i] * v
		}
		c := ab / sqrt(aa*bb+1)
		if c > best {
			best, lag = c, p
		}
		if p < hi {
			e := x[n-w-p-1]
			l := x[n-p-1]
			bb += e*e - l*l
		}
	}
	return lag, min(max(best/0.4, 0), 1)
}

// fadeGain is the course of the concealment's level over ms.
func fadeGain(ms float32) float32 {
	switch {
	case ms < fadeFrom:
		return 1
	case ms < fadeFrom+fadeOver:
		return 1 - (ms-fadeFrom)/fadeOver
	}
	return 0
}

// run makes the next samples: the extrapolation fading out, the background fading in.
func (c *concealer) run(out []int16, bg *noise) {
	if c.at > (fadeFrom+fadeOver)*c.perMs && bg.gain == 0 {
		clear(out)
		return
	}
	for i := range out {
		ms := float32(c.at) / float32(c.perMs)
		out[i] = clip(c.sample(ms) + bg.next()*(1-fadeGain(ms)))
	}
}

// sample makes the next sample of the extrapolation, faded.
func (c *concealer) sample(ms float32) float32 {
	g := fadeGain(ms)
	if g == 0 {
		c.at++
		return 0
	}
	v := c.voice * min(max(1-(ms-noiseFrom)/noiseOver, 0), 1)
	u := c.gain * c.random()
	for k := range c.ord {
		u += c.lpc[k] * c.mem[k]
	}
	copy(c.mem[1:c.ord], c.mem[:c.ord-1])
	c.mem[0] = u
	s := v*c.period[c.at%c.pitch] + sqrt(1-v*v)*u
	c.at++
	return g * s
}

// bridge blends what run made in gap into a backward extrapolation of next, which holds at least 10 ms.
func (c *concealer) bridge(gap, next []int16) {
	n := min(len(next), c.n)
	x := c.x[:n]
	for i := range x {
		x[i] = float32(next[n-1-i]) // reversed in time
	}
	p, _ := findPitch(x, c.perMs, pitchCompare)
	m := len(gap)
	for i := range m {
		back := x[n-p+i%p]
		j := m - 1 - i
		w := float32(j+1) / float32(m+1)
		gap[j] = clip(float32(gap[j])*(1-w) + back*w)
	}
}

func clip(x float32) int16 {
	if x >= 32767 {
		return 32767
	}
	if x <= -32768 {
		return -32768
	}
	return int16(math.Floor(float64(x) + 0.5))
}

// predictor fits a (the coefficients of a linear prediction of x) by Levinson and Durbin's recursion and
// returns the rms of the residual.
func predictor(a []float32, x []float32) float32 {
	var r [order + 1]float64
	n := len(x)
	var w [20 * 16]float64
	for i, v := range x {
		w[i] = float64(v) * (0.54 - 0.46*math.Cos(2*math.Pi*(float64(i)+0.5)/float64(n)))
	}
	for k := 0; k <= len(a); k++ {
		for i := k; i < n; i++ {
			r[k] += w[i] * w[i-k]
		}
	}
	r[0] = r[0]*1.0005 + 1
	var c, t [order]float64
	err := r[0]
	for i := range a {
		k := r[i+1]
		for j := range i {
			k -= c[j] * r[i-j]
		}
		k /= err
		t = c
		c[i] = k
		for j := range i {
			c[j] = t[j] - k*t[i-1-j]
		}
		err *= 1 - k*k
	}
	for i := range a {
		a[i] = float32(c[i])
	}
	return float32(math.Sqrt(math.Max(err, 0) / (0.3974 * float64(n))))
}
