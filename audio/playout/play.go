package playout

const (
	skipMax       = 15   // ms: a packet less late loses its beginning, a later one is played in full
	bridgeMax     = 30   // ms of loss spanned from both sides
	joinFade      = 5    // ms of cross-fade from concealment to packet
	decoderSettle = 2    // ms at the beginning of a packet that are not used when its decoder had lost track
	gapSlack      = 5    // ms between time stamps that are closed up: the sender counts badly
	stretchEvery  = 40   // ms between stretches
	farSurplus    = 40   // ms of surplus at which a poor match is good enough
	shrinkAfter   = 2000 // ms that a surplus waits for a pause in the talk, where nobody hears it go
)

// advance sees to it that need samples lie ahead in the line, from packets, concealment or comfort noise.
func (b *Buffer) advance(need int) {
	for b.line.ahead() < need {
		short := need - b.line.ahead()
		seq, at, ok := b.store.next(b.seq)
		if ok && b.pending+b.rested > 0 {
			b.settle(seq, at)
		}
		switch {
		case b.idle:
			wait := short
			if ok {
				wait = min(wait, int(b.delay.goal()-(b.clock+int64(b.line.ahead())-at)))
			}
			if wait > 0 {
				b.background(wait)
				continue
			}
			b.end = at
			b.idle = false
			b.decode(seq, at)
		case !ok:
			b.conceal(short)
			if b.unmatched > b.ms(idleAfter) {
				b.idle = true
			}
		case at <= b.end:
			if b.end-at >= int64(b.ms(skipMax)) {
				b.end = at
			}
			b.decode(seq, at)
		case b.paused(seq, at):
			if at-b.end < int64(b.ms(gapSlack)) && b.voiced {
				b.end = at
				b.decode(seq, at)
				break
			}
			b.idle = true
		case at-b.end <= int64(b.ms(bridgeMax)):
			b.bridge(seq, at)
		default:
			b.conceal(int(min(int64(short), at-b.end)))
		}
	}
}

// paused reports a pause of the sender before this packet: time stamps leap, sequence numbers do not.
func (b *Buffer) paused(seq, at int64) bool {
	return seq == b.seq+1 && !b.badLast && at > b.lastEnd
}

// settle closes the account of what was made up before this packet: a pause of the sender was no loss, but
// silence that proves to have stood for lost packets was one.
func (b *Buffer) settle(seq, at int64) {
	switch {
	case b.paused(seq, at):
		b.total.concealed -= int64(b.pending)
	case b.started && seq == b.seq+1:
		b.total.concealed += int64(b.rested)
	case b.started:
		missing := int(min(seq-b.seq-1, 100)) * b.packet
		b.total.concealed += int64(min(b.rested, max(missing-b.pending, 0)))
	}
	b.pending, b.rested = 0, 0
}

// depart begins an extrapolation unless one is under way.
func (b *Buffer) depart() {
	if b.voiced || !b.fill.active {
		b.fill.start(b.line.past())
	}
	b.voiced = false
}

// background fills a pause.
func (b *Buffer) background(n int) {
	b.depart()
	b.fill.run(b.line.space(n), &b.noise)
	b.line.tail += n
	b.rested += n
	b.end = b.clock + int64(b.line.ahead()) - b.delay.goal()
}

// conceal extrapolates n samples.
func (b *Buffer) conceal(n int) {
	b.depart()
	b.fill.run(b.line.space(n), &b.noise)
	b.line.tail += n
	b.end += int64(n)
	b.unmatched += n
	b.pending += n
	b.total.concealed += int64(n)
}

// decode appends a packet. The part of it that lies before end is too late and is skipped.
func (b *Buffer) decode(seq, at int64) {
	n := b.decodeTo(seq, 0)
	if n == 0 {
		return
	}
	skip := int(b.end - at)
	if skip >= n {
		b.stats.Late++
		return
	}
	pcm := b.line.pcm[b.line.tail:]
	copy(pcm, pcm[skip:n])
	n -= skip
	b.join(n)
	b.line.tail += n
	b.end += int64(n)
}

// decodeTo decodes behind a gap of so many samples after the tail, which holds what was made up for it, and
// returns the number of samples.
func (b *Buffer) decodeTo(seq int64, gap int) int {
	at := b.store.recs[seq&(slots-1)].at
	payload := b.store.take(seq)
	b.lost += (float32(min(seq-b.seq-1, 50)) - b.lost) / 256
	n := 0
	pcm := b.line.space(gap + maxPacket)[gap:]
	b.led = false
	if b.started && (seq > b.seq+1 || b.badLast) && at > b.lastEnd {
		b.lead(at, gap)
	}
	b.seq = seq
	b.started = true
	if b.dec != nil {
		n = min(b.dec.Decode(pcm, payload), maxPacket)
	}
	b.badLast = n <= 0
	if n <= 0 {
		b.stats.Invalid++
		return 0
	}
	b.lastEnd = at + int64(n)
	b.packet = n
	b.unmatched = 0
	b.noise.learn(pcm[:n])
	return n
}

