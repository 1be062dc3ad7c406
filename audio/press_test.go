package audio

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// sentPacket is a packet of an event as a sender puts it on the wire, the time in ms.
type sentPacket struct {
	event    uint8
	ts       uint32
	duration uint16
	end      bool
	number   uint16
	at       int
	fresh    bool // a press not seen before
}

// Each way in which a sender marks a press, and how many presses are in it.
func TestEventReceiver(t *testing.T) {
	for name, packets := range map[string][]sentPacket{
		"one press": {{5, 1000, 160, false, 1, 0, true}, {5, 1000, 320, false, 2, 20, false},
			{5, 1000, 800, true, 3, 80, false}, {5, 1000, 800, true, 4, 100, false}},
		"only an end": {{5, 1000, 800, true, 1, 0, true}, {5, 1000, 800, true, 2, 50, false}},
		"same digit twice": {{5, 1000, 800, true, 1, 0, true}, {5, 2280, 160, false, 5, 160, true},
			{5, 2280, 800, true, 6, 240, false}},
		"same digit after less than a pause": {{5, 1000, 800, true, 1, 0, true},
			{5, 1900, 160, false, 2, 39, false}, {5, 1900, 320, false, 3, 59, false}},
		"pushed together by a stall": {{5, 1000, 160, false, 1, 900, true},
			{5, 1000, 800, true, 2, 900, false}, {5, 2120, 160, false, 6, 901, true},
			{5, 2120, 800, true, 7, 901, false}},
		"ends lost": {{5, 1000, 160, false, 1, 0, true}, {5, 1000, 640, false, 4, 60, false},
			{5, 2280, 160, false, 12, 160, true}},
		"old end late": {{5, 1000, 160, false, 1, 0, true}, {6, 2280, 160, false, 9, 160, true},
			{5, 1000, 800, true, 8, 170, false}},
		"old press late":      {{6, 2280, 160, false, 9, 160, true}, {5, 1000, 800, true, 3, 170, false}},
		"other digit at once": {{5, 1000, 800, true, 1, 0, true}, {6, 1800, 160, false, 2, 1, true}},
		"long press": {{5, 1000, 0xff80, false, 1, 0, true}, {5, 1000 + 0xff80, 160, false, 2, 20, false},
			{5, 1000 + 0xff80, 4000, true, 3, 500, false}},
		"long press, boundary lost": {{5, 1000, 0xf000, false, 1, 0, true},
			{5, 1000 + 0xffff, 160, false, 9, 520, false}},
		"moving time stamp": {{5, 1000, 160, false, 1, 0, true}, {5, 1160, 320, false, 2, 20, false},
			{5, 1320, 480, false, 3, 40, false}, {5, 1480, 480, true, 4, 60, false}},
		"moving time stamp without durations": {{5, 1000, 0, false, 1, 0, true},
			{5, 1160, 0, false, 2, 20, false},
			{5, 1320, 0, false, 3, 40, false}},
		"wrap": {{5, 0xffffff00, 800, true, 65535, 0, true}, {5, 0x500, 800, true, 3, 160, true},
			{5, 0xffffff00, 800, true, 65535, 170, false}},
		"clock starts over": {{5, 40000, 800, true, 1, 0, true}, {5, 160, 160, false, 9, 300, true},
			{5, 160, 800, true, 10, 320, false}},
		"clock and numbers start over": {{5, 40000, 800, true, 30000, 0, true},
			{5, 160, 160, false, 1, 1300, true}, {6, 1600, 160, false, 9, 1500, true}},
		"one stamp for several keys": {{1, 1000, 160, false, 1, 0, true}, {1, 1000, 800, true, 2, 80, false},
			{2, 1000, 160, false, 3, 200, true}, {1, 1000, 800, true, 2, 201, false},
			{2, 1000, 800, true, 4, 280, false}, {1, 1000, 160, false, 5, 400, true}},
		"one stamp for a key twice": {{1, 1000, 160, false, 1, 0, true}, {1, 1000, 800, true, 2, 80, false},
			{1, 1000, 160, false, 3, 200, true}, {1, 1000, 320, false, 4, 220, false}},
		"one stamp for a key twice, no ends": {{1, 1000, 160, false, 1, 0, true},
			{1, 1000, 800, false, 2, 80, false}, {1, 1000, 160, false, 3, 200, true}},
		"ends under later stamps": {{5, 1000, 800, false, 1, 0, true}, {5, 1000, 800, true, 2, 80, false},
			{5, 1160, 800, true, 3, 81, false}, {5, 1320, 800, true, 4, 82, false}},
		"short press, slow ends under far stamps": {{5, 1000, 320, true, 1, 0, true},
			{5, 1800, 320, true, 2, 60, false}, {5, 2600, 320, true, 3, 120, false}},
		"late end behind the next key": {{5, 1000, 800, true, 1, 0, true}, {6, 1800, 160, false, 4, 90, true},
			{5, 2000, 800, true, 2, 95, false}},
		"ends alone, longer than the pause between keys": {{1, 1000, 1600, true, 1, 0, true},
			{1, 1000, 1600, true, 2, 0, false}, {1, 1000, 1600, true, 3, 0, false},
			{1, 1800, 1600, true, 9, 100, true}, {1, 1800, 1600, true, 10, 100, false}},
		"ends 50 ms apart": {{5, 1000, 800, true, 1, 0, true}, {5, 1000, 800, true, 2, 50, false},
			{5, 1000, 800, true, 3, 100, false}},
		"numbers lag and step back": {{5, 1000, 800, true, 100, 0, true},
			{6, 2000, 160, false, 98, 100, true},
			{6, 2000, 320, false, 99, 120, false}, {7, 4000, 160, false, 97, 300, true}},
	} {
		var r eventReceiver
		for i, p := range packets {
			e := telephoneEvent{event: p.event, end: p.end, duration: p.duration}
			at := time.Duration(p.at) * time.Millisecond
			if got := r.take(e, p.number, p.ts, at, 8000); got != p.fresh {
				t.Errorf("%s: packet %d: new press %v, want %v", name, i, got, p.fresh)
			}
		}
	}
}

