package board

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// ErrClosed is returned by everything on a closed board.
var ErrClosed = errors.New("board: closed")

// ErrNoOutput is what a relay or lamp answers that the board does not have.
var ErrNoOutput = errors.New("board: there is no such output")

// Relay is a lease on an energised contact. It may be used by several goroutines.
type Relay interface {
	// Energize switches on for atMost from now, and never longer than MaxOn from when it was switched on. On
	// an energised relay the newest call rules: it moves the end later (up to that ceiling) or earlier. An
	// error leaves the relay released, or being released again and again.
	Energize(atMost time.Duration) error
	// Release switches off; a released relay stays so. After an error the board goes on trying by itself.
	Release() error
}

// A failing release is tried again after retryMin, then at twice the distance each time, up to retryMax.
const (
	retryMin = 10 * time.Millisecond
	retryMax = time.Second
)

type relay struct {
	name  string
	maxOn time.Duration
	log   *slog.Logger

	mu sync.Mutex
	output

	on     bool // driven active, as far as is known: a failed release leaves it true
	since  time.Time
	end    time.Time
	failed int // releases that failed in a row
	timer  *time.Timer
	closed bool
}

func (r *relay) Energize(atMost time.Duration) error {
	if atMost <= 0 {
		return fmt.Errorf("board: energize relay %q for %v: the time must be above zero", r.name, atMost)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return fmt.Errorf("board: energize relay %q: %w", r.name, ErrClosed)
	}
	if r.why != nil { // what is not driven is not on: a release that is owed stays owed
		return fmt.Errorf("board: energize relay %q: %w", r.name, r.lost())
	}
	now := time.Now()
	since := now
	if r.on {
		since = r.since
	}
	lease := min(atMost, r.maxOn-now.Sub(since))
	if lease <= 0 {
		return fmt.Errorf("board: energize relay %q: it has been on for its longest time, %v, and is to be released first", r.name, r.maxOn)
	}
	r.on, r.since, r.end, r.failed = true, since, now.Add(lease), 0
	r.arm(lease) // before the relay moves: nothing may come between
	r.lines.lease(r.line, lease)
	if err := r.set(true); err != nil {
		err = fmt.Errorf("board: energize relay %q: %w", r.name, err)
		return errors.Join(err, r.release()) // a set that failed may have moved the line
	}
	return nil
}

func (r *relay) Release() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || !r.on {
		return nil
	}
	return r.release()
}

// release drives the line inactive, or arms the next attempt. r.mu is held.
func (r *relay) release() error {
	err := r.set(false)
	if err == nil {
		r.released()
		return nil
	}
	err = fmt.Errorf("board: release relay %q: %w", r.name, err)
	wait := min(retryMin<<min(r.failed, 16), retryMax)
	r.failed++
	if r.failed&(r.failed-1) == 0 { // 1, 2, 4, 8...: loud at first, and never silent
		r.log.Error("relay release failed", "relay", r.name, "loss", "it may be energised",
			"failed", r.failed, "again", wait, "err", err)
	}
	r.arm(wait)
	return err
}

// released takes note that the line is inactive. r.mu is held.
func (r *relay) released() {
	r.timer.Stop()
	if r.failed > 0 {
		r.log.Info("relay released at last", "relay", r.name, "failed", r.failed)
	}
	r.on, r.failed = false, 0
	r.lines.lease(r.line, 0)
}

// take has the relay drive a line, which was requested inactive. false: too late.
func (r *relay) take(line int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.output.take(line)
	if r.on {
		r.released()
	}
	return true
}

// vanished gives up a line whose chip has gone; the line is to be dropped. A relay that was energised by it
// counts as energised until it drives another.
func (r *relay) vanished() (line int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return 0, nil
	}
	return r.output.vanished()
}

// absent tells why there is no line.
func (r *relay) absent(why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.why = why
}

func (r *relay) energised() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.on
}

// arm has expire called after d. r.mu is held.
func (r *relay) arm(d time.Duration) {
	if r.timer == nil {
		r.timer = time.AfterFunc(d, r.expire)
		return
	}
	r.timer.Reset(d)
}

func (r *relay) expire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || !r.on {
		return
	}
	if left := time.Until(r.end); r.failed == 0 && left > 0 {
		r.arm(left) // fired for an earlier end, while Energize moved it
		return
	}
	_ = r.release() // reported in the log, and tried again
}

// close drives the line inactive for good. A few attempts: nobody is left to try later.
func (r *relay) close() (err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer != nil {
		r.timer.Stop()
	}
	r.closed = true
	if r.why != nil && !r.on {
		return nil
	}
	for range 3 {
		if err = r.set(false); err == nil {
			r.on = false
			r.lines.lease(r.line, 0)
			return nil
		}
	}
	return fmt.Errorf("board: release relay %q to close it: %w", r.name, err)
}

// noOutput stands for a relay or lamp that the configuration does not have.
type noOutput struct{ kind, name string }

func (n noOutput) Energize(time.Duration) error { return n.err() }
func (n noOutput) Release() error               { return n.err() }
func (n noOutput) Set(bool) error               { return n.err() }
func (n noOutput) err() error {
	return fmt.Errorf("board: %s %q: %w", n.kind, n.name, ErrNoOutput)
}
