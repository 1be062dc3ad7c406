package echo

import (
	"math/rand/v2"
	"testing"
)

func BenchmarkProcess(b *testing.B) {
	for _, rate := range []int{8000, 16000} {
		b.Run(map[int]string{8000: "8k", 16000: "16k"}[rate], func(b *testing.B) {
			c, err := New(Config{Rate: rate, NoiseSuppression: true})
			if err != nil {
				b.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(1, 2))
			far, mic, out := make([]int16, rate), make([]int16, rate), make([]int16, rate)
			for i := range far {
				far[i] = int16(rng.NormFloat64() * 3000)
				if i >= 160 {
					mic[i] = far[i-160]/2 + int16(rng.NormFloat64()*30)
				}
			}
			n := rate / 100
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				c.Process(far[i:i+n], mic[i:i+n], out[i:i+n])
				if i += n; i == rate {
					i = 0
				}
			}
		})
	}
}
