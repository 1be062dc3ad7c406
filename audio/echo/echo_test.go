package echo

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// voice synthesises seconds of a speech-like signal with an active RMS of rms: pulses at a wandering pitch
// and noise, through three resonances that change with every syllable, with pauses between the words.
func voice(rate int, seconds float64, rms float64, seed uint64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 77))
	n := int(seconds * float64(rate))
	x := make([]float64, n)
	var active, sum float64
	for i := 0; i < n; {
		syllable := int((.08 + .15*rng.Float64()) * float64(rate))
		pause := 0
		if rng.Float64() < .2 {
			pause = int((.1 + .3*rng.Float64()) * float64(rate))
		}
		pitch, hiss := 90+120*rng.Float64(), rng.Float64() < .25
		var form [3]biquad
		for j, f := range []float64{300 + 500*rng.Float64(), 900 + 1200*rng.Float64(),
			2300 + 900*rng.Float64()} {
			form[j] = lowPass(rate, f, 6)
		}
		phase := 0.
		for k := 0; k < syllable && i < n; k, i = k+1, i+1 {
			v := .1 * rng.NormFloat64()
			if phase += pitch / float64(rate); phase >= 1 && !hiss {
				phase--
				v += 10
			}
			y := float32(v)
			if !hiss {
				y = form[0].step(y)*.5 + form[1].step(y)*.3 + form[2].step(y)*.1
			}
			env := math.Sin(math.Pi * float64(k) / float64(syllable))
			x[i] = float64(y) * env
			active++
			sum += x[i] * x[i]
		}
		i += pause
	}
	g := rms / math.Sqrt(sum/active)
	for i := range x {
		x[i] *= g
	}
	return x
}

// room returns an impulse response of gain 1: a direct path, and a tail that decays by 60 dB in t60 seconds.
func room(rate int, t60 float64, seed uint64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 5))
	h := make([]float64, int(.12*float64(rate)))
	sum := 0.
	for i := range h {
		t := float64(i) / float64(rate)
		h[i] = .1 * rng.NormFloat64() * math.Exp(-6.9*t/t60)
		if i == 3 {
			h[i] = 1
		}
		sum += h[i] * h[i]
	}
	for i := range h {
		h[i] /= math.Sqrt(sum)
	}
	return h
}

// through convolves x with h delayed by delay samples and a soft clipping of the given drive ahead of it.
func through(x, h []float64, delay int, drive float64) []float64 {
	s := x
	if drive > 0 {
		s = make([]float64, len(x))
		for i, v := range x {
			s[i] = math.Tanh(drive*v) / drive
		}
	}
	n := 1
	for n < len(x)+len(h) {
		n *= 2
	}
	f := newFFT(n)
	var re, im [2][]float32
	for i, v := range [2][]float64{s, h} {
		block := make([]float32, n)
		for j, a := range v {
			block[j] = float32(a)
		}
		re[i], im[i] = make([]float32, n/2+1), make([]float32, n/2+1)
		f.forward(re[i], im[i], block)
	}
	for k, a := range re[0] {
		b, c, d := im[0][k], re[1][k], im[1][k]
		re[0][k], im[0][k] = a*c-b*d, a*d+b*c
	}
	block := make([]float32, n)
	f.inverse(block, re[0], im[0])
	y := make([]float64, len(x))
	for i := delay; i < len(y); i++ {
		y[i] = float64(block[i-delay])
	}
	return y
}

func add(xs ...[]float64) []float64 {
	y := make([]float64, len(xs[0]))
	for _, x := range xs {
		for i := range y {
			if i < len(x) {
				y[i] += x[i]
			}
		}
	}
	return y
}

func hum(rate, n int, rms float64, seed uint64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 9))
	x := make([]float64, n)
	for i := range x {
		x[i] = rms * rng.NormFloat64()
	}
	return x
}

func pcm(x []float64) []int16 {
	y := make([]int16, len(x))
	for i, v := range x {
		y[i] = int16(max(-32768, min(32767, math.Round(v*32768))))
	}
	return y
}

