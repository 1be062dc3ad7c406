package access

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"portero/device/config"
	"portero/device/event"
)

const (
	lockoutFile  = "lockout.json"
	lockoutRetry = 10 * time.Second // after a failed write
)

// Lockout counts wrong codes, whoever types them, and refuses all codes for a while after too many. Its methods belong to the
// station's loop, except Run.
type Lockout struct {
	path   string
	limit  int
	period time.Duration
	emit   func(event.Event)
	logger *slog.Logger

	wrong   int
	until   time.Time // zero: codes are taken
	changed chan lockState
}

// lockState is what outlives a restart, {"wrong":3,"locked":false}. There may be no clock at boot, so it holds no time.
type lockState struct {
	Wrong  int  `json:"wrong"`
	Locked bool `json:"locked"`

	until time.Time
}

// NewLockout reads the state in dir. A lock-out that a restart cut short begins anew, and an unreadable state is one: emit gets
// code.locked_out for both.
func NewLockout(dir string, a config.Access, emit func(event.Event), logger *slog.Logger) *Lockout {
	l := &Lockout{path: filepath.Join(dir, lockoutFile), limit: a.WrongLimit, period: a.LockOut, emit: emit, logger: logger,
		changed: make(chan lockState, 1)}
	state, err := readLockState(l.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		logger.Error("lock-out", "err", err)
		l.begin("", "its state is unreadable", time.Now())
	case state.Locked:
		l.begin("", "restart during a lock-out", time.Now())
	default:
		l.wrong = state.Wrong
	}
	return l
}

func readLockState(path string) (lockState, error) {
	var s lockState
	f, err := os.Open(path)
	if err != nil {
		return s, fmt.Errorf("access: open %q: %w", path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 4096))
	if err == nil {
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.DisallowUnknownFields()
		if err = dec.Decode(&s); err == nil && (s.Wrong < 0 || dec.More()) {
			err = errors.New("not a state of a lock-out")
		}
	}
	if err != nil {
		return s, fmt.Errorf("access: read %q: %w", path, err)
	}
	return s, nil
}

// Reload takes new limits. A lock-out that goes on keeps its end.
func (l *Lockout) Reload(a config.Access) { l.limit, l.period = a.WrongLimit, a.LockOut }

// Locked says whether codes are refused at that time.
func (l *Lockout) Locked(at time.Time) bool {
	if !l.until.IsZero() && !at.Before(l.until) {
		l.until, l.wrong = time.Time{}, 0
		l.save()
	}
	return !l.until.IsZero()
}

func (l *Lockout) wrongCode(call string, at time.Time) {
	if l.wrong++; l.wrong >= l.limit {
		l.begin(call, fmt.Sprintf("%d wrong codes", l.wrong), at)
		return
	}
	l.save()
}

func (l *Lockout) rightCode() {
	if l.wrong > 0 {
		l.wrong = 0
		l.save()
	}
}

func (l *Lockout) begin(call, reason string, at time.Time) {
	l.until = at.Add(l.period)
	l.emit(event.Event{Kind: event.CodeLockedOut, Call: call, Reason: reason, DurationMS: l.period.Milliseconds()})
	l.save()
}

// save hands the state to Run; a state that Run has not taken yet is replaced.
func (l *Lockout) save() {
	select {
	case <-l.changed:
	default:
	}
	l.changed <- lockState{Wrong: l.wrong, Locked: !l.until.IsZero(), until: l.until}
}

// Run writes the state until ctx ends, then once more if it has changed. A failed write is logged and tried again.
func (l *Lockout) Run(ctx context.Context) error {
	var s lockState
	var again <-chan time.Time
	write := func() {
		again = nil
		if err := writeLockState(l.path, s); err != nil {
			l.logger.Error("lock-out: wrong codes may be forgotten at a restart", "err", err)
			again = time.After(lockoutRetry)
		} else if s.Locked {
			// A restart after the lock-out, before the next digit, must not begin it anew.
			again = time.After(time.Until(s.until))
		}
	}
	for {
		select {
		case s = <-l.changed:
			write()
		case <-again:
			if s.Locked && !time.Now().Before(s.until) {
				s = lockState{}
			}
			write()
		case <-ctx.Done():
			select {
			case s = <-l.changed:
				write()
			default:
			}
			return nil
		}
	}
}

func writeLockState(path string, s lockState) error {
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("access: marshal lock-out: %w", err)
	}
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("access: write lock-out: %w", err)
	}
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		var dir *os.File
		if dir, err = os.Open(filepath.Dir(path)); err == nil {
			err = errors.Join(dir.Sync(), dir.Close())
		}
	}
	if err != nil {
		return fmt.Errorf("access: write lock-out: %w", err)
	}
	return nil
}
