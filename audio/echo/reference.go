package echo

import "math"

// reference holds what the loudspeaker was given and reads it back delayed by the offset, a number of samples with a
// fraction, so that the filter covers the echo path and not the card's buffers before it.
type reference struct {
	ring []float32 // power of two
	n    uint64    // samples ever pushed
	off  float64   // delay in samples
	taps [interpTaps]float32
	bank [interpPhases + 1][interpTaps]float32
}

const (
	interpTaps   = 16
	interpHalf   = interpTaps / 2
	interpPhases = 64
)

func newReference(capacity int) *reference {
	size := 1
	for size < capacity {
		size *= 2
	}
	r := &reference{ring: make([]float32, size)}
	for p := range r.bank {
		var sum float64
		var c [interpTaps]float64
		for i := range c {
			// Tap i reads sample i-interpHalf+1 from the integer position; under a Hann window.
			t := float64(i-interpHalf+1) - float64(p)/interpPhases
			w := math.Cos(math.Pi * t / (2 * interpHalf))
			c[i] = w
			if w *= w; t != 0 {
				c[i] = w * math.Sin(math.Pi*t) / (math.Pi * t)
			} else {
				c[i] = 1
			}
			sum += c[i]
		}
		for i := range c {
			r.bank[p][i] = float32(c[i] / sum)
		}
	}
	return r
}

func (r *reference) push(x []float32) {
	mask := len(r.ring) - 1
	o := int(r.n) & mask
	m := copy(r.ring[o:], x)
	copy(r.ring, x[m:])
	r.n += uint64(len(x))
}

// read fills dst with the samples that end age samples before the newest, further delayed by the offset.
func (r *reference) read(dst []float32, age int) {
	mask := len(r.ring) - 1
	whole := math.Ceil(r.off)
	frac := whole - r.off // the position lies this far above the whole sample
	base := int(r.n) - age - int(whole) - len(dst)
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
