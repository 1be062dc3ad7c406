package echo

import "math"

// fft transforms real blocks of a power-of-two length: a radix-4 Stockham transform of half the length (the
// block's even and odd samples as one complex sequence) and the split that separates the two. Forward is
// unscaled; inverse divides by n. It owns its scratch space, so one fft serves one goroutine.
type fft struct {
	n, half int
	twiddle [][3]point // of every radix-4 stage of the half-length transform, first stage first
	split   []point    // exp(-2 pi i k/n)
	a, b    []point
}

type point struct{ re, im float32 }

func newFFT(n int) *fft {
	h := n / 2
	f := &fft{n: n, half: h, split: make([]point, h), a: make([]point, h), b: make([]point, h)}
	for k := range h {
		f.split[k] = unit(float64(k) / float64(n))
	}
	for m := h; m >= 4; m /= 4 {
		for p := range m / 4 {
			w := float64(p) / float64(m)
			f.twiddle = append(f.twiddle, [3]point{unit(w), unit(2 * w), unit(3 * w)})
		}
	}
	return f
}

// unit returns exp(-2 pi i turns).
func unit(turns float64) point {
	s, c := math.Sincos(-2 * math.Pi * turns)
	return point{float32(c), float32(s)}
}

// complex transforms a and returns where the result is: in a or in b.
func (f *fft) complex() []point {
	x, y := f.a, f.b
	tw := f.twiddle
	m, stride := f.half, 1
	for ; m >= 4; m /= 4 {
		q := m / 4
		switch stride {
		case 1:
			firstStage(x, y, tw[:q])
		case 4:
			secondStage(x, y, tw[:q])
		default:
			stage(x, y, tw[:q], stride)
		}
		tw = tw[q:]
		x, y = y, x
		stride *= 4
	}
	if m == 2 {
		x0, x1, y0, y1 := x[:stride], x[stride:][:stride], y[:stride], y[stride:][:stride]
		for s, a := range x0 {
			b := x1[s]
			y0[s] = point{a.re + b.re, a.im + b.im}
			y1[s] = point{a.re - b.re, a.im - b.im}
		}
		x = y
	}
	return x
}

func stage(x, y []point, tw [][3]point, stride int) {
	q := len(tw) * stride
	for p := range tw {
		w1, w2, w3 := tw[p][0], tw[p][1], tw[p][2]
		i, o := stride*p, stride*4*p
		x0, x1, x2, x3 := x[i:][:stride], x[i+q:][:stride], x[i+2*q:][:stride], x[i+3*q:][:stride]
		y0, y1 := y[o:][:stride], y[o+stride:][:stride]
		y2, y3 := y[o+2*stride:][:stride], y[o+3*stride:][:stride]
		for s := range x0 {
			a, b, c, d := x0[s], x1[s], x2[s], x3[s]
			pr, pi, mr, mi := a.re+c.re, a.im+c.im, a.re-c.re, a.im-c.im
			qr, qi, nr, ni := b.re+d.re, b.im+d.im, d.im-b.im, b.re-d.re // n = i(b-d)
			y0[s] = point{pr + qr, pi + qi}
			ur, ui := mr-nr, mi-ni
			y1[s] = point{ur*w1.re - ui*w1.im, ur*w1.im + ui*w1.re}
			ur, ui = pr-qr, pi-qi
			y2[s] = point{ur*w2.re - ui*w2.im, ur*w2.im + ui*w2.re}
			ur, ui = mr+nr, mi+ni
			y3[s] = point{ur*w3.re - ui*w3.im, ur*w3.im + ui*w3.re}
		}
	}
}

