package audio

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// pulse is one element of a cadence: up to two frequencies in Hz (0: silence), then silence.
type pulse struct {
	hz      [2]float64
	on, off time.Duration
}

const ms = time.Millisecond

// countryTones holds ringing and busy tone by ISO 3166 code, after ITU-T E.180 Supplement 2 and the
// operators' own sheets (gb, ie: BT SIN 350).
var countryTones = map[string]struct{ ringing, busy []pulse }{
	"at": {one(420, 1000, 5000), one(420, 400, 400)},
	"au": {two(413, 438, 400, 200, 2000), one(425, 375, 375)},
	"be": {one(425, 1000, 3000), one(425, 500, 500)},
	"ca": {dual(440, 480, 2000, 4000), dual(480, 620, 500, 500)},
	"ch": {one(425, 1000, 4000), one(425, 500, 500)},
	"cz": {one(425, 1000, 4000), one(425, 330, 330)},
	"de": {one(425, 1000, 4000), one(425, 480, 480)},
	"dk": {one(425, 1000, 4000), one(425, 250, 250)},
	"es": {one(425, 1500, 3000), one(425, 200, 200)},
	"fi": {one(425, 1000, 4000), one(425, 300, 300)},
	"fr": {one(440, 1500, 3500), one(440, 500, 500)},
	"gb": {two(400, 450, 400, 200, 2000), one(400, 375, 375)},
	"gr": {one(425, 1000, 4000), one(425, 300, 300)},
	"hu": {one(425, 1250, 3750), one(425, 300, 300)},
	"ie": {two(400, 450, 400, 200, 2000), one(425, 500, 500)},
	"it": {one(425, 1000, 4000), one(425, 500, 500)},
	"jp": {dual(384, 416, 1000, 2000), one(400, 500, 500)},
	"lu": {one(425, 1000, 4000), one(425, 480, 480)},
	"nl": {one(425, 1000, 4000), one(425, 500, 500)},
	"no": {one(425, 1000, 4000), one(425, 500, 500)},
	"nz": {two(400, 450, 400, 200, 2000), one(400, 500, 500)},
	"pl": {one(425, 1000, 4000), one(425, 500, 500)},
	"pt": {one(425, 1000, 5000), one(425, 500, 500)},
	"se": {one(425, 1000, 5000), one(425, 250, 250)},
	"us": {dual(440, 480, 2000, 4000), dual(480, 620, 500, 500)},
}

func one(hz float64, on, off time.Duration) []pulse { return dual(hz, 0, on, off) }

func dual(a, b float64, on, off time.Duration) []pulse {
	return []pulse{{hz: [2]float64{a, b}, on: on * ms, off: off * ms}}
}

func two(a, b float64, on, gap, off time.Duration) []pulse {
	hz := [2]float64{a, b}
	return []pulse{{hz, on * ms, gap * ms}, {hz, on * ms, off * ms}}
}

// ToneCountries returns the ISO 3166 codes, in lower case and in their order, of the countries whose own
// tones RingbackTone and BusyTone know.
func ToneCountries() []string { return slices.Sorted(maps.Keys(countryTones)) }

// RingbackTone returns the country's ringing tone as an endless clip; an unknown country gets E.180's
// recommended 425 Hz, 1 s in 5.
func RingbackTone(country string) Clip {
	t, ok := countryTones[strings.ToLower(country)]
	if !ok {
		t = countryTones["de"]
	}
	return cadence(t.ringing)
}

// BusyTone returns the country's busy tone as an endless clip; an unknown country gets E.180's recommended
// 425 Hz, 500 ms in 1 s.
func BusyTone(country string) Clip {
	t, ok := countryTones[strings.ToLower(country)]
	if !ok {
		t = countryTones["it"]
	}
	return cadence(t.busy)
}

// toneLevel is the level of one frequency: E.180 wants about -10 dBm0, and the sum of two must not overload.
const toneLevel = 9000

func cadence(pulses []pulse) Clip {
	c := Clip{Rate: engineRate, Loop: true}
	for _, p := range pulses {
		start := len(c.Samples)
		c.Samples = append(c.Samples, make([]int16, count(p.on+p.off))...)
		on := c.Samples[start:][:count(p.on)]
		for i := range on {
			t := float64(i) / engineRate
			v := math.Sin(2 * math.Pi * p.hz[0] * t)
			if p.hz[1] > 0 {
				v = (v + math.Sin(2*math.Pi*p.hz[1]*t)) * math.Sqrt2 / 2
			}
			on[i] = int16(toneLevel * v * edge(i, len(on)))
		}
	}
	return c
}

func count(d time.Duration) int { return int(d * engineRate / time.Second) }

// edge fades 5 ms in and out, or each pulse would click.
func edge(i, n int) float64 {
	const fade = engineRate / 200
	if d := min(i, n-1-i); d < fade {
		return 0.5 - 0.5*math.Cos(math.Pi*float64(d)/fade)
	}
	return 1
}

// note is a struck bar: a fundamental with partials that die away faster the higher they are.
type note struct {
	hz       float64
	at, long time.Duration
	level    float64 // of full scale
	decay    float64 // 1/s, of the fundamental
}

func strike(notes ...note) Clip {
	var end time.Duration
	for _, n := range notes {
		end = max(end, n.at+n.long)
	}
	sum := make([]float64, count(end))
	partials := [...]struct{ ratio, level, decay float64 }{
		{1, 1, 1}, {2, 0.30, 1.7}, {2.76, 0.12, 3}, {5.40, 0.05, 6},
	}
	for _, n := range notes {
		out := sum[count(n.at):][:count(n.long)]
		for _, p := range partials {
			for i := range out {
				t := float64(i) / engineRate
				now := n.level * p.level * math.Exp(-n.decay*p.decay*t)
				out[i] += now * math.Sin(2*math.Pi*n.hz*p.ratio*t) * edge(i, len(out))
			}
		}
	}
	c := Clip{Rate: engineRate, Samples: make([]int16, len(sum))}
	for i, v := range sum {
		c.Samples[i] = clip16(float32(32000 * v))
	}
	return c
}

// ChimeTone is a two-tone door chime, ding-dong: E5 and C5, 1.9 s.
func ChimeTone() Clip {
	return strike(
		note{hz: 659.26, long: 1500 * ms, level: 0.42, decay: 3.2},
		note{hz: 523.25, at: 500 * ms, long: 1400 * ms, level: 0.42, decay: 3.0},
	)
}

// OpenedTone tells the visitor that the door is open: three rising notes, 0.7 s.
func OpenedTone() Clip {
	return strike(
		note{hz: 523.25, long: 300 * ms, level: 0.35, decay: 8},
		note{hz: 659.26, at: 120 * ms, long: 300 * ms, level: 0.35, decay: 8},
		note{hz: 783.99, at: 240 * ms, long: 460 * ms, level: 0.40, decay: 6},
	)
}

// RefusedTone tells the visitor that a code was wrong or a call refused: two low falling notes, 0.7 s.
func RefusedTone() Clip {
	return strike(
		note{hz: 311.13, long: 300 * ms, level: 0.45, decay: 6},
		note{hz: 233.08, at: 250 * ms, long: 450 * ms, level: 0.45, decay: 6},
	)
}
