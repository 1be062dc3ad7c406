package audio

import "fmt"

// patch joins a card of any rate and period to the engine's blocks.
//
// In full duplex the card's clock is the captured sound: a block runs as soon as 10 ms of it are there, and
// what that block plays goes out with the next Exchange. The loudspeaker runs ahead by one period, plus a
// block where the period is not whole blocks.
type patch struct {
	card    Duplex
	use     Use
	period  int
	down    *Resampler // card to engine
	up      *Resampler
	play    []int16 // waits for the card; grows to its capacity once
	capture []int16
	mic     []int16 // waits for a block
	ref     []int16 // loudspeaker, one period behind: nothing younger can be in the microphone
	refOut  [blockLen]int16
	micOut  [blockLen]int16
}

func newPatch(card Duplex, use Use) (*patch, error) {
	p := &patch{card: card, use: use, period: card.Period()}
	rate := card.Rate()
	if p.period <= 0 || p.period > rate {
		return nil, fmt.Errorf("audio: card of %d Hz with a period of %d frames", rate, p.period)
	}
	var err error
	if p.down, err = NewResampler(rate, engineRate); err != nil {
		return nil, err
	}
	if p.up, err = NewResampler(engineRate, rate); err != nil {
		return nil, err
	}
	ahead, behind := p.period, p.scale(p.period)
	if p.period*blocksPerSecond%rate != 0 {
		ahead += (rate+blocksPerSecond-1)/blocksPerSecond + 1
	}
	p.play = make([]int16, ahead, ahead+2*p.period+4*p.up.MaxOut(blockLen))
	p.capture = make([]int16, p.period)
	p.mic = make([]int16, 0, 2*blockLen+p.down.MaxOut(p.period))
	p.ref = make([]int16, behind, behind+2*blockLen)
	return p, nil
}

// scale converts a number of the card's frames to samples of the engine.
func (p *patch) scale(frames int) int { return int(int64(frames) * engineRate / int64(p.card.Rate())) }

func (p *patch) exchange() (Slip, error) {
	capture := p.capture
	if p.use != FullDuplex {
		capture = nil
	}
	if short := p.period - len(p.play); short > 0 {
		p.play = append(p.play, p.capture[:short]...)
		clear(p.play[len(p.play)-short:])
	}
	slip, err := p.card.Exchange(p.play[:p.period], capture)
	if err != nil {
		return slip, err
	}
	p.play = p.play[:copy(p.play, p.play[p.period:])]
	if capture == nil {
		clear(p.capture) // the loudspeaker alone: silence keeps the count
	}
	n := len(p.mic)
	p.mic = p.mic[:n+p.down.Process(p.mic[n:cap(p.mic)], p.capture)]
	return slip, nil
}

func (p *patch) ready() bool { return len(p.mic) >= blockLen }

func (p *patch) microphone() []int16 {
	copy(p.micOut[:], p.mic)
	p.mic = p.mic[:copy(p.mic, p.mic[blockLen:])]
	return p.micOut[:]
}

// reference returns what the loudspeaker was given one period before the block at hand.
func (p *patch) reference() []int16 {
	copy(p.refOut[:], p.ref)
	return p.refOut[:]
}

// loudspeaker queues a block for the card and for the reference.
func (p *patch) loudspeaker(far []int16) {
	n := len(p.play)
	if cap(p.play)-n >= p.up.MaxOut(blockLen) {
		p.play = p.play[:n+p.up.Process(p.play[n:cap(p.play)], far)]
	}
	p.ref = append(p.ref, far...)
	p.ref = p.ref[:copy(p.ref, p.ref[blockLen:])]
}
