package g722

import (
	"math"
	"math/rand/v2"
	"testing"
)

// babble is noise that a resonance gliding between 300 and 1500 Hz shapes, in syllables: n samples at 16 kHz.
func babble(n int, seed uint64) []int16 {
	r, pcm := rand.New(rand.NewPCG(seed, 1)), make([]int16, n)
	var y1, y2 float64
	for i := range pcm {
		t := float64(i) / 16000
		c := 2 * 0.97 * math.Cos(2*math.Pi*(900+600*math.Sin(2*math.Pi*1.3*t))/16000)
		y := 300*r.NormFloat64() + c*y1 - 0.97*0.97*y2
		y1, y2 = y, y1
		pcm[i] = int16(max(-32000, min(32000, y*math.Exp2(2*math.Sin(2*math.Pi*2.1*t)))))
	}
	return pcm
}

const packet = 160 // octets

// after decodes with three packets of every twenty lost and returns the error of the first one behind each
// loss against what a decoder without loss hears, in dB of the signal. The decoder is led by sound, if there
// is any: at 0 begins what a decoder without loss hears.
func after(t *testing.T, payload []byte, whole, sound []int16) float64 {
	t.Helper()
	d, pcm := NewDecoder(), make([]int16, 2*packet)
	var signal, failure float64
	for i := 0; i+packet <= len(payload); i += packet {
		k := i / packet % 20
		if k >= 17 {
			continue
		}
		if k == 0 && i > 0 && sound != nil {
			d.Lead(sound[2*(i-3*packet):2*i], sound[2*i:2*i+80])
		}
		d.Decode(pcm, payload[i:i+packet])
		if k != 0 || i == 0 {
			continue
		}
		for j, v := range pcm {
			w := float64(whole[2*i+j])
			signal, failure = signal+w*w, failure+(w-float64(v))*(w-float64(v))
		}
	}
	return 10 * math.Log10(failure/signal)
}

// Led by what was said, the decoder is where it would be; led by something else of the same kind, it still
// finds back to scale sooner than by itself.
func TestLead(t *testing.T) {
	pcm := babble(20*16000, 1)
	payload, whole := make([]byte, len(pcm)/2), make([]int16, len(pcm))
	NewEncoder().Encode(payload, pcm)
	NewDecoder().Decode(whole, payload)
	alone := after(t, payload, whole, nil)
	truth := after(t, payload, whole, whole)
	other := after(t, payload, whole, babble(len(pcm), 2))
	t.Logf("error of the first packet: %.1f dB alone, %.1f led by the truth, %.1f by its like",
		alone, truth, other)
	if truth > alone-8 || other > alone-1.5 {
		t.Error("too much: want 8 dB less than alone when led by the truth, and 1.5 dB less by its like")
	}
}

// A sound too short to tell anything changes nothing, and a lost packet of any sound leaves a decoder that
// decodes.
func TestLeadEdges(t *testing.T) {
	payload := read(t, "sound.g722")
	d, want, got := NewDecoder(), make([]int16, 2*len(payload)), make([]int16, 2*len(payload))
	NewDecoder().Decode(want, payload)
	d.Lead(nil, make([]int16, 80))
	d.Lead(make([]int16, 1), make([]int16, 80))
	d.Lead(make([]int16, 320), make([]int16, filters-1))
	d.Decode(got, payload)
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("sample %d is %d, want %d", i, got[i], want[i])
		}
	}
	loud := make([]int16, 961)
	for i := range loud {
		loud[i] = int16(32767 - i&8*8191)
	}
	for _, n := range []int{1, 2, 7, 160} {
		d.Lead(loud, loud[:filters])
		d.Lead(loud[:319], loud)
		d.Decode(nil, payload[:n]) // no room: the next one is still the first
		if d.led != 961+319 {
			t.Errorf("%d samples of loss are remembered, want %d", d.led, 961+319)
		}
		if k := d.Decode(got, payload[:n]); k != 2*n || d.led != 0 {
			t.Errorf("%d octets gave %d samples, %d samples of loss are remembered", n, k, d.led)
		}
		for i, b := range []*band{&d.low, &d.high} {
			if b.nb < 0 || b.nb > limitHigh || b.a2 < -12288 || b.a2 > 12288 ||
				b.a1 > 15360-b.a2 || b.a1 < b.a2-15360 {
				t.Errorf("band %d is out of bounds: %+v", i, *b)
			}
		}
	}
}

func TestLeadAllocs(t *testing.T) {
	payload, pcm, d := read(t, "sound.g722")[:packet], make([]int16, 960), NewDecoder()
	if n := testing.AllocsPerRun(100, func() {
		d.Lead(pcm, pcm[:80])
		d.Decode(pcm[:2*packet], payload)
	}); n != 0 {
		t.Errorf("%g allocations per loss", n)
	}
}

// The first packet behind a loss of 60 ms or more.
func BenchmarkLead60msDecode20ms(b *testing.B) {
	payload, lost, pcm, d := read(b, "all.g722")[:packet], babble(1040, 1), make([]int16, 320), NewDecoder()
	b.ReportAllocs()
	for b.Loop() {
		d.Lead(lost[:960], lost[960:])
		d.Decode(pcm, payload)
	}
}
