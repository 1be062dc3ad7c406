package echo

import "testing"

func BenchmarkProcess(b *testing.B) {
	for _, bench := range []struct {
		name string
		rate int
	}{{"8k", 8000}, {"16k", 16000}} {
		b.Run(bench.name, func(b *testing.B) {
			rate := bench.rate
			c, err := New(Config{Rate: rate, NoiseSuppression: true, Gain: true})
			if err != nil {
				b.Fatal(err)
			}
			x := voice(rate, 4, .1, 1)
			far, mic := pcm(x), pcm(add(through(x, room(rate, .1, 2), rate/50, 2),
				hum(rate, len(x), 1e-3, 3)))
			n, i := rate/100, 0
			out := make([]int16, n)
			b.ReportAllocs()
			for b.Loop() {
				c.Process(far[i:i+n], mic[i:i+n], out)
				if i += n; i == len(far) {
					i = 0
				}
			}
		})
	}
}
