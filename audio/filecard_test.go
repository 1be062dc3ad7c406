package audio_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"portero/audio"
	"portero/audio/audiotest"
)

func TestFileCard(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.wav"), filepath.Join(dir, "out.wav")
	f, err := os.Create(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := audio.WriteWAV(f, audiotest.Sine(600, 16000, 8000, 10000), 16000); err != nil {
		t.Fatal(err)
	}
	f.Close()
	card, err := audio.NewFileCard(audio.FileCardConfig{Rate: 48000, Capture: in, Record: out})
	if err != nil {
		t.Fatal(err)
	}
	d, _ := card.Open(t.Context(), audio.FullDuplex)
	if d.Rate() != 48000 || d.Period() != 960 {
		t.Fatalf("%d Hz, period %d", d.Rate(), d.Period())
	}
	play, capture := audiotest.Sine(500, 48000, 960, 9000), make([]int16, 960)
	start := time.Now()
	var heard []int16
	for range 50 {
		if _, err := d.Exchange(play, capture); err != nil {
			t.Fatal(err)
		}
		heard = append(heard, capture...)
	}
	if e := time.Since(start); e < 990*time.Millisecond {
		t.Errorf("50 periods took %v", e)
	}
	if l := audiotest.ToneLevel(heard[4800:19200], 48000, 600); l < -14 || l > -13 {
		t.Errorf("captured %.1f dBFS", l)
	}
	if l := audiotest.Level(heard[25000:]); l > -100 {
		t.Errorf("after the end %.1f dBFS", l)
	}
	time.Sleep(300 * time.Millisecond)
	if slip, _ := d.Exchange(play, capture); slip.Captured < 48000*25/100 || slip.Captured != slip.Played {
		t.Errorf("a stall of 280 ms is %v", slip)
	}
	d.Close()
	if _, err := d.Exchange(play, capture); err == nil {
		t.Error("a closed card plays")
	}
	d.Close()
	if err := card.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := audio.LoadWAV(out)
	if err != nil || c.Rate != 48000 || len(c.Samples) != 51*960 {
		t.Fatalf("recorded %d samples of %d Hz, %v", len(c.Samples), c.Rate, err)
	}
	if l := audiotest.ToneLevel(c.Samples, 48000, 500); l < -15 || l > -14 {
		t.Errorf("recorded %.1f dBFS", l)
	}
}

func TestFileCardRefuses(t *testing.T) {
	for name, c := range map[string]audio.FileCardConfig{
		"capture": {Capture: "testdata/none.wav"},
		"record":  {Record: "/dev/null/none.wav"},
		"period":  {Period: 2 * time.Second},
		"rate":    {Rate: -1},
	} {
		if _, err := audio.NewFileCard(c); err == nil {
			t.Errorf("%s accepted", name)
		}
	}
	var _ audio.Opener = (*audio.FileCard)(nil).Open
}