// run cancels all of mic; at, if not nil, is called ahead of each frame with its number.
func run(t *testing.T, cfg Config, far, mic []int16, at func(*Canceller, int)) (*Canceller, []int16) {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n := cfg.Rate / 100
	out := make([]int16, len(mic))
	for i := 0; i+n <= len(mic); i += n {
		if at != nil {
			at(c, i/n)
		}
		c.Process(far[i:i+n], mic[i:i+n], out[i:i+n])
	}
	return c, out
}

// power returns the mean square of seconds from to to, of full scale.
func power(x []int16, rate int, from, to float64) float64 {
	var sum float64
	x = x[int(from*float64(rate)):int(to*float64(rate))]
	for _, v := range x {
		sum += float64(v) * float64(v) / (1 << 30)
	}
	return sum/float64(len(x)) + 1e-12
}

func erle(mic, out []int16, rate int, from, to float64) float64 {
	return decibel(power(mic, rate, from, to) / power(out, rate, from, to))
}

// heard returns the near end that went in as it should come out: 10 ms later and through the microphone's
// high-pass.
func heard(near []float64, rate int) []float64 {
	var hp [2]biquad
	for i, q := range butterworth4 {
		hp[i] = highPass(rate, micCorner, q)
	}
	late := make([]float64, rate/100, len(near)+rate/100)
	for _, v := range near {
		late = append(late, float64(hp[1].step(hp[0].step(float32(v)))))
	}
	return late[:len(near)]
}

// cut returns the share of the near end's frames of 20 ms that come out more than 10 dB too low.
func cut(near []float64, out []int16, rate int, from, to float64) float64 {
	near = heard(near, rate)
	n := rate / 50
	var all, lost float64
	for i := int(from * float64(rate)); i+n <= int(to*float64(rate)); i += n {
		var xy, xx float64
		for j, v := range near[i : i+n] {
			xx, xy = xx+v*v, xy+v*float64(out[i+j])/32768
		}
		if xx < 1e-5*float64(n) { // a pause: -50 dBFS
			continue
		}
		all++
		if xy < math.Sqrt(.1)*xx {
			lost++
		}
	}
	return lost / all
}

// likeness returns the correlation of out with the near end that went in, and the gain in dB.
func likeness(near []float64, out []int16, rate int, from, to float64) (corr, gain float64) {
	var xy, xx, yy float64
	for j, d := range heard(near, rate) {
		if j < int(from*float64(rate)) || j >= int(to*float64(rate)) {
			continue
		}
		y := float64(out[j]) / 32768
		xy, xx, yy = xy+d*y, xx+d*d, yy+y*y
	}
	return xy / math.Sqrt(xx*yy), decibel(xy * xy / (xx * xx))
}

func rates(t *testing.T, f func(t *testing.T, rate int)) {
	t.Run("8k", func(t *testing.T) { t.Parallel(); f(t, 8000) })
	t.Run("16k", func(t *testing.T) { t.Parallel(); f(t, 16000) })
}

func TestFarEndAlone(t *testing.T) {
	rates(t, func(t *testing.T, rate int) {
		for seed := range uint64(1) {
			x := voice(rate, 8, .1, seed)
			mic := add(through(x, room(rate, .1, seed), rate/50, 0), hum(rate, len(x), 1e-4, seed))
			both := 0
			c, out := run(t, Config{Rate: rate}, pcm(x), pcm(mic), func(c *Canceller, frame int) {
				if frame >= 300 && c.Stats().DoubleTalk {
					both++
				}
			})
			if both > 100 {
				t.Errorf("seed %d: %d of 500 frames taken for double talk", seed, both)
			}
			if e := erle(pcm(mic), out, rate, .5, 3); e < 20 {
				t.Errorf("seed %d: ERLE %.1f dB within 3 s, want 20", seed, e)
			}
			if e := erle(pcm(mic), out, rate, 5, 8); e < 35 {
				t.Errorf("seed %d: ERLE %.1f dB, want 35", seed, e)
			}
			s := c.Stats()
			if d := s.Delay - 20*time.Millisecond; d < -2*time.Millisecond || d > 2*time.Millisecond {
				t.Errorf("seed %d: delay %v, want 20ms", seed, s.Delay)
			}
			if s.ERLE < 30 || math.Abs(s.Drift) > 10 {
				t.Errorf("seed %d: %+v", seed, s)
			}
		}
	})
}

