package playout

const (
	bins        = maxLate // 1 ms each
	histPackets = 2500    // packets: 50 s of 20 ms packets
	latePerMs   = 2.6e-4  // late share tolerated per ms of delay
	refWindow   = 4       // s, half the span over which the fastest path is searched
	shrinkGain  = 0.03    // a smaller target has to save so many late ms per packet
	growGain    = 0.01    // and a greater one: under drift the grid leaves the right one behind
	startDelay  = 10      // ms, the guess before anything is known
	warmUp      = 300     // packets before a smaller delay is believed: nobody stretches a first sentence
)

// delay learns how long packets take over the fastest path and sets the delay at which to play.
//
// Transit times are taken relative to ref, the fastest of the last seconds, into a histogram that forgets.
// The target is the smallest delay D with P(a packet misses its turn) <= latePerMs * D: a quantile that
// slides, because the tenth ms of delay costs a talk less than the hundredth. It is the minimum of the
// expected late time plus latePerMs/2 * D^2.
//
// A packet can be heard from the first Get after its arrival on, so what counts is its transit rounded up to
// the grid of Gets as seen from the sender's time stamps. Under drift this grid slides while the histogram,
// which holds unrounded times, stays.
type delay struct {
	perMs   int
	known   bool
	ref     int64 // samples
	hist    [bins + 1]float32
	weight  float32 // of the next packet: grows instead of the past decaying
	sum     float32
	count   int
	target  int // samples over ref
	changed bool
	block   int   // samples between two Gets
	grid    int64 // transit, modulo block, at which packets become audible

	minNow, minOld int64 // the fastest in this and in the last half window
	windowEnd      int64
	clock          int64
}

func (d *delay) reset(rate int) {
	*d = delay{perMs: rate / 1000, block: rate / 100, weight: 1, sum: 1, target: startDelay * rate / 1000}
	d.hist[startDelay] = 1
}

// goal returns the transit (clock minus media position) at which to play.
func (d *delay) goal() int64 { return d.ref + int64(d.target) }

// add takes the transit of a packet and that of the Get which can first play it.
func (d *delay) add(transit, heard int64) {
	d.grid = heard
	if !d.known {
		d.known = true
		d.ref, d.minNow, d.minOld = transit, transit, transit
		d.windowEnd = d.clock + refWindow*1000*int64(d.perMs)
	}
	d.minNow = min(d.minNow, transit)
	if transit < d.ref {
		d.move(transit)
	}
	late := int(transit-d.ref+int64(d.perMs)-1) / d.perMs
	if late > bins {
		return // beyond what is followed: it cannot be served by waiting
	}
	if d.count < histPackets {
		d.count++
	}
	d.weight /= 1 - 1/float32(d.count+1)
	d.hist[late] += d.weight
	d.sum += d.weight
	if d.weight > 1e12 {
		f := 1 / d.weight
		d.sum = 0
		for i := range d.hist {
			d.hist[i] *= f
			d.sum += d.hist[i]
		}
		d.weight = 1
	}
	d.changed = true
}

// update closes the search window of the fastest path and renews the target; called once per block.
func (d *delay) update(clock int64) {
	d.clock = clock
	if d.known && clock >= d.windowEnd {
		// A little dead band: what wobbles less than this is noise.
		if m := min(d.minNow, d.minOld); m > d.ref+int64(d.perMs/4) {
			d.move(m)
		}
		d.minOld, d.minNow = d.minNow, 1<<62
		if d.minOld == 1<<62 {
			d.minOld = d.ref
		}
		d.windowEnd = clock + refWindow*1000*int64(d.perMs)
	}
	if !d.changed {
		return
	}
	d.changed = false
	best, least := d.optimum()
	if best < d.target && d.count < warmUp {
		return
	}
	slack := float32(shrinkGain)
	if best > d.target {
		slack = growGain
	}
	if now := d.cost(d.target); now > least+min(0.3*least, slack)+0.03*least {
		d.target = best
	}
}

// optimum returns the delay of least cost, in samples over ref, and that cost.
func (d *delay) optimum() (best int, least float32) {
	point := d.grid0() + (bins*d.perMs-d.grid0())/d.block*d.block
	best = point
	var late, share float32 // expected late ms at point, share of packets that miss it
	ms := bins
	for ; point >= 0; point -= d.block {
		for ; ms*d.perMs > point; ms-- {
			share += d.hist[ms]
		}
		// From this point to the next, waiting saves the same share of late packets per ms.
		p := share / d.sum
		need := int(p/latePerMs) * d.perMs
		if need >= point+d.block {
			break
		}
		best = max(need, point)
		least = late + p*float32(point+d.block-best)/float32(d.perMs) + price(best, d.perMs)
		late += p * float32(d.block) / float32(d.perMs)
	}
	return best, least
}

// cost returns the expected late ms per packet at a delay, and the price of the delay in the same coin.
func (d *delay) cost(at int) float32 {
	var late float32
	for point, ms := d.grid0(), 0; ms <= bins; ms++ {
		for ms*d.perMs > point {
			point += d.block // the Get that plays this bin
		}
		if point > at {
			late += d.hist[ms] * float32(point-at)
		}
	}
	return late/d.sum/float32(d.perMs) + price(at, d.perMs)
}

func price(delay, perMs int) float32 {
	ms := float32(delay) / float32(perMs)
	return latePerMs / 2 * ms * ms
}

// grid0 returns the first grid point at or after ref, in samples over ref.
func (d *delay) grid0() int {
	step := int64(d.block)
	return int(((d.grid-d.ref)%step + step) % step)
}

// move sets the reference. A leap shifts the histogram, so that what was learned keeps its place in time;
// steps of drift do not.
func (d *delay) move(ref int64) {
	by := int(ref-d.ref) / d.perMs
	d.ref = ref
	switch {
	case by > 2:
		by = min(by, bins)
		for i := 1; i <= by; i++ {
			d.hist[0] += d.hist[i]
		}
		copy(d.hist[1:], d.hist[by+1:])
		clear(d.hist[bins+1-by:])
	case by < -2:
		by = min(-by, bins)
		copy(d.hist[by:], d.hist[:bins+1-by])
		clear(d.hist[:by])
	}
	d.sum = 0
	for _, h := range d.hist {
		d.sum += h
	}
	d.changed = true
}

// beyond returns the share of packets later than transit, of those that arrive at all.
func (d *delay) beyond(transit int64) float32 {
	ms := max(int(transit-d.ref)/d.perMs, 0)
	var tail float32
	for i := bins; i > ms; i-- {
		tail += d.hist[i]
	}
	return tail / d.sum
}
