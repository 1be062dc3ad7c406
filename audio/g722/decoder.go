package g722

// Decoder decodes one stream. The zero value is not ready; use NewDecoder.
type Decoder struct {
	x history
	bands
	before bands // as the last payload left them
	led    int   // samples that Lead stood in for since then
}

// bands are the two ADPCM decoders.
type bands struct{ low, high band }

// NewDecoder returns a decoder in the state of the standard's reset.
func NewDecoder() *Decoder {
	return &Decoder{bands: bands{low: band{det: 32}, high: band{det: 8}}}
}

// Decode writes two 16 kHz samples for each octet and returns the number of samples; octets for which pcm has
// no room are not decoded.
func (d *Decoder) Decode(pcm []int16, payload []byte) int {
	n := min(len(payload), len(pcm)/2)
	if d.led > 0 && n > 0 {
		d.settle(payload[:n])
	}
	for i, code := range payload[:n] {
		x0, x1 := d.octet(code)
		pcm[2*i], pcm[2*i+1] = int16(saturate(x0)), int16(saturate(x1))
	}
	return 2 * n
}

func (d *Decoder) octet(code byte) (x0, x1 int32) {
	rl, rh := d.reconstruct(code)
	even, odd := convolve(d.x.push(rl+rh, rl-rh))
	return odd >> 11, even >> 11
}

func (b *bands) reconstruct(code byte) (rl, rh int32) {
	il, ih := code&0x3f, code>>6

	// The listener gets all six bits, the predictor only the four that survive in every mode.
	rl = b.low.s + b.low.det*qm6[il]>>15
	rl = max(-16384, min(16383, rl))
	dl := b.low.det * qm4[il>>2] >> 15
	b.low.scale(stepLow[il>>2], limitLow, shiftLow)
	b.low.adapt(dl)

	dh := b.high.det * qm2[ih] >> 15
	rh = max(-16384, min(16383, dh+b.high.s))
	b.high.scale(stepHigh[ih], limitHigh, shiftHigh)
	b.high.adapt(dh)
	return rl, rh
}