// narrow band-limits x, at 16 kHz, to what the rate carries.
func narrow(x []float64, rate int) []float64 {
	y := make([]float64, len(x))
	var lp [4]biquad
	for i, q := range []float64{.5098, .6013, .9000, 2.5629} {
		lp[i] = lowPass(16000, .43*float64(rate), q)
	}
	for i, v := range x {
		s := float32(v)
		for j := range lp {
			s = lp[j].step(s)
		}
		y[i] = float64(s)
	}
	return y
}

// every returns each n-th sample.
func every(x []float64, n int) []float64 {
	y := make([]float64, len(x)/n)
	for i := range y {
		y[i] = x[i*n]
	}
	return y
}

// A loudspeaker that clips softly leaves -12 dB of distortion, beyond a linear filter; the model has to find
// it.
func TestDistortion(t *testing.T) {
	rates(t, func(t *testing.T, rate int) {
		// The loudspeaker distorts at the full bandwidth; the converters come after it.
		const wide = 16000
		x := narrow(voice(wide, 10, .1, 3), rate)
		y := narrow(through(x, room(wide, .1, 4), wide/50, 7), rate)
		x, y = every(x, wide/rate), every(y, wide/rate)
		mic := pcm(add(y, hum(rate, len(y), 1e-4, 5)))
		c, err := New(Config{Rate: rate})
		if err != nil {
			t.Fatal(err)
		}
		far, n := pcm(x), rate/100
		out := make([]int16, n)
		var in, left float64
		for i := 0; i+n <= len(mic); i += n {
			c.Process(far[i:i+n], mic[i:i+n], out)
			if i > 7*rate {
				in += power(mic[i:i+n], rate, 0, .01)
				for _, e := range c.e {
					left += float64(e) * float64(e) / float64(n)
				}
			}
		}
		if e := decibel(in / left); e < 15 {
			t.Errorf("linear filter and model: %.1f dB, want 15", e)
		}
	})
}

func TestDoubleTalk(t *testing.T) {
	rates(t, func(t *testing.T, rate int) {
		x := voice(rate, 9, .1, 11)
		near := voice(rate, 9, .04, 12) // 8 dB below the echo
		for i := range near {
			if i < 4*rate || i > 6*rate {
				near[i] = 0
			}
		}
		mic := pcm(add(through(x, room(rate, .1, 13), rate/50, 2), near, hum(rate, len(x), 1e-4, 14)))
		_, out := run(t, Config{Rate: rate}, pcm(x), mic, nil)
		corr, gain := likeness(near, out, rate, 4.1, 6)
		if corr < .97 || math.Abs(gain) > 1 {
			t.Errorf("near end in double talk: correlation %.3f, gain %.1f dB", corr, gain)
		}
		if e := erle(mic, out, rate, 6.2, 7.5); e < 25 {
			t.Errorf("ERLE %.1f dB just after double talk, want 25", e)
		}
		if e := erle(mic, out, rate, 7.5, 9); e < 35 {
			t.Errorf("ERLE %.1f dB after double talk, want 35", e)
		}
	})
}

