package audio

import (
	"context"
	"runtime"
	"time"
)

// Run is the engine's only thread. With a card, it blocks in Exchange alone and does everything else
// between two of them. Without one, a timer is the clock of the sessions. With nothing to do, it waits and
// no card is open. It returns nil when ctx ends, with the card closed. Run may be called once at a time.
func (e *Engine) Run(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if e.opt.Thread != nil {
		if err := e.opt.Thread(); err != nil {
			e.log.Warn("sound thread not made a real-time one", "err", err)
		}
	}
	r := &runner{Engine: e, ctx: ctx, opened: make(chan opening, 1), timer: time.NewTimer(time.Hour)}
	defer r.shutdown()
	for ctx.Err() == nil {
		want, clock := r.wants()
		r.adjust(want)
		switch {
		case r.card != nil:
			if err := r.exchange(); err != nil && ctx.Err() == nil {
				r.lose(err)
			}
		case clock:
			r.tick()
		default:
			r.idle()
		}
	}
	return nil
}

// The back-off between attempts to open the card.
const (
	retryFirst = 250 * time.Millisecond
	retryMost  = 5 * time.Second
	retryReset = 5 * time.Second // a card that lived that long starts over
)

type opening struct {
	card Duplex
	use  Use
	err  error
}

// runner is the state of one Run.
type runner struct {
	*Engine
	ctx   context.Context
	timer *time.Timer
	block blocks

	card      *patch
	use       Use
	unblock   func() bool // undoes the closing of the card at the end of ctx
	since     time.Time   // the card has been open
	opened    chan opening
	isOpening bool
	lost      bool // told as lost
	backoff   time.Duration
	retryAt   time.Time

	next time.Time // tick of the timer that stands in for the card
}

// wants looks at what is attached: the use of the card, 0 if none, and whether time has to go on.
func (r *runner) wants() (want Use, clock bool) {
	r.mu.Lock()
	sessions, clips := r.sessions, r.clips
	r.mu.Unlock()
	if len(clips) > 0 {
		want, clock = Playback, true
	}
	for _, s := range sessions {
		mic, speaker, alive := s.needs()
		if !alive {
			r.Detach(s)
			continue
		}
		clock = true
		switch {
		case mic:
			want = FullDuplex
		case speaker:
			want = max(want, Playback)
		}
	}
	return want, clock
}

// adjust closes a card that is open for another use and starts to open one that is needed.
func (r *runner) adjust(want Use) {
	if r.card != nil && r.use != want {
		r.close()
		r.tell(CardEvent{State: CardClosed})
	}
	if want == 0 {
		if r.lost {
			r.tell(CardEvent{State: CardClosed})
		}
		r.lost, r.backoff, r.retryAt = false, 0, time.Time{}
		return
	}
	if r.card == nil && !r.isOpening && !time.Now().Before(r.retryAt) {
		r.isOpening = true
		// Opening may take long (USB, busy servers): the sessions go on meanwhile.
		go func() {
			card, err := r.opener(r.ctx, want)
			r.opened <- opening{card, want, err}
			r.poke()
		}()
	}
}

// accept takes the outcome of an attempt to open the card.
func (r *runner) accept(o opening) {
	r.isOpening = false
	if o.err == nil && r.ctx.Err() != nil {
		o.card.Close()
		return
	}
	if o.err == nil {
		if want, _ := r.wants(); want != o.use { // it changed its mind
			o.card.Close()
			return
		}
		var p *patch
		if p, o.err = newPatch(o.card, o.use); o.err == nil {
			r.card, r.use, r.since = p, o.use, time.Now()
			r.unblock = context.AfterFunc(r.ctx, func() { o.card.Close() })
			if o.use == FullDuplex {
				r.block.listen(r.opt.Echo, r.log)
			}
			state := CardOpened
			if r.lost {
				state = CardRecovered
			}
			r.lost = false
			r.tell(CardEvent{State: state, Use: o.use})
			return
		}
		o.card.Close()
	}
	r.failed(o.err)
}

// lose handles a card that vanished.
func (r *runner) lose(err error) {
	if time.Since(r.since) > retryReset {
		r.backoff = 0
	}
	r.close()
	r.failed(err)
}

func (r *runner) failed(err error) {
	r.backoff = max(retryFirst, min(2*r.backoff, retryMost))
	r.retryAt = time.Now().Add(r.backoff)
	if !r.lost {
		r.lost = true
		r.tell(CardEvent{State: CardLost, Err: err})
	}
}

func (r *runner) close() {
	r.unblock()
	if err := r.card.card.Close(); err != nil {
		r.log.Warn("sound card not closed", "err", err)
	}
	r.card, r.use = nil, 0
	r.next = time.Time{}
}

func (r *runner) tell(ev CardEvent) {
	microphone := ev.Use == FullDuplex
	switch ev.State {
	case CardOpened:
		r.log.Info("sound card opened", "microphone", microphone)
	case CardClosed:
		r.log.Info("sound card closed")
	case CardLost:
		r.log.Warn("sound card lost", "err", ev.Err)
	case CardRecovered:
		r.log.Info("sound card recovered", "microphone", microphone)
	}
	if r.opt.Events != nil {
		r.opt.Events(ev)
	}
}

// exchange is one period of the card: the only place where the thread sleeps in a call.
func (r *runner) exchange() error {
	slip, err := r.card.exchange()
	if err != nil {
		return err
	}
	if slip != (Slip{}) {
		r.slip(slip)
	}
	for r.card.ready() {
		mic := r.card.microphone()
		r.card.loudspeaker(r.run(mic, r.card.reference(), r.use))
	}
	return nil
}

// slip passes on what an xrun lost: the canceller shifts its filter, the time stamps skip the sound that was
// never captured.
func (r *runner) slip(s Slip) {
	captured, played := r.card.scale(s.Captured), r.card.scale(s.Played)
	r.log.Warn("sound card xrun", "captured", s.Captured, "played", s.Played)
	if r.block.echo != nil {
		r.block.echo.Slip(captured, played)
	}
	r.block.slipped += captured
	if n := r.block.slipped / blockLen; n > 0 {
		r.block.slipped -= n * blockLen
		r.mu.Lock()
		sessions := r.sessions
		r.mu.Unlock()
		for _, s := range sessions {
			s.skip(n)
		}
	}
}

// tick is one block without a card.
func (r *runner) tick() {
	now := time.Now()
	if r.next.IsZero() || now.Sub(r.next) > 10*blockTime {
		r.next = now.Add(blockTime)
	}
	r.timer.Reset(r.next.Sub(now))
	for {
		select {
		case <-r.timer.C:
			r.run(nil, nil, 0)
			r.next = r.next.Add(blockTime)
			return
		case o := <-r.opened:
			r.accept(o)
			if r.card != nil {
				r.timer.Stop()
				return
			}
		case <-r.ctx.Done():
			return
		}
	}
}

func (r *runner) idle() {
	r.next = time.Time{}
	select {
	case <-r.wake:
	case o := <-r.opened:
		r.accept(o)
	case <-r.ctx.Done():
	}
}

func (r *runner) shutdown() {
	r.timer.Stop()
	if r.isOpening {
		r.accept(<-r.opened)
	}
	if r.card != nil {
		r.close()
		r.tell(CardEvent{State: CardClosed})
	}
}
