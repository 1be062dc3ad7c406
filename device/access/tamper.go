package access

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"portero/device/config"
	"portero/device/event"
)

const tamperFile = "tamper.json"

// Tamper keeps codes and programs from opening doors for a while after somebody opened the case. Its methods
// belong to the station's loop, except Run. [Doors].Alarm begins a block.
type Tamper struct {
	// OnChange is called when a block begins or ends; nil: nobody listens.
	OnChange func()

	file  *stateFile
	block time.Duration
	clock Clock
	emit  func(event.Event)

	blocked bool
	resumed string // why a block of an earlier life begins anew; "": none does
	stop    func() // the block's timer; nil: there was none
}

// tamperState is what outlives a restart, {"blocked":true}.
type tamperState struct {
	Blocked bool `json:"blocked"`
}

// NewTamper reads the state in dir. A block that a restart cut short holds from here on, and an unreadable
// state is one; its time begins with Start.
func NewTamper(dir string, a config.Access, clock Clock, emit func(event.Event), logger *slog.Logger) *Tamper {
	t := &Tamper{block: a.TamperBlock, clock: clock, emit: emit,
		file: newStateFile(dir, tamperFile, "a tamper block may be forgotten at a restart", logger)}
	var state tamperState
	switch err := t.file.read(&state); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		logger.Error("tamper state not read", "part", "door", "loss", "a tamper block begins", "err", err)
		t.resumed = "its state is unreadable"
	case state.Blocked:
		t.resumed = "restart during a block"
	}
	t.blocked = t.resumed != ""
	return t
}

// Start begins a block anew that a restart cut short: emit gets its tamper.alarm.
func (t *Tamper) Start() {
	if t.resumed != "" {
		t.begin("", t.resumed)
	}
}

// Blocked says whether codes and programs are kept from opening doors.
func (t *Tamper) Blocked() bool { return t.blocked }

// begin blocks from now, whether or not a block goes on.
func (t *Tamper) begin(input, reason string) {
	t.blocked, t.resumed = true, ""
	t.emit(event.Event{Kind: event.TamperAlarm, Input: input, Reason: reason, DurationMS: t.block.Milliseconds()})
	t.changed()
	if t.stop != nil {
		t.stop()
	}
	t.stop = t.clock.AfterFunc(t.block, func() {
		t.blocked = false
		t.emit(event.Event{Kind: event.TamperOver})
		t.changed()
	})
	t.file.save(stored{state: tamperState{Blocked: true}, after: tamperState{}, until: time.Now().Add(t.block)})
}

func (t *Tamper) changed() {
	if t.OnChange != nil {
		t.OnChange()
	}
}

// Run writes the state to the medium until ctx ends, and what changed last. A failed write is logged and
// tried again.
func (t *Tamper) Run(ctx context.Context) error { return t.file.Run(ctx) }