// The visitor speaks a second after the far end began, when hardly anything is known of the echo path.
func TestDoubleTalkAtStart(t *testing.T) {
	rates(t, func(t *testing.T, rate int) {
		x, near := voice(rate, 5, .1, 15), voice(rate, 5, .04, 16)
		clear(near[:rate])
		mic := pcm(add(through(x, room(rate, .1, 17), rate/50, 2), near, hum(rate, len(x), 1e-4, 18)))
		_, out := run(t, Config{Rate: rate}, pcm(x), mic, nil)
		corr, gain := likeness(near, out, rate, 1, 5)
		share := cut(near, out, rate, 1, 5)
		if corr < .95 || math.Abs(gain) > 1.3 || share > .1 {
			t.Errorf("near end: correlation %.3f, gain %.1f dB, %.2f of the frames cut", corr, gain, share)
		}
	})
}

func TestNearEndAlonePasses(t *testing.T) {
	rates(t, func(t *testing.T, rate int) {
		near := voice(rate, 6, .04, 21)
		mic := pcm(add(near, hum(rate, len(near), 1e-4, 22)))
		for _, ns := range []bool{false, true} {
			_, out := run(t, Config{Rate: rate, NoiseSuppression: ns}, make([]int16, len(mic)), mic, nil)
			if corr, gain := likeness(near, out, rate, .5, 6); corr < .995 || math.Abs(gain) > .3 {
				t.Errorf("noise suppression %v: correlation %.4f, gain %.2f dB", ns, corr, gain)
			}
		}
	})
}

func TestPathChange(t *testing.T) {
	rates(t, func(t *testing.T, rate int) {
		x := voice(rate, 10, .1, 31)
		a, b := through(x, room(rate, .1, 32), rate/50, 0),
			through(x, room(rate, .12, 33), rate/50+rate/1000, 0)
		mic := pcm(add(append(a[:4*rate:4*rate], b[4*rate:]...), hum(rate, len(x), 1e-4, 34)))
		_, out := run(t, Config{Rate: rate}, pcm(x), mic, nil)
		if e := erle(mic, out, rate, 5.5, 7); e < 20 {
			t.Errorf("ERLE %.1f dB 1.5 s after the change, want 20", e)
		}
		if e := erle(mic, out, rate, 8, 10); e < 30 {
			t.Errorf("ERLE %.1f dB 4 s after the change, want 30", e)
		}
	})
}

// A path known to 40 dB and more makes small steps; that it has changed must show all the same, and quickly.
func TestPathChangeOfGoodFit(t *testing.T) {
	rates(t, func(t *testing.T, rate int) {
		x := voice(rate, 8.5, .1, 35)
		a, b := through(x, room(rate, .06, 36), rate/100, 0), through(x, room(rate, .06, 37), rate/100, 0)
		mic := pcm(add(append(a[:5*rate:5*rate], b[5*rate:]...), hum(rate, len(x), 3e-5, 38)))
		_, out := run(t, Config{Rate: rate}, pcm(x), mic, nil)
		if e := erle(mic, out, rate, 6, 7); e < 30 {
			t.Errorf("ERLE %.1f dB a second after the change, want 30", e)
		}
		if e := erle(mic, out, rate, 7, 8.5); e < 28 {
			t.Errorf("ERLE %.1f dB from two seconds after the change on, want 28", e)
		}
	})
}

func TestDelayShift(t *testing.T) {
	const rate = 16000
	t.Parallel()
	{
		x := voice(rate, 10, .1, 41)
		h := room(rate, .08, 42)
		a, b := through(x, h, rate/50, 0), through(x, h, rate/50+60*rate/1000, 0)
		mic := pcm(add(append(a[:4*rate:4*rate], b[4*rate:]...), hum(rate, len(x), 1e-4, 43)))
		c, out := run(t, Config{Rate: rate}, pcm(x), mic, nil)
		if e := erle(mic, out, rate, 6, 8); e < 20 {
			t.Errorf("ERLE %.1f dB 2 s after the shift, want 20", e)
		}
		if e := erle(mic, out, rate, 8, 10); e < 30 {
			t.Errorf("ERLE %.1f dB 4 s after the shift, want 30", e)
		}
		if d := c.Stats().Delay - 80*time.Millisecond; d < -2*time.Millisecond || d > 2*time.Millisecond {
			t.Errorf("delay %v, want 80ms", c.Stats().Delay)
		}
	}
}

