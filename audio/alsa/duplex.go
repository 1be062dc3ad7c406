package alsa

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"portero/audio"
)

// ErrGone is wrapped by every final error of Exchange but the one after Close: the card was pulled out, hangs
// or failed. The cause (unix.ENODEV, unix.EIO, unix.ETIMEDOUT, ...) is wrapped too.
var ErrGone = errors.New("sound card gone")

// A card without a period for this long hangs: a driver's own waits end with EIO only after 10 s.
const stall = 2 * time.Second

// Recoveries within one Exchange; more means that the card cannot hold a period.
const maxRecoveries = 3

type duplex struct {
	k             kernel
	play, capture *stream // capture is nil for playback alone
	linked        bool    // START, DROP and PREPARE on play act on both
	clocks        bool    // the two streams run by clocks of their own
	rate, period  int     // Hz, frames
	prefill       int     // frames of silence ahead of the first period: the constant offset
	silence       []byte
	wake          int // readable once Close was called
	fds           [2]unix.PollFd
	closed        atomic.Bool

	mu      sync.Mutex // held by Exchange, and by Close while it closes the descriptors
	err     error      // the final one
	running bool
	written bool     // the period of this Exchange is in the ring
	halted  bool     // by an xrun whose length is known once the streams run again
	since   [2]int64 // ns of the monotonic clock, by direction
	lost    [2]int   // frames, by direction
}

func (d *duplex) Rate() int   { return d.rate }
func (d *duplex) Period() int { return d.period }

// Exchange is audio.Duplex's. The period goes into the ring before the wait, so that the wait is the ring's
// slack.
func (d *duplex) Exchange(play, capture []int16) (audio.Slip, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return audio.Slip{}, d.err
	}
	if len(play) != d.period || d.capture != nil && len(capture) != d.period {
		return audio.Slip{}, fmt.Errorf("alsa: exchange %d and %d frames: the period has %d",
			len(play), len(capture), d.period)
	}
	d.play.format.encode(d.play.buf, d.play.channels, play)
	slip, err := d.exchange()
	if err != nil {
		d.err = d.final(err)
		return slip, d.err
	}
	if d.capture != nil {
		d.capture.format.decode(capture, d.capture.buf, d.capture.channels)
	}
	return slip, nil
}

func (d *duplex) exchange() (slip audio.Slip, err error) {
	d.written = false
	for range maxRecoveries {
		if err = d.move(&slip); err == nil {
			return slip, nil
		}
		if !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ESTRPIPE) {
			return slip, err
		}
		if err := d.halt(); err != nil {
			return slip, err
		}
	}
	return slip, err
}

// move writes d.play.buf, waits a period, and reads d.capture.buf.
func (d *duplex) move(slip *audio.Slip) error {
	if !d.running {
		if err := d.prepare(); err != nil {
			return err
		}
	} else if d.clocks {
		if err := d.align(slip); err != nil {
			return err
		}
	}
	if err := d.transfer(d.play, pcmWriteI, d.play.buf); err != nil {
		return err
	}
	d.written = true
	if !d.running {
		if err := d.start(slip); err != nil {
			return err
		}
	}
	if d.capture == nil {
		return d.wait(d.play)
	}
	if err := d.wait(d.capture); err != nil {
		return err
	}
	return d.transfer(d.capture, pcmReadI, d.capture.buf)
}

// prepare empties the rings and lays the silence that keeps the loudspeaker a constant time behind.
func (d *duplex) prepare() error {
	if err := d.each(pcmPrepare); err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	return d.transfer(d.play, pcmWriteI, d.silence)
}

func (d *duplex) start(slip *audio.Slip) error {
	if err := d.each(pcmStart); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	d.running = true
	if !d.halted {
		return nil
	}
	d.halted = false
	n := [2]int{}
	for i, s := range d.streams() {
		if s == nil {
			continue
		}
		if err := s.status(); err != nil {
			return fmt.Errorf("status: %w", err)
		}
		gap := min(max(0, s.stat.trigger.nanos()-d.since[i]), int64(time.Minute))
		n[i] = max(0, d.lost[i]+int((gap*int64(d.rate)+5e8)/1e9))
	}
	// On one clock both sides lose the same time. The side that did not fail may have stopped on an old
	// reading of its position, which hides some of it.
	if d.capture != nil && !d.clocks {
		n[0] = max(n[0], n[1])
		n[1] = n[0]
	}
	slip.Played += n[streamPlayback]
	slip.Captured += n[streamCapture]
	return nil
}

