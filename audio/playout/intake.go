package playout

import "time"

type verdict uint8

const (
	known     verdict = iota
	fresh             // first packet, new SSRC or restarted sequence: a new time line
	probation         // a stranger; believed when its successor follows
)

const (
	maxDropout  = 100 // packets, compare RFC 3550 A.1: less, for the store holds no more
	maxMisorder = 200
)

// intake unwraps sequence numbers and time stamps and decides which packets belong to the stream (RFC 3550 A.1): one
// stray packet never moves the stream, two in sequence do.
type intake struct {
	live   bool
	ssrc   uint32
	ext    int64 // extended sequence number of the packet at hand
	high   int64 // highest so far
	first  int64
	ts     int64 // extended time stamp of the packet at hand
	highTS int64

	base, baseAt int64 // a time stamp and a media position that belong together

	suspect  bool // a stranger is on probation
	badSSRC  uint32
	badSeq   uint16 // that would prove it
	odd      bool   // the last packet's time stamp was out of all bounds
	oddSeq   int64
	oddAt    int64
	oddClock int64
	lastSeen time.Duration

	jitter      float64 // RTP units
	lastTransit float64
	hasTransit  bool
	expectedOld int64
	unique      int64 // packets, without duplicates
}

func (s *intake) reset() {
	old := s.expected() + s.expectedOld
	*s = intake{expectedOld: old, unique: s.unique}
}

// expected returns the packets that the current numbering should have brought.
func (s *intake) expected() int64 {
	if !s.live {
		return 0
	}
	return s.high - s.first + 1
}

// accept reads the header; commit must follow unless the packet is dropped.
func (s *intake) accept(p *Packet) verdict {
	quiet := p.At-s.lastSeen > 100*time.Millisecond
	if s.live && p.SSRC == s.ssrc {
		d := int64(int16(p.Seq - uint16(s.high)))
		if d > -maxMisorder && d < maxDropout {
			s.suspect = false
			s.ext = s.high + d
			s.ts = s.highTS + int64(int32(p.Timestamp-uint32(s.highTS)))
			return known
		}
	}
	if s.live && !quiet && (!s.suspect || p.SSRC != s.badSSRC || p.Seq != s.badSeq) {
		s.suspect, s.badSSRC, s.badSeq = true, p.SSRC, p.Seq+1
		return probation
	}
	// The numbering starts over; what the old one expected stays counted.
	s.expectedOld += s.expected()
	s.live, s.suspect, s.odd, s.hasTransit = true, false, false, false
	s.ssrc = p.SSRC
	s.ext = 1<<16 + int64(p.Seq)
	s.high, s.first = s.ext, s.ext
	s.ts = int64(p.Timestamp)
	s.highTS = s.ts
	return fresh
}

// commit takes the packet at hand for a good one.
func (s *intake) commit(at time.Duration) {
	s.lastSeen, s.odd = at, false
	if s.ext >= s.high {
		s.high, s.highTS = s.ext, s.ts
	}
}

// media returns the position, in samples, of the packet at hand.
func (s *intake) media(rate, clockRate int) int64 {
	return s.baseAt + (s.ts-s.base)*int64(rate)/int64(clockRate)
}

// rebase ties the time stamp at hand to a media position.
func (s *intake) rebase(at int64) {
	s.base, s.baseAt = s.ts, at
}

// strange reports whether a time stamp far off is believed: it is when the packet before it was off likewise and the
// two came at the pace of their time stamps.
func (s *intake) strange(clock, at int64) bool {
	paced := at-s.oddAt > 0 && clock-s.oddClock >= (at-s.oddAt)/2 && clock-s.oddClock <= 2*(at-s.oddAt)
	ok := s.odd && s.ext == s.oddSeq+1 && paced
	s.odd, s.oddSeq, s.oddAt, s.oddClock = !ok, s.ext, at, clock
	return ok
}

// interarrival is the estimator of RFC 3550 6.4.1 and A.8, in RTP units.
func (s *intake) interarrival(at time.Duration, clockRate int) {
	transit := at.Seconds()*float64(clockRate) - float64(s.ts)
	if s.hasTransit {
		d := transit - s.lastTransit
		if d < 0 {
			d = -d
		}
		if d < float64(clockRate) { // a pause of the card or a new time line is no jitter
			s.jitter += (d - s.jitter) / 16
		}
	}
	s.lastTransit, s.hasTransit = transit, true
}
