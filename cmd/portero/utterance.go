package main

import (
	"math"

	"portero/audio"
)

// utteranceSNR finds where said was heard and returns the ratio, in dB, of what it explains of the recording there to what it
// does not: codec, jitter buffer, resamplers and losses. Gain and delay are fitted, the delay to a fraction of a sample; nothing else.
// The whole of said counts. Both clips have one rate. 0 dB or less: it was not heard.
func utteranceSNR(said, heard audio.Clip) float64 {
	if len(said.Samples) == 0 || len(heard.Samples) < len(said.Samples)/2 {
		return 0
	}
	lag := findAt(said, heard, 2000, 0, math.MaxInt)
	lag = findAt(said, heard, 8000, lag*4-8, lag*4+8)
	scale := said.Rate / 8000
	lag = findAt(said, heard, said.Rate, (lag-1)*scale, (lag+1)*scale)
	return explained(said.Samples, heard.Samples, lag)
}

// findAt returns the lag, in samples at rate, of the highest normalised correlation between from and to.
func findAt(said, heard audio.Clip, rate, from, to int) int {
	a, errA := said.Resample(rate)
	b, errB := heard.Resample(rate)
	if errA != nil || errB != nil {
		return 0
	}
	best, bestLag := -1.0, 0
	for lag := max(from, -len(a.Samples)/2); lag <= min(to, len(b.Samples)-len(a.Samples)/2); lag++ {
		var dot, energy float64
		for i := range a.Samples {
			if j := i + lag; j >= 0 && j < len(b.Samples) {
				x, y := float64(a.Samples[i]), float64(b.Samples[j])
				dot += x * y
				energy += y * y
			}
		}
		if energy > 0 && dot > 0 {
			if c := dot * dot / energy; c > best {
				best, bestLag = c, lag
			}
		}
	}
	return bestLag
}

// explained fits heard by said around lag with three taps, which hold the gain and the fraction of a sample, and returns the SNR.
func explained(said, heard []int16, lag int) float64 {
	at := func(s []int16, i int) float64 {
		if i < 0 || i >= len(s) {
			return 0
		}
		return float64(s[i])
	}
	var m [3][4]float64 // normal equations, with the right-hand side as the last column
	var total float64
	for i := range said {
		y := at(heard, i+lag)
		total += y * y
		var x [3]float64
		for k := range x {
			x[k] = at(said, i+k-1)
		}
		for r := range x {
			for c := range x {
				m[r][c] += x[r] * x[c]
			}
			m[r][3] += x[r] * y
		}
	}
	right := [3]float64{m[0][3], m[1][3], m[2][3]}
	for i := range m { // Gauss elimination; a little weight on the diagonal keeps band-limited speech solvable
		m[i][i] *= 1 + 1e-9
	}
	for i := range m {
		if m[i][i] == 0 {
			return 0
		}
		for r := i + 1; r < 3; r++ {
			f := m[r][i] / m[i][i]
			for c := i; c < 4; c++ {
				m[r][c] -= f * m[i][c]
			}
		}
	}
	var taps [3]float64
	for i := 2; i >= 0; i-- {
		v := m[i][3]
		for c := i + 1; c < 3; c++ {
			v -= m[i][c] * taps[c]
		}
		taps[i] = v / m[i][i]
	}
	signal := taps[0]*right[0] + taps[1]*right[1] + taps[2]*right[2]
	noise := total - signal
	if signal <= 0 {
		return 0
	}
	return 10 * math.Log10(signal/max(noise, 1e-9*total))
}
