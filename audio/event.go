package audio

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// Digit is one key press of the far end.
type Digit struct {
	Rune     rune          // 0-9, *, #, A-D
	At       time.Duration // when it was first heard, on the clock of Monotonic
	Duration time.Duration // as far as known at that moment: long for a press whose end alone arrived
	InBand   bool          // heard in the sound, not as an RFC 4733 event
	Stream   int           // 0 or 1: which of the far end's two streams of events; 0 if InBand
	Unasked  uint8         // the payload type of an event that was never negotiated; 0: it was
}

const eventDigits = "0123456789*#ABCD" // event codes 0 to 15, RFC 4733 table 3

// telephoneEvent is the payload of RFC 4733, section 2.3:
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     event     |E|R| volume    |          duration             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type telephoneEvent struct {
	event    uint8
	end      bool
	volume   uint8 // -dBm0
	duration uint16
}

func (e telephoneEvent) put(b []byte) int {
	b[0], b[1] = e.event, e.volume&0x3f
	if e.end {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], e.duration)
	return 4
}

func parseTelephoneEvent(b []byte) (telephoneEvent, bool) {
	if len(b) < 4 {
		return telephoneEvent{}, false
	}
	return telephoneEvent{b[0], b[1]&0x80 != 0, b[1] & 0x3f, binary.BigEndian.Uint16(b[2:])}, true
}

// The timing of digits sent, in blocks of 10 ms; Q.24 asks for at least 40 ms of tone and of pause.
const (
	digitTone  = 10
	digitGap   = 6
	eventEvery = 2  // blocks between two packets of an event
	eventSends = 3  // of the first and of the last packet, RFC 4733, 2.5.1.4
	eventLevel = 10 // -dBm0
	maxQueued  = 64
)

// eventSender plays the queue of digits.
type eventSender struct {
	queue []byte
	at    int    // blocks since the digit began
	start uint32 // its time stamp
}

func (q *eventSender) push(digits string) error {
	for _, d := range strings.ToUpper(digits) {
		if !strings.ContainsRune(eventDigits, d) {
			return fmt.Errorf("audio: send digits %q: %q is none of %s", digits, d, eventDigits)
		}
	}
	if len(q.queue)+len(digits) > maxQueued {
		return fmt.Errorf("audio: send digits %q: more than %d would wait", digits, maxQueued)
	}
	q.queue = append(q.queue, strings.ToUpper(digits)...)
	return nil
}

func (q *eventSender) active() bool { return len(q.queue) > 0 }

// next moves on by one block and tells the packet to send in it and how often (0: none). unit is a block in
// RTP clock units.
func (q *eventSender) next(unit int) (e telephoneEvent, times int) {
	q.at++
	e = telephoneEvent{
		event: uint8(strings.IndexByte(eventDigits, q.queue[0])), volume: eventLevel,
		duration: uint16(min(q.at, digitTone) * unit),
	}
	switch past := q.at - digitTone; {
	case q.at == 1:
		times = eventSends
	case past >= 0:
		e.end = true
		if past%eventEvery == 0 && past/eventEvery < eventSends {
			times = 1
		}
		if past == digitGap {
			q.queue = append(q.queue[:0], q.queue[1:]...)
			q.at = 0
		}
	case q.at%eventEvery == 0:
		times = 1
	}
	return e, times
}
