package audio

import "time"

// press is one key press as far as its packets have told.
type press struct {
	event    uint8
	start    uint32 // time stamp
	length   uint32 // units from start on that its packets have claimed
	duration uint16 // of its newest packet
	number   uint16 // of its newest packet, RTP's sequence number
	stamp    uint32 // of its newest packet
	ended    bool
	ends     int           // packets with the E bit
	at       time.Duration // when the last of its packets came
}

// eventReceiver turns the telephone-events of one SSRC into key presses. By RFC 4733, 2.5.1.2, all packets of
// a press bear the time stamp of its start. Many senders get that wrong: one stamp for several keys, another
// one in every packet or in the ends, a clock that starts anew. So a press is known by its event, by the
// order of the packets' numbers, and by the overlap of stamp and duration. In doubt there are fewer presses.
type eventReceiver struct {
	known   int      // of presses
	presses [4]press // the latest first
	number  uint16   // the newest
}

const (
	eventPause   = 40 * time.Millisecond // between two presses of a key: Q.24's shortest pause
	eventLate    = time.Second           // a packet that is older by number and stamp is no later than that
	endsWithin   = 120 * time.Millisecond
	eventSegment = 0xe000 // units from which on a press may go on under a new time stamp, RFC 4733, 2.5.1.3
)

// arrival is a packet of an event.
type arrival struct {
	telephoneEvent
	number uint16 // RTP's sequence number
	stamp  uint32
	at     time.Duration
	pause  uint32 // eventPause in units of the stamps
	newer  bool   // than all before it
}

// take reports whether the packet belongs to a press not seen before. number is its sequence number, hz the
// clock rate of its time stamp.
func (r *eventReceiver) take(e telephoneEvent, number uint16, ts uint32, at time.Duration, hz int) bool {
	a := arrival{e, number, ts, at, uint32(hz) * uint32(eventPause/time.Millisecond) / 1000,
		r.known == 0 || int16(number-r.number) > 0}
	defer r.count(a)
	for i := range r.presses[:r.known] {
		if p := &r.presses[i]; p.event == e.event && p.holds(a) {
			p.extend(a)
			return false
		}
	}
	if r.known > 0 && !a.newer {
		last := &r.presses[0]
		if int32(ts-last.start) <= 0 && at-last.at < eventLate {
			return false // of a press that the ones since have hidden
		}
	}
	copy(r.presses[1:], r.presses[:])
	r.presses[0] = press{event: e.event, start: ts, stamp: ts, number: number, at: at}
	r.presses[0].extend(a)
	r.known = min(r.known+1, len(r.presses))
	return true
}

func (r *eventReceiver) count(a arrival) {
	// A number far behind is that of a sender that started over.
	if a.newer || int16(a.number-r.number) < -eventsMisordered {
		r.number = a.number
	}
}

const eventsMisordered = 100 // packets, as RFC 3550, A.1, suggests

// holds reports whether a packet of the same event is one of the press.
func (p *press) holds(a arrival) bool {
	ahead := int32(a.stamp - p.start)
	overlaps := ahead >= 0 && uint32(ahead) <= p.length || ahead < 0 && ahead+int32(a.duration) >= 0
	if !p.ended && a.duration > p.duration && ahead > 0 {
		// Stamps that move with the packets mark the end of what the duration says.
		overlaps = overlaps || uint32(ahead) <= p.length+uint32(a.duration)
	}
	paused := a.at-p.at >= eventPause
	switch {
	case p.repeatsEnd(a):
		return true
	case overlaps: // another press within what the last one claimed: it begins again, or under another stamp
		begins := !p.ended && !a.end && a.duration < p.duration || p.ended && (!a.end || a.stamp != p.stamp)
		return !begins || !a.newer || !paused
	case a.end && !a.newer && a.at-p.at < eventLate:
		return true
	case !p.ended && ahead >= eventSegment && ahead <= int32(p.length)+0x10000-eventSegment &&
		p.length >= eventSegment:
		return true // a long press goes on as a new segment; the one between was lost
	}
	// Packets that a stall has pushed together still tell by their stamps that the key was released.
	released := !a.end && ahead > 0 && uint32(ahead)-p.length >= a.pause
	return !paused && !released
}

// repeatsEnd knows the two repeats of a last packet (RFC 4733, 2.5.1.4) under whatever time stamp.
func (p *press) repeatsEnd(a arrival) bool {
	next := a.number - p.number
	return a.end && p.ended && a.duration == p.duration && next >= 1 && next < eventSends &&
		p.ends < eventSends && a.at-p.at < endsWithin
}

func (p *press) extend(a arrival) {
	if reach := int32(a.stamp-p.start) + int32(a.duration); reach > 0 {
		p.length = max(p.length, uint32(reach))
	}
	if a.end {
		p.ended = true
		p.ends++
	}
	if a.newer {
		p.duration, p.number, p.stamp = a.duration, a.number, a.stamp
	} else {
		p.duration = max(p.duration, a.duration)
	}
	p.at = max(p.at, a.at)
}
