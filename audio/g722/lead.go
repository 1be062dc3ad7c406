package g722

import "math"

const (
	filters = 22  // samples by which analysis and synthesis filter together delay what is heard
	keep    = 320 // samples of loss that halve what the state from before it is worth
)

// Lead takes the decoder through lost payloads, as G.722 Appendix III does. lost is the sound, at 16 kHz,
// that was made up in their place, or the end of it; next is how it would have gone on, 22 samples at
// least. Both bands and the synthesis filter follow it as it is coded again. The payload decoded next does
// not rely on that: see settle.
func (d *Decoder) Lead(lost, next []int16) {
	if len(lost) < 2 || len(next) < filters {
		return
	}
	if d.led == 0 {
		d.before = d.bands
	}
	d.led += len(lost)
	// Sound heard at one moment was sent the filters' delay before.
	sent := func(i int) int32 {
		if i += filters; i >= len(lost) {
			return int32(next[i-len(lost)])
		}
		return int32(lost[i])
	}
	var x history
	for i := -filters; i < 0; i += 2 {
		x.push(sent(i), sent(i+1))
	}
	for i := 0; i+1 < len(lost); i += 2 {
		il, ih := quantise(&x, &d.low, &d.high, sent(i), sent(i+1))
		d.octet(ih<<6 | il)
	}
}

// settle sets scale factors and predictors for the first payload after a loss. The encoder's are unknown
// and the made-up sound tells little of them. But most of each one's course within the payload is given by
// the codes alone, for its beginning is forgotten on the way (a scale factor's to a quarter in 20 ms). So a
// first decoding shows about where they are in the payload's middle, and in speech that is about where they
// began. The shorter the loss, the more the state from before it counts. The end of the payload would tell
// a little more, but an onset that it holds would come out too loud from the beginning.
func (d *Decoder) settle(payload []byte) {
	kept := min(1, 0.55*math.Exp2(1-float64(d.led)/keep))
	d.led = 0
	half := d.bands
	for _, code := range payload[:len(payload)/2] {
		half.reconstruct(code)
	}
	d.low.between(kept, &d.before.low, &half.low)
	d.low.det = linear(d.low.nb, shiftLow)
	d.high.between(kept, &d.before.high, &half.high)
	d.high.det = linear(d.high.nb, shiftHigh)
}

// between takes the weighted means of what adapts; they lie within the bounds of scale and adapt, for those
// are convex.
func (b *band) between(kept float64, before, half *band) {
	mean := func(x, y int32) int32 { return int32(math.Round(kept*float64(x) + (1-kept)*float64(y))) }
	b.nb = mean(before.nb, half.nb)
	b.a1, b.a2 = mean(before.a1, half.a1), mean(before.a2, half.a2)
	for i := range b.b {
		b.b[i] = mean(before.b[i], half.b[i])
	}
}