// lead shows a decoder that has a memory what was made up until media position at, and how it goes on.
func (b *Buffer) lead(at int64, gap int) {
	if b.leader == nil || b.voiced || !b.fill.active {
		return
	}
	w := b.ms(joinFade)
	to := b.line.tail + gap
	b.fill.run(b.next[:w], &b.noise)
	copy(b.line.pcm[to:], b.next[:w])
	to += int(at - b.end - int64(gap)) // a late packet begins before the tail
	from := max(0, to-int(min(at-b.lastEnd, int64(b.ms(history)))))
	b.leader.Lead(b.line.pcm[from:to], b.line.pcm[to:to+w])
	b.led = true
}

// join cross-fades from what was made up into the n samples behind the tail.
func (b *Buffer) join(n int) {
	if !b.voiced && b.fill.active {
		w := min(b.ms(joinFade), n)
		pcm := b.line.pcm[b.line.tail:]
		if !b.led {
			b.fill.run(b.next[:w], &b.noise)
		}
		k := copy(pcm[:w], b.next[:b.settling()])
		for i := k; i < w; i++ {
			pcm[i] = blend(b.next[i], pcm[i], i-k, w-k)
		}
	}
	b.voiced = true
}

// settling returns how many samples at the beginning of the last packet are not used.
func (b *Buffer) settling() int {
	if b.led {
		return b.ms(decoderSettle)
	}
	return 0
}

// bridge spans a loss of which both ends are known: forward from the past, backward from the next packet.
func (b *Buffer) bridge(seq, at int64) {
	gap := int(at - b.end)
	b.depart()
	b.fill.run(b.line.space(gap + maxPacket)[:gap], &b.noise)
	n := b.decodeTo(seq, gap)
	if n == 0 {
		return
	}
	if n >= b.ms(10) {
		pcm := b.line.pcm[b.line.tail : b.line.tail+gap+n]
		made := gap + copy(pcm[gap:], b.next[:b.settling()])
		b.fill.bridge(pcm[:made], pcm[made:])
		b.line.tail += gap
	} else {
		b.line.tail += gap
		b.join(n)
	}
	b.line.tail += n
	b.end = at + int64(n)
	b.total.concealed += int64(gap)
	b.voiced = true
}

// adjust stretches or shortens what lies ahead when the delay is off its target, by one pitch period or so at
// a time.
func (b *Buffer) adjust(n int) {
	if b.idle || !b.voiced || b.untilStretch > 0 {
		return
	}
	off := int(b.clock - b.position() - b.delay.goal())
	lo := b.ms(lagMin) / 2
	switch {
	case off >= lo:
		if off < b.ms(farSurplus) && b.waited < b.ms(shrinkAfter) && b.line.talks(b.noise.floor) {
			b.waited += n
			return
		}
		b.prefetch(n + b.ms(lagMax)/2 + b.ms(fade))
		hi := min(off, b.ms(lagMax)/2, b.line.ahead()-n)
		if hi < lo {
			return
		}
		lag, corr := b.line.similar(lo, hi, 1)
		if corr < 0.8 && off < b.ms(farSurplus) || corr < 0.4 {
			return
		}
		b.line.cut(lag)
		b.stretched(lag)
	case off < 0 || b.stalled():
		hi := b.ms(lagMax) / 2
		if off < 0 {
			hi = min(hi, max(-off, 2*lo))
		}
		lag, corr := b.line.similar(lo, b.ms(lagMax)/2, -1)
		if corr >= 1 {
			lag = hi
		}
		if corr < 0.5 {
			return
		}
		b.line.repeat(lag)
		b.stretched(lag)
	}
}

func (b *Buffer) stretched(lag int) {
	b.total.stretched += int64(lag)
	b.waited = 0
	b.untilStretch = b.ms(stretchEvery)
}

// prefetch decodes waiting packets that follow without a gap until want samples lie ahead.
func (b *Buffer) prefetch(want int) {
	for b.line.ahead() < want {
		seq, at, ok := b.store.next(b.seq)
		if !ok || at != b.end || seq != b.seq+1 {
			return
		}
		b.decode(seq, at)
	}
}

// stalled reports that the next packet will more likely than not miss its turn, being as late as it is
// already: the network stands still, and what lies ahead had better be played slowly.
func (b *Buffer) stalled() bool {
	newest := b.lastEnd
	if _, _, ok := b.store.next(b.seq); ok {
		return false
	}
	late := b.clock - newest
	if late-b.delay.ref < int64(b.ms(10)) {
		return false
	}
	due := b.clock - b.position()
	return b.delay.beyond(due) > 0.5*(b.delay.beyond(late)+b.lost)
}
