package audio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// wave builds a file of the given format around raw sample data.
func wave(tag, channels uint16, rate uint32, bits uint16, data []byte) []byte {
	le := binary.LittleEndian
	b := []byte("RIFF\x00\x00\x00\x00WAVE")
	b = append(b, "LIST\x03\x00\x00\x00abc\x00"...) // an odd chunk and its padding
	b = append(b, "fmt \x10\x00\x00\x00"...)
	b = le.AppendUint16(b, tag)
	b = le.AppendUint16(b, channels)
	b = le.AppendUint32(b, rate)
	b = le.AppendUint32(b, rate*uint32(channels)*uint32(bits)/8)
	b = le.AppendUint16(b, channels*bits/8)
	b = le.AppendUint16(b, bits)
	b = append(b, "data"...)
	b = le.AppendUint32(b, uint32(len(data)))
	b = append(b, data...)
	le.PutUint32(b[4:], uint32(len(b)-8))
	return b
}

func TestReadWAVFormats(t *testing.T) {
	float := func(v ...float32) (b []byte) {
		for _, v := range v {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		return b
	}
	for name, tc := range map[string]struct {
		file []byte
		want []int16
	}{
		"8 bit":  {wave(1, 1, 8000, 8, []byte{0, 128, 255}), []int16{-32768, 0, 32512}},
		"16 bit": {wave(1, 1, 8000, 16, []byte{0, 128, 1, 0, 255, 127}), []int16{-32768, 1, 32767}},
		"24 bit": {wave(1, 1, 8000, 24, []byte{0, 0, 128, 0, 1, 0, 0, 255, 127}), []int16{-32768, 1, 32767}},
		"32 bit": {wave(1, 1, 8000, 32, []byte{0, 0, 0, 128, 0, 0, 1, 0}), []int16{-32768, 1}},
		"float": {wave(3, 1, 8000, 32, float(-1, 0.5, 2, float32(math.NaN()), float32(math.Inf(-1)))),
			[]int16{-32768, 16384, 32767, 0, -32768}},
		"stereo":  {wave(1, 2, 8000, 16, []byte{10, 0, 20, 0, 255, 255, 1, 0}), []int16{15, 0}},
		"partial": {wave(1, 2, 8000, 16, []byte{10, 0, 20, 0, 5}), []int16{15}},
	} {
		c, err := ReadWAV(bytes.NewReader(tc.file))
		if err != nil || c.Rate != 8000 || !slices.Equal(c.Samples, tc.want) {
			t.Errorf("%s: %v at %d Hz, %v; want %v", name, c.Samples, c.Rate, err, tc.want)
		}
	}
}

func TestReadWAVRefuses(t *testing.T) {
	good := wave(1, 1, 8000, 16, []byte{1, 0})
	for name, tc := range map[string]struct {
		file []byte
		want string
	}{
		"empty":   {nil, "header"},
		"text":    {[]byte("hello, this is not sound at all"), "RIFF"},
		"mp3 tag": {wave(0x55, 1, 8000, 16, nil), "0x0055"},
		"12 bit":  {wave(1, 1, 8000, 12, nil), "12 bits"},
		"no chan": {wave(1, 0, 8000, 16, nil), "0 channels"},
		"no rate": {wave(1, 1, 0, 16, nil), "0 Hz"},
		"no data": {good[:len(good)-10], "no data"},
		"no fmt": {append([]byte("RIFF\x00\x00\x00\x00WAVE"),
			"data\x02\x00\x00\x00ab"...), "ahead of the fmt"},
		"big fmt":  {append([]byte("RIFF\x00\x00\x00\x00WAVE"), "fmt \xff\xff\xff\x7fab"...), "fmt chunk of"},
		"cut list": {[]byte("RIFF\x00\x00\x00\x00WAVELIST\xff\xff\xff\xffab"), "LIST"},
	} {
		_, err := ReadWAV(bytes.NewReader(tc.file))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q in it", name, err, tc.want)
		}
	}
	if _, err := LoadWAV("testdata/none.wav"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestReadWAVEveryPrefix(t *testing.T) {
	good := wave(1, 1, 8000, 16, []byte{1, 0, 2, 0, 3, 0})
	for n := range good {
		c, err := ReadWAV(bytes.NewReader(good[:n]))
		if header := len(good) - 6; (err == nil) != (n >= header) ||
			err == nil && len(c.Samples) != (n-header)/2 {
			t.Errorf("%d bytes: %v, %v", n, c.Samples, err)
		}
	}
}

func TestWAVRoundTrip(t *testing.T) {
	samples := sine(300, 16000, 50000, 20000)
	var b bytes.Buffer
	if err := WriteWAV(&b, samples, 16000); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.wav")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewWAVWriter(f, 16000)
	for at := 0; at < len(samples) && err == nil; at += 1000 {
		err = w.Write(samples[at:][:1000])
	}
	// A recorder that is killed here leaves a readable file.
	if c, err := LoadWAV(path); err != nil || len(c.Samples) == 0 || c.Samples[999] != samples[999] {
		t.Errorf("unfinished file: %d samples, %v", len(c.Samples), err)
	}
	if err = errors.Join(err, w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	got, _ := os.ReadFile(path)
	if !bytes.Equal(got, b.Bytes()) {
		t.Error("WAVWriter and WriteWAV differ")
	}
	c, err := ReadWAV(bytes.NewReader(got))
	if err != nil || c.Rate != 16000 || !slices.Equal(c.Samples, samples) {
		t.Errorf("%d samples of %d Hz, %v", len(c.Samples), c.Rate, err)
	}
}

type full struct{ io.WriteSeeker }

func (full) Write([]byte) (int, error) { return 0, errors.New("disk is full") }

func TestWAVWriterReportsErrors(t *testing.T) {
	if _, err := NewWAVWriter(full{}, 8000); err == nil {
		t.Error("header written to a full disk")
	}
	if err := WriteWAV(full{}, []int16{1}, 8000); err == nil {
		t.Error("written to a full disk")
	}
}

func FuzzReadWAV(f *testing.F) {
	f.Add(wave(1, 1, 8000, 16, []byte{1, 0, 2, 0}))
	f.Add(wave(3, 2, 48000, 32, make([]byte, 64)))
	f.Add(wave(0xfffe, 1, 8000, 24, []byte{1, 2, 3}))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ReadWAV(bytes.NewReader(b))
		if err == nil && (c.Rate <= 0 || len(c.Samples) > len(b)) {
			t.Errorf("%d samples of %d Hz from %d bytes", len(c.Samples), c.Rate, len(b))
		}
	})
}
