package audio

import (
	"bytes"
	"testing"
)

func TestTelephoneEventWire(t *testing.T) {
	var b [4]byte
	e := telephoneEvent{event: 11, end: true, volume: 10, duration: 1200}
	if n := e.put(b[:]); n != 4 || !bytes.Equal(b[:], []byte{0x0b, 0x8a, 0x04, 0xb0}) {
		t.Errorf("% x", b)
	}
	if got, ok := parseTelephoneEvent(b[:]); !ok || got != e {
		t.Errorf("%+v", got)
	}
	for n := range 4 {
		if _, ok := parseTelephoneEvent(b[:n]); ok {
			t.Errorf("%d bytes accepted", n)
		}
	}
}

func TestEventReceiver(t *testing.T) {
	type packet struct {
		event    uint8
		ts       uint32
		duration uint16
		end      bool
		fresh    bool
	}
	for name, packets := range map[string][]packet{
		"one press": {{5, 1000, 160, false, true}, {5, 1000, 320, false, false},
			{5, 1000, 800, true, false}, {5, 1000, 800, true, false}},
		"only an end": {{5, 1000, 800, true, true}, {5, 1000, 800, true, false}},
		"same digit twice": {{5, 1000, 800, true, true}, {5, 2280, 160, false, true},
			{5, 2280, 800, true, false}},
		"ends lost": {{5, 1000, 160, false, true}, {5, 1000, 640, false, false},
			{5, 2280, 160, false, true}},
		"old end late": {{5, 1000, 160, false, true}, {6, 2280, 160, false, true},
			{5, 1000, 800, true, false}},
		"other digit at once": {{5, 1000, 800, true, true}, {6, 1800, 160, false, true}},
		"long press": {{5, 1000, 0xff80, false, true}, {5, 1000 + 0xff80, 160, false, false},
			{5, 1000 + 0xff80, 4000, true, false}},
		"long press, boundary lost": {{5, 1000, 0xf000, false, true}, {5, 1000 + 0xffff, 160, false, false}},
		"moving time stamp": {{5, 1000, 160, false, true}, {5, 1160, 320, false, false},
			{5, 1320, 480, false, false}, {5, 1480, 480, true, false}},
		"wrap": {{5, 0xffffff00, 800, true, true}, {5, 0x500, 800, true, true},
			{5, 0xffffff00, 800, true, false}},
		"sender starts over": {{5, 0x40000000, 800, true, true}, {5, 160, 800, true, true}},
	} {
		var r eventReceiver
		for i, p := range packets {
			e := telephoneEvent{event: p.event, end: p.end, duration: p.duration}
			if got := r.take(e, p.ts, 8000); got != p.fresh {
				t.Errorf("%s: packet %d: new %v", name, i, got)
			}
		}
	}
}

// RFC 4733, 2.5.1: starts with the elapsed duration, one time stamp for all, the end three times with the
// same duration.
func TestEventSender(t *testing.T) {
	var q eventSender
	if err := q.push("5#"); err != nil {
		t.Fatal(err)
	}
	type sent struct {
		at    int
		e     telephoneEvent
		times int
	}
	var got []sent
	blocks := 0
	for ; q.active() && blocks < 100; blocks++ {
		if e, n := q.next(80); n > 0 {
			got = append(got, sent{blocks, e, n})
		}
	}
	press := func(at int, event uint8) []sent {
		e := func(duration uint16, end bool) telephoneEvent {
			return telephoneEvent{event: event, end: end, volume: 10, duration: duration}
		}
		return []sent{
			{at, e(80, false), 3}, {at + 1, e(160, false), 1}, {at + 3, e(320, false), 1},
			{at + 5, e(480, false), 1}, {at + 7, e(640, false), 1},
			{at + 9, e(800, true), 1}, {at + 11, e(800, true), 1}, {at + 13, e(800, true), 1},
		}
	}
	want := append(press(0, 5), press(16, 11)...)
	if len(got) != len(want) {
		t.Fatalf("%d packets, want %d: %v", len(got), len(want), got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("packet %d: %+v, want %+v", i, got[i], want[i])
		}
	}
	if blocks != 2*(digitTone+digitGap) {
		t.Errorf("two digits took %d blocks", blocks)
	}
}
