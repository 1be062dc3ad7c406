package rtp

import "time"

// Source is the far end's side of a stream. It decides which packets belong to it, extends their sequence
// numbers, counts the lost ones (RFC 3550, A.1 and A.3) and measures the jitter (6.4.1, A.8). The zero
// value waits for its first packet.
//
// Another SSRC is believed once the present one has been silent for 100 ms, and gives way as soon as that one
// goes on: who sends into a pause takes no more than the pause. A number out of all bounds is believed when
// its successor follows it, or at once after a silence. Beside the source, one other SSRC may bring events
// and nothing else (RFC 4733, 2.1, leaves it to the sender); another can take its place only with a new
// source.
type Source struct {
	live     bool
	open     bool // the address has changed: a stranger is believed at once
	voiced   bool // it has sent more than events
	ssrc     uint32
	epoch    uint32
	first    int64 // extended sequence numbers
	high     int64
	stamp    uint32 // of the packet with the number high
	received int64
	last     time.Duration

	probation     bool   // a number out of bounds is on probation
	probationNext uint16 // the number that would prove it

	former, aside      uint32 // SSRCs: of the source that fell silent, and of events alone
	isFormer, hasAside bool
	refused            uint32 // the latest SSRC whose sound was refused: it does not send events alone
	hasRefused         bool

	lostBefore    uint64 // in epochs that have gone
	expectedPrior int64  // at the last report
	receivedPrior int64

	jitter    float64 // s
	clockRate uint32
	timed     bool
	lastStamp uint32
	lastTimed time.Duration
}

// The bounds of A.1, which leaves them to the program and suggests a minute of loss and 2 s of misordering
// at 50 packets a second. In full flow nothing loses a hundred packets
// between two, so a leap by that many is a stranger. After a silence it is an outage, and its loss is
// counted.
const (
	maxLeap     = 100
	maxDropout  = 3000
	maxMisorder = 100
	silence     = 100 * time.Millisecond
)

// Admit judges one packet. seq is its extended sequence number, which goes on where 16 bits wrap; numbers of
// two epochs (see Epoch), and of events that have an SSRC of their own, have nothing to do with each other.
// An event of the source passes under any number, since some gateways number events apart. A number behind,
// under a time stamp ahead, is no packet that was overtaken: the sender numbers anew, and is believed when the
// successor follows.
func (s *Source) Admit(ssrc uint32, number uint16, stamp uint32, at time.Duration, event bool) (seq int64,
	ok bool) {
	quiet := at-s.last >= silence
	if s.live && ssrc == s.ssrc {
		d := int64(int16(number - uint16(s.high)))
		anew := d < 0 && !event && int32(stamp-s.stamp) > 0
		if -maxMisorder < d && !anew && (d < maxLeap || quiet && d < maxDropout) {
			s.open, s.probation, s.last = false, false, at
			s.voiced = s.voiced || !event
			seq = s.high + d
			if d > 0 && !event {
				s.stamp = stamp
			}
			s.high = max(s.high, seq)
			s.received++
			return seq, true
		}
		if event {
			s.last = at
			return s.high + d, true
		}
		if proved := s.probation && s.probationNext == number; !proved && !quiet && !s.open {
			s.probation, s.probationNext = true, number+1
			return 0, false
		}
		s.begin(ssrc, number, stamp, at, event)
		return s.high, true
	}
	switch {
	case !s.live || s.open:
	case event:
		return int64(number), s.takesAside(ssrc)
	case !quiet && s.voiced && !(s.isFormer && ssrc == s.former):
		s.refused, s.hasRefused = ssrc, true
		return 0, false
	}
	s.begin(ssrc, number, stamp, at, event)
	return s.high, true
}

func (s *Source) takesAside(ssrc uint32) bool {
	if s.hasRefused && ssrc == s.refused {
		return false
	}
	if !s.hasAside {
		s.aside, s.hasAside = ssrc, true
	}
	return ssrc == s.aside
}

// Hears reports whether packets of that SSRC pass at present, if only events.
func (s *Source) Hears(ssrc uint32) bool {
	return s.live && ssrc == s.ssrc || s.hasAside && ssrc == s.aside
}

// goesOn reports whether a packet would be the source's next ones.
func (s *Source) goesOn(ssrc uint32, number uint16) bool {
	d := int16(number - uint16(s.high))
	return s.live && ssrc == s.ssrc && d > 0 && d < maxDropout
}

func (s *Source) begin(ssrc uint32, number uint16, stamp uint32, at time.Duration, event bool) {
	old := *s
	*s = Source{
		live: true, voiced: !event, ssrc: ssrc, epoch: old.epoch + 1, last: at,
		first: int64(number), high: int64(number), stamp: stamp, received: 1,
		lostBefore: old.Lost(), jitter: old.jitter, clockRate: old.clockRate,
	}
	switch {
	case !old.live || old.open:
	case old.ssrc == ssrc:
		s.former, s.isFormer, s.aside, s.hasAside = old.former, old.isFormer, old.aside, old.hasAside
	case !old.voiced: // what sent events before the voice began goes on doing so
		s.aside, s.hasAside = old.ssrc, true
	case !(old.isFormer && ssrc == old.former):
		s.former, s.isFormer = old.ssrc, true
	}
}

// Welcome lets the next packet begin an epoch, whatever its source. A packet that goes on where the last
// epoch stands does not.
func (s *Source) Welcome() { s.open = true }

// Epoch changes with every source, and when a source numbers its packets anew.
func (s *Source) Epoch() uint32 { return s.epoch }

// SSRC returns the identifier of the present source, if there is one.
func (s *Source) SSRC() (ssrc uint32, ok bool) { return s.ssrc, s.live }

func (s *Source) expected() int64 {
	if !s.live {
		return 0
	}
	return s.high - s.first + 1
}

// cumulative is the number of packets lost in this epoch; duplicates make it negative.
func (s *Source) cumulative() int64 { return s.expected() - s.received }

// Lost returns how many packets the sequence numbers promised and that never came, in all epochs.
func (s *Source) Lost() uint64 { return s.lostBefore + uint64(max(0, s.cumulative())) }

// interval returns the share of packets lost since the last call, in 1/256.
func (s *Source) interval() uint8 {
	expected, received := s.expected()-s.expectedPrior, s.received-s.receivedPrior
	s.expectedPrior, s.receivedPrior = s.expected(), s.received
	if lost := expected - received; lost > 0 && expected > 0 {
		return uint8(min(255, lost<<8/expected))
	}
	return 0
}

// Timed takes an admitted packet's time stamp, in units of clockRate Hz, into the jitter. Events stay out:
// theirs stand still.
func (s *Source) Timed(stamp uint32, at time.Duration, clockRate uint32) {
	d := (at - s.lastTimed).Seconds() - float64(int32(stamp-s.lastStamp))/float64(clockRate)
	if s.timed && -1 < d && d < 1 { // a second and more is a pause of the sender's card or a new time line
		s.jitter += (max(d, -d) - s.jitter) / 16
	}
	s.timed, s.lastStamp, s.lastTimed, s.clockRate = true, stamp, at, clockRate
}

// Jitter returns the interarrival jitter.
func (s *Source) Jitter() time.Duration { return time.Duration(s.jitter * float64(time.Second)) }
