package playout

const (
	slots = 128       // packets that may wait: 1.28 s of 10 ms packets
	arena = 32 * 1024 // bytes of payload
)

type putResult uint8

const (
	stored putResult = iota
	duplicate
	refused // it would displace a newer packet
)

type record struct {
	seq   int64
	at    int64
	pos   int64 // running byte position of the payload in the arena
	size  int32
	state uint8 // empty, waiting or taken
}

const (
	empty uint8 = iota
	waiting
	taken
)

// store keeps payloads in a ring of bytes, indexed by sequence number. A flood overwrites the oldest: nothing
// grows.
type store struct {
	recs  [slots]record
	bytes [arena]byte
	head  int64 // running byte position of the next payload
	high  int64 // highest sequence number put since clear
	any   bool
}

func (s *store) clear() {
	for i := range s.recs {
		s.recs[i] = record{}
	}
	s.any = false
}

func (s *store) put(seq, at int64, payload []byte) putResult {
	r := &s.recs[seq&(slots-1)]
	if r.state != empty {
		if r.seq == seq {
			return duplicate
		}
		if r.seq > seq {
			return refused
		}
	}
	if room := arena - s.head%arena; room < int64(len(payload)) {
		s.head += room
	}
	copy(s.bytes[s.head%arena:], payload)
	*r = record{seq: seq, at: at, pos: s.head, size: int32(len(payload)), state: waiting}
	s.head += int64(len(payload))
	if !s.any || seq > s.high {
		s.high, s.any = seq, true
	}
	return stored
}

func (s *store) valid(r *record) bool { return r.state == waiting && s.head-r.pos <= arena }

// next finds the waiting packet that follows seq most closely.
func (s *store) next(seq int64) (next, at int64, ok bool) {
	if !s.any {
		return 0, 0, false
	}
	for q := max(seq+1, s.high-slots+1); q <= s.high; q++ {
		if r := &s.recs[q&(slots-1)]; r.seq == q && s.valid(r) {
			return q, r.at, true
		}
	}
	return 0, 0, false
}

// take hands out the payload of a packet that next has named. It stays readable until the next put.
func (s *store) take(seq int64) []byte {
	r := &s.recs[seq&(slots-1)]
	r.state = taken
	o := r.pos % arena
	return s.bytes[o : o+int64(r.size)]
}

// played reports whether the packet was handed out before.
func (s *store) played(seq int64) bool {
	r := &s.recs[seq&(slots-1)]
	return r.state == taken && r.seq == seq
}
