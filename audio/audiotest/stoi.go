package audiotest

import (
	"math"
	"math/cmplx"

	"portero/audio"
)

// The figures of the paper's section II.
const (
	stoiRate    = 10000 // Hz
	stoiFrame   = 256   // samples, half overlapped
	stoiHop     = stoiFrame / 2
	stoiFFT     = 512
	stoiBands   = 15              // thirds of an octave
	stoiLowest  = 150.0           // Hz, centre of the first band
	stoiSegment = 30              // frames: 384 ms
	stoiSilence = 40.0            // dB under the loudest frame
	stoiClip    = 6.6234132519035 // 1 + 10^(15/20): -15 dB of signal to distortion bound a cell's cost
)

// STOI returns the short-time objective intelligibility of degraded, about 0 to 1, where 1 is what clean
// itself has. It is that of Taal, Hendriks, Heusdens and Jensen, "An Algorithm for Intelligibility
// Prediction of Time-Frequency Weighted Noisy Speech", IEEE TASLP 19(7), 2011. Both have the same rate in
// Hz and are aligned by the caller, within a few ms; gains do not matter. The shorter one's length counts.
// It is 0 where nothing can be judged: less than 410 ms of sound in clean, or a rate that
// audio.NewResampler refuses.
func STOI(clean, degraded []int16, rate int) float64 {
	n := min(len(clean), len(degraded))
	a, errA := audio.Clip{Samples: clean[:n], Rate: rate}.Resample(stoiRate)
	b, errB := audio.Clip{Samples: degraded[:n], Rate: rate}.Resample(stoiRate)
	if errA != nil || errB != nil {
		return 0
	}
	voice, copied := withoutSilence(a.Samples, b.Samples)
	x, y := thirdOctaves(voice), thirdOctaves(copied)
	if len(x) < stoiSegment {
		return 0
	}
	var sum float64
	for from := 0; from+stoiSegment <= len(x); from++ {
		for band := range stoiBands {
			sum += resemblance(x[from:from+stoiSegment], y[from:from+stoiSegment], band)
		}
	}
	return sum / float64(stoiBands*(len(x)-stoiSegment+1))
}

// stoiWindow is Hann's, without the zeros at its ends.
var stoiWindow = func() (w [stoiFrame]float64) {
	for i := range w {
		w[i] = 0.5 - 0.5*math.Cos(2*math.Pi*float64(i+1)/(stoiFrame+1))
	}
	return w
}()

// withoutSilence drops the frames in which clean is silent from both, and adds up what is left.
func withoutSilence(clean, degraded []int16) (x, y []float64) {
	var levels []float64
	loudest := math.Inf(-1)
	for from := 0; from+stoiFrame < len(clean); from += stoiHop {
		var e float64
		for i, w := range stoiWindow {
			v := w * float64(clean[from+i])
			e += v * v
		}
		levels = append(levels, 10*math.Log10(e+1e-24))
		loudest = max(loudest, levels[len(levels)-1])
	}
	for k, level := range levels {
		if level <= loudest-stoiSilence {
			continue
		}
		if len(x) == 0 {
			x, y = make([]float64, stoiHop), make([]float64, stoiHop)
		}
		at := len(x) - stoiHop
		x, y = append(x, make([]float64, stoiHop)...), append(y, make([]float64, stoiHop)...)
		for i, w := range stoiWindow {
			x[at+i] += w * float64(clean[k*stoiHop+i])
			y[at+i] += w * float64(degraded[k*stoiHop+i])
		}
	}
	return x, y
}

// thirdOctaves returns the amplitudes in the bands, frame by frame.
func thirdOctaves(s []float64) (out [][stoiBands]float64) {
	var edges [stoiBands][2]int
	for b := range edges {
		centre := stoiLowest * math.Exp2(float64(b)/3)
		for i, third := range []float64{-1.0 / 6, 1.0 / 6} {
			edges[b][i] = int(math.Round(centre * math.Exp2(third) * stoiFFT / stoiRate))
		}
	}
	z := make([]complex128, stoiFFT)
	for from := 0; from+stoiFrame < len(s); from += stoiHop {
		clear(z)
		for i, w := range stoiWindow {
			z[i] = complex(w*s[from+i], 0)
		}
		fft(z)
		var amplitudes [stoiBands]float64
		for b, edge := range edges {
			var power float64
			for _, v := range z[edge[0]:edge[1]] {
				power += real(v)*real(v) + imag(v)*imag(v)
			}
			amplitudes[b] = math.Sqrt(power)
		}
		out = append(out, amplitudes)
	}
	return out
}

// resemblance is the correlation of one band's course in a segment, where y has x's energy and its bursts are
// clipped (equations 3 to 5).
func resemblance(x, y [][stoiBands]float64, band int) float64 {
	const tiny = 1e-12
	var xx, yy float64
	for i := range x {
		xx += x[i][band] * x[i][band]
		yy += y[i][band] * y[i][band]
	}
	gain := math.Sqrt(xx) / (math.Sqrt(yy) + tiny)
	var clipped [stoiSegment]float64
	var meanX, meanY float64
	for i := range x {
		clipped[i] = min(gain*y[i][band], stoiClip*x[i][band])
		meanX += x[i][band] / stoiSegment
		meanY += clipped[i] / stoiSegment
	}
	var xy float64
	xx, yy = 0, 0
	for i := range x {
		dx, dy := x[i][band]-meanX, clipped[i]-meanY
		xy, xx, yy = xy+dx*dy, xx+dx*dx, yy+dy*dy
	}
	return xy / (math.Sqrt(xx*yy) + tiny)
}

// twiddles are the factors of fft.
var twiddles = func() (t [stoiFFT / 2]complex128) {
	for i := range t {
		t[i] = cmplx.Rect(1, -2*math.Pi*float64(i)/stoiFFT)
	}
	return t
}()

// fft transforms stoiFFT values in place: radix 2, decimation in time (Cooley and Tukey 1965).
func fft(z []complex128) {
	for i, j := 1, 0; i < len(z); i++ {
		bit := len(z) >> 1
		for ; j&bit != 0; bit >>= 1 {
			j ^= bit
		}
		if j ^= bit; i < j {
			z[i], z[j] = z[j], z[i]
		}
	}
	for size := 2; size <= len(z); size *= 2 {
		half, stride := size/2, len(z)/size
		for from := 0; from < len(z); from += size {
			for k := range half {
				u, v := z[from+k], z[from+k+half]*twiddles[k*stride]
				z[from+k], z[from+k+half] = u+v, u-v
			}
		}
	}
}
