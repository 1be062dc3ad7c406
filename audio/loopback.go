package audio

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Loopback is what a test through loudspeaker and microphone measured. Levels are in dBFS: 0 is a full-scale
// sine.
type Loopback struct {
	Noise      float64       // level of the microphone while nothing is played
	Heard      bool          // the microphone hears the loudspeaker at all
	Delay      time.Duration // from Exchange to Exchange, through the card and the air; 0 unless heard
	ReturnLoss float64       // dB between what was played and what came back at 1 kHz: the echo return loss
	Peak       float64       // of the microphone, dBFS
	Distortion float64       // harmonics 2 to 5 of 1 kHz by its fundamental, percent
	Slips      Slip          // frames lost meanwhile
}

// Grade says how bad a finding is.
type Grade uint8

// The grades of a finding.
const (
	Good Grade = iota
	Poor       // works, but sounds worse than it could
	Bad        // hands-free talk will not work like this
)

func (g Grade) String() string { return [...]string{"good", "poor", "bad"}[g%3] }

// Finding is one part of a verdict, in words for an installer.
type Finding struct {
	Grade  Grade
	What   string
	Remedy string // "" when good
}

const (
	loopLevel   = -12.0 // dBFS of sweep and tone: loud enough for a street, below clipping
	loopTone    = 1000  // Hz
	loopLow     = 300   // Hz, of the sweep
	loopHigh    = 3400
	loopRate    = 8000 // the sweep is looked for at this rate
	loopSettle  = 300 * time.Millisecond
	loopSilence = 500 * time.Millisecond
	loopSweep   = 500 * time.Millisecond
	loopReach   = 500 * time.Millisecond // the longest delay that is looked for
	loopPlay    = time.Second
)

// MeasureLoopback plays a sweep and a tone for about three seconds and measures what the microphone makes of
// them. The card is open in both directions; the error is the card's or ctx's.
func MeasureLoopback(ctx context.Context, card Duplex) (Loopback, error) {
	var l Loopback
	run := loopRun{ctx: ctx, card: card, slips: &l.Slips}
	if _, err := run.exchange(nil, loopSettle); err != nil {
		return l, err
	}
	quiet, err := run.exchange(nil, loopSilence)
	if err != nil {
		return l, err
	}
	l.Noise = sineLevel(quiet)
	sweep := sweepAt(card.Rate())
	heard, err := run.exchange(sweep, loopSweep+loopReach)
	if err != nil {
		return l, err
	}
	l.Delay, l.Heard, err = findSweep(heard, card.Rate())
	if err != nil {
		return l, err
	}
	tone := make([]int16, int(loopPlay.Seconds()*float64(card.Rate())))
	for i := range tone {
		tone[i] = int16(amplitudeOf(loopLevel) * math.Sin(2*math.Pi*loopTone*float64(i)/float64(card.Rate())))
	}
	back, err := run.exchange(tone, loopPlay)
	if err != nil {
		return l, err
	}
	l.Peak = peakLevel(append(heard, back...))
	if !l.Heard {
		l.Delay = 0
		return l, nil
	}
	steady := back[min(len(back)/2, int((l.Delay+50*time.Millisecond).Seconds()*float64(card.Rate()))):]
	fundamental := toneAmplitude(steady, card.Rate(), loopTone)
	var harmonics float64
	for k := 2; k <= 5 && k*loopTone < card.Rate()/2; k++ {
		a := toneAmplitude(steady, card.Rate(), float64(k*loopTone))
		harmonics += a * a
	}
	if fundamental > 0 {
		l.ReturnLoss = loopLevel - 20*math.Log10(fundamental/math.MaxInt16)
		l.Distortion = 100 * math.Sqrt(harmonics) / fundamental
	}
	return l, nil
}

