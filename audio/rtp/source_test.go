package rtp

import (
	"testing"
	"time"
)

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// judge feeds packets to a Source and holds its answers against what is wanted.
type judge struct {
	*testing.T
	Source
}

func (j *judge) step(ssrc uint32, number uint16, at int, event, want bool) (seq int64) {
	j.Helper()
	seq, ok := j.Admit(ssrc, number, 160*uint32(int16(number)), ms(at), event)
	if ok != want {
		j.Errorf("ssrc %d, number %d at %d ms: admitted %v, want %v", ssrc, number, at, ok, want)
	}
	return seq
}

func TestSource(t *testing.T) {
	r := &judge{T: t}
	r.step(1, 65534, 0, false, true)
	r.step(1, 65535, 20, false, true)
	if seq := r.step(1, 1, 40, false, true); seq != 65537 { // 0 is missing
		t.Errorf("behind the wrap: %d, want 65537", seq)
	}
	if r.Lost() != 1 || r.expected() != 4 || r.interval() != 64 || r.interval() != 0 {
		t.Errorf("lost %d of %d, want 1 of 4", r.Lost(), r.expected())
	}
	if r.Lost() != 1 || r.Epoch() != 1 {
		t.Errorf("lost %d in %d epochs, want 1 in 1", r.Lost(), r.Epoch())
	}
}

// Two packets in sequence take no stream from one that goes on; a silence of 100 ms does, and it is given
// back.
func TestAnotherSource(t *testing.T) {
	r := &judge{T: t}
	r.step(1, 10, 0, false, true)
	for i := range 10 {
		r.step(2, uint16(50+i), 20*i+1, false, false)
		r.step(1, uint16(11+i), 20*i+20, false, true)
	}
	r.step(2, 60, 299, false, false)
	r.step(2, 61, 300, false, true)
	r.step(2, 62, 320, false, true)
	r.step(1, 30, 321, false, true) // the old one goes on
	r.step(2, 63, 340, false, false)
	r.step(1, 31, 341, false, true)
	r.step(2, 64, 440, false, false)
	r.step(2, 65, 441, false, true)
	r.step(1, 32, 460, false, true)
	if r.Epoch() != 5 || r.Lost() != 0 {
		t.Errorf("epoch %d, lost %d; want 5, 0", r.Epoch(), r.Lost())
	}
}

// Events may have an SSRC of their own: one beside each source, never two, and they leave the sound alone.
func TestEventsAside(t *testing.T) {
	r := &judge{T: t}
	r.step(1, 10, 0, false, true)
	for i := range 10 {
		r.step(2, uint16(900+i), 20*i+5, true, true)
		r.step(3, uint16(900+i), 20*i+6, true, false)
		r.step(1, uint16(11+i), 20*i+20, false, true)
	}
	if !r.Hears(1) || !r.Hears(2) || r.Hears(3) || r.Epoch() != 1 || r.Lost() != 0 || r.expected() != 11 {
		t.Errorf("epoch %d, lost %d of %d; want 1, 0 of 11", r.Epoch(), r.Lost(), r.expected())
	}
	r.step(4, 7, 400, false, true)
	r.step(3, 1, 410, true, true)
}

// An SSRC whose sound was refused does not send events alone.
func TestNoEventsOfAnotherVoice(t *testing.T) {
	r := &judge{T: t}
	r.step(1, 10, 0, false, true)
	r.step(2, 50, 5, false, false)
	r.step(2, 51, 6, true, false)
	r.step(3, 90, 7, true, true)
	r.step(3, 91, 8, false, false)
	r.step(3, 92, 9, true, false)
}

// What sent events before the voice began goes on doing so.
func TestEventsBeforeTheVoice(t *testing.T) {
	r := &judge{T: t}
	r.step(2, 900, 0, true, true)
	r.step(1, 10, 10, false, true)
	r.step(2, 901, 20, true, true)
	r.step(2, 902, 30, false, false)
	r.step(1, 11, 40, false, true)
}

