package g722

// band is the adaptive predictor and quantiser scale of one sub-band; encoder and decoder run the same one in
// step.
type band struct {
	s, sz  int32 // signal estimate: of both predictors, of the zero predictor alone
	nb     int32 // logarithmic scale factor
	det    int32 // linear scale factor
	r1, r2 int32 // reconstructed signal, one and two samples ago
	p1, p2 int32 // partially reconstructed signal, likewise
	a1, a2 int32 // pole coefficients, Q14
	d      [6]int32
	b      [6]int32 // zero coefficients, Q14
}

func saturate(v int32) int32 { return max(-32768, min(32767, v)) }

// Of the scale factors: the logarithm's upper bound, and how far its anti-logarithm is shifted.
const (
	limitLow, shiftLow   = 18432, 8
	limitHigh, shiftHigh = 22528, 10
)

// scale adapts the quantiser: LOGSCL and SCALEL for the lower band, LOGSCH and SCALEH for the upper.
func (b *band) scale(step, limit, shift int32) {
	b.nb = max(0, min(limit, b.nb*127>>7+step))
	b.det = linear(b.nb, shift)
}

// linear is the anti-logarithm of a scale factor.
func linear(nb, shift int32) int32 {
	mantissa, down := ilb[nb>>6&31], shift-nb>>11
	if down < 0 {
		return mantissa << -down << 2
	}
	return mantissa >> down << 2
}

// adapt takes the quantised difference d, updates the six zeros and two poles by their signs and computes the
// next estimate.
func (b *band) adapt(d int32) {
	r, p := saturate(b.s+d), saturate(b.sz+d)

	// UPPOL2: the second pole, held within +-0.75.
	step := saturate(b.a1 << 2)
	if p^b.p1 >= 0 {
		step = min(-step, 32767)
	}
	a2 := step>>7 + b.a2*32512>>15
	if p^b.p2 >= 0 {
		a2 += 128
	} else {
		a2 -= 128
	}
	a2 = max(-12288, min(12288, a2))

	// UPPOL1: the first pole, held within 15/16 - a2 so that the filter stays stable.
	a1 := b.a1 * 32640 >> 15
	if p^b.p1 >= 0 {
		a1 += 192
	} else {
		a1 -= 192
	}
	bound := 15360 - a2
	a1 = max(-bound, min(bound, saturate(a1)))

	// UPZERO and FILTEZ in one pass over the six differences.
	var sz int32
	prev := d
	for i := range b.d {
		var gain int32
		if d != 0 {
			gain = 128
			if b.d[i]^d < 0 {
				gain = -128
			}
		}
		b.b[i] = saturate(b.b[i]*32640>>15 + gain)
		prev, b.d[i] = b.d[i], prev
		sz += b.b[i] * saturate(2*b.d[i]) >> 15
	}
	b.sz = saturate(sz)

	// FILTEP and PREDIC.
	b.r2, b.r1 = b.r1, r
	b.p2, b.p1 = b.p1, p
	b.a1, b.a2 = a1, a2
	sp := saturate(a1*saturate(2*b.r1)>>15 + a2*saturate(2*b.r2)>>15)
	b.s = saturate(sp + b.sz)
}
