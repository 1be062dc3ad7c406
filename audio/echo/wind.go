package echo

// wind is a high-pass at 250 Hz that fades in while the steady background is mostly rumble. Voices and echoes come and go,
// so the judgement rests on the noise floor that the suppressor tracks behind the filter. It stands behind the filter, too,
// whose echo path it would otherwise change.
type wind struct {
	hp    [2]biquad
	undo  [3]float32 // 1/|H|^2 of the high-pass in the judged bins
	frame int
	windy bool
	mix   float32
}

const (
	windBin    = 3  // 94 to 156 Hz are judged: bins 3 to 5, in the 31.25 Hz grid of either rate
	windMid    = 10 // against bins 10 to 96, 300 Hz to 3 kHz
	windMidEnd = 96
	windRatio  = 14      // rumble over that, per bin, as power; pink noise gives 4
	windFloor  = 4e-7    // of full scale, per bin: quieter rumble disturbs nobody
	windFade   = 1 / 50. // per frame
	windCorner = 250     // Hz
)

func newWind(rate int) *wind {
	w := &wind{}
	for i, q := range butterworth4 {
		w.hp[i] = highPass(rate, windCorner, q)
	}
	for i := range w.undo {
		r := float32(windBin+i) * 31.25 / windCorner
		r *= r * r * r
		w.undo[i] = 1 + 1/(r*r) // Butterworth, fourth order
	}
	return w
}

// process filters x while psd, the noise floor behind it, tells of wind.
func (w *wind) process(x, psd []float32) {
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
	for i, v := range x {
		x[i] += w.mix * (w.hp[1].step(w.hp[0].step(v)) - v)
	}
	w.hp[0].flush()
	w.hp[1].flush()
}

func (w *wind) judge(psd []float32) {
	var low, mid float32
	for i, u := range w.undo {
		if w.mix < 1 {
			u = 1
		}
		low += psd[windBin+i] * u / float32(len(w.undo))
	}
	for _, p := range psd[windMid:windMidEnd] {
		mid += p / (windMidEnd - windMid)
	}
	low, mid = low*4/float32(len(psd)*len(psd)), mid*4/float32(len(psd)*len(psd))
	if w.windy {
		w.windy = low > windFloor/4 // speech over the wind hides the ratio, not the rumble
	} else if w.mix == 0 {
		w.windy = low > windFloor && low > mid*windRatio
	}
}
