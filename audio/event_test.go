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
