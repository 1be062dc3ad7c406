package audiotest

import (
	"math"

	"portero/audio"
)

// UtteranceSNR returns the ratio, in dB, of what said explains of the recording heard to what it does not: codec, losses,
// concealment and resamplers are the noise. The whole of said counts. Gain, delay and the fraction of a sample are fitted; a jitter
// buffer that adapted in between moves all that follows, so the delay may change from piece to piece, at a price. Both clips have
// one rate, a multiple of 8000 Hz. About 0 dB or less: it was not heard.
func UtteranceSNR(said, heard audio.Clip) float64 {
	if len(said.Samples) == 0 || len(heard.Samples) < len(said.Samples)/2 {
		return 0
	}
	a, errA := said.Resample(alignRate)
	b, errB := heard.Resample(alignRate)
	if errA != nil || errB != nil || said.Rate != heard.Rate {
		return 0
	}
	lag, gain := coarseLag(said, heard)
	if gain <= 0 {
		return 0
	}
	path := followLag(a.Samples, b.Samples, lag, gain)
	scale := said.Rate / alignRate
	type run struct{ said, signal, noise float64 }
	var runs []run
	var longest, loudest float64
	for from := 0; from < len(path); {
		to := from + 1
		for to < len(path) && path[to] == path[from] {
			to++
		}
		first, last := from*alignPiece*scale, min(to*alignPiece*scale, len(said.Samples))
		if to == len(path) {
			last = len(said.Samples)
		}
		r := run{said: energy(said.Samples[first:last])}
		r.signal, r.noise = explained(said.Samples, heard.Samples, first, last, path[from]*scale, scale)
		runs = append(runs, r)
		longest = max(longest, r.said)
		from = to
	}
	for _, r := range runs {
		if r.said >= longest/4 {
			loudest = max(loudest, r.signal/r.said)
		}
	}
	var signal, noise float64
	for _, r := range runs {
		signal += loudest * r.said
		noise += r.noise + max(0, loudest*r.said-r.signal) // what was swallowed is noise too
	}
	if signal <= 0 {
		return 0
	}
	return 10 * math.Log10(signal/max(noise, 1e-9*signal))
}

const (
	alignRate  = 8000
	alignPiece = alignRate / 100 // 10 ms
	alignReach = alignRate / 10  // how far a piece may lie from the whole
	slipPrice  = 3e-2            // of the whole energy, for each change of the delay
)

func energy(s []int16) (e float64) {
	for _, v := range s {
		e += float64(v) * float64(v)
	}
	return e
}

// coarseLag finds where the loudest second of said is heard, in samples at alignRate, and how loud. 2 kHz hold enough of speech to
// find it.
func coarseLag(said, heard audio.Clip) (lag int, gain float64) {
	const rate = 2000
	a, errA := said.Resample(rate)
	b, errB := heard.Resample(rate)
	if errA != nil || errB != nil {
		return 0, 0
	}
	first, last := 0, min(rate, len(a.Samples))
	for from := 0; from+rate <= len(a.Samples); from += rate / 10 {
		if energy(a.Samples[from:from+rate]) > energy(a.Samples[first:last]) {
			first, last = from, from+rate
		}
	}
	second := a.Samples[first:last]
	own := energy(second)
	best, at := 0.0, 0
	for from := 0; from+len(second) <= len(b.Samples); from++ {
		var dot, power float64
		for i, v := range second {
			y := float64(b.Samples[from+i])
			dot += float64(v) * y
			power += y * y
		}
		if power > 0 && dot > 0 && dot*dot/power > best {
			best, at, gain = dot*dot/power, from, dot/own
		}
	}
	return (at - first) * alignRate / rate, gain
}

// followLag finds the delay of each piece of said: the path of least unexplained energy, where each change has its price (Viterbi).
func followLag(said, heard []int16, around int, gain float64) []int {
	pieces := max(1, len(said)/alignPiece)
	const lags = 2*alignReach + 1
	total := gain * gain * energy(said)
	cost := make([]float64, lags)
	back := make([][]int16, pieces)
	for p := range pieces {
		jump, jumpFrom := math.Inf(1), 0
		for l, c := range cost {
			if c < jump {
				jump, jumpFrom = c, l
			}
		}
		jump += slipPrice * total
		back[p] = make([]int16, lags)
		next := make([]float64, lags)
		for l := range next {
			from, c := l, cost[l]
			if jump < c {
				from, c = jumpFrom, jump
			}
			back[p][l] = int16(from)
			for i := p * alignPiece; i < (p+1)*alignPiece && i < len(said); i++ {
				d := gain * float64(said[i])
				if j := i + around + l - alignReach; j >= 0 && j < len(heard) {
					d -= float64(heard[j])
				}
				c += d * d
			}
			next[l] = c
		}
		cost = next
	}
	last := 0
	for l, c := range cost {
		if c < cost[last] {
			last = l
		}
	}
	path := make([]int, pieces)
	for p := pieces - 1; p >= 0; p-- {
		path[p] = around + last - alignReach
		last = int(back[p][last])
	}
	return path
}

// explained fits heard by said[first:last] within reach samples of lag, with three taps that hold the gain and the fraction of a
// sample, and returns the energies that the best fit explains and leaves.
func explained(said, heard []int16, first, last, lag, reach int) (signal, noise float64) {
	noise = math.Inf(1)
	for l := lag - reach; l <= lag+reach; l++ {
		if s, n := fit(said, heard, first, last, l); n < noise {
			signal, noise = s, n
		}
	}
	return signal, noise
}

func fit(said, heard []int16, first, last, lag int) (signal, noise float64) {
	at := func(s []int16, i int) float64 {
		if i < 0 || i >= len(s) {
			return 0
		}
		return float64(s[i])
	}
	var m [3][4]float64 // normal equations, with the right-hand side as the last column
	var total float64
	for i := first; i < last; i++ {
		y := at(heard, i+lag)
		total += y * y
		x := [3]float64{at(said, i-1), at(said, i), at(said, i+1)}
		for r := range x {
			for c := r; c < 3; c++ {
				m[r][c] += x[r] * x[c]
			}
			m[r][3] += x[r] * y
		}
	}
	for r := range m {
		for c := range r {
			m[r][c] = m[c][r]
		}
		m[r][r] += 1 + 1e-6*m[r][r] // keeps speech, whose samples hardly differ from their neighbours, solvable
	}
	right := [3]float64{m[0][3], m[1][3], m[2][3]}
	a := m
	for i := range a { // Gauss elimination
		for r := i + 1; r < 3; r++ {
			f := a[r][i] / a[i][i]
			for c := i; c < 4; c++ {
				a[r][c] -= f * a[i][c]
			}
		}
	}
	var taps [3]float64
	for i := 2; i >= 0; i-- {
		v := a[i][3]
		for c := i + 1; c < 3; c++ {
			v -= a[i][c] * taps[c]
		}
		taps[i] = v / a[i][i]
	}
	for r := range taps {
		signal += taps[r] * right[r]
	}
	return max(signal, 0), max(total-signal, 0)
}
