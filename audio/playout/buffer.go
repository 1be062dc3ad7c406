package playout

import "time"

// Decoder turns one payload into PCM. It is called in play-out order, once per payload that is played; it may
// keep state from one payload to the next. It returns the samples written to pcm, and 0 for a payload that it
// refuses.
type Decoder interface {
	Decode(pcm []int16, payload []byte) int
}

// Leader is a Decoder with a memory that can be taken through a loss. Lead is called before the first
// payload behind a loss is decoded. lost is the sound made up for the payloads that never came, or the last
// 60 ms of it; next is how that would have gone on for 5 ms. From 2 ms on, the decoder's output is then
// trusted.
type Leader interface {
	Decoder
	Lead(lost, next []int16)
}

// Packet is one received RTP packet of a source and a sequence that have been judged (package audio/rtp). The
// marker of a talkspurt is not needed: the numbers tell a pause from a loss.
type Packet struct {
	Epoch     uint32 // another one means a new source or a new numbering
	Seq       int64  // extended sequence number within the epoch
	Timestamp uint32 // units of Config.ClockRate
	Payload   []byte // copied by Put; 1 to 1500 bytes
	At        time.Duration
}

// Config names the two clocks of a stream, both in Hz. Zero values mean 8000.
type Config struct {
	Rate      int // PCM samples per second: 8000 or 16000
	ClockRate int // RTP time-stamp units per second: for G.722 8000, half its Rate (RFC 3551, 4.5.2)
}

const (
	maxPayload = 1500 // bytes
	maxPacket  = 3000 // samples out of one payload: 187 ms at 16 kHz
	maxAhead   = 600  // ms a packet may lie in the future before the time line is taken for a new one
	maxLate    = 400  // ms over the fastest path that the buffer follows
	idleAfter  = 200  // ms without a packet: a pause, not a loss
	pullGap    = 100 * time.Millisecond
)

// Buffer is the jitter buffer of one stream. Its methods are for one goroutine. It never grows after New.
//
// All positions are counted in PCM samples: clock is what Get handed out since New, media positions are RTP
// time stamps unwrapped and scaled. Their difference is the play-out delay against an arbitrary but fixed
// origin.
type Buffer struct {
	rate, clockRate int
	dec             Decoder
	leader          Leader // dec, if it is one
	clock           int64
	lastNow         time.Duration
	pulled          bool

	in     intake
	store  store
	delay  delay
	line   line
	fill   concealer
	noise  noise
	next   [joinFade * 16]int16 // how the extrapolation goes on behind what was made up
	led    bool                 // the decoder was led up to the last packet, and next is valid
	voiced bool                 // what stands at the end of the line came from the sender

	started      bool    // a packet has been played since the last restart
	idle         bool    // a pause: the line has no position until the next packet
	end          int64   // media position behind the last sample in line
	seq          int64   // extended sequence number last decoded
	heard        int64   // clock at the last good packet
	lastEnd      int64   // media position behind the last packet decoded
	lost         float32 // share of packets that never came, over some hundreds
	badLast      bool    // the decoder refused the last payload: the gap behind it is a loss
	unmatched    int     // samples synthesised since the last packet: idle when they exceed idleAfter
	pending      int     // of these, what concealed counts: given back when they prove to be a pause
	rested       int     // samples of pause since the last packet
	packet       int     // samples in the last packet
	untilStretch int     // samples until the next stretch
	waited       int     // samples for which a surplus has waited for a pause

	news    [16]news // packets since the last Get
	newsLen int

	stats Stats
	total samples
}

// news is what the delay estimator learns of a packet when the Get that can first play it comes.
type news struct {
	transit int64 // at that Get
	at      time.Duration
}

// samples holds the counters that Stats reports in ms.
type samples struct{ concealed, stretched int64 }

// New returns an empty buffer. d may be nil until the first packet: until SetDecoder, payloads are then lost.
func New(c Config, d Decoder) *Buffer {
	b := &Buffer{}
	b.SetDecoder(d, c)
	return b
}

// SetDecoder starts over with another codec, as after a re-INVITE. Undecoded payloads are dropped; counters
// and the learned jitter stay unless the PCM rate changes.
func (b *Buffer) SetDecoder(d Decoder, c Config) {
	if c.Rate != 16000 {
		c.Rate = 8000
	}
	if c.ClockRate < 1000 || c.ClockRate > 192000 {
		c.ClockRate = c.Rate
	}
	b.dec = d
	b.leader, _ = d.(Leader)
	if c.Rate != b.rate {
		if b.rate > 0 {
			b.total.concealed = b.total.concealed * int64(c.Rate) / int64(b.rate)
			b.total.stretched = b.total.stretched * int64(c.Rate) / int64(b.rate)
		}
		b.delay.reset(c.Rate)
		b.line.reset(c.Rate)
		b.fill.reset(c.Rate)
		b.noise.reset(c.Rate)
		b.clock, b.heard, b.end, b.lastEnd, b.untilStretch = 0, 0, 0, 0, 0
		b.voiced = false
	}
	b.rate, b.clockRate = c.Rate, c.ClockRate
	b.in.live = false
	b.restart()
}