// halt stops both streams after an xrun of either, so that they start again a constant offset apart.
func (d *duplex) halt() error {
	if d.running {
		if err := d.assess(); err != nil {
			return fmt.Errorf("status: %w", err)
		}
	}
	// Old kernels refuse to drop a suspended stream, but prepare it.
	if err := d.each(pcmDrop); err != nil && !errors.Is(err, unix.EBADFD) {
		return fmt.Errorf("drop: %w", err)
	}
	d.running = false
	return nil
}

// assess notes when each stream stopped and what that costs beside the pause: the microphone what its ring
// held, the loudspeaker the new silence less what the old run had yet to play.
func (d *duplex) assess() error {
	for i, s := range d.streams() {
		if s == nil {
			continue
		}
		if err := s.status(); err != nil {
			return err
		}
		d.since[i], d.lost[i] = s.stopped(), s.queued()
	}
	old := d.lost[streamPlayback]
	if d.written {
		old -= d.period // it is written again
	}
	d.lost[streamPlayback] = d.prefill - old
	d.halted = true
	return nil
}

// align takes out the drift between two cards' clocks: what both rings hold together stays the same whenever
// it is asked.
func (d *duplex) align(slip *audio.Slip) error {
	for _, s := range d.streams() {
		if err := s.status(); err != nil {
			return fmt.Errorf("status: %w", err)
		}
		if s.stat.state != stateRunning {
			return nil // the next transfer says why
		}
	}
	switch skew := d.play.queued() + d.capture.queued() - d.prefill; {
	case skew > d.prefill-d.period:
		if err := d.wait(d.capture); err != nil {
			return err
		}
		slip.Captured += d.period
		return d.transfer(d.capture, pcmReadI, d.capture.buf)
	case skew < d.period-d.prefill:
		slip.Played += d.period
		return d.transfer(d.play, pcmWriteI, d.silence[:len(d.play.buf)])
	}
	return nil
}

func (d *duplex) streams() [2]*stream {
	return [2]*stream{streamPlayback: d.play, streamCapture: d.capture}
}

// each issues an ioctl without argument on both streams: on one where they are linked.
func (d *duplex) each(req uintptr) error {
	var err error
	if d.capture != nil && !d.linked {
		err = d.capture.control(req, nil)
	}
	return errors.Join(err, d.play.control(req, nil))
}

// transfer moves all of p, waiting for the ring where it must.
func (d *duplex) transfer(s *stream, req uintptr, p []byte) error {
	for idle := 0; len(p) > 0; {
		n, e := s.transfer(req, p)
		p = p[n:]
		switch e {
		case 0, unix.EINTR:
			continue
		case unix.EAGAIN:
		default:
			return e
		}
		if idle++; idle > 8 { // poll promises frames that the ring does not have
			return unix.EIO
		}
		if err := d.wait(s); err != nil {
			return err
		}
	}
	return nil
}

// wait blocks until a period can move or the stream has failed: the transfer that follows tells which.
func (d *duplex) wait(s *stream) error {
	began := time.Now()
	for left := stall; left > 0; left = stall - time.Since(began) {
		d.fds = [2]unix.PollFd{{Fd: int32(s.fd), Events: s.events}, {Fd: int32(d.wake), Events: unix.POLLIN}}
		n, e := d.k.poll(d.fds[:], left)
		switch {
		case e == unix.EINTR:
			continue
		case e != 0:
			return e
		case n == 0:
			return s.hung()
		case d.fds[1].Revents != 0:
			return os.ErrClosed
		}
		return nil
	}
	return s.hung()
}

func (s *stream) hung() error {
	return fmt.Errorf("%s: no period for %v: %w", s.path, stall, unix.ETIMEDOUT)
}

func (d *duplex) final(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("alsa: %s: %w", d.play.path, os.ErrClosed)
	}
	return fmt.Errorf("alsa: %s: %w: %w", d.play.path, ErrGone, err)
}

// Close drops what the rings hold: a caller that wants its last sound heard plays three periods of silence
// first.
func (d *duplex) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	d.k.signal(d.wake)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = d.final(os.ErrClosed)
	d.release()
	return nil
}

func (d *duplex) release() {
	for _, s := range d.streams() {
		if s != nil {
			d.k.close(s.fd)
		}
	}
	if d.wake >= 0 {
		d.k.close(d.wake)
	}
}
