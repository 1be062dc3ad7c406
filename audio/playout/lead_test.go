package playout

import (
	"slices"
	"testing"
	"time"

	"portero/audio/g722"
)

// follower is a decoder that keeps what it is led by.
type follower struct {
	*g722.Decoder
	lost, next [][]int16
}

func (f *follower) Lead(lost, next []int16) {
	f.lost, f.next = append(f.lost, slices.Clone(lost)), append(f.next, slices.Clone(next))
	f.Decoder.Lead(lost, next)
}

// A decoder with a memory is led once per loss: by the sound heard in place of the lost packets, 60 ms of
// it at most, and by how that goes on. Without a loss it is not led.
func TestLead(t *testing.T) {
	const n, count = 320, 200
	in, enc := hum(count*n, 16000), g722.NewEncoder()
	lost := map[int]int{60: 1, 90: 2, 120: 3, 130: 5} // packet -> packets
	var s []sent
	gone := 0
	for i := range count {
		at := float64(20*i) + 5
		p := wire{SSRC: 1, Seq: uint16(i), Timestamp: uint32(160 * i), Payload: make([]byte, 160),
			At: time.Duration(at * 1e6)}
		enc.Encode(p.Payload, in[i*n:(i+1)*n])
		if gone = max(gone-1, lost[i]); gone == 0 {
			s = append(s, sent{at, p})
		}
	}
	f := &follower{Decoder: g722.NewDecoder()}
	out := run(receive(16000, 8000, f), s, 16000, 20*count)
	if len(f.lost) != 4 {
		t.Fatalf("led %d times for 4 losses", len(f.lost))
	}
	for i, samples := range []int{n, 2 * n, 3 * n, 3 * n} {
		l, from := f.lost[i], []int{60, 90, 120, 132}[i]*n
		check(t, len(l) == samples, "loss %d: led by %d samples, want %d", i, len(l), samples)
		check(t, len(f.next[i]) == 80, "loss %d: %d samples go on, want 80", i, len(f.next[i]))
		found := false // the end of a loss may be blended with what follows
		for at := from; at < from+3*n && !found; at++ {
			found = slices.Equal(out[at:at+n/2], l[:n/2])
		}
		check(t, found && level(l) > 10,
			"loss %d: led by something else than what is heard, level %.0f", i, level(l))
		check(t, maxStep([]int16{l[len(l)-1], f.next[i][0]}) <= maxStep(l)+100,
			"loss %d: what goes on does not fit", i)
	}
}
