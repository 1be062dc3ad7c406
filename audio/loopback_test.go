package audio_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"portero/audio"
)

// air is a card whose microphone hears its loudspeaker.
type air struct {
	rate, period int
	delay        int     // samples
	gain, clip   float64 // clip: the loudspeaker's limit, 0 none
	noise        float64
	rng          *rand.Rand
	line         []int16
	slip         audio.Slip // of each Exchange
	err          error
}

func (a *air) Rate() int    { return a.rate }
func (a *air) Period() int  { return a.period }
func (a *air) Close() error { return nil }

func (a *air) Exchange(play, capture []int16) (audio.Slip, error) {
	if a.err != nil {
		return audio.Slip{}, a.err
	}
	if a.line == nil {
		a.line = make([]int16, a.delay)
	}
	a.line = append(a.line, play...)
	for i := range capture {
		v := float64(a.line[i])
		if a.clip > 0 {
			v = math.Max(-a.clip, math.Min(a.clip, v))
		}
		v = v*a.gain + a.noise*a.rng.NormFloat64()
		capture[i] = int16(math.Max(-32768, math.Min(32767, v)))
	}
	a.line = a.line[len(capture):]
	return a.slip, nil
}

func measure(t *testing.T, a *air) audio.Loopback {
	t.Helper()
	a.rng = rand.New(rand.NewPCG(1, 2))
	if a.rate == 0 {
		a.rate, a.period = 48000, 480
	}
	l, err := audio.MeasureLoopback(context.Background(), a)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func worst(l audio.Loopback) (grade audio.Grade, text string) {
	for _, f := range l.Verdict() {
		if f.Grade >= grade {
			grade = f.Grade
		}
		if f.Grade > audio.Good {
			text += f.What + ": " + f.Remedy + "\n"
		}
	}
	return grade, text
}

func TestLoopMeasures(t *testing.T) {
	for _, rate := range []int{8000, 16000, 44100, 48000} {
		l := measure(t, &air{rate: rate, period: rate / 100, delay: rate * 43 / 1000, gain: 0.5, noise: 30})
		if d := l.Delay - 43*time.Millisecond; !l.Heard || d < -time.Millisecond || d > time.Millisecond {
			t.Errorf("%d Hz: delay %v, heard %v", rate, l.Delay, l.Heard)
		}
		if math.Abs(l.ReturnLoss-6.02) > 0.2 || l.Distortion > 1 || math.Abs(l.Noise+57.8) > 1 ||
			math.Abs(l.Peak+18) > 0.3 {
			t.Errorf("%d Hz: %+v", rate, l)
		}
		if g, text := worst(l); g != audio.Good {
			t.Errorf("%d Hz: %s", rate, text)
		}
	}
}

func TestLoopVerdicts(t *testing.T) {
	for _, c := range []struct {
		name  string
		air   air
		grade audio.Grade
		says  string
	}{
		{"nothing connected", air{gain: 0, noise: 20}, audio.Bad, "does not hear"},
		{"louder than full scale", air{gain: 5}, audio.Bad, "lower the capture volume"},
		{"a loudspeaker that clips", air{gain: 0.5, clip: 3000}, audio.Poor, "distortion"},
		{"a slow card", air{gain: 0.5, delay: 48 * 200}, audio.Bad, "reaches 125 ms"},
		{"a slow USB port", air{gain: 0, slip: audio.Slip{Captured: 1}}, audio.Bad, "too busy"},
		{"hum", air{gain: 0.5, noise: 1500}, audio.Bad, "look for hum"},
	} {
		if g, text := worst(measure(t, &c.air)); g != c.grade || !strings.Contains(text, c.says) {
			t.Errorf("%s: %v\n%s", c.name, g, text)
		}
	}
	gone := errors.New("gone")
	if _, err := audio.MeasureLoopback(context.Background(),
		&air{rate: 8000, period: 80, err: gone}); !errors.Is(err, gone) {
		t.Errorf("%v", err)
	}
}
