package audio

import (
	"log/slog"

	"portero/audio/echo"
	"portero/audio/rtp"
)

// blocks does the work of one block; it is the engine's part that does not know about time.
type blocks struct {
	echo    *echo.Canceller // nil: off
	tried   bool
	slipped int // samples lost that do not make a block yet

	mix   [blockLen]int32
	clean [blockLen]int16 // the microphone without the echo
	far   [blockLen]int16 // the loudspeaker
	limit limiter
}

// listen gets ready for the microphone. The canceller outlives the card: what it knows of the door's echo
// holds for the next call.
func (b *blocks) listen(o EchoOptions, log *slog.Logger) {
	if b.tried {
		return
	}
	b.tried = true
	c, err := newCanceller(o)
	if err != nil {
		log.Error("echo canceller is off", "err", err)
		return
	}
	b.echo = c
}

// run moves everything on by 10 ms: mic is what the microphone gave (nil: silence), reference what the
// loudspeaker played then. It returns what the loudspeaker is to play; the slice is good until the next call.
func (r *runner) run(mic, reference []int16, use Use) []int16 {
	b := &r.block
	now := rtp.Monotonic()
	r.mu.Lock()
	sessions, clips := r.sessions, r.clips
	r.mu.Unlock()

	switch {
	case use != FullDuplex || mic == nil:
		clear(b.clean[:])
	case b.echo != nil:
		b.echo.Process(reference, mic, b.clean[:])
	default:
		copy(b.clean[:], mic)
	}
	clear(b.mix[:])
	for _, s := range sessions {
		s.period(b.clean[:], b.mix[:], now)
	}
	for _, p := range clips {
		if p.add(b.mix[:], use != 0) {
			r.remove(p)
		}
	}
	b.limit.run(b.far[:], b.mix[:])
	return b.far[:]
}

// limiter keeps the sum of many sounds below the point where the loudspeaker and its amplifier distort,
// because an echo that is not linear cannot be cancelled. It stands ahead of the reference. Its gain falls at
// once and rises by 6 dB in 200 ms.
type limiter struct{ gain float32 }

const (
	limitPeak = 29000 // -1 dBFS
	limitRise = 1.035 // per block
)

func (l *limiter) run(out []int16, mix []int32) {
	if l.gain == 0 {
		l.gain = 1
	}
	var peak int32
	for _, v := range mix {
		peak = max(peak, v, -v)
	}
	goal := min(1, l.gain*limitRise)
	if float32(peak)*goal > limitPeak {
		goal = limitPeak / float32(peak)
	}
	if goal == 1 && l.gain == 1 {
		for i, v := range mix {
			out[i] = int16(v)
		}
		return
	}
	const ramp = blockLen / 10
	step := (goal - l.gain) / ramp
	for i, v := range mix {
		if i < ramp {
			l.gain += step
		}
		out[i] = clip16(float32(v) * l.gain)
	}
	l.gain = goal
}
