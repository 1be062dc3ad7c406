package playout

import (
	"math"
	"strings"
	"testing"
)

// Delay and concealment stay within the bounds of doc.go on networks drawn anew.
func TestNetworks(t *testing.T) {
	for _, c := range []struct {
		profile         string
		mean, concealed float64 // ms; % beyond the network's loss
	}{
		{"lan", 15, .05},
		{"wifi", 60, 1.3},
		{"loss", 20, .11},
		{"gilbert", 25.5, .16},
		{"jitter", 70, .9},
		{"fast", 20, .05},
		{"slow", 20, .03},
		{"fast500", 25, .3},
		{"slow500", 25, .4},
	} {
		t.Run(c.profile, func(t *testing.T) {
			t.Parallel()
			trace := network(c.profile, 6000, 0)
			_, d := Replay(trace, nil, 8000)
			t.Logf("mean %.1f p95 %.1f ms, concealed %.3f %% of which lost %.3f",
				d.MeanMs, d.P95Ms, d.Concealed, lossOf(trace))
			check(t, d.MeanMs <= c.mean && d.MeanMs > 0, "mean delay %.1f ms, want <= %.1f", d.MeanMs, c.mean)
			check(t, d.Concealed-lossOf(trace) <= c.concealed, "concealed %.3f %%, lost %.3f",
				d.Concealed, lossOf(trace))
			check(t, d.Concealed >= lossOf(trace)-.1, "concealed %.3f %% is less than lost %.3f",
				d.Concealed, lossOf(trace))
		})
	}
}

// lsd is the log-spectral distance in dB, 200 to 3600 Hz, of two frames.
func lsd(x, y []int16, floor float64) float64 {
	n := len(x)
	var sum float64
	var count int
	for k := 200 * n / 8000; k < 3600*n/8000; k++ {
		var p [2]float64
		for c, z := range [][]int16{x, y} {
			var re, im float64
			for i, v := range z {
				w := float64(v) * (0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(n-1)))
				re += w * math.Cos(2*math.Pi*float64(k*i)/float64(n))
				im += w * math.Sin(2*math.Pi*float64(k*i)/float64(n))
			}
			p[c] = re*re + im*im
		}
		d := 10 * math.Log10((p[0]+floor)/(p[1]+floor))
		sum += d * d
		count++
	}
	return math.Sqrt(sum / float64(count))
}

// A lost packet of a voice is replaced by its like, also when the future is not known.
func TestConcealedSpectrum(t *testing.T) {
	trace := network("lan", 3000, 1)
	for i := range trace {
		if i%23 == 22 {
			trace[i].Arrive = -1
		}
	}
	in := hum(3000*160, 8000)
	out, d := Replay(trace, in, 8000)
	out = Align(out, d, 8000, len(in))
	var sum float64
	n := 0
	for i := 22; i < 2900; i += 23 {
		x, y := in[i*160:(i+1)*160], out[i*160:(i+1)*160]
		if level(x) < 500 {
			continue
		}
		sum += lsd(x, y, 1e8)
		n++
	}
	t.Logf("log-spectral distance %.1f dB over %d frames", sum/float64(n), n)
	check(t, n >= 25 && sum/float64(n) < 3,
		"log-spectral distance %.1f dB over %d lost frames, want < 3", sum/float64(n), n)
}

func TestReadTrace(t *testing.T) {
	tr, err := ReadTrace(strings.NewReader("0 0.0 5.1\n1 20.0 -1\n"))
	check(t, err == nil && len(tr) == 2 && tr[1].Arrive == -1, "got %v, %v", tr, err)
	for _, bad := range []string{"", "x\n", "0 0\n", "-1 0 5\n", "99999999 0 5\n",
		"0 1e300 5\n", "0 NaN 5\n"} {
		if _, err := ReadTrace(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