// habits are what a sender gets wrong.
type habits struct {
	oneStamp, movingStamp, lateEnds, noEnds, endsAlone bool
}

// send writes the packets of some keys, 100 ms each with a pause of 60 ms.
func (h habits) send(keys []byte) (out []sentPacket) {
	number, ts, at := uint16(65530), uint32(0xfffffc00), 0
	for _, k := range keys {
		for i := range 8 {
			p := sentPacket{event: k % 16, ts: ts, duration: uint16(160 * min(i+1, 5)), end: i >= 5,
				at: at + 20*min(i, 5)}
			switch {
			case h.movingStamp:
				p.ts += 160 * uint32(min(i, 4))
			case h.lateEnds && p.end:
				p.ts += 160 * uint32(i-5)
			}
			if !(h.noEnds && p.end) && !(h.endsAlone && !p.end) {
				p.number = number
				number++
				out = append(out, p)
			}
		}
		at += 160
		number += 3 // of sound
		if !h.oneStamp {
			ts += 1280
		}
	}
	return out
}

// FuzzEvents loses, repeats and delays the packets of senders with odd habits: never are there more presses
// than keys, and nothing lost means nothing missing.
func FuzzEvents(f *testing.F) {
	f.Add([]byte{1, 1, 2, 2, 11}, uint64(1), uint8(0), uint8(0))
	f.Add([]byte{1, 2, 3, 4, 11}, uint64(2), uint8(60), uint8(1))
	f.Add([]byte{5, 5, 5, 5, 5}, uint64(3), uint8(100), uint8(4))
	f.Add([]byte{1, 1, 1, 2, 1}, uint64(4), uint8(120), uint8(2))
	f.Fuzz(func(t *testing.T, keys []byte, seed uint64, loss, odd uint8) {
		if len(keys) > 40 {
			keys = keys[:40]
		}
		h := [...]habits{{}, {oneStamp: true}, {movingStamp: true}, {noEnds: true}, {lateEnds: true},
			{endsAlone: true}, {oneStamp: true, noEnds: true}}[odd%7]
		rnd := rand.New(rand.NewPCG(seed, 0))
		var wire []sentPacket
		for _, p := range h.send(keys) {
			delayed := p
			delayed.at += rnd.IntN(15)
			if uint8(rnd.IntN(256)) >= loss {
				wire = append(wire, delayed)
			}
			if loss > 0 && rnd.IntN(8) == 0 {
				wire = append(wire, delayed)
			}
		}
		slices.SortStableFunc(wire, func(a, b sentPacket) int { return a.at - b.at })
		var r eventReceiver
		presses := 0
		for _, p := range wire {
			e := telephoneEvent{event: p.event, end: p.end, duration: p.duration}
			if r.take(e, p.number, p.ts, time.Duration(p.at)*time.Millisecond, 8000) {
				presses++
			}
		}
		if presses > len(keys) {
			t.Errorf("%d presses of %d keys %v, %+v", presses, len(keys), keys, h)
		}
		if loss == 0 && presses != len(keys) {
			t.Errorf("%d presses of %d keys %v, %+v, without a loss", presses, len(keys), keys, h)
		}
	})
}
