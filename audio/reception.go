package audio

import "time"

// reception follows one source's sequence numbers (RFC 3550, A.1 and A.3) and keeps to one SSRC: another takes its place if two of
// its packets of sound follow each other, or if the old one has been silent for 100 ms. Events alone never change it.
type reception struct {
	live     bool
	ssrc     uint32
	base     uint32 // extended sequence numbers
	highest  uint32
	received uint32
	last     time.Duration

	rivalSSRC uint32
	rivalNext uint16
	rival     bool

	lostBefore    uint64 // by sources that have gone
	expectedPrior uint32 // at the last report
	receivedPrior uint32
}

const (
	ssrcSilence = 100 * time.Millisecond
	maxDropout  = 3000
	maxMisorder = 300
)

// restart forgets the source and keeps the count of what it lost.
func (r *reception) restart() { *r = reception{lostBefore: r.lost()} }

func (r *reception) begin(ssrc uint32, seq uint16, at time.Duration) {
	r.restart()
	r.live, r.ssrc, r.last = true, ssrc, at
	r.base, r.highest, r.received = uint32(seq)+1<<16, uint32(seq)+1<<16, 1
}

func (r *reception) admit(ssrc uint32, seq uint16, at time.Duration, event bool) bool {
	if !r.live {
		r.begin(ssrc, seq, at)
		return true
	}
	if ssrc != r.ssrc {
		if event {
			return false
		}
		if at-r.last < ssrcSilence && !(r.rival && r.rivalSSRC == ssrc && r.rivalNext == seq) {
			r.rival, r.rivalSSRC, r.rivalNext = true, ssrc, seq+1
			return false
		}
		r.begin(ssrc, seq, at)
		return true
	}
	r.rival, r.last = false, at
	switch d := int16(seq - uint16(r.highest)); {
	case d > maxDropout || d < -maxMisorder: // the sender started over
		r.begin(ssrc, seq, at)
		return true
	case d > 0:
		r.highest += uint32(d)
	}
	r.received++
	return true
}

func (r *reception) expected() uint32 {
	if !r.live {
		return 0
	}
	return r.highest - r.base + 1
}

// cumulative is the number of packets lost of the present source; duplicates make it negative.
func (r *reception) cumulative() int64 { return int64(r.expected()) - int64(r.received) }

func (r *reception) lost() uint64 { return r.lostBefore + uint64(max(0, r.cumulative())) }

// interval returns the share of packets lost since the last call, in 1/256.
func (r *reception) interval() uint8 {
	expected, received := r.expected()-r.expectedPrior, r.received-r.receivedPrior
	r.expectedPrior, r.receivedPrior = r.expected(), r.received
	if lost := int64(expected) - int64(received); lost > 0 && expected > 0 {
		return uint8(min(255, lost<<8/int64(expected)))
	}
	return 0
}
