package voices

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// sentence makes 2 s of speech-like sound: voiced syllables of gliding pitch and formants with pauses between.
func sentence(seed uint64) Clip {
	rng := rand.New(rand.NewPCG(seed, 7))
	c := Clip{Rate: rate}
	for len(c.Samples) < 2*rate {
		n := rate*15/100 + rng.IntN(rate/5)
		pitch, glide, f1, f2 := 100+rng.Float64()*80, rng.Float64()*40-20, 300+rng.Float64()*500, 900+rng.Float64()*1500
		phase := 0.0
		for i := range n {
			at := float64(i) / float64(n)
			phase += 2 * math.Pi * (pitch + glide*at) / rate
			v := 0.0
			for h := 1.0; h < 24; h++ {
				hz := h * pitch
				v += math.Sin(h*phase) * (math.Exp(-math.Pow((hz-f1)/150, 2)) + 0.5*math.Exp(-math.Pow((hz-f2)/200, 2)) + 0.02)
			}
			c.Samples = append(c.Samples, 0.1*v*math.Sin(math.Pi*at))
		}
		c.Samples = append(c.Samples, make([]float64, rng.IntN(rate/8))...)
	}
	return c
}

func TestFindTheSentence(t *testing.T) {
	t.Parallel()
	ref := sentence(1)
	rec := Clip{rate, append(make([]float64, 12345), ref.Samples...)}
	rec.Samples = append(rec.Samples, make([]float64, 9000)...)
	rng := rand.New(rand.NewPCG(3, 3))
	for i := range rec.Samples {
		rec.Samples[i] = 0.3*rec.Samples[i] + 0.001*rng.NormFloat64()
	}
	m := Find(ref, rec)
	if !m.Same() || m.Correlation < 0.95 || math.Abs(m.GainDB+10.5) > 0.5 {
		t.Errorf("the sentence at -10.5 dB: %v", m)
	}
	if d := m.Delay - 12345*time.Second/rate; d.Abs() > time.Millisecond {
		t.Errorf("delay %v, want %v", m.Delay, 12345*time.Second/rate)
	}
}

func TestFindThroughGainControlSlipsAndAnotherRate(t *testing.T) {
	t.Parallel()
	ref := sentence(2)
	rec := Clip{Rate: rate}
	for i, s := range ref.Samples {
		if i == len(ref.Samples)/2 {
			rec.Samples = append(rec.Samples, make([]float64, 160)...) // one packet concealed by silence
		}
		rec.Samples = append(rec.Samples, s*(0.3+float64(i)/float64(len(ref.Samples))))
	}
	if m := Find(ref, rec.At(16000)); !m.Same() {
		t.Errorf("with rising gain and a slip of 20 ms at 16 kHz: %v", m)
	}
}

// A jitter buffer after a stall: five packets are missing in the middle, what follows is all there but early.
func TestFindFollowsSlips(t *testing.T) {
	t.Parallel()
	ref := sentence(3)
	rec := Clip{Rate: rate, Samples: make([]float64, rate)}
	for i, s := range ref.Samples {
		if i < rate || i >= rate+800 {
			rec.Samples = append(rec.Samples, s)
		}
	}
	if m := Find(ref, rec); !m.Same() {
		t.Errorf("with 100 ms cut out: %v", m)
	}
}

func TestFindRefusesWhatIsNotTheSentence(t *testing.T) {
	t.Parallel()
	ref := sentence(4)
	noise := Clip{Rate: rate, Samples: make([]float64, 5*rate)}
	rng := rand.New(rand.NewPCG(5, 5))
	for i := range noise.Samples {
		noise.Samples[i] = 0.1 * rng.NormFloat64()
	}
	half := Clip{rate, append(append([]float64{}, ref.Samples[:len(ref.Samples)/2]...), make([]float64, len(ref.Samples)/2)...)}
	backwards := Clip{Rate: rate}
	for i := range ref.Samples {
		backwards.Samples = append(backwards.Samples, ref.Samples[len(ref.Samples)-1-i])
	}
	for name, rec := range map[string]Clip{
		"another sentence": sentence(9), "noise": noise, "silence": {rate, make([]float64, 4*rate)}, "nothing": {Rate: rate},
		"half of it": half, "backwards": backwards,
	} {
		if m := Find(ref, rec); m.Same() {
			t.Errorf("%s: taken for the sentence: %v", name, m)
		}
	}
}

func TestWAV(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.wav")
	want := sentence(6)
	if err := want.WriteWAV(path); err != nil {
		t.Fatal(err)
	}
	got, err := ReadWAV(path)
	if err != nil || got.Rate != rate || len(got.Samples) != len(want.Samples) {
		t.Fatalf("read back: %d Hz, %d samples, %v", got.Rate, len(got.Samples), err)
	}
	for i := range want.Samples {
		if math.Abs(got.Samples[i]-want.Samples[i]) > 1.0/32768 {
			t.Fatalf("sample %d: %v, want %v", i, got.Samples[i], want.Samples[i])
		}
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copy(raw[40:44], []byte{0, 0, 0, 0}) // as a killed recorder leaves it
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err = ReadWAV(path); err != nil || len(got.Samples) != len(want.Samples) {
		t.Errorf("unfinished header: %d samples, %v", len(got.Samples), err)
	}
	for n := range 60 {
		if err := os.WriteFile(path, raw[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := ReadWAV(path); err == nil && len(c.Samples) > 8 {
			t.Errorf("first %d bytes: %d samples", n, len(c.Samples))
		}
	}
}
