package echo

import (
	"fmt"
	"time"
)

// Config describes a canceller.
type Config struct {
	Rate             int           // 8000 or 16000 Hz
	Frame            int           // samples per Process; must be Rate/100, 0 means that
	NoiseSuppression bool          // steady noise down by up to 8 dB; a high-pass at 250 Hz in the wind
	Gain             bool          // slow gain control of the visitor towards -20 dBFS, -6 to +15 dB
	Walkie           bool          // half duplex: the microphone is mute while the far end talks
	Tail             time.Duration // echo path behind the delay, 40 to 200 ms by 20 ms; 0: 100 ms
}

// Canceller removes the far end's voice, as the microphone hears it from the loudspeaker, from what the
// microphone hears. It is not safe for concurrent use.
type Canceller struct {
	cfg     Config
	mic     [2]biquad
	ref     *reference
	finder  *delayFinder
	speaker *speaker
	filter  *filter
	sup     *suppressor
	gain    *gain

	x, d, e, y, o []float32 // one frame each: reference, microphone, error, echo, output
	raw           []float32 // undistorted window of the filter's strongest partition
	frame         int       // frames with a far end, up to 2*settled, for the model's schedule
	quiet         int       // frames since the far end was last above farFloor
	hold          int       // frames for which the far end still counts as talking
	pMic, pOut    float32   // while the far end talks, smoothed: their ratio is the ERLE
}

// Stats is a snapshot of a canceller's state.
type Stats struct {
	Delay      time.Duration // of the echo's strongest path behind the reference; 0 while unknown
	ERLE       float64       // dB between microphone and output, over the far end's last second of talk
	DoubleTalk bool          // both ends talk now
	Drift      float64       // ppm by which the microphone's clock is slower than the loudspeaker's
}

const (
	farFloor   = 1e-9    // mean square: -90 dBFS, nothing to cancel
	farTalks   = 1e-5    // -50 dBFS: the far end talks
	farHold    = 30      // frames: the longest delay and a room's reverberation
	modelRate  = 16000   // Hz at which the reference is kept and distorted
	maxDelay   = 250     // ms, of the reference's memory
	micCorner  = 120     // Hz
	insideMs   = 5       // where in the filter the strongest path is put
	learnEvery = 4       // frames between updates of the loudspeaker's model, at first
	settled    = 1000    // frames after which the updates come half as often
	maxDrift   = 500e-6  // of the sample rate
	overload   = 1 << 16 // an error power that no input can cause: the state is broken
)

// New makes a canceller that knows nothing yet of its delay and echo path.
func New(cfg Config) (*Canceller, error) {
	if cfg.Rate != 8000 && cfg.Rate != 16000 {
		return nil, fmt.Errorf("echo: new: rate %d Hz: want 8000 or 16000", cfg.Rate)
	}
	if cfg.Frame == 0 {
		cfg.Frame = cfg.Rate / 100
	}
	if cfg.Frame != cfg.Rate/100 {
		return nil, fmt.Errorf("echo: new: frame of %d samples at %d Hz: want %d",
			cfg.Frame, cfg.Rate, cfg.Rate/100)
	}
	if cfg.Tail == 0 {
		cfg.Tail = 100 * time.Millisecond
	}
	if cfg.Tail < 40*time.Millisecond || cfg.Tail > 200*time.Millisecond {
		return nil, fmt.Errorf("echo: new: tail %v: want 40ms to 200ms", cfg.Tail)
	}
	const partition = 20 * time.Millisecond
	f := newFilter(cfg.Frame, int((cfg.Tail+partition-1)/partition))
	kept := cfg.Rate*maxDelay/1000 + f.size + (f.slots+3)*cfg.Frame
	c := &Canceller{
		cfg:    cfg,
		ref:    newReference(kept, cfg.Frame, modelRate/cfg.Rate),
		finder: newDelayFinder(cfg.Rate),
		filter: f,
		sup:    newSuppressor(cfg.Rate, cfg.NoiseSuppression),
		gain:   newGain(cfg.Rate),
	}
	c.raw = make([]float32, c.ref.span(f.size))
	c.speaker = newSpeaker(f.size, cfg.Frame, len(c.raw))
	for _, p := range []*[]float32{&c.x, &c.d, &c.e, &c.y, &c.o} {
		*p = make([]float32, cfg.Frame)
	}
	for i, q := range butterworth4 {
		c.mic[i] = highPass(cfg.Rate, micCorner, q)
	}
	return c, nil
}

// Process takes the frame that the loudspeaker was given and the frame that the microphone captured in the
// same exchange, and writes the frame to send, 10 ms late. Each holds Config.Frame samples, else Process
// panics; out may be mic or far.
func (c *Canceller) Process(far, mic, out []int16) {
	n := c.cfg.Frame
	far, mic, out = far[:n], mic[:n], out[:n]
	var px float32
	for i, v := range far {
		x := float32(v) * (1. / 32768)
		c.x[i] = x
		px += x * x
	}
	px /= float32(n)
	var pd float32
	for i, v := range mic {
		d := c.mic[1].step(c.mic[0].step(float32(v) * (1. / 32768)))
		c.d[i] = d
		pd += d * d
	}
	c.mic[0].flush()
	c.mic[1].flush()
	if c.quiet++; px > farFloor {
		c.quiet = 0
	}
	switch {
	case px > farTalks:
		c.hold = farHold
	case c.hold > 0:
		c.hold--
	}

	if c.finder.push(c.x, c.d) {
		c.relocate()
	}
	c.ref.push(c.x)
	if memory := c.filter.slots + maxDelay/10 + c.filter.size/n; c.quiet > memory {
		c.quiet = memory // no higher, lest it wrap
		c.idle()
	} else {
		c.cancel()
	}
	if off := c.ref.off - c.speaker.drift; off >= interpHalf { // clocks drift in silence, too
		c.ref.off = off
	} else {
		c.speaker.drift = 0 // the filter follows alone where the reference cannot
	}
	c.sup.process(c.e, c.o, c.cfg.Walkie && c.hold > 0)
	if c.cfg.Gain {
		c.gain.process(c.o, c.sup.near > .5 && c.hold == 0)
	}

	var po float32
	for i, v := range c.o {
		po += v * v
		out[i] = toInt16(v)
	}
	if c.hold > 0 {
		c.pMic += .01 * (pd - c.pMic)
		c.pOut += .01 * (po - c.pOut)
	}
}

