package g722

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"testing"
)

func read(t testing.TB, name string) []byte {
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func samples(b []byte) []int16 {
	s := make([]int16, len(b)/2)
	for i := range s {
		s[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return s
}

func TestEncodeEqualsSpandsp(t *testing.T) {
	pcm, want := samples(read(t, "sound.pcm")), read(t, "sound.g722")
	got := make([]byte, len(want))
	e := NewEncoder()
	n := 0
	for len(pcm) > 0 { // in unequal pieces: the state carries over
		k := min(len(pcm), 2*(37+n%90))
		n += e.Encode(got[n:], pcm[:k])
		pcm = pcm[k:]
	}
	if n != len(want) || !bytes.Equal(got, want) {
		t.Fatalf("%d octets, want %d; first difference at %d", n, len(want), firstDiff(got, want))
	}
}

// spandsp 0.0.6 lets an overloaded output wrap around where the standard limits it: so the octets are
// compared ahead of the limit.
func TestDecodeEqualsSpandsp(t *testing.T) {
	for code, pcm := range map[string]string{"sound.g722": "sound.out", "all.g722": "noise.out"} {
		payload, want := read(t, code), samples(read(t, pcm))
		d, whole, piecewise := NewDecoder(), make([]int16, len(want)), NewDecoder()
		if n := NewDecoder().Decode(whole, payload); n != len(want) {
			t.Fatalf("%s: %d samples, want %d", code, n, len(want))
		}
		wrapped, piece := 0, make([]int16, 2)
		for i, octet := range payload {
			x0, x1 := d.octet(octet)
			if int16(x0) != want[2*i] || int16(x1) != want[2*i+1] {
				t.Fatalf("%s: octet %d gives %d %d, want %d %d", code, i, x0, x1, want[2*i], want[2*i+1])
			}
			if int32(whole[2*i]) != saturate(x0) || int32(whole[2*i+1]) != saturate(x1) {
				t.Fatalf("%s: octet %d is not limited: %d %d", code, i, whole[2*i], whole[2*i+1])
			}
			if piecewise.Decode(piece, payload[i:i+1]); piece[0] != whole[2*i] || piece[1] != whole[2*i+1] {
				t.Fatalf("%s: octet %d decoded alone differs", code, i)
			}
			if saturate(x0) != x0 || saturate(x1) != x1 {
				wrapped++
			}
		}
		if wrapped > len(payload)/10 {
			t.Errorf("%s: %d of %d octets overloaded: a poor vector", code, wrapped, len(payload))
		}
	}
}

func firstDiff(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return len(a)
}

func TestShortBuffers(t *testing.T) {
	if n := NewDecoder().Decode(make([]int16, 3), make([]byte, 10)); n != 2 {
		t.Errorf("decode into 3 samples wrote %d, want 2", n)
	}
	if n := NewEncoder().Encode(make([]byte, 1), make([]int16, 5)); n != 1 {
		t.Errorf("encode into 1 octet wrote %d, want 1", n)
	}
	if n := NewDecoder().Decode(nil, nil); n != 0 {
		t.Errorf("nothing in, %d out", n)
	}
}

// The quantiser's binary search must agree with the standard's linear one for every scale factor and
// difference.
func TestQuantiserSearch(t *testing.T) {
	for det := int32(32); det < 33000; det += 331 {
		for el := int32(-32768); el < 32768; el += 97 {
			magnitude := el
			if el < 0 {
				magnitude = ^el
			}
			i := 1
			for i < 30 && magnitude >= q6[i]*det>>12 {
				i++
			}
			want := ilp[i]
			if el < 0 {
				want = iln[i]
			}
			if got := quantiseLow(el, det); got != want {
				t.Fatalf("det %d el %d: %d, want %d", det, el, got, want)
			}
		}
	}
}

func BenchmarkEncode20ms(b *testing.B) {
	pcm, payload, e := make([]int16, 320), make([]byte, 160), NewEncoder()
	for i := range pcm {
		pcm[i] = int16(9000 * math.Sin(float64(i)))
	}
	b.ReportAllocs()
	for b.Loop() {
		e.Encode(payload, pcm)
	}
}

func BenchmarkDecode20ms(b *testing.B) {
	pcm, payload, d := make([]int16, 320), read(b, "all.g722")[:160], NewDecoder()
	b.ReportAllocs()
	for b.Loop() {
		d.Decode(pcm, payload)
	}
}
