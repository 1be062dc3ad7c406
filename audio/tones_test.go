package audio

import (
	"math"
	"slices"
	"testing"
)

// levelAt returns the level of a frequency in dBFS of a sine in 200 ms from at (seconds).
func levelAt(c Clip, at, hz float64) float64 {
	from := int(at * float64(c.Rate))
	tone, _ := power(c.Samples[from:][:c.Rate/5], hz, c.Rate)
	return db(tone/(32767.0*32767/2) + 1e-12)
}

func TestRingbackTones(t *testing.T) {
	for _, tc := range []struct {
		country string
		long    float64 // s of a whole cadence
		on      []float64
		off     []float64
		hz      []float64
	}{
		{"de", 5, []float64{0.4}, []float64{1.1, 3, 4.7}, []float64{425}},
		{"AT", 6, []float64{0.4}, []float64{1.1, 5.7}, []float64{420}},
		{"fr", 5, []float64{1.2}, []float64{1.6}, []float64{440}},
		{"gb", 3, []float64{0.1, 0.7}, []float64{0.4, 1.1, 2.7}, []float64{400, 450}},
		{"us", 6, []float64{0, 1.7}, []float64{2.1, 5.7}, []float64{440, 480}},
		{"xx", 5, []float64{0.4}, []float64{1.1}, []float64{425}},
	} {
		c := RingbackTone(tc.country)
		if !c.Loop || len(c.Samples) != int(tc.long*float64(c.Rate)) {
			t.Errorf("%s: %d samples, loop %v", tc.country, len(c.Samples), c.Loop)
		}
		for _, hz := range tc.hz {
			for _, at := range tc.on {
				if l := levelAt(c, at, hz); l < -16 || l > -9 {
					t.Errorf("%s: %g Hz at %.1f dB after %g s", tc.country, hz, l, at)
				}
			}
			for _, at := range tc.off {
				if l := levelAt(c, at, hz); l > -90 {
					t.Errorf("%s: %g Hz at %.1f dB in the pause at %g s", tc.country, hz, l, at)
				}
			}
		}
	}
}

func TestEveryCountry(t *testing.T) {
	codes := ToneCountries()
	for _, must := range []string{"de", "at", "ch", "fr", "it", "es", "nl", "be", "gb", "us"} {
		if !slices.Contains(codes, must) {
			t.Errorf("%s is missing", must)
		}
	}
	for _, code := range codes {
		for _, c := range []Clip{RingbackTone(code), BusyTone(code)} {
			peak, step := 0, 0
			for i, v := range c.Samples {
				peak = max(peak, int(v), -int(v))
				if i > 0 {
					step = max(step, int(v)-int(c.Samples[i-1]))
				}
			}
			if peak < 6000 || peak > 14000 || step > 4500 {
				t.Errorf("%s: peak %d, step %d", code, peak, step)
			}
		}
	}
	if !slices.IsSorted(codes) {
		t.Errorf("%q are in no order", codes)
	}
}

// The door's own sounds: neither overloaded nor faint, quiet at both ends, each recognisable by its notes.
func TestDoorTones(t *testing.T) {
	for name, tc := range map[string]struct {
		clip Clip
		at   []float64
		hz   []float64
	}{
		"chime":   {ChimeTone(), []float64{0.1, 0.7}, []float64{659.26, 523.25}},
		"opened":  {OpenedTone(), []float64{0, 0.3}, []float64{523.25, 783.99}},
		"refused": {RefusedTone(), []float64{0, 0.3}, []float64{311.13, 233.08}},
	} {
		s := tc.clip.Samples
		peak := 0
		for _, v := range s {
			peak = max(peak, int(v), -int(v))
		}
		if peak < 9000 || peak > 31000 || math.Abs(float64(s[0])) > 50 ||
			math.Abs(float64(s[len(s)-1])) > 50 {
			t.Errorf("%s: peak %d, ends %d and %d", name, peak, s[0], s[len(s)-1])
		}
		for i, at := range tc.at {
			if l := levelAt(tc.clip, at, tc.hz[i]); l < -20 {
				t.Errorf("%s: %g Hz at %.1f dB after %g s", name, tc.hz[i], l, at)
			}
		}
	}
}
