package audiotest

import (
	"math"
	"math/rand/v2"
	"testing"

	"portero/audio"
)

// speech is a voice of the demo's, at 48 kHz.
func speech(t *testing.T, who string) audio.Clip {
	c, err := audio.LoadWAV("../../cmd/portero/speech/" + who + ".wav")
	if err == nil {
		c, err = c.Resample(48000)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestUtteranceSNR holds the judge against recordings whose SNR is known.
func TestUtteranceSNR(t *testing.T) {
	t.Parallel()
	said := speech(t, "visitor")
	rng := rand.New(rand.NewPCG(1, 2))
	var power float64
	for _, s := range said.Samples {
		power += float64(s) * float64(s)
	}
	rms := math.Sqrt(power / float64(len(said.Samples)))
	record := func(delay int, gain, noiseDB float64, edit func([]int16) []int16) audio.Clip {
		out := make([]int16, delay, delay+len(said.Samples)+48000)
		for _, s := range edit(said.Samples) {
			out = append(out, int16(gain*(float64(s)+rng.NormFloat64()*rms*math.Pow(10, -noiseDB/20))))
		}
		return audio.Clip{Samples: append(out, make([]int16, 24000)...), Rate: 48000}
	}
	whole := func(s []int16) []int16 { return s }
	for _, c := range []struct {
		name     string
		heard    audio.Clip
		min, max float64
	}{
		{"30 dB", record(12345, 0.5, 30, whole), 29, 31},
		{"10 dB", record(777, 1.5, 10, whole), 9, 11},
		{"a slip of 9 ms in a pause", record(5000, 1, 40, func(s []int16) []int16 {
			at := quietest(s)
			return append(append([]int16{}, s[:at]...), s[at+432:]...)
		}), 25, 41},
		{"half of it missing", record(5000, 1, 60, func(s []int16) []int16 { return append(make([]int16, len(s)/2), s[len(s)/2:]...) }), -9, 6},
		{"another voice", speech(t, "resident"), -99, 6},
		{"silence", audio.Clip{Samples: make([]int16, 480000), Rate: 48000}, 0, 0},
	} {
		if got := UtteranceSNR(said, c.heard); got < c.min || got > c.max {
			t.Errorf("%s: %.1f dB, want %g to %g", c.name, got, c.min, c.max)
		}
	}
}

// quietest returns the middle of the 50 ms with the least energy in the middle third.
func quietest(s []int16) int {
	best, at := math.Inf(1), 0
	for i := len(s) / 3; i < 2*len(s)/3; i += 240 {
		var e float64
		for _, v := range s[i : i+2400] {
			e += float64(v) * float64(v)
		}
		if e < best {
			best, at = e, i+1200
		}
	}
	return at
}