func toInt16(v float32) int16 {
	v *= 32768
	switch {
	case v >= 32767:
		return 32767
	case v <= -32768:
		return -32768
	case v < 0:
		return int16(v - .5)
	}
	return int16(v + .5)
}

// idle passes the microphone on while the far end has been silent for longer than the filter remembers.
func (c *Canceller) idle() {
	c.filter.hush()
	copy(c.e, c.d)
	clear(c.sup.py)
	c.sup.coherence = 0
}

func (c *Canceller) cancel() {
	n := c.cfg.Frame
	c.model(c.x, 0)
	c.filter.push(c.x)
	if power := c.filter.cancel(c.d, c.e, c.y, c.sup.py); !(power < overload) {
		c.filter.reset()
		c.speaker.reset()
		clear(c.sup.py)
		copy(c.e, c.d)
		return
	}
	c.sup.coherence = c.filter.coherence
	if c.filter.diverged {
		c.sup.resetLeak()
	}
	every := learnEvery
	if c.frame++; c.frame >= settled {
		every *= 2
	}
	if c.frame == 2*settled {
		c.frame = settled
	}
	if c.frame%every == 0 {
		p := c.filter.strongest()
		c.ref.read(c.raw, 2*p*n)
		wr, wi := c.filter.weights(p)
		c.speaker.learn(c.raw, wr, wi, c.y, c.e)
		limit := maxDrift * float64(n)
		c.speaker.drift = max(-limit, min(limit, c.speaker.drift))
	}
}

// model fills dst with the distorted reference that ends age samples before the newest.
func (c *Canceller) model(dst []float32, age int) {
	if c.ref.over == 1 {
		c.ref.read(dst, age)
		c.speaker.distort(dst)
		return
	}
	wide := c.raw[:c.ref.span(len(dst))]
	c.ref.read(wide, age)
	c.speaker.distort(wide)
	decimate(dst, wide)
}

// relocate moves the reference so that the echo's strongest path lies a few ms inside the filter.
func (c *Canceller) relocate() {
	ms := c.cfg.Rate / 1000
	lag := c.finder.lag * c.cfg.Rate / delayRate
	late := int(c.ref.off) + c.ref.latency()
	slack := lag - late
	if slack >= ms && slack <= 12*ms || c.ref.off == 0 && slack < ms {
		return
	}
	off := max(0, lag-c.ref.latency()-insideMs*ms)
	// If the filter's own peak lies at the lag that the finder sees, what it has learnt stays there;
	// otherwise the path itself has moved, and the filter moves with it.
	if peak := c.filter.peak() + late; peak >= lag-4*ms && peak <= lag+4*ms {
		c.filter.shift(int(c.ref.off) - off)
	}
	c.filter.inflateCov(movedCov)
	c.move(float64(off))
}

// move sets the reference's offset and computes the filter's spectra of it anew.
func (c *Canceller) move(off float64) {
	c.ref.off = off
	f := c.filter
	// The first hops only fill the window that the oldest spectrum needs.
	for age := f.slots + f.size/f.hop; age >= 1; age-- {
		c.model(c.o, (age-1)*f.hop)
		f.push(c.o)
	}
}

// Slip tells that an xrun has cost captured frames of the microphone, which the card heard and never
// delivered, and played frames of time in which the loudspeaker was given nothing. The echo then comes by
// the difference later. The filter keeps its knowledge. The delay is measured again, so that a card which
// counts otherwise costs half a second.
func (c *Canceller) Slip(captured, played int) {
	if captured == 0 && played == 0 {
		return
	}
	c.finder.forget()
	c.sup.resetLeak()
	c.filter.inflateCov(movedCov)
	limit := c.cfg.Rate * maxDelay / 1000
	off := int(c.ref.off) + max(-limit, min(limit, played)) - max(-limit, min(limit, captured))
	if off < 0 {
		c.filter.shift(off)
		off = 0
	}
	c.move(float64(min(off, limit)))
}

// Stats returns the present state.
func (c *Canceller) Stats() Stats {
	s := Stats{
		DoubleTalk: c.hold > 0 && c.sup.near > .5,
		Drift:      c.speaker.drift / float64(c.cfg.Frame) * 1e6,
	}
	if c.finder.lag >= 0 {
		s.Delay = time.Duration(c.finder.lag) * time.Second / delayRate
	}
	if c.pMic > 0 {
		s.ERLE = decibel(float64(c.pMic) / float64(c.pOut+1e-12))
	}
	return s
}
