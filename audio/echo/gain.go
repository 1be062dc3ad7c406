package echo

import "math"

// gain brings the visitor slowly to a telephone's level. It listens only while the visitor talks alone: an
// echo's remains would turn it up.
type gain struct {
	level   float32 // mean square of the visitor's voice, before the gain
	now     float32
	limiter *limiter
}

const (
	gainTarget = .01     // -20 dBFS
	gainMost   = 5.6     // +15 dB
	gainLeast  = .5      // -6 dB
	gainPace   = 1.00345 // per frame: 3 dB/s
	gainListen = .02     // smoothing per frame: half a second
	gainFloor  = 1e-6    // -60 dBFS: quieter is not a voice
)

func newGain(rate int) *gain { return &gain{level: gainTarget, now: 1, limiter: newLimiter(rate, -1)} }

func (g *gain) process(x []float32, listen bool) {
	if listen {
		var p float32
		for _, v := range x {
			p += v * v
		}
		if p /= float32(len(x)); p > gainFloor && p > .05*g.level {
			g.level += gainListen * (p - g.level)
			want := max(gainLeast, min(gainMost, float32(math.Sqrt(float64(gainTarget/g.level)))))
			g.now = max(g.now/gainPace, min(g.now*gainPace, want))
		}
	}
	for i, v := range x {
		x[i] = g.limiter.step(v * g.now)
	}
}

// limiter keeps peaks below a ceiling: it turns down at once and up again over 200 ms.
type limiter struct {
	ceiling, now, release float32
}

// newLimiter returns a limiter for the rate in Hz and the ceiling in dBFS, 0 or below.
func newLimiter(rate int, ceiling float64) *limiter {
	return &limiter{
		ceiling: float32(math.Pow(10, min(ceiling, 0)/20)), now: 1,
		release: float32(1 - math.Exp(-1/(.2*float64(rate)))),
	}
}

func (l *limiter) step(v float32) float32 {
	l.now += l.release * (1 - l.now)
	if a := abs(v); a*l.now > l.ceiling {
		l.now = l.ceiling / a
	}
	return v * l.now
}