// Verdict judges a measurement, one finding for each property.
func (l Loopback) Verdict() []Finding {
	var f []Finding
	grade := func(bad, poor bool) Grade {
		switch {
		case bad:
			return Bad
		case poor:
			return Poor
		}
		return Good
	}
	add := func(g Grade, remedy, format string, args ...any) {
		if g == Good {
			remedy = ""
		}
		f = append(f, Finding{g, fmt.Sprintf(format, args...), remedy})
	}
	add(grade(l.Slips != Slip{}, false),
		"the board is too busy or the USB port too slow: try a longer audio.period",
		"%d frames captured and %d played were lost", l.Slips.Captured, l.Slips.Played)
	if !l.Heard {
		add(Bad,
			"check that both are connected to this card and not muted, and raise the volumes (audio.volume)",
			"the microphone does not hear the loudspeaker (noise %.0f dBFS)", l.Noise)
		return f
	}
	add(grade(l.Peak > -0.5, l.Peak > -3), "lower the capture volume, or the playback volume",
		"microphone peaks at %.1f dBFS", l.Peak)
	add(grade(l.ReturnLoss < -15, l.ReturnLoss < -6),
		"move loudspeaker and microphone apart, put foam between them, or lower the playback volume",
		"the loudspeaker comes back %.0f dB %s than it was played", math.Abs(l.ReturnLoss),
		map[bool]string{true: "louder", false: "quieter"}[l.ReturnLoss < 0])
	add(grade(l.Distortion > 30, l.Distortion > 10),
		"lower the playback volume; a loudspeaker that rattles wants mounting",
		"distortion %.1f %%", l.Distortion)
	add(grade(l.Delay > 125*time.Millisecond, l.Delay > 90*time.Millisecond),
		"the echo canceller reaches 125 ms: use a smaller audio.period or another card",
		"delay %.0f ms", float64(l.Delay.Microseconds())/1000)
	add(grade(l.Noise > -25, l.Noise > -40),
		"look for hum: power supply, shielding of the microphone's cable, a fan",
		"noise %.0f dBFS", l.Noise)
	return f
}

type loopRun struct {
	ctx   context.Context
	card  Duplex
	slips *Slip
}

// exchange plays samples, then silence, for d and returns what was captured.
func (r *loopRun) exchange(samples []int16, d time.Duration) ([]int16, error) {
	period := r.card.Period()
	want := int(d.Seconds() * float64(r.card.Rate()))
	out := make([]int16, 0, want+period)
	play, capture := make([]int16, period), make([]int16, period)
	for len(out) < want {
		if err := r.ctx.Err(); err != nil {
			return nil, err
		}
		clear(play)
		samples = samples[copy(play, samples):]
		slip, err := r.card.Exchange(play, capture)
		if err != nil {
			return nil, fmt.Errorf("audio: loop test: %w", err)
		}
		r.slips.Captured += slip.Captured
		r.slips.Played += slip.Played
		out = append(out, capture...)
	}
	return out, nil
}

func amplitudeOf(dbfs float64) float64 { return math.Pow(10, dbfs/20) * math.MaxInt16 }

// sineLevel is the level of a sine with the power of s.
func sineLevel(s []int16) float64 {
	var e float64
	for _, v := range s {
		e += float64(v) * float64(v)
	}
	return 10 * math.Log10(2*e/float64(max(len(s), 1))/(math.MaxInt16*math.MaxInt16)+1e-12)
}

func peakLevel(s []int16) float64 {
	p := 1.0
	for _, v := range s {
		p = max(p, math.Abs(float64(v)))
	}
	return 20 * math.Log10(p/math.MaxInt16)
}

// sweepAt is a linear sweep with soft ends.
func sweepAt(rate int) []int16 {
	s := make([]int16, int(loopSweep.Seconds()*float64(rate)))
	phase, fade := 0.0, rate/100
	for i := range s {
		hz := loopLow + (loopHigh-loopLow)*float64(i)/float64(len(s))
		phase += 2 * math.Pi * hz / float64(rate)
		g := min(1, float64(i)/float64(fade), float64(len(s)-i)/float64(fade))
		s[i] = int16(g * amplitudeOf(loopLevel) * math.Sin(phase))
	}
	return s
}

// findSweep looks for the sweep in what was captured from its first sample on: the highest correlation is the
// delay.
func findSweep(heard []int16, rate int) (delay time.Duration, found bool, err error) {
	down, err := Clip{Samples: heard, Rate: rate}.Resample(loopRate)
	if err != nil {
		return 0, false, fmt.Errorf("audio: loop test: %w", err)
	}
	want := sweepAt(loopRate)
	var own float64
	for _, v := range want {
		own += float64(v) * float64(v)
	}
	best, at := 0.0, 0
	for lag := 0; lag+len(want) <= len(down.Samples); lag++ {
		var dot, power float64
		for i, v := range want {
			y := float64(down.Samples[lag+i])
			dot += float64(v) * y
			power += y * y
		}
		if c := math.Abs(dot) / math.Sqrt(own*power+1); c > best {
			best, at = c, lag
		}
	}
	return time.Duration(at) * time.Second / loopRate, best > 0.3, nil
}

// toneAmplitude is the amplitude of a tone in s, by one bin of a Fourier transform over all of it with a Hann
// window.
func toneAmplitude(s []int16, rate int, hz float64) float64 {
	var re, im, weight float64
	for i, v := range s {
		w := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(s)))
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / float64(rate))
		re += w * float64(v) * cos
		im += w * float64(v) * sin
		weight += w
	}
	return 2 * math.Hypot(re, im) / max(weight, 1)
}
