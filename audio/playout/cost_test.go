package playout

import (
	"testing"
	"time"
	"unsafe"

	"portero/audio/g722"
)

func TestMemory(t *testing.T) {
	n := unsafe.Sizeof(Buffer{})
	t.Logf("%d bytes", n)
	check(t, n <= 64*1024, "a Buffer takes %d bytes", n)
}

// load runs one 20 ms packet and two Gets per call, every 25th packet missing.
func load(b *Buffer, rate int) func() {
	payload := tone(0, 20*rate/1000, rate, 300)
	pcm := make([]int16, rate/100)
	i := 0
	return func() {
		now := time.Duration(i) * 20 * time.Millisecond
		if i%25 != 24 {
			b.Put(Packet{Seq: int64(i), Timestamp: uint32(i * len(payload) / 2), Payload: payload, At: now})
		}
		b.Get(pcm, now)
		b.Get(pcm, now+10*time.Millisecond)
		i++
	}
}

func TestAllocs(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		step := load(New(Config{Rate: rate, ClockRate: rate}, l16{}), rate)
		if n := testing.AllocsPerRun(1000, step); n != 0 {
			t.Errorf("%d Hz: %g allocations per packet", rate, n)
		}
	}
}

func BenchmarkBuffer(b *testing.B) {
	for _, c := range []struct {
		name string
		rate int
	}{{"8k", 8000}, {"16k", 16000}} {
		b.Run(c.name, func(b *testing.B) {
			step := load(New(Config{Rate: c.rate, ClockRate: c.rate}, l16{}), c.rate)
			b.ReportAllocs()
			for b.Loop() {
				step() // 20 ms of sound, 4 % of it concealed
			}
		})
	}
}

// FuzzBuffer feeds arbitrary packets between arbitrary pulls.
func FuzzBuffer(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 0, 0, 20, 0, 1, 0, 1, 0, 160, 0, 20, 2})
	f.Add([]byte{1, 0, 0, 0, 160, 0, 160, 2, 2, 0, 1, 8, 64, 0, 160, 2, 7})
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, in []byte) {
		b := New(Config{Rate: 8000, ClockRate: 8000}, l16{})
		if len(in)%2 == 1 {
			b = New(Config{Rate: 16000, ClockRate: 8000}, g722.NewDecoder())
		}
		var payload [1600]byte
		out := make([]int16, 480)
		var seq uint16
		var ts uint32
		var now time.Duration
		for ; len(in) >= 8; in = in[8:] {
			seq += uint16(int8(in[0])) + uint16(in[1]&1)<<14
			ts += uint32(int8(in[2]))<<(in[3]&31) + uint32(in[4])
			size := (int(in[5])<<8 | int(in[6])) % len(payload)
			for i := range size {
				payload[i] = in[i%8] * byte(i)
			}
			b.Put(Packet{Epoch: uint32(in[1] >> 6), Seq: int64(seq), Timestamp: ts,
				Payload: payload[:size], At: now})
			switch {
			case in[7] < 200:
				for range in[7] & 3 {
					b.Get(out[:80], now)
					now += 10 * time.Millisecond
				}
			case in[7] < 220:
				b.Get(out[:in[6]], now)
			case in[7] < 240:
				now += time.Duration(in[6]) << (in[7] & 31)
				b.Get(out, now)
			default:
				b.SetDecoder(l16{}, Config{Rate: 8000 << (in[7] & 1), ClockRate: 8000})
			}
		}
		b.Stats()
	})
}
