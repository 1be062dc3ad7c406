package audio

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"portero/audio/rtp"
)

// The engine's inner format: whatever the card and the codecs run at, sound is mixed and cancelled in blocks
// of 10 ms at 16 kHz.
const (
	engineRate      = 16000
	blockLen        = engineRate / blocksPerSecond
	blocksPerSecond = 100
	blockTime       = time.Second / blocksPerSecond
)

// ClipRate in Hz is that of clips which Play need not resample.
const ClipRate = engineRate

// Opener opens the card for a use. It is called on a goroutine of its own and must give up when ctx ends.
type Opener func(ctx context.Context, use Use) (Duplex, error)

// EngineOptions are an Engine's; the zero value is good.
type EngineOptions struct {
	Log    *slog.Logger    // nil: slog.Default()
	Echo   EchoOptions     //
	Events func(CardEvent) // what happens to the card; called on the engine's thread, must not block
	Thread func() error    // called once on the engine's locked thread, to raise its priority
}

// CardEvent tells what happened to the card.
type CardEvent struct {
	State CardState
	Use   Use   // Opened, Recovered: the microphone is open if it is FullDuplex
	Err   error // Lost
}

// CardState is the kind of a CardEvent.
type CardState uint8

// The states of the card. Each Lost is followed by Recovered, or by Closed when nobody needs the card any
// more.
const (
	CardOpened CardState = iota + 1
	CardClosed
	CardLost // it vanished or cannot be opened; the engine tries again while it is needed
	CardRecovered
)

func (s CardState) String() string {
	return [...]string{"unknown", "opened", "closed", "lost", "recovered"}[min(int(s), 4)%5]
}

// Engine owns the sound card: it mixes what the sessions receive and the clips into the loudspeaker, cancels
// the echo and sends the microphone to the sessions. The card is open only while there is something to hear,
// the microphone only while a session sends.
type Engine struct {
	opener Opener
	opt    EngineOptions
	log    *slog.Logger

	mu       sync.Mutex
	sessions []*Session // replaced, never changed in place
	clips    []*playing
	wake     chan struct{}
}

// NewEngine makes an engine that gets its card from open. It starts nothing.
func NewEngine(open Opener, o EngineOptions) *Engine {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Engine{opener: open, opt: o, log: o.Log.With("part", "sound"), wake: make(chan struct{}, 1)}
}

// Attach lets a session run. Its first packet leaves before Attach returns. Attaching twice does nothing.
func (e *Engine) Attach(s *Session) {
	s.open(rtp.Monotonic())
	e.mu.Lock()
	if !slices.Contains(e.sessions, s) {
		e.sessions = append(slices.Clone(e.sessions), s)
	}
	e.mu.Unlock()
	e.poke()
}

// Detach stops a session; it may be attached again. The engine may finish the block at hand after Detach
// returns.
func (e *Engine) Detach(s *Session) {
	e.mu.Lock()
	if i := slices.Index(e.sessions, s); i >= 0 {
		e.sessions = slices.Delete(slices.Clone(e.sessions), i, i+1)
	}
	e.mu.Unlock()
	e.poke()
}

// Play plays a clip, mixed with what else sounds, until it ends or stop is called; stop may be called at any
// time and again. A clip that cannot be played (no samples, an impossible rate) is logged and done at once.
func (e *Engine) Play(c Clip) (stop func()) {
	c, err := c.Resample(engineRate)
	if err != nil || len(c.Samples) == 0 {
		e.log.Error("clip not played", "samples", len(c.Samples), "rate", c.Rate, "err", err)
		if c.Done != nil {
			c.Done()
		}
		return func() {}
	}
	p := &playing{clip: c, gain: float32(math.Pow(10, c.Gain/20))}
	e.mu.Lock()
	e.clips = append(slices.Clone(e.clips), p)
	e.mu.Unlock()
	e.poke()
	return func() {
		p.stop.Store(true)
		e.poke()
	}
}

func (e *Engine) poke() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

func (e *Engine) remove(done *playing) {
	e.mu.Lock()
	if i := slices.Index(e.clips, done); i >= 0 {
		e.clips = slices.Delete(slices.Clone(e.clips), i, i+1)
	}
	e.mu.Unlock()
	if done.clip.Done != nil {
		done.clip.Done()
	}
}

// playing is a clip on its way.
type playing struct {
	clip   Clip // at engineRate
	gain   float32
	at     int
	waited int // blocks without a card
	stop   atomic.Bool
}

// clipWait is how long a clip waits for the card before time passes over it, unless it must be played: a
// chime that comes late is worse than none.
const clipWait = 2 * blocksPerSecond

// add mixes the next block and reports whether the clip has ended. A stopped clip fades out over 5 ms.
func (p *playing) add(mix []int32, card bool) (ended bool) {
	stopped := p.stop.Load()
	if !card {
		if p.waited++; (p.clip.Must || p.waited <= clipWait) && !stopped {
			return false
		}
	}
	const fade = engineRate / 200
	for i := range mix {
		if p.at == len(p.clip.Samples) {
			if !p.clip.Loop {
				return true
			}
			p.at = 0
		}
		g := p.gain
		if stopped {
			if i >= fade {
				break
			}
			g *= 1 - float32(i)/fade
		}
		mix[i] += int32(g * float32(p.clip.Samples[p.at]))
		p.at++
	}
	return stopped || !p.clip.Loop && p.at == len(p.clip.Samples)
}
