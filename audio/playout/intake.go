package playout

// intake unwraps time stamps and decides which of them belong to the time line. Source and sequence numbers
// have been judged before (package audio/rtp): a new epoch is a new time line.
type intake struct {
	live   bool
	epoch  uint32
	seq    int64 // extended sequence number of the packet at hand
	high   int64 // highest of those taken for good
	ts     int64 // extended time stamp of the packet at hand
	highTS int64

	base, baseAt int64 // a time stamp and a media position that belong together

	odd      bool // the last packet's time stamp was out of all bounds
	oddSeq   int64
	oddAt    int64
	oddClock int64
}

// accept reads the header and reports whether a new time line begins; commit must follow unless the packet is
// dropped.
func (s *intake) accept(p *Packet) (fresh bool) {
	s.seq = p.Seq
	if s.live && p.Epoch == s.epoch {
		s.ts = s.highTS + int64(int32(p.Timestamp-uint32(s.highTS)))
		return false
	}
	s.live, s.epoch, s.odd = true, p.Epoch, false
	s.ts = int64(p.Timestamp)
	s.high, s.highTS = s.seq, s.ts
	return true
}

// commit takes the packet at hand for a good one.
func (s *intake) commit() {
	s.odd = false
	if s.seq >= s.high {
		s.high, s.highTS = s.seq, s.ts
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

// strange reports whether a time stamp far off is believed: it is when the packet before it was off likewise
// and the two came at the pace of their time stamps.
func (s *intake) strange(clock, at int64) bool {
	paced := at-s.oddAt > 0 && clock-s.oddClock >= (at-s.oddAt)/2 && clock-s.oddClock <= 2*(at-s.oddAt)
	ok := s.odd && s.seq == s.oddSeq+1 && paced
	s.odd, s.oddSeq, s.oddAt, s.oddClock = !ok, s.seq, at, clock
	return ok
}
