package voices

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
)

// Clip is mono sound, samples in -1..1.
type Clip struct {
	Rate    int // Hz
	Samples []float64
}

// Seconds is the clip's length.
func (c Clip) Seconds() float64 { return float64(len(c.Samples)) / float64(c.Rate) }

// ReadWAV reads a RIFF/WAVE file of 16-bit PCM, mixing channels down to mono. The length in the data chunk's header is not
// trusted beyond the file's end: a recorder that was killed leaves 0 or 0xffffffff there.
func ReadWAV(path string) (Clip, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return Clip{}, fmt.Errorf("voices: read: %w", err)
	}
	if len(raw) < 12 || string(raw[:4]) != "RIFF" || string(raw[8:12]) != "WAVE" {
		return Clip{}, fmt.Errorf("voices: read %q: not a WAVE file", path)
	}
	var clip Clip
	channels := 0
	for rest := raw[12:]; len(rest) >= 8; {
		id, size := string(rest[:4]), int(binary.LittleEndian.Uint32(rest[4:8]))
		body := rest[8:]
		if id == "data" && (size == 0 || size > len(body)) || size > len(body) {
			size = len(body)
		}
		body = body[:size]
		switch id {
		case "fmt ":
			if len(body) < 16 {
				return Clip{}, fmt.Errorf("voices: read %q: fmt chunk of %d bytes", path, len(body))
			}
			format, bits := binary.LittleEndian.Uint16(body), binary.LittleEndian.Uint16(body[14:])
			if (format != 1 && format != 0xfffe) || bits != 16 {
				return Clip{}, fmt.Errorf("voices: read %q: format %d with %d bits, want PCM with 16", path, format, bits)
			}
			channels = int(binary.LittleEndian.Uint16(body[2:]))
			clip.Rate = int(binary.LittleEndian.Uint32(body[4:]))
		case "data":
			if channels == 0 || clip.Rate == 0 {
				return Clip{}, fmt.Errorf("voices: read %q: data before fmt", path)
			}
			clip.Samples = make([]float64, len(body)/2/channels)
			for i := range clip.Samples {
				for ch := range channels {
					clip.Samples[i] += float64(int16(binary.LittleEndian.Uint16(body[2*(i*channels+ch):]))) / 32768 / float64(channels)
				}
			}
			return clip, nil
		}
		rest = rest[min(8+size+size%2, len(rest)):]
	}
	return Clip{}, fmt.Errorf("voices: read %q: no data chunk", path)
}

// WriteWAV writes c as 16-bit mono PCM.
func (c Clip) WriteWAV(path string) error {
	n := len(c.Samples)
	b := make([]byte, 0, 44+2*n)
	b = append(b, "RIFF"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(36+2*n))
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, 1)
	b = binary.LittleEndian.AppendUint16(b, 1)
	b = binary.LittleEndian.AppendUint32(b, uint32(c.Rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(2*c.Rate))
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint16(b, 16)
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(2*n))
	for _, s := range c.Samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(int16(math.Round(max(-1, min(s, 32767.0/32768))*32768))))
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return fmt.Errorf("voices: write: %w", err)
	}
	return nil
}

// Repeat returns lead seconds of silence, then c n times, each followed by gap seconds of silence.
func (c Clip) Repeat(n int, lead, gap float64) Clip {
	silence := func(s float64) []float64 { return make([]float64, int(s*float64(c.Rate))) }
	out := Clip{Rate: c.Rate, Samples: silence(lead)}
	for range n {
		out.Samples = append(append(out.Samples, c.Samples...), silence(gap)...)
	}
	return out
}

// At resamples c to rate Hz with a windowed sinc of 16 zero crossings a side.
func (c Clip) At(rate int) Clip {
	if rate == c.Rate || len(c.Samples) == 0 {
		return Clip{rate, c.Samples}
	}
	const crossings = 16
	ratio := float64(rate) / float64(c.Rate)
	cut := min(1, ratio)
	out := Clip{Rate: rate, Samples: make([]float64, int(float64(len(c.Samples))*ratio))}
	half := crossings / cut
	for i := range out.Samples {
		at := float64(i) / ratio
		sum := 0.0
		for j := max(0, int(math.Ceil(at-half))); j <= min(len(c.Samples)-1, int(at+half)); j++ {
			x := (float64(j) - at) * cut
			w := 0.5 + 0.5*math.Cos(math.Pi*(float64(j)-at)/half)
			sinc := 1.0
			if x != 0 {
				sinc = math.Sin(math.Pi*x) / (math.Pi * x)
			}
			sum += c.Samples[j] * sinc * w * cut
		}
		out.Samples[i] = sum
	}
	return out
}
