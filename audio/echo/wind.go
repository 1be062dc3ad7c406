package echo

import "math"

// wind is a high-pass at 250 Hz that fades in while the steady background is mostly rumble. Voices and echoes
// come and go, so the judgement rests on the noise floor behind the filter. It scales the suppressor's
// spectrum, so it turns no phase.
type wind struct {
	cut   []float32 // 1-|H| of the high-pass, per bin, while it does anything
	frame int
	windy bool
	mix   float32
}

const (
	windLow    = 3 // 94 to 156 Hz are judged, bins 3 to 5 in the 31.25 Hz grid of either rate,
	windLowEnd = 6
	windMid    = 10 // against 300 Hz to 3 kHz
	windMidEnd = 96
	windRatio  = 14      // rumble over that, per bin, as power; pink noise gives 4
	windFloor  = 4e-7    // of full scale, per bin: quieter rumble disturbs nobody
	windFade   = 1 / 50. // per frame
	windCorner = 250     // Hz
	windBins   = 24
)

func newWind() *wind {
	w := &wind{cut: make([]float32, windBins)}
	for k := range w.cut {
		r := math.Pow(float64(k)*31.25/windCorner, 4) // Butterworth, fourth order
		w.cut[k] = float32(1 - r/math.Sqrt(1+r*r))
	}
	return w
}

// process scales the spectrum re, im while psd, the noise floor in it, tells of wind.
func (w *wind) process(re, im, psd []float32) {
	if w.frame++; w.frame == 50 {
		w.frame = 0
		w.judge(psd)
	}
	if w.windy {
		w.mix = min(1, w.mix+windFade)
	} else {
		w.mix = max(0, w.mix-windFade)
	}
	if w.mix == 0 {
		return
	}
	for k, c := range w.cut {
		g := 1 - w.mix*c
		re[k] *= g
		im[k] *= g
	}
}

func (w *wind) judge(psd []float32) {
	var low, mid float32
	for _, p := range psd[windLow:windLowEnd] {
		low += p / (windLowEnd - windLow)
	}
	for _, p := range psd[windMid:windMidEnd] {
		mid += p / (windMidEnd - windMid)
	}
	scale := 4 / float32(len(psd)*len(psd))
	low, mid = low*scale, mid*scale
	if w.windy {
		w.windy = low > windFloor/4 // speech over the wind hides the ratio, not the rumble
	} else {
		w.windy = low > windFloor && low > mid*windRatio
	}
}
