package access

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"portero/board"
	"portero/device/config"
	"portero/device/event"
)

// Why a door is not opened.
var (
	ErrOff    = errors.New("the opener is off until a code is set")
	ErrNoDoor = errors.New("no such door")
	ErrStuck  = errors.New("the relay cannot be released")
	ErrTamper = errors.New("after a tamper alarm codes and programs open nothing for a while")
)

// Doors are the station's doors. Its methods belong to the station's loop.
type Doors struct {
	// OnOpen hears of each opening once the relay is energised; nil: nobody does.
	OnOpen func(Opening)

	doors  []*door
	tamper *Tamper
	emit   func(event.Event)
}

// NewDoors makes the doors of c, all closed; it moves nothing. relay finds a relay by its name on the board
// (config.DoorRelay). emit gets door.opening, door.opened, door.closed and door.failed.
func NewDoors(c *config.Config, relay func(name string) board.Relay, tamper *Tamper, clock Clock, emit func(event.Event),
	logger *slog.Logger) *Doors {
	ds := &Doors{tamper: tamper, emit: emit}
	for _, cfg := range c.Doors {
		d := &door{cfg: cfg, off: true, relay: relay(config.DoorRelay(cfg.Name)), clock: clock, emit: emit,
			logger: logger.With("part", "door"), table: doorTable, state: Closed, opened: func(o Opening) {
				if ds.OnOpen != nil {
					ds.OnOpen(o)
				}
			}}
		for _, code := range c.Codes {
			for _, name := range code.Doors {
				if name == cfg.Name && code.Code != "" {
					d.off = false
				}
			}
		}
		for _, in := range c.Inputs {
			d.rex = d.rex || in.Kind == config.REX && in.Door == cfg.Name
		}
		ds.doors = append(ds.doors, d)
	}
	return ds
}

func (ds *Doors) find(name string) *door {
	for _, d := range ds.doors {
		if d.cfg.Name == name {
			return d
		}
	}
	return nil
}

// Opening says which door is opened, for whom, and why.
type Opening struct {
	Door string
	Who  string // whose code, which button, which program
	How  event.How
	Call string // the Call-ID of the call that asked for it; ""
}

// ways to open a door, and what each may.
var ways = map[event.How]struct {
	blocked bool // also while a tamper alarm blocks the relays
	off     bool // also a door that no code names, if it has a request-to-exit button
}{
	event.ByCode:     {},
	event.ByAPI:      {},
	event.ByREX:      {blocked: true, off: true},
	event.BySelfTest: {off: true},
}

// Open opens a door. It is the only path to a relay. The outcome is in the events; the error ([ErrOff],
// [ErrNoDoor], [ErrStuck], [ErrTamper], or the relay's) says why nothing opens. A door that is open stays so
// for another switch_on from now, within its longest time; one that waits for its trigger delay goes on
// waiting.
//
// A door that no code names is off for codes and programs. Its request-to-exit button works all the same, if
// the config gives it one: that is a wire from inside the house, and nothing to be guessed. So it also works
// during a tamper block. The wiring test may try such a door's relay, too, but not during a block.
func (ds *Doors) Open(o Opening) error {
	d := ds.find(o.Door)
	opening := event.Event{Kind: event.DoorOpening, Door: o.Door, Who: o.Who, How: o.How, Call: o.Call}
	refuse := func(err error) error {
		failed := opening
		failed.Kind, failed.Reason = event.DoorFailed, err.Error()
		ds.emit(failed)
		return fmt.Errorf("access: open door %q: %w", o.Door, err)
	}
	way, known := ways[o.How]
	switch {
	case d == nil:
		return refuse(ErrNoDoor)
	case !known:
		return refuse(fmt.Errorf("unknown way %q", o.How))
	case ds.tamper.Blocked() && !way.blocked:
		return refuse(ErrTamper)
	case d.off && !(d.rex && way.off):
		return refuse(ErrOff)
	case d.state == Releasing:
		return refuse(ErrStuck)
	}
	if o.How == event.ByREX && (d.state != Open || d.extensible()) {
		d.exit = exit{what: opening}
	}
	if d.state == Delayed {
		return nil
	}
	if d.state == Closed {
		d.what, d.reason = opening, "time over"
	}
	d.emit(opening)
	d.step(evOpen)
	// Left by the action when the relay refused, whether or not it was released since.
	if d.state != Open && d.state != Delayed {
		return fmt.Errorf("access: open door %q: the relay failed", o.Door)
	}
	return nil
}

// Close ends an opening early, for a reason that the event carries. A closed door stays closed.
func (ds *Doors) Close(name, reason string) error {
	d := ds.find(name)
	if d == nil {
		return fmt.Errorf("access: close door %q: %w", name, ErrNoDoor)
	}
	d.end(reason)
	return nil
}

// Alarm begins a tamper block and ends what codes and programs have opened: the case has been opened, as the
// input tells. What the inside button asked for goes on: nobody is locked in.
func (ds *Doors) Alarm(input, reason string) {
	ds.tamper.begin(input, reason)
	for _, d := range ds.doors {
		if d.state == Closed {
			continue
		}
		if !d.exiting() {
			d.reason = "tamper"
		}
		d.step(evAlarm)
	}
}

// CloseAll ends every opening: for the station's end.
func (ds *Doors) CloseAll(reason string) {
	for _, d := range ds.doors {
		d.end(reason)
	}
}

func (d *door) end(reason string) {
	if d.state == Closed {
		return
	}
	d.reason = reason
	d.step(evClose)
}

// State returns a door's state, "" for a door that does not exist.
func (ds *Doors) State(name string) State {
	if d := ds.find(name); d != nil {
		return d.state
	}
	return ""
}

// Energised says whether the relay of any door is.
func (ds *Doors) Energised() bool {
	for _, d := range ds.doors {
		if !d.since.IsZero() {
			return true
		}
	}
	return false
}

// OpenedWithin says whether a door's relay is energised, or was at most that long ago: who goes through then
// was let in.
func (ds *Doors) OpenedWithin(name string, ago time.Duration) bool {
	d := ds.find(name)
	return d != nil && (!d.since.IsZero() || !d.released.IsZero() && time.Since(d.released) <= ago)
}

// Idle says whether every door is closed: only then may other Doors take over their relays.
func (ds *Doors) Idle() bool {
	for _, d := range ds.doors {
		if d.state != Closed {
			return false
		}
	}
	return true
}
