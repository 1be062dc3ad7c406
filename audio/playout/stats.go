package playout

// Stats are the counters of one buffer since New; times in ms.
type Stats struct {
	Received    uint64 // packets given to Put
	Late        uint64 // packets that came after their turn, or beyond what the buffer follows
	Duplicates  uint64
	Invalid     uint64  // empty, too long, refused by the decoder
	ConcealedMs int64   // made up for lost or late sound; pauses of the sender do not count
	StretchedMs int64   // inserted or taken out to move the delay
	DelayMs     float64 // now, over the fastest path of the last seconds
	TargetMs    float64
}

// Stats returns the counters. It has to be called by the goroutine that calls Put and Get.
func (b *Buffer) Stats() Stats {
	s := b.stats
	perMs := float64(b.rate) / 1000
	s.ConcealedMs = int64(float64(b.total.concealed) / perMs)
	s.StretchedMs = int64(float64(b.total.stretched) / perMs)
	if b.delay.known {
		s.DelayMs = float64(b.clock-b.position()-b.delay.ref) / perMs
		s.TargetMs = float64(b.delay.target) / perMs
	}
	return s
}
