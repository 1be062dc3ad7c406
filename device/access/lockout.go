package access

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"portero/device/config"
	"portero/device/event"
)

const lockoutFile = "lockout.json"

// Lockout counts wrong codes, whoever types them, and refuses all codes for a while after too many. Its
// methods belong to the station's loop, except Run.
type Lockout struct {
	file   *stateFile
	limit  int
	period time.Duration
	emit   func(event.Event)

	wrong int
	until time.Time // zero: codes are taken
}

// lockState is what outlives a restart, {"wrong":3,"locked":false}.
type lockState struct {
	Wrong  int  `json:"wrong"`
	Locked bool `json:"locked"`
}

// NewLockout reads the state in dir. A lock-out that a restart cut short begins anew, and an unreadable state
// is one: emit gets code.locked_out for both.
func NewLockout(dir string, a config.Access, emit func(event.Event), logger *slog.Logger) *Lockout {
	l := &Lockout{file: newStateFile(dir, lockoutFile, "wrong codes may be forgotten at a restart", logger),
		limit: a.WrongLimit, period: a.LockOut, emit: emit}
	var state lockState
	err := l.file.read(&state)
	if err == nil && state.Wrong < 0 {
		err = fmt.Errorf("access: read %q: %d wrong codes", l.file.path, state.Wrong)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		logger.Error("lock-out state not read", "part", "door", "loss", "a lock-out begins", "err", err)
		l.begin("", "its state is unreadable", time.Now())
	case state.Locked:
		l.begin("", "restart during a lock-out", time.Now())
	default:
		l.wrong = state.Wrong
	}
	return l
}

// Locked says whether codes are refused at that time.
func (l *Lockout) Locked(at time.Time) bool {
	if !l.until.IsZero() && !at.Before(l.until) {
		l.until, l.wrong = time.Time{}, 0
		l.save()
	}
	return !l.until.IsZero()
}

// Until says when codes are taken again; zero: they are.
func (l *Lockout) Until() time.Time { return l.until }

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

func (l *Lockout) save() {
	s := stored{state: lockState{Wrong: l.wrong, Locked: !l.until.IsZero()}}
	if !l.until.IsZero() {
		s.after, s.until = lockState{}, l.until
	}
	l.file.save(s)
}

// Run writes the state to the medium until ctx ends, and what changed last. A failed write is logged and
// tried again.
func (l *Lockout) Run(ctx context.Context) error { return l.file.Run(ctx) }
