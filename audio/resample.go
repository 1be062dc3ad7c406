package audio

import (
	"fmt"
	"math"
	"sync"
)

// Resampler converts one stream of samples from one rate to another: a Kaiser-windowed sinc, split into
// polyphase branches (Crochiere and Rabiner 1983, chapter 3). With f the lower of both rates it passes up
// to 0.43 f within 0.1 dB and stops from 0.57 f by 80 dB. Its delay is 20 periods of the lower rate, 2.5 ms
// at 8 kHz. Equal rates are copied.
type Resampler struct {
	up, down int // reduced ratio
	taps     int // per branch, a multiple of eight
	bank     []float32
	hist     []float32 // the last taps-1 samples and the piece at hand
	phase    int       // branch of the next output
	skip     int       // inputs to take before the next output
}

const (
	zeroCrossings = 20  // of the sinc on each side: sets delay and width of the transition
	kaiserBeta    = 8.0 // 80 dB
	piece         = 480 // samples converted at a time
)

// NewResampler makes a converter between two rates in Hz whose reduced ratio has no term above 2000, which
// holds for all pairs of 8000, 11025, 16000, 22050, 32000, 44100, 48000 and 96000.
func NewResampler(from, to int) (*Resampler, error) {
	if from <= 0 || to <= 0 {
		return nil, fmt.Errorf("audio: resample %d Hz to %d Hz: rates have to be positive", from, to)
	}
	g := gcd(from, to)
	r := &Resampler{up: to / g, down: from / g}
	if r.up > 2000 || r.down > 2000 {
		return nil, fmt.Errorf("audio: resample %d Hz to %d Hz: ratio %d:%d is not supported",
			from, to, r.up, r.down)
	}
	if r.up == r.down {
		return r, nil
	}
	r.bank, r.taps = filterBank(r.up, r.down)
	r.hist = make([]float32, r.taps-1+piece)
	return r, nil
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// MaxOut bounds the number of samples that Process writes for n samples.
func (r *Resampler) MaxOut(n int) int {
	return int((int64(n)*int64(r.up)+int64(r.down)-1)/int64(r.down)) + 1
}

// Process converts src and returns the number of samples written to dst, which needs MaxOut(len(src)) of
// room. Over time exactly to/from as many come out as go in.
func (r *Resampler) Process(dst, src []int16) int {
	if r.up == r.down {
		return copy(dst, src)
	}
	n := 0
	for len(src) > 0 {
		k := min(len(src), piece)
		n += r.process(dst[n:], src[:k])
		src = src[k:]
	}
	return n
}

func (r *Resampler) process(dst, src []int16) int {
	fresh := r.hist[r.taps-1:]
	for i, v := range src {
		fresh[i] = float32(v)
	}
	n, at := 0, r.skip
	for at < len(src) {
		sum := dot(r.bank[r.phase*r.taps:][:r.taps], r.hist[at:][:r.taps])
		dst[n] = clip16(sum)
		n++
		r.phase += r.down
		at += r.phase / r.up
		r.phase %= r.up
	}
	r.skip = at - len(src)
	copy(r.hist, r.hist[len(src):len(src)+r.taps-1])
	return n
}

// dot is the inner loop of the package: four sums keep the multipliers busy. Both lengths are the same
// multiple of eight.
func dot(a, b []float32) float32 {
	var s0, s1, s2, s3 float32
	for len(a) >= 8 && len(b) >= 8 {
		x, y := (*[8]float32)(a), (*[8]float32)(b)
		s0 += x[0]*y[0] + x[4]*y[4]
		s1 += x[1]*y[1] + x[5]*y[5]
		s2 += x[2]*y[2] + x[6]*y[6]
		s3 += x[3]*y[3] + x[7]*y[7]
		a, b = a[8:], b[8:]
	}
	return (s0 + s1) + (s2 + s3)
}

func clip16(v float32) int16 {
	switch {
	case v >= 32767:
		return 32767
	case v <= -32768:
		return -32768
	case v < 0:
		return int16(v - 0.5)
	}
	return int16(v + 0.5)
}

type bank struct {
	coefficients []float32
	taps         int
}

var banks = struct {
	sync.Mutex
	m map[[2]int]bank
}{m: map[[2]int]bank{}}

// filterBank returns the branches of a ratio, each reversed so that it runs along the history; they are made
// once per ratio.
func filterBank(up, down int) ([]float32, int) {
	banks.Lock()
	defer banks.Unlock()
	if b, ok := banks.m[[2]int{up, down}]; ok {
		return b.coefficients, b.taps
	}
	stretch := max(1, float64(down)/float64(up)) // input samples per sample of the lower rate
	half := zeroCrossings * stretch
	taps := (int(math.Ceil(2*half)) + 7) &^ 7
	c := make([]float32, up*taps)
	for p := range up {
		branch := c[p*taps:][:taps]
		var sum float64
		h := make([]float64, taps)
		for i := range h {
			// Tap i meets the input that lies taps-1-i before the newest one; the filter is centred half
			// samples back.
			t := float64(taps-1-i) - half + float64(p)/float64(up)
			h[i] = sinc(t/stretch) * kaiser(t/half)
			sum += h[i]
		}
		for i := range h {
			branch[i] = float32(h[i] / sum) // each branch passes DC alike, or the ratio itself would be heard
		}
	}
	banks.m[[2]int{up, down}] = bank{c, taps}
	return c, taps
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

func kaiser(x float64) float64 {
	if x <= -1 || x >= 1 {
		return 0
	}
	return bessel0(kaiserBeta*math.Sqrt(1-x*x)) / bessel0(kaiserBeta)
}

// bessel0 is the modified Bessel function of order zero by its power series.
func bessel0(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-12; k++ {
		term *= x / 2 / k * x / 2 / k
		sum += term
	}
	return sum
}
