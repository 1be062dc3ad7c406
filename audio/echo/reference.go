package echo

import "math"

// reference holds what the loudspeaker was given and reads it back delayed by the offset, a number of
// samples with a fraction. So the filter covers the echo path and not the card's buffers before it.
//
// At 8 kHz it keeps twice the rate: distortion makes harmonics that a loudspeaker radiates and a converter
// filters out, and that would fold back if they were made at 8 kHz.
type reference struct {
	over int       // samples kept per sample
	ring []float32 // power of two
	in   []float32 // at over 2: the last samples ahead of the new frame, and that frame
	n    int       // samples ever pushed, modulo a multiple of the ring
	off  float64   // delay in samples of the canceller's rate
	taps [interpTaps]float32
	bank [interpPhases + 1][interpTaps]float32
}

const (
	interpTaps   = 16
	interpHalf   = interpTaps / 2
	interpPhases = 64
)

// halfband is an eight-tap interpolator to the middle of the eight: a sinc under a Hann window.
var halfband = func() (h [8]float32) {
	var sum float64
	var c [len(h)]float64
	for j := range c {
		t := float64(j) - 3.5
		w := math.Cos(math.Pi * t / float64(len(h)+1))
		c[j] = w * w * math.Sin(math.Pi*t) / (math.Pi * t)
		sum += c[j]
	}
	for j := range c {
		h[j] = float32(c[j] / sum)
	}
	return h
}()

const (
	halfTaps  = len(halfband)
	halfReach = halfTaps - 1 // samples on either side, at the doubled rate
)

// decimate halves the rate of w, of 2*len(dst)+2*halfReach-1 samples.
func decimate(dst, w []float32) {
	for i := range dst {
		v := w[2*i:][:2*halfReach+1]
		sum := v[halfReach]
		for j, h := range &halfband {
			sum += h * v[2*j]
		}
		dst[i] = .5 * sum
	}
}

// newReference returns a delay line of at least capacity samples for frames of hop, kept at over (1 or 2)
// times their rate.
func newReference(capacity, hop, over int) *reference {
	size := 1
	for size < over*capacity {
		size *= 2
	}
	r := &reference{over: over, ring: make([]float32, size), in: make([]float32, halfReach+hop)}
	for p := range r.bank {
		var sum float64
		var c [interpTaps]float64
		for i := range c {
			// Tap i reads sample i-interpHalf+1 from the whole position: a sinc under a Hann window.
			t := float64(i-interpHalf+1) - float64(p)/interpPhases
			w := math.Cos(math.Pi * t / interpTaps)
			c[i] = w * w
			if t != 0 {
				c[i] *= math.Sin(math.Pi*t) / (math.Pi * t)
			}
			sum += c[i]
		}
		for i := range c {
			r.bank[p][i] = float32(c[i] / sum)
		}
	}
	return r
}

// latency returns by how many samples doubling and halving the rate make the reference late.
func (r *reference) latency() int {
	if r.over == 2 {
		return halfReach
	}
	return 0
}

// span returns how many samples read has to give for n of the canceller's rate.
func (r *reference) span(n int) int {
	if r.over == 2 {
		return 2*n + 2*halfReach - 1
	}
	return n
}

func (r *reference) push(x []float32) {
	if r.over == 1 {
		for _, v := range x {
			r.put(v)
		}
		return
	}
	copy(r.in, r.in[len(x):])
	copy(r.in[halfReach:], x)
	for i := range x {
		v := r.in[i:][:halfTaps]
		var mid float32
		for j, h := range &halfband {
			mid += h * v[j]
		}
		r.put(v[halfTaps/2-1])
		r.put(mid)
	}
}

func (r *reference) put(v float32) {
	r.ring[r.n&(len(r.ring)-1)] = v
	r.n = (r.n + 1) & (1<<30 - 1)
}

// read fills dst with the kept samples that end age samples of the canceller's rate before the newest,
// further delayed by the offset.
func (r *reference) read(dst []float32, age int) {
	mask := len(r.ring) - 1
	off := r.off * float64(r.over)
	whole := math.Ceil(off)
	frac := whole - off // the position lies this far above the whole sample
	base := r.n - age*r.over - int(whole) - len(dst)
	if frac < 1e-6 || whole < interpHalf {
		for i := range dst {
			dst[i] = r.ring[(base+i)&mask]
		}
		return
	}
	p := frac * interpPhases
	i := int(p)
	w := float32(p - float64(i))
	a, b := &r.bank[i], &r.bank[min(i+1, interpPhases)]
	for j := range r.taps {
		r.taps[j] = a[j] + w*(b[j]-a[j])
	}
	base -= interpHalf - 1
	for i := range dst {
		var s float32
		if o := (base + i) & mask; o+interpTaps <= len(r.ring) {
			v := r.ring[o:][:interpTaps]
			for j, c := range &r.taps {
				s += c * v[j]
			}
		} else {
			for j, c := range &r.taps {
				s += c * r.ring[(o+j)&mask]
			}
		}
		dst[i] = s
	}
}
