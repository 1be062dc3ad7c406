package audio

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// The formats of a WAVE file (RIFF, Microsoft 1991; mmreg.h).
const (
	wavePCM        = 1
	waveFloat      = 3
	waveExtensible = 0xfffe
)

// maxWAV bounds the data that ReadWAV takes: ten minutes at 48 kHz, 16 bit, stereo.
const maxWAV = 120 << 20

// ReadWAV reads a WAVE file of 8, 16, 24 or 32-bit PCM or 32-bit float samples, at any rate; several channels
// are averaged into one. A data chunk that is cut short gives what is there.
func ReadWAV(r io.Reader) (Clip, error) {
	br := bufio.NewReader(r)
	var head [12]byte
	if _, err := io.ReadFull(br, head[:]); err != nil {
		return Clip{}, fmt.Errorf("audio: read WAV: header: %w", noEOF(err))
	}
	if string(head[:4]) != "RIFF" || string(head[8:]) != "WAVE" {
		return Clip{}, fmt.Errorf("audio: read WAV: starts with %q and %q, want RIFF and WAVE",
			head[:4], head[8:])
	}
	var f waveFormat
	for {
		var chunk [8]byte
		if _, err := io.ReadFull(br, chunk[:]); err != nil {
			return Clip{}, fmt.Errorf("audio: read WAV: no data chunk: %w", noEOF(err))
		}
		id, size := string(chunk[:4]), int64(binary.LittleEndian.Uint32(chunk[4:]))
		switch id {
		case "fmt ":
			if size > 1<<16 {
				return Clip{}, fmt.Errorf("audio: read WAV: fmt chunk of %d bytes", size)
			}
			b := make([]byte, size+size&1)
			if _, err := io.ReadFull(br, b); err != nil {
				return Clip{}, fmt.Errorf("audio: read WAV: fmt chunk: %w", noEOF(err))
			}
			if err := f.parse(b[:size]); err != nil {
				return Clip{}, err
			}
		case "data":
			if f.rate == 0 {
				return Clip{}, errors.New("audio: read WAV: data chunk ahead of the fmt chunk")
			}
			samples, err := f.read(br, size)
			return Clip{Samples: samples, Rate: f.rate}, err
		default:
			if _, err := io.CopyN(io.Discard, br, size+size&1); err != nil {
				return Clip{}, fmt.Errorf("audio: read WAV: chunk %q of %d bytes: %w", id, size, noEOF(err))
			}
		}
	}
}

// LoadWAV reads the WAVE file at path.
func LoadWAV(path string) (Clip, error) {
	f, err := os.Open(path)
	if err != nil {
		return Clip{}, fmt.Errorf("audio: read WAV: %w", err)
	}
	defer f.Close()
	c, err := ReadWAV(f)
	if err != nil {
		return Clip{}, fmt.Errorf("%w (%s)", err, path)
	}
	return c, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

type waveFormat struct {
	float                bool
	channels, rate, bits int
}

func (f *waveFormat) parse(b []byte) error {
	if len(b) < 16 {
		return fmt.Errorf("audio: read WAV: fmt chunk of %d bytes, want 16 or more", len(b))
	}
	tag := binary.LittleEndian.Uint16(b)
	f.channels = int(binary.LittleEndian.Uint16(b[2:]))
	rate := binary.LittleEndian.Uint32(b[4:])
	f.bits = int(binary.LittleEndian.Uint16(b[14:]))
	if tag == waveExtensible {
		if len(b) < 40 {
			return fmt.Errorf("audio: read WAV: extensible fmt chunk of %d bytes, want 40", len(b))
		}
		tag = binary.LittleEndian.Uint16(b[24:])
	}
	f.float = tag == waveFloat
	switch {
	case tag != wavePCM && tag != waveFloat:
		return fmt.Errorf("audio: read WAV: format %#04x, want PCM (1) or float (3)", tag)
	case f.float && f.bits != 32, f.bits != 8 && f.bits != 16 && f.bits != 24 && f.bits != 32:
		return fmt.Errorf("audio: read WAV: %d bits per sample, want 8, 16, 24, 32 or float 32", f.bits)
	case f.channels < 1 || f.channels > 64:
		return fmt.Errorf("audio: read WAV: %d channels, want 1 to 64", f.channels)
	case rate < 1000 || rate > 384000:
		return fmt.Errorf("audio: read WAV: rate of %d Hz, want 1000 to 384000", rate)
	}
	f.rate = int(rate)
	return nil
}

func (f *waveFormat) read(r io.Reader, size int64) ([]int16, error) {
	width := f.bits / 8
	frame := make([]byte, width*f.channels)
	// A recorder that was killed leaves 0 or the maximum as size: then the end of the file is the end of the
	// sound.
	open := size == 0 || size >= math.MaxUint32-64
	var samples []int16
	for n := int64(0); open || n+int64(len(frame)) <= size; n += int64(len(frame)) {
		if n > maxWAV {
			return nil, fmt.Errorf("audio: read WAV: more than %d MB of samples", maxWAV>>20)
		}
		if _, err := io.ReadFull(r, frame); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				break
			}
			return nil, fmt.Errorf("audio: read WAV: samples: %w", err)
		}
		var sum float64
		for c := range f.channels {
			sum += f.sample(frame[c*width:])
		}
		samples = append(samples, clip16(float32(sum/float64(f.channels))))
	}
	return samples, nil
}

