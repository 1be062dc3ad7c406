package g722

// Encoder codes one stream. The zero value is not ready; use NewEncoder.
type Encoder struct {
	x         history
	low, high band
}

// NewEncoder returns an encoder in the state of the standard's reset.
func NewEncoder() *Encoder {
	return &Encoder{low: band{det: 32}, high: band{det: 8}}
}

// Encode codes len(pcm)/2 pairs of 16 kHz samples, one octet each, and returns the number of octets; payload
// must have room for them. An odd last sample is left out.
func (e *Encoder) Encode(payload []byte, pcm []int16) int {
	n := min(len(pcm)/2, len(payload))
	for i := range n {
		payload[i] = e.pair(int32(pcm[2*i]), int32(pcm[2*i+1]))
	}
	return n
}

func (e *Encoder) pair(x0, x1 int32) byte {
	il, ih := quantise(&e.x, &e.low, &e.high, x0, x1)

	dl := e.low.det * qm4[il>>2] >> 15
	e.low.scale(stepLow[il>>2], limitLow, shiftLow)
	e.low.adapt(dl)

	dh := e.high.det * qm2[ih] >> 15
	e.high.scale(stepHigh[ih], limitHigh, shiftHigh)
	e.high.adapt(dh)

	return ih<<6 | il
}

// quantise splits a pair of samples into the bands and codes what each band's predictor did not foresee.
func quantise(x *history, low, high *band, x0, x1 int32) (il, ih uint8) {
	even, odd := convolve(x.push(x0, x1))
	xl, xh := (even+odd)>>14, (odd-even)>>14
	return quantiseLow(saturate(xl-low.s), low.det), quantiseHigh(saturate(xh-high.s), high.det)
}

// quantiseLow finds the first level whose bound lies above the difference; the bounds rise, so it halves the
// interval.
func quantiseLow(el, det int32) uint8 {
	magnitude := el
	if el < 0 {
		magnitude = ^el
	}
	lo, hi := 1, 30
	for lo < hi {
		mid := (lo + hi) >> 1
		if magnitude < q6[mid]*det>>12 {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	if el < 0 {
		return iln[lo]
	}
	return ilp[lo]
}

func quantiseHigh(eh, det int32) uint8 {
	magnitude := eh
	if eh < 0 {
		magnitude = ^eh
	}
	outer := magnitude >= 564*det>>12
	switch {
	case eh < 0 && outer:
		return 0
	case eh < 0:
		return 1
	case outer:
		return 2
	}
	return 3
}
