package echo

import "math"

// biquad is a second-order section in transposed direct form II.
type biquad struct{ b0, b1, b2, a1, a2, z1, z2 float32 }

func (q *biquad) step(x float32) float32 {
	y := q.b0*x + q.z1
	q.z1 = q.b1*x - q.a1*y + q.z2
	q.z2 = q.b2*x - q.a2*y
	return y
}

// flush clears a state that has decayed to nothing, before it becomes denormal and slow.
func (q *biquad) flush() {
	if abs(q.z1)+abs(q.z2) < 1e-15 {
		q.z1, q.z2 = 0, 0
	}
}

// butterworth4 are the qualities of the two sections of a fourth-order Butterworth filter.
var butterworth4 = [2]float64{.5412, 1.3066}

// highPass returns a second-order high-pass at f Hz with quality q, by the bilinear transform.
func highPass(rate int, f, q float64) biquad {
	c, alpha := bilinear(rate, f, q)
	return section((1+c)/2, -(1 + c), (1+c)/2, c, alpha)
}

// lowPass returns a second-order low-pass at f Hz with quality q, by the bilinear transform.
func lowPass(rate int, f, q float64) biquad {
	c, alpha := bilinear(rate, f, q)
	return section((1-c)/2, 1-c, (1-c)/2, c, alpha)
}

func bilinear(rate int, f, q float64) (cos, alpha float64) {
	s, c := math.Sincos(2 * math.Pi * f / float64(rate))
	return c, s / (2 * q)
}

func section(b0, b1, b2, cos, alpha float64) biquad {
	a0 := 1 + alpha
	return biquad{b0: float32(b0 / a0), b1: float32(b1 / a0), b2: float32(b2 / a0),
		a1: float32(-2 * cos / a0), a2: float32((1 - alpha) / a0)}
}
