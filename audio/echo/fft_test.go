package echo

import (
	"math"
	"math/cmplx"
	"math/rand/v2"
	"testing"
)

func TestFFTAgainstDFT(t *testing.T) {
	for _, n := range []int{8, 16, 64, 128, 256, 512, 1024} {
		rng := rand.New(rand.NewPCG(1, uint64(n)))
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		f := newFFT(n)
		re, im := make([]float32, n/2+1), make([]float32, n/2+1)
		f.forward(re, im, x)
		for k := range re {
			var want complex128
			for i, v := range x {
				want += complex(float64(v), 0) * cmplx.Rect(1, -2*math.Pi*float64(k*i%n)/float64(n))
			}
			if d := cmplx.Abs(want - complex(float64(re[k]), float64(im[k]))); d > 1e-5*float64(n) {
				t.Fatalf("n=%d bin %d: %v, want %v", n, k, complex(re[k], im[k]), want)
			}
		}
		back := make([]float32, n)
		f.inverse(back, re, im)
		for i := range x {
			if d := math.Abs(float64(back[i] - x[i])); d > 1e-5 {
				t.Fatalf("n=%d sample %d: %v back, want %v", n, i, back[i], x[i])
			}
		}
	}
}

func BenchmarkFFT512(b *testing.B) {
	f := newFFT(512)
	x, re, im := make([]float32, 512), make([]float32, 257), make([]float32, 257)
	x[3] = 1
	b.ReportAllocs()
	for b.Loop() {
		f.forward(re, im, x)
	}
}