// secondStage is the stage of stride 4, with constant bounds.
func secondStage(x, y []point, tw [][3]point) {
	q := 4 * len(tw)
	for p := range tw {
		w := &tw[p]
		w1, w2, w3 := w[0], w[1], w[2]
		x0, x1 := (*[4]point)(x[4*p:]), (*[4]point)(x[4*p+q:])
		x2, x3 := (*[4]point)(x[4*p+2*q:]), (*[4]point)(x[4*p+3*q:])
		o := (*[16]point)(y[16*p:])
		for s := range 4 {
			a, b, c, d := x0[s], x1[s], x2[s], x3[s]
			pr, pi, mr, mi := a.re+c.re, a.im+c.im, a.re-c.re, a.im-c.im
			qr, qi, nr, ni := b.re+d.re, b.im+d.im, d.im-b.im, b.re-d.re
			o[s] = point{pr + qr, pi + qi}
			ur, ui := mr-nr, mi-ni
			o[s+4] = point{ur*w1.re - ui*w1.im, ur*w1.im + ui*w1.re}
			ur, ui = pr-qr, pi-qi
			o[s+8] = point{ur*w2.re - ui*w2.im, ur*w2.im + ui*w2.re}
			ur, ui = mr+nr, mi+ni
			o[s+12] = point{ur*w3.re - ui*w3.im, ur*w3.im + ui*w3.re}
		}
	}
}

// firstStage is the stage of stride 1, whose inner loop would be one butterfly long.
func firstStage(x, y []point, tw [][3]point) {
	q := len(tw)
	x0, x1, x2, x3 := x[:q], x[q:][:q], x[2*q:][:q], x[3*q:][:q]
	for p := range tw {
		w1, w2, w3 := tw[p][0], tw[p][1], tw[p][2]
		a, b, c, d := x0[p], x1[p], x2[p], x3[p]
		pr, pi, mr, mi := a.re+c.re, a.im+c.im, a.re-c.re, a.im-c.im
		qr, qi, nr, ni := b.re+d.re, b.im+d.im, d.im-b.im, b.re-d.re
		o := y[4*p:][:4]
		o[0] = point{pr + qr, pi + qi}
		ur, ui := mr-nr, mi-ni
		o[1] = point{ur*w1.re - ui*w1.im, ur*w1.im + ui*w1.re}
		ur, ui = pr-qr, pi-qi
		o[2] = point{ur*w2.re - ui*w2.im, ur*w2.im + ui*w2.re}
		ur, ui = mr+nr, mi+ni
		o[3] = point{ur*w3.re - ui*w3.im, ur*w3.im + ui*w3.re}
	}
}

// forward writes the n/2+1 bins of the n samples x. x is left as it is.
func (f *fft) forward(re, im, x []float32) {
	h := f.half
	a := f.a[:h]
	x = x[:2*h]
	for k := range a {
		a[k] = point{x[2*k], x[2*k+1]}
	}
	z := f.complex()[:h]
	re, im = re[:h+1], im[:h+1]
	re[0], im[0] = z[0].re+z[0].im, 0
	re[h], im[h] = z[0].re-z[0].im, 0
	for k, w := range f.split[:h/2+1] {
		if k == 0 {
			continue
		}
		j := h - k
		a, b := z[k], z[j]
		er, ei := (a.re+b.re)*.5, (a.im-b.im)*.5
		or, oi := (a.im+b.im)*.5, (b.re-a.re)*.5
		tr, ti := or*w.re-oi*w.im, or*w.im+oi*w.re
		re[k], im[k] = er+tr, ei+ti
		re[j], im[j] = er-tr, ti-ei
	}
}

// inverse writes the n samples of the n/2+1 bins re, im, which are left as they are.
func (f *fft) inverse(x, re, im []float32) {
	h := f.half
	a := f.a[:h]
	re, im = re[:h+1], im[:h+1]
	scale := 1 / float32(f.n)
	a[0] = point{(re[0] + re[h]) * scale, (re[h] - re[0]) * scale}
	for k, w := range f.split[:h/2+1] {
		if k == 0 {
			continue
		}
		j := h - k
		er, ei := re[k]+re[j], im[k]-im[j]
		dr, di := re[k]-re[j], im[k]+im[j]
		or, oi := dr*w.re+di*w.im, di*w.re-dr*w.im
		// The conjugate goes in, so that the forward transform gives the conjugate of the inverse.
		a[k] = point{(er - oi) * scale, -(ei + or) * scale}
		a[j] = point{(er + oi) * scale, (ei - or) * scale}
	}
	z := f.complex()[:h]
	x = x[:2*h]
	for k, v := range z {
		x[2*k], x[2*k+1] = v.re, -v.im
	}
}
