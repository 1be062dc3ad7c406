package audio

import (
	"testing"
)

// The decision values of G.711: table 1a/1b (A-law, 13 bits: segments of 32, 16, 16 ... steps) and 2a/2b
// (mu-law, 14 bits), as (first decision value, step) of each segment of 16 steps, scaled to 16 bits.
var (
	alawSegments = [][2]int{{0, 16}, {256, 16}, {512, 32}, {1024, 64}, {2048, 128}, {4096, 256},
		{8192, 512}, {16384, 1024}}
	// Scaled by 4: decision values 0, 1, 3, 5 ... 31, 35 ... of table 2a; the first step is half as wide.
	ulawSegments = [][2]int{{-4, 8}, {124, 16}, {380, 32}, {892, 64}, {1916, 128}, {3964, 256},
		{8060, 512}, {16252, 1024}}
)

// position counts the steps below a magnitude and returns the step's middle.
func position(segments [][2]int, v int) (n, mid int) {
	for s := len(segments) - 1; s >= 0; s-- {
		first, step := segments[s][0], segments[s][1]
		if v >= first {
			k := min((v-first)/step, 15)
			return 16*s + k, first + k*step + step/2
		}
	}
	return 0, 0
}

func TestG711AllSamples(t *testing.T) {
	for v := -32768; v <= 32767; v++ {
		magnitude, sign := v, byte(0x80)
		if v < 0 {
			magnitude, sign = ^v, 0
		}
		// The converters drop the bits below 13 (12 and sign) and 14 first.
		n, mid := position(alawSegments, magnitude&^15)
		if got, want := alawEncode(int16(v)), (sign|byte(n))^0x55; got != want {
			t.Fatalf("A-law of %d: %#02x, want %#02x", v, got, want)
		}
		if got := int(alawTable[alawEncode(int16(v))]); got != mid && got != -mid || (got > 0) != (v >= 0) {
			t.Fatalf("A-law of %d decodes to %d, want +-%d", v, got, mid)
		}
		n, mid = position(ulawSegments, min(magnitude, 32635)&^3)
		if got, want := ulawEncode(int16(v)), ^((^sign & 0x80) | byte(n)); got != want {
			t.Fatalf("mu-law of %d: %#02x, want %#02x", v, got, want)
		}
		if got := int(ulawTable[ulawEncode(int16(v))]); got != mid && got != -mid {
			t.Fatalf("mu-law of %d decodes to %d, want +-%d", v, got, mid)
		}
	}
}

// Spot values typed from G.711's tables (character signals, decoder output values y_n, scaled to 16 bits).
func TestG711Table(t *testing.T) {
	for code, want := range map[byte]int16{0xd5: 8, 0x55: -8, 0xd4: 24, 0xaa: 32256, 0x2a: -32256, 0xc5: 264,
		0xf5: 528, 0x80: 5504} {
		if alawTable[code] != want {
			t.Errorf("A-law %#02x: %d, want %d", code, alawTable[code], want)
		}
	}
	for code, want := range map[byte]int16{0xff: 0, 0x7f: 0, 0xfe: 8, 0x7e: -8, 0x80: 32124, 0x00: -32124,
		0xef: 132, 0xdf: 396} {
		if ulawTable[code] != want {
			t.Errorf("mu-law %#02x: %d, want %d", code, ulawTable[code], want)
		}
	}
}

func TestG711AllCodes(t *testing.T) {
	for i := range 256 {
		c := byte(i)
		if got := alawEncode(alawTable[c]); got != c {
			t.Errorf("A-law %#02x: %d encodes to %#02x", c, alawTable[c], got)
		}
		want := c
		if c == 0x7f {
			want = 0xff // minus zero
		}
		if got := ulawEncode(ulawTable[c]); got != want {
			t.Errorf("mu-law %#02x: %d encodes to %#02x", c, ulawTable[c], got)
		}
	}
}

func TestCodecByName(t *testing.T) {
	for name, want := range map[string]*Codec{"pcmu": PCMU, "PCMA": PCMA, "g722": G722,
		"opus": nil, "": nil} {
		if got := CodecByName(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
	for _, c := range Codecs() {
		pcm, payload := make([]int16, c.SampleRate/50), make([]byte, 1000)
		if n := c.NewEncoder().Encode(payload, pcm); n != c.ClockRate/50 {
			t.Errorf("%s: 20 ms in %d octets, want %d", c.Name, n, c.ClockRate/50)
		}
		if n := c.NewDecoder().Decode(pcm, payload[:c.ClockRate/50]); n != len(pcm) {
			t.Errorf("%s: 20 ms out in %d samples, want %d", c.Name, n, len(pcm))
		}
	}
}
