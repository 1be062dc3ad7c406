package alsa

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"portero/audio"
)

// Config says which card to open and how.
type Config struct {
	// Card is an id ("Device"), a name ("USB Audio Device"), the ids of a USB card ("usb:0d8c:0014"), or
	// "hw:1", each with the PCM device behind a comma if not the first ("hw:1,0", "Device,0"). "" is the
	// first card with both directions, else the first with the direction needed.
	Card string
	// Playback and Capture stand in for Card where one direction is on another card.
	Playback, Capture string
	Rate              int           // Hz to prefer, 4000 to 192000; 0 is 16000
	Period            time.Duration // of one Exchange, 2 ms to 100 ms; 0 is 10 ms
	// Volumes are percent of a mixer control's range, by its name. That is the kernel's, with ",index" where
	// needed; without its last word it means both the volume and the switch: "Speaker Playback" sets "Speaker
	// Playback Volume" and turns on "Speaker Playback Switch". The direction is not left out: "Mic Playback"
	// would feed the microphone to the loudspeaker.
	Volumes map[string]int
}

func (c Config) normal() (Config, error) {
	c.Rate = cmp.Or(c.Rate, 16000)
	c.Period = cmp.Or(c.Period, 10*time.Millisecond)
	if c.Rate < 4000 || c.Rate > 192000 {
		return c, fmt.Errorf("alsa: rate %d Hz: not within 4000 to 192000", c.Rate)
	}
	if c.Period < 2*time.Millisecond || c.Period > 100*time.Millisecond {
		return c, fmt.Errorf("alsa: period %v: not within 2ms to 100ms", c.Period)
	}
	for name, percent := range c.Volumes {
		if percent < 0 || percent > 100 {
			return c, fmt.Errorf("alsa: volume of %q: %d %%: not within 0 to 100", name, percent)
		}
	}
	return c, nil
}

// Open opens the card for playback alone, without touching the microphone, or for both directions, and sets
// the volumes. The streams start with the first Exchange. Where the hardware refuses Config.Rate, Rate tells
// the one taken. A volume that cannot be set is no error here, as a wrong volume must not silence the bell:
// Check finds it.
func Open(ctx context.Context, c Config, use audio.Use) (audio.Duplex, error) {
	return host.openDuplex(ctx, c, use)
}

func (s system) openDuplex(ctx context.Context, c Config, use audio.Use) (audio.Duplex, error) {
	c, err := c.normal()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("alsa: open: %w", err)
	}
	if use != audio.Playback && use != audio.FullDuplex {
		return nil, fmt.Errorf("alsa: open: use %d", use)
	}
	play, capture, err := s.route(c, use)
	if err != nil {
		return nil, err
	}
	for name, percent := range c.Volumes {
		_ = s.setVolume(unique(play.card, capture.card), name, percent)
	}
	d := &duplex{k: s.kernel, wake: -1}
	if err := d.open(s, c, play, capture, use); err != nil {
		d.release()
		return nil, err
	}
	return d, nil
}

// route returns the devices of both directions; the capture device is playback's where capture is not used.
func (s system) route(c Config, use audio.Use) (play, capture pcm, err error) {
	cards, listErr := s.cards()
	if play, err = find(cards, cmp.Or(c.Playback, c.Card), streamPlayback); err != nil {
		return play, capture, errors.Join(err, listErr)
	}
	if use == audio.Playback {
		return play, play, nil
	}
	if capture, err = find(cards, cmp.Or(c.Capture, c.Card), streamCapture); err != nil {
		return play, capture, errors.Join(err, listErr)
	}
	return play, capture, nil
}

func unique(a, b int) []int {
	if a == b {
		return []int{a}
	}
	return []int{a, b}
}

func (d *duplex) open(s system, c Config, play, capture pcm, use audio.Use) error {
	var e unix.Errno
	if d.wake, e = s.event(); e != 0 {
		return fmt.Errorf("alsa: eventfd: %w", e)
	}
	var err error
	if d.play, err = s.openStream(play.card, play.device, streamPlayback); err != nil {
		return err
	}
	streams := []*stream{d.play}
	if use == audio.FullDuplex {
		if d.capture, err = s.openStream(capture.card, capture.device, streamCapture); err != nil {
			return err
		}
		streams = append(streams, d.capture)
	}
	if d.rate, err = negotiate(c.Rate, streams...); err != nil {
		return err
	}
	d.period = int((int64(d.rate)*int64(c.Period) + int64(time.Second)/2) / int64(time.Second))
	// The hardware may move longer periods than ours: then several of ours go in one of its bursts.
	burst := d.period
	for _, t := range streams {
		h, err := t.choosePeriod(d.period)
		if err != nil {
			return err
		}
		burst = max(burst, h)
	}
	d.prefill = d.period + burst
	for _, t := range streams {
		if err := t.install(d.rate, d.prefill+2*burst); err != nil {
			return err
		}
		availMin := d.period
		if d.capture == nil {
			availMin = t.ring - d.prefill // wake when the ring is down to its constant level
		}
		if err := t.watch(availMin); err != nil {
			return err
		}
		t.buf = make([]byte, d.period*t.frameBytes())
	}
	d.silence = make([]byte, d.prefill*d.play.frameBytes())
	if d.capture != nil {
		d.clocks = play.card != capture.card
		d.linked = !d.clocks && s.link(d.play.fd, d.capture.fd) == 0
	}
	return nil
}

// Check reports what Open for both directions would refuse, and the controls of Volumes that it would pass
// over. It asks the hardware for rate, format and period, but starts and sets nothing; a busy card is no
// error.
func Check(c Config) error { return host.check(c) }

func (s system) check(c Config) error {
	c, err := c.normal()
	if err != nil {
		return err
	}
	play, capture, err := s.route(c, audio.FullDuplex)
	if err != nil {
		return err
	}
	var errs []error
	for name := range c.Volumes {
		if err := s.hasControl(unique(play.card, capture.card), name); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, s.probe(c, play, capture))...)
}

// probe refines but never installs, so another program's stream is not disturbed.
func (s system) probe(c Config, play, capture pcm) error {
	var streams []*stream
	for direction, p := range [2]pcm{streamPlayback: play, streamCapture: capture} {
		t, err := s.openStream(p.card, p.device, direction)
		if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EAGAIN) {
			return nil
		}
		if err != nil {
			return err
		}
		defer s.close(t.fd)
		streams = append(streams, t)
	}
	rate, err := negotiate(c.Rate, streams...)
	if err != nil {
		return err
	}
	for _, t := range streams {
		if _, err := t.choosePeriod(int(int64(rate) * int64(c.Period) / int64(time.Second))); err != nil {
			return err
		}
	}
	return nil
}
