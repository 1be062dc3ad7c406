package guard

import (
	"log/slog"
	"slices"
	"time"
)

const (
	leaseSlack   = 300 * time.Millisecond // the station's own timer comes first
	releaseRetry = 50 * time.Millisecond
)

// lines are what the guard holds, by board.Keeper's key.
type lines struct {
	held       map[string]*line
	deenergize func(fd int) error
	close      func(fd int)
	log        *slog.Logger
}

type line struct {
	fd     int
	until  time.Time // the end of its lease; zero: the relay is released
	failed int       // releases that failed in a row
}

// keep takes a line over, whose relay may be energised for atMost from now.
func (ls *lines) keep(key string, fd int, atMost time.Duration, now time.Time) {
	ls.drop(key)
	ls.held[key] = &line{fd: fd}
	ls.lease(key, atMost, now)
}

// drop gives a line up.
func (ls *lines) drop(key string) {
	if l := ls.held[key]; l != nil {
		ls.close(l.fd)
		delete(ls.held, key)
	}
}

// lease sets until when a relay may be energised.
func (ls *lines) lease(key string, atMost time.Duration, now time.Time) {
	l := ls.held[key]
	switch {
	case l == nil:
	case atMost > 0:
		l.until, l.failed = now.Add(atMost), 0
	default:
		l.until, l.failed = time.Time{}, 0
	}
}

// energised says whether a relay is, or may be.
func (ls *lines) energised() bool {
	for _, l := range ls.held {
		if !l.until.IsZero() {
			return true
		}
	}
	return false
}

// releaseAll releases every line, whatever is known of it, and returns those that were energised.
func (ls *lines) releaseAll(now time.Time) (keys []string) {
	for key, l := range ls.held {
		if !l.until.IsZero() {
			keys = append(keys, key)
		}
		ls.release(key, l, now)
	}
	slices.Sort(keys)
	return keys
}

// expire releases the lines whose lease is over, and those whose release has failed, and returns the keys of
// the former.
func (ls *lines) expire(now time.Time) (keys []string) {
	for key, l := range ls.held {
		if l.until.IsZero() || now.Before(l.due()) {
			continue
		}
		if l.failed == 0 {
			keys = append(keys, key)
		}
		ls.release(key, l, now)
	}
	slices.Sort(keys)
	return keys
}

// due is when expire has something to do with an energised line.
func (l *line) due() time.Time {
	if l.failed > 0 {
		return l.until.Add(releaseRetry)
	}
	return l.until.Add(leaseSlack)
}

// release drives a line inactive; a release that fails is due again soon.
func (ls *lines) release(key string, l *line, now time.Time) {
	err := ls.deenergize(l.fd)
	if err == nil {
		l.until, l.failed = time.Time{}, 0
		return
	}
	l.until = now
	l.failed++
	if l.failed&(l.failed-1) == 0 { // 1, 2, 4, 8...: loud at first, and never silent
		ls.log.Error("relay release failed", "part", "guard", "line", key, "failed", l.failed, "err", err)
	}
}