// sample returns the first sample of b in the range of 16 bits.
func (f *waveFormat) sample(b []byte) float64 {
	switch {
	case f.float:
		v := float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
		if math.IsNaN(v) {
			return 0
		}
		return max(-32768, min(32767, v*32768))
	case f.bits == 8:
		return float64(int(b[0])-128) * 256
	case f.bits == 16:
		return float64(int16(binary.LittleEndian.Uint16(b)))
	case f.bits == 24:
		return float64(int32(uint32(b[0])<<8|uint32(b[1])<<16|uint32(b[2])<<24)) / 65536
	}
	return float64(int32(binary.LittleEndian.Uint32(b))) / 65536
}

// WriteWAV writes samples as a WAVE file of 16 bits and one channel.
func WriteWAV(w io.Writer, samples []int16, rate int) error {
	b := make([]byte, wavHeaderLen+2*len(samples))
	wavHeader(b, rate, 2*len(samples))
	for i, v := range samples {
		binary.LittleEndian.PutUint16(b[wavHeaderLen+2*i:], uint16(v))
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("audio: write WAV: %w", err)
	}
	return nil
}

const wavHeaderLen = 44

func wavHeader(b []byte, rate, dataLen int) {
	le := binary.LittleEndian
	copy(b, "RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00")
	le.PutUint32(b[4:], uint32(min(36+int64(dataLen), math.MaxUint32)))
	le.PutUint32(b[24:], uint32(rate))
	le.PutUint32(b[28:], uint32(2*rate))
	le.PutUint16(b[32:], 2)
	le.PutUint16(b[34:], 16)
	copy(b[36:], "data")
	le.PutUint32(b[40:], uint32(min(int64(dataLen), math.MaxUint32)))
}

// WAVWriter writes a WAVE file of 16 bits and one channel as the samples come; Close puts the lengths into
// the header.
type WAVWriter struct {
	w    io.WriteSeeker
	rate int
	n    int
	buf  []byte
}

// NewWAVWriter starts a file of the given rate in Hz on w.
func NewWAVWriter(w io.WriteSeeker, rate int) (*WAVWriter, error) {
	var head [wavHeaderLen]byte
	wavHeader(head[:], rate, 0)
	if _, err := w.Write(head[:]); err != nil {
		return nil, fmt.Errorf("audio: write WAV: %w", err)
	}
	return &WAVWriter{w: w, rate: rate, buf: make([]byte, 0, 32<<10)}, nil
}

// Write appends samples.
func (w *WAVWriter) Write(samples []int16) error {
	for _, v := range samples {
		if len(w.buf)+2 > cap(w.buf) {
			if err := w.flush(); err != nil {
				return err
			}
		}
		w.buf = binary.LittleEndian.AppendUint16(w.buf, uint16(v))
	}
	return nil
}

func (w *WAVWriter) flush() error {
	if _, err := w.w.Write(w.buf); err != nil {
		return fmt.Errorf("audio: write WAV: %w", err)
	}
	w.n += len(w.buf)
	w.buf = w.buf[:0]
	return nil
}

// Close writes what is left and the header; it does not close the writer below.
func (w *WAVWriter) Close() error {
	if err := w.flush(); err != nil {
		return err
	}
	var head [wavHeaderLen]byte
	wavHeader(head[:], w.rate, w.n)
	if _, err := w.w.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("audio: write WAV: %w", err)
	}
	if _, err := w.w.Write(head[:]); err != nil {
		return fmt.Errorf("audio: write WAV: %w", err)
	}
	return nil
}