// restart forgets the stream's positions, not its sound: the next packet opens a new time line.
func (b *Buffer) restart() {
	b.store.clear()
	b.started = false
	b.idle = true
	b.badLast = false
	b.pending, b.rested = 0, 0
	b.newsLen = 0
}

// ms converts milliseconds to samples.
func (b *Buffer) ms(n int) int { return n * b.rate / 1000 }

// Put takes one packet. Nothing is kept of p.Payload.
func (b *Buffer) Put(p Packet) {
	b.stats.Received++
	if len(p.Payload) == 0 || len(p.Payload) > maxPayload {
		b.stats.Invalid++
		return
	}
	fresh := b.in.accept(&p)
	if fresh {
		b.restart()
	}
	at := b.in.media(b.rate, b.clockRate)
	// The packet can be heard from the next Get on, so its transit ends there: the phase between the sender's
	// grid and the card's is part of what must be buffered.
	transit := b.clock - at
	if !fresh && b.delay.known {
		d := transit - b.delay.ref
		switch {
		case d < -int64(b.ms(maxAhead)) || d > int64(b.ms(maxLate)):
			// One stray time stamp moves nothing, nor does the burst after a stall.
			if !b.in.strange(b.clock, at) {
				b.stats.Late++
				return
			}
			b.restart()
			fresh = true
		case b.clock-b.heard > int64(b.ms(1000)) && (d < 0 || at-b.lastEnd > int64(b.ms(500))):
			if b.in.seq == b.seq+1 && at > b.lastEnd {
				b.total.concealed -= int64(b.pending) // what was made up stood for a pause
			}
			b.restart() // after a pause, unlike after a stall, the clocks may have drifted apart
			fresh = true
		}
	}
	if fresh {
		// A new time line keeps what was learned of the path: its first packet is taken for a punctual one.
		at = b.clock - b.delay.ref - int64(b.rate/100)
		b.in.rebase(at)
		transit = b.clock - at
		b.seq = b.in.seq - 1
	}
	b.in.commit()
	b.heard = b.clock
	if b.started && b.in.seq <= b.seq {
		if b.store.played(b.in.seq) {
			b.stats.Duplicates++
			return
		}
		b.stats.Late++
	} else {
		switch b.store.put(b.in.seq, at, p.Payload) {
		case duplicate:
			b.stats.Duplicates++
			return
		case refused:
			b.stats.Late++
		}
	}
	b.news[b.newsLen%len(b.news)] = news{transit, p.At}
	b.newsLen++
}

// Get fills out with the next len(out) samples. now is the monotonic clock of Packet.At: a leap in it (the
// card was closed, the machine slept) skips what became old meanwhile.
func (b *Buffer) Get(out []int16, now time.Duration) {
	period := time.Duration(len(out)) * time.Second / time.Duration(b.rate)
	if late := now - b.lastNow - period; b.pulled && late > pullGap && late < 24*time.Hour {
		b.skip(int64(late) * int64(b.rate) / int64(time.Second))
	} else if b.pulled && late >= 24*time.Hour {
		b.restart()
	}
	b.lastNow, b.pulled = now, true
	b.learn(now)
	for len(out) > 0 {
		n := min(len(out), b.rate/100)
		b.block(out[:n])
		out = out[n:]
	}
}

// learn hands the packets since the last Get to the estimator.
func (b *Buffer) learn(now time.Duration) {
	block := int64(b.rate / 100)
	for _, p := range b.news[:min(b.newsLen, len(b.news))] {
		waited := int64((now - p.at).Seconds() * float64(b.rate))
		b.delay.add(p.transit-min(max(waited, 0), block-1), p.transit)
	}
	b.newsLen = 0
}

// skip moves the pull clock over n samples that nobody heard, and the play-out position with it.
func (b *Buffer) skip(n int64) {
	b.clock += n
	b.newsLen = 0 // how long these waited says nothing of the network
	if b.idle {
		return
	}
	b.end += n
	b.line.drop()
	for {
		seq, at, ok := b.store.next(b.seq)
		if !ok || at >= b.end {
			break
		}
		b.store.take(seq)
		b.seq = seq
		b.stats.Late++
	}
}

// block makes up to 10 ms.
func (b *Buffer) block(out []int16) {
	n := len(out)
	b.delay.update(b.clock)
	if b.untilStretch > 0 {
		b.untilStretch -= n
	}
	b.advance(n)
	b.adjust(n)
	b.advance(n)
	b.line.pop(out)
	b.clock += int64(n)
}

// position returns the media position of the next sample to be played.
func (b *Buffer) position() int64 { return b.end - int64(b.line.ahead()) }