// The bounds of a source's own numbers: in full flow, after a silence, and behind.
func TestSourceBounds(t *testing.T) {
	for _, c := range []struct {
		name   string
		number uint16
		at     int // ms; the packet before came at 0 under the number 1000
		ok     bool
		epoch  uint32
		lost   uint64
	}{
		{"next", 1001, 20, true, 1, 0},
		{"again", 1000, 20, true, 1, 0},
		{"last of a burst's loss", 1000 + maxLeap - 1, 99, true, 1, maxLeap - 2},
		{"leap", 1000 + maxLeap, 99, false, 1, 0},
		{"leap after a silence", 1000 + maxLeap, 100, true, 1, maxLeap - 1},
		{"a minute's outage", 1000 + maxDropout - 1, 60000, true, 1, maxDropout - 2},
		{"more than that", 1000 + maxDropout, 60000, true, 2, 0},
		{"late", 1000 - maxMisorder + 1, 20, true, 1, 0},
		{"too late", 1000 - maxMisorder, 20, false, 1, 0},
		{"too late after a silence", 1000 - maxMisorder, 100, true, 2, 0},
	} {
		r := &judge{T: t}
		r.step(1, 1000, 0, false, true)
		seq, ok := r.Admit(1, c.number, 160*uint32(c.number), ms(c.at), false)
		if ok != c.ok || ok && seq != int64(c.number) || r.Epoch() != c.epoch || r.Lost() != c.lost {
			t.Errorf("%s: %v as %d, epoch %d, lost %d; want %v, epoch %d, lost %d",
				c.name, ok, seq, r.Epoch(), r.Lost(), c.ok, c.epoch, c.lost)
		}
	}
}

// A source that starts over is believed with its second packet; what one epoch lost stays counted.
func TestSourceStartsOver(t *testing.T) {
	r := &judge{T: t}
	r.step(1, 10, 0, false, true)
	r.step(1, 12, 20, false, true)
	r.step(1, 40000, 40, false, false)
	r.step(1, 40001, 60, false, true)
	if r.Epoch() != 2 || r.Lost() != 1 {
		t.Errorf("epoch %d, lost %d; want 2, 1", r.Epoch(), r.Lost())
	}
}

// A sender that sets its numbers back while its time stamps go on loses two packets at most, by however few it sets
// them back; packets that were overtaken by others are late all the same.
func TestSourceNumbersAnew(t *testing.T) {
	for _, back := range []int{1, 2, 5, 50, 99, 100, 199, 300, 1000} {
		r := &judge{T: t}
		lost, number := 0, 5000
		for i := range 100 {
			if number++; i == 50 {
				number -= back
			}
			if _, ok := r.Admit(1, uint16(number), uint32(160*i), ms(20*i), false); !ok {
				lost++
			}
		}
		if lost > 1 || back > 2 && r.Epoch() != 2 {
			t.Errorf("%d back: %d packets lost, epoch %d", back, lost, r.Epoch())
		}
	}
	r := &judge{T: t}
	for i, number := range []uint16{1, 5, 2, 3, 4, 6, 10, 8, 7, 9} {
		r.step(1, number, 20*i, false, true)
	}
	if r.Epoch() != 1 {
		t.Errorf("packets that were overtaken began epoch %d", r.Epoch())
	}
}

// Some gateways number events apart from the sound: all of them pass, and the sound's numbers go on
// undisturbed.
func TestEventsNumberedApart(t *testing.T) {
	r := &judge{T: t}
	for i := range 10 {
		r.step(1, uint16(i), 20*i, false, true)
		r.step(1, uint16(30000+i), 20*i+10, true, true)
	}
	if r.Epoch() != 1 || r.Lost() != 0 || r.expected() != 10 {
		t.Errorf("epoch %d, lost %d of %d; want 1, 0 of 10", r.Epoch(), r.Lost(), r.expected())
	}
}

// Behind a new address a new source is believed at once, and an old one goes on where it stood.
func TestWelcome(t *testing.T) {
	r := &judge{T: t}
	r.step(1, 10, 0, false, true)
	r.Welcome()
	r.step(1, 11, 20, false, true)
	r.step(2, 500, 30, false, false)
	r.Welcome()
	r.step(2, 7, 40, false, true)
	r.step(3, 7, 41, false, false)
	if r.Epoch() != 2 {
		t.Errorf("epoch %d, want 2", r.Epoch())
	}
}

// RFC 3550, 6.4.1: transit that alternates by D converges to D; a pause, a leap of time stamps and duplicates
// in time leave it.
func TestJitter(t *testing.T) {
	var r Source
	stamp := uint32(0xfffff000) // wraps
	for i := range 300 {
		r.Timed(stamp, ms(20*i+4*(i%2)), 8000)
		stamp += 160
	}
	if j := r.Jitter(); j < 3900*time.Microsecond || j > 4100*time.Microsecond {
		t.Errorf("%v, want 4 ms", j)
	}
	before := r.Jitter()
	r.Timed(stamp+1<<30, ms(6000), 8000)
	r.Timed(stamp+160, ms(6020), 8000)
	r.Timed(stamp+320, ms(9000), 8000)
	if r.Jitter() != before {
		t.Errorf("%v after leaps, want %v", r.Jitter(), before)
	}
}