// A Slip that says how far the two streams have moved against each other leaves nothing to learn.
func TestSlip(t *testing.T) {
	const rate = 8000
	t.Parallel()
	{
		for _, lost := range []struct{ captured, played int }{{rate / 100, 0}, {0, rate / 25},
			{rate / 20, 0}, {-7, 1 << 30}} {
			x := voice(rate, 7, .1, 51)
			h := room(rate, .08, 52)
			before := rate / 20
			after := max(0, before+lost.played-lost.captured)
			if after > rate {
				after = before
			}
			a, b := through(x, h, before, 0), through(x, h, after, 0)
			mic := pcm(add(append(a[:3*rate:3*rate], b[3*rate:]...), hum(rate, len(x), 1e-4, 53)))
			_, out := run(t, Config{Rate: rate}, pcm(x), mic, func(c *Canceller, frame int) {
				if frame == 300 {
					c.Slip(lost.captured, lost.played)
				}
			})
			from := 3.5
			if lost.captured < 0 {
				from = 5 // a senseless count: the finder has to put it right
			}
			if e := erle(mic, out, rate, from, from+1.5); e < 25 {
				t.Errorf("slip %+v: ERLE %.1f dB from %.1f s on, want 25", lost, e, from)
			}
		}
	}
}

func TestDrift(t *testing.T) {
	const rate = 16000
	t.Parallel()
	{
		x := voice(rate, 10, .1, 61)
		y := through(x, room(rate, .08, 62), rate/25, 0)
		const ppm = 80
		// the interpolator under test at 0 ppm; here it only makes the signal
		ref := newReference(1<<20, rate/100, 1)
		slow := make([]float64, len(y))
		n := rate / 100
		frame := make([]float32, n)
		for i := 0; i+n <= len(y); i += n {
			for j := range frame {
				frame[j] = float32(y[i+j])
			}
			ref.push(frame)
			ref.off = 20 + float64(i)*ppm*1e-6
			ref.read(frame, 0)
			for j, v := range frame {
				slow[i+j] = float64(v)
			}
		}
		mic := pcm(add(slow, hum(rate, len(x), 1e-4, 63)))
		c, out := run(t, Config{Rate: rate}, pcm(x), mic, nil)
		if d := c.Stats().Drift; math.Abs(d+ppm) > 15 {
			t.Errorf("drift %.0f ppm, want %d", d, -ppm)
		}
		if e := erle(mic, out, rate, 6, 10); e < 35 {
			t.Errorf("ERLE %.1f dB, want 35", e)
		}
	}
}

func TestWalkie(t *testing.T) {
	rates(t, func(t *testing.T, rate int) {
		x := voice(rate, 8, .1, 71)
		for i := range x {
			if i > 4*rate {
				x[i] = 0
			}
		}
		near := voice(rate, 8, .04, 72)
		for i := range near {
			if i < 5*rate {
				near[i] = 0
			}
		}
		// Hopeless hardware: the echo comes back squared and clipped, 6 dB louder than it was sent, and the
		// delay jumps.
		echo := make([]float64, len(x))
		for i := range echo {
			j := i - rate/50 - i/rate*rate/100
			if j >= 0 {
				echo[i] = max(-.9, min(.9, 40*x[j]*math.Abs(x[j])))
			}
		}
		mic := pcm(add(echo, near, hum(rate, len(x), 3e-5, 73)))
		_, out := run(t, Config{Rate: rate, Walkie: true}, pcm(x), mic, nil)
		if e := erle(mic, out, rate, 0, 4.1); e < 45 {
			t.Errorf("half duplex: %.1f dB, want 45", e)
		}
		if corr, gain := likeness(near, out, rate, 5, 8); corr < .99 || math.Abs(gain) > .5 {
			t.Errorf("near end's turn: correlation %.3f, gain %.2f dB", corr, gain)
		}
	})
}

