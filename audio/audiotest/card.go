package audiotest

import (
	"context"
	"errors"
	"sync"
	"time"

	"portero/audio"
)

// Card is a sound card in the test's hands. It keeps the pace of the clock, so that in a bubble it is exact
// and costs no time. The fields are set before it is opened.
type Card struct {
	Mic     func(capture []int16) // fills one period; nil: silence
	Speaker func(play []int16)    // takes one period; nil: nobody listens

	rate, period int

	mu    sync.Mutex
	opens []audio.Use
	open  *duplex
	slip  audio.Slip
	err   error // of the next Exchange and of Open while it is set
}

// NewCard makes a card of a rate in Hz and a period in frames.
func NewCard(rate, period int) *Card { return &Card{rate: rate, period: period} }

// Open is an audio.Opener. A second open card is an error: the engine owns one.
func (c *Card) Open(_ context.Context, use audio.Use) (audio.Duplex, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	if c.open != nil {
		return nil, errors.New("audiotest: card is busy")
	}
	c.opens = append(c.opens, use)
	c.open = &duplex{card: c, use: use, done: make(chan struct{}), next: time.Now()}
	return c.open, nil
}

// Use returns how the card is open now, 0 if it is closed.
func (c *Card) Use() audio.Use {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		return 0
	}
	return c.open.use
}

// Opens returns every use since the card was made.
func (c *Card) Opens() []audio.Use {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]audio.Use(nil), c.opens...)
}

// Break makes Exchange and Open fail with err, as a card that was pulled out; nil puts it back.
func (c *Card) Break(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

// Xrun makes the next Exchange report a slip, and lets the time that was lost pass.
func (c *Card) Xrun(s audio.Slip) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slip = s
}

type duplex struct {
	card *Card
	use  audio.Use
	next time.Time
	done chan struct{}
}

func (d *duplex) Rate() int   { return d.card.rate }
func (d *duplex) Period() int { return d.card.period }

func (d *duplex) Exchange(play, capture []int16) (audio.Slip, error) {
	c := d.card
	c.mu.Lock()
	slip, err := c.slip, c.err
	c.slip = audio.Slip{}
	c.mu.Unlock()
	if err != nil {
		return audio.Slip{}, err
	}
	frames := c.period + max(slip.Captured, slip.Played)
	d.next = d.next.Add(time.Duration(frames) * time.Second / time.Duration(c.rate))
	t := time.NewTimer(time.Until(d.next))
	defer t.Stop()
	select {
	case <-t.C:
	case <-d.done:
		return audio.Slip{}, errors.New("audiotest: card is closed")
	}
	if c.Speaker != nil {
		c.Speaker(play)
	}
	if d.use == audio.FullDuplex {
		clear(capture)
		if c.Mic != nil {
			c.Mic(capture)
		}
	}
	return slip, nil
}

func (d *duplex) Close() error {
	d.card.mu.Lock()
	defer d.card.mu.Unlock()
	if d.card.open == d {
		d.card.open = nil
		close(d.done)
	}
	return nil
}

// Pipe makes two cards joined by the air: each one's microphone hears the other's loudspeaker, up to half a
// second late.
func Pipe(rate, period int) (a, b *Card) {
	a, b = NewCard(rate, period), NewCard(rate, period)
	ab, ba := &air{limit: rate / 2}, &air{limit: rate / 2}
	a.Speaker, b.Mic = ab.put, ab.get
	b.Speaker, a.Mic = ba.put, ba.get
	return a, b
}

type air struct {
	mu    sync.Mutex
	limit int
	sound []int16
}

func (a *air) put(s []int16) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sound = append(a.sound, s...)
	if over := len(a.sound) - a.limit; over > 0 {
		a.sound = a.sound[over:]
	}
}

func (a *air) get(s []int16) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := copy(s, a.sound)
	clear(s[n:])
	a.sound = a.sound[n:]
}