func TestNoiseSuppression(t *testing.T) {
	rates(t, func(t *testing.T, rate int) {
		mic := pcm(hum(rate, 6*rate, .003, 81))
		_, out := run(t, Config{Rate: rate, NoiseSuppression: true}, make([]int16, len(mic)), mic, nil)
		if e := erle(mic, out, rate, 3, 6); e < 6 || e > 10 {
			t.Errorf("steady noise down by %.1f dB, want 6 to 10", e)
		}
		_, out = run(t, Config{Rate: rate}, make([]int16, len(mic)), mic, nil)
		if e := erle(mic, out, rate, 3, 6); math.Abs(e) > .5 {
			t.Errorf("without noise suppression noise down by %.1f dB, want 0", e)
		}
	})
}

func TestWind(t *testing.T) {
	rates(t, func(t *testing.T, rate int) {
		rng := rand.New(rand.NewPCG(1, 91))
		rumble := make([]float64, 8*rate)
		lp := lowPass(rate, 60, .7)
		for i := range rumble {
			rumble[i] = float64(lp.step(float32(rng.NormFloat64()))) * .1
		}
		mic := pcm(rumble)
		_, out := run(t, Config{Rate: rate, NoiseSuppression: true}, make([]int16, len(mic)), mic, nil)
		if e := erle(mic, out, rate, 5, 8); e < 25 {
			t.Errorf("wind down by %.1f dB, want 25", e)
		}
	})
}

func TestGain(t *testing.T) {
	const rate = 8000
	t.Parallel()
	{
		for _, rms := range []float64{.02, .3} {
			near := voice(rate, 9, rms, 101)
			mic := pcm(add(near, hum(rate, len(near), 1e-5, 102)))
			_, out := run(t, Config{Rate: rate, Gain: true}, make([]int16, len(mic)), mic, nil)
			if p := decibel(power(out, rate, 7, 9)); p < -26 || p > -17 {
				t.Errorf("a voice of %.2f comes out at %.1f dBFS, want about -20", rms, p)
			}
		}
		// The far end's echo must not move it.
		x := voice(rate, 6, .1, 103)
		mic := pcm(through(x, room(rate, .1, 104), rate/50, 7))
		c, _ := run(t, Config{Rate: rate, Gain: true}, pcm(x), mic, nil)
		if g := c.gain.now; math.Abs(float64(g-1)) > .1 {
			t.Errorf("the echo moved the gain to %.2f", g)
		}
	}
}

func TestLimiter(t *testing.T) {
	l := newLimiter(16000, -6)
	ceiling := float32(math.Pow(10, -6./20))
	for i, v := range hum(16000, 16000, .5, 111) {
		if out := l.step(float32(v)); abs(out) > ceiling*1.0001 {
			t.Fatalf("sample %d: %v above the ceiling", i, out)
		}
	}
	l = newLimiter(16000, -6)
	for _, v := range []float32{.003, -.003, .0015} {
		if out := l.step(v); out != v {
			t.Errorf("a quiet %v came out as %v", v, out)
		}
	}
}

func TestSilence(t *testing.T) {
	rates(t, func(t *testing.T, rate int) {
		zero := make([]int16, 3*rate)
		x := pcm(voice(rate, 3, .1, 121))
		for name, far := range map[string][]int16{"no far end": zero, "far end, deaf microphone": x} {
			_, out := run(t, Config{Rate: rate, NoiseSuppression: true, Gain: true}, far, zero, nil)
			for i, v := range out {
				if v != 0 {
					t.Fatalf("%s: sample %d is %d", name, i, v)
				}
			}
		}
	})
}

func TestConfig(t *testing.T) {
	for _, cfg := range []Config{{}, {Rate: 48000}, {Rate: 8000, Frame: 160},
		{Rate: 16000, Tail: time.Second}, {Rate: 16000, Tail: -1}} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v accepted", cfg)
		}
	}
}

func TestInterpolator(t *testing.T) {
	r := newReference(4096, 160, 1)
	n := 160
	x := make([]float32, n)
	tone := func(i float64) float64 { return math.Sin(2 * math.Pi * .17 * i) }
	for f := range 10 {
		for i := range x {
			x[i] = float32(tone(float64(f*n + i)))
		}
		r.push(x)
	}
	for _, off := range []float64{0, 9, 37.25, 100.5, 100.9999, 333.017} {
		r.off = off
		r.read(x, 40)
		for i, v := range x {
			if want := tone(float64(9*n+i) - 40 - off); math.Abs(float64(v)-want) > 2e-3 {
				t.Fatalf("offset %v, sample %d: %v, want %v", off, i, v, want)
			}
		}
	}
}

func TestNoAllocs(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		noAllocs(t, rate)
	}
}

func noAllocs(t *testing.T, rate int) {
	x := voice(rate, 2, .1, 131)
	far, mic := pcm(x), pcm(through(x, room(rate, .05, 132), rate/50, 5))
	c, err := New(Config{Rate: rate, NoiseSuppression: true, Gain: true})
	if err != nil {
		t.Fatal(err)
	}
	n, i := rate/100, 0
	if a := testing.AllocsPerRun(150, func() {
		c.Process(far[i:i+n], mic[i:i+n], mic[i:i+n])
		i += n
	}); a != 0 {
		t.Errorf("%v allocations per frame", a)
	}
	if a := testing.AllocsPerRun(10, func() { c.Slip(100, 0); _ = c.Stats() }); a != 0 {
		t.Errorf("%v allocations per Slip", a)
	}
}

// FuzzProcess feeds arbitrary samples, slips included, and then asks for an ordinary cancellation: no input
// may break the canceller for good.
func FuzzProcess(f *testing.F) {
	f.Add([]byte{0, 0, 255, 127, 0, 128}, uint8(1), false)
	f.Add([]byte{255, 127, 0, 128, 255, 127, 1, 1, 0, 128}, uint8(7), true)
	f.Add([]byte("the quick brown fox jumps over the lazy dog"), uint8(30), false)
	const rate = 8000
	x := voice(rate, 4.5, .1, 141)
	far := pcm(x)
	mic := pcm(add(through(x, room(rate, .05, 142), rate/50, 0), hum(rate, len(x), 1e-4, 143)))
	f.Fuzz(func(t *testing.T, b []byte, stride uint8, walkie bool) {
		c, err := New(Config{Rate: rate, NoiseSuppression: true, Gain: true, Walkie: walkie})
		if err != nil {
			t.Fatal(err)
		}
		n := rate / 100
		junkFar, junkMic, out := make([]int16, n), make([]int16, n), make([]int16, n)
		at := 0
		next := func() int16 {
			if len(b) < 2 {
				return 0
			}
			at = (at + 1 + int(stride)) % (len(b) - 1)
			return int16(b[at]) | int16(b[at+1])<<8
		}
		for range 150 {
			for i := range n {
				junkFar[i], junkMic[i] = next(), next()
			}
			if next() > 30000 {
				c.Slip(int(next()), int(next()))
			}
			c.Process(junkFar, junkMic, out)
		}
		for _, p := range [][]float32{c.filter.fr, c.filter.br, c.filter.cov, c.sup.res,
			c.sup.noise.psd, c.o} {
			for _, v := range p {
				if v-v != 0 {
					t.Fatal("NaN or infinity in the state")
				}
			}
		}
		c.cfg.Gain, c.cfg.Walkie = false, false
		res := make([]int16, len(mic))
		for i := 0; i+n <= len(mic); i += n {
			c.Process(far[i:i+n], mic[i:i+n], res[i:i+n])
		}
		if e := erle(mic, res, rate, 3, 4.5); e < 15 {
			t.Fatalf("ERLE %.1f dB afterwards", e)
		}
	})
}
