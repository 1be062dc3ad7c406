package access

import (
	"errors"
	"log/slog"
	"time"

	"portero/board"
	"portero/device/config"
	"portero/device/event"
	"portero/sip/fsm"
)

// Clock makes timers whose f runs on the station's loop. After stop, which is called there too, f never runs:
// neither later nor where it already waits in the loop's inbox.
type Clock interface {
	AfterFunc(d time.Duration, f func()) (stop func())
}

// State is a door's state.
type State string

// The states of a door.
const (
	Closed    State = "closed"    // relay released
	Delayed   State = "delayed"   // opened, the trigger delay runs
	Open      State = "open"      // relay energised
	Releasing State = "releasing" // relay to be released, perhaps still energised
)

// doorEvent is what happens to a door.
type doorEvent string

const (
	evOpen          doorEvent = "open"
	evDelayOver     doorEvent = "delay-over"
	evTimeOver      doorEvent = "time-over"
	evClose         doorEvent = "close"
	evAlarm         doorEvent = "alarm"
	evEnergiseFails doorEvent = "energise-fails"
	evReleased      doorEvent = "released"
	evReleaseFails  doorEvent = "release-fails"
	evRetry         doorEvent = "retry"
)

var doorTable = fsm.New("door", []fsm.Row[State, doorEvent, *door]{
	{State: Closed, Event: evOpen, When: "no trigger delay", Guard: (*door).immediate, Next: Open, Does: "energise", Action: (*door).energise},
	{State: Closed, Event: evOpen, Next: Delayed, Does: "start the delay", Action: (*door).delay},
	{State: Delayed, Event: evDelayOver, Next: Open, Does: "energise", Action: (*door).energise},
	{State: Delayed, Event: evClose, Next: Closed, Does: "forget the opening", Action: (*door).forget},
	{State: Delayed, Event: evAlarm, When: "the inside button asked", Guard: (*door).exiting, Next: Delayed,
		Does: "go on for the button", Action: (*door).forExit},
	{State: Delayed, Event: evAlarm, Next: Closed, Does: "forget the opening", Action: (*door).forget},
	{State: Open, Event: evOpen, When: "before the longest time", Guard: (*door).extensible, Next: Open, Does: "energise for longer",
		Action: (*door).energise},
	{State: Open, Event: evTimeOver, Next: Releasing, Does: "release", Action: (*door).release},
	{State: Open, Event: evClose, Next: Releasing, Does: "release", Action: (*door).release},
	{State: Open, Event: evAlarm, When: "the inside button asked", Guard: (*door).exiting, Next: Open,
		Does: "go on for the button's time", Action: (*door).forExit},
	{State: Open, Event: evAlarm, Next: Releasing, Does: "release", Action: (*door).release},
	{State: Open, Event: evEnergiseFails, Next: Releasing, Does: "report the failure, release", Action: (*door).giveUp},
	{State: Releasing, Event: evReleased, Next: Closed, Does: "report closed", Action: (*door).closed},
	{State: Releasing, Event: evReleaseFails, Next: Releasing, Does: "report the first failure, retry in 1 s", Action: (*door).retryLater},
	{State: Releasing, Event: evRetry, Next: Releasing, Does: "release", Action: (*door).release},
	{State: Releasing, Event: evClose, Next: Releasing, Does: "release", Action: (*door).release},
	{State: Releasing, Event: evAlarm, Next: Releasing, Does: "release", Action: (*door).release},
})

const releaseRetry = time.Second

// exit is the inside button's share of an opening: no alarm ends it.
type exit struct {
	what  event.Event // of its latest press; no Kind: it was not pressed
	until time.Time   // zero: its time has not begun
}

// door is one door's machine. Its fields beyond the state describe the opening that goes on.
type door struct {
	cfg    config.Door
	off    bool // no code names it
	rex    bool // it has a request-to-exit button
	relay  board.Relay
	clock  Clock
	emit   func(event.Event)
	opened func(Opening)
	logger *slog.Logger
	table  *fsm.Table[State, doorEvent, *door]

	state  State
	what   event.Event // Door, Who, How, Call of the opening
	reason string      // why it ends
	since  time.Time   // of the first energise; zero: not energised
	ends   time.Time   // when its time is over
	exit   exit
	failed error // of the relay
	told   bool  // a failing release was reported

	released time.Time // of the latest opening; zero: there was none

	stop func() // the timer; nil: none runs
}

func (d *door) step(e doorEvent) (taken bool) {
	from := d.state
	row := d.table.Step(&d.state, e, d)
	d.table.Log(d.logger, slog.String("door", d.cfg.Name), from, e, row)
	return row != nil
}

// after has e happen once in t, instead of what was to happen before.
func (d *door) after(t time.Duration, e doorEvent) {
	d.halt()
	d.stop = d.clock.AfterFunc(t, func() { d.step(e) })
}

func (d *door) halt() {
	if d.stop != nil {
		d.stop()
		d.stop = nil
	}
}

func (d *door) report(k event.Kind, reason string) {
	e := d.what
	e.Kind, e.Reason = k, reason
	if k == event.DoorClosed {
		e.OnMS = time.Since(d.since).Milliseconds()
	}
	d.emit(e)
}

func (d *door) immediate() bool { return d.cfg.TriggerDelay <= 0 }

// left is how much longer the relay may stay energised.
func (d *door) left() time.Duration {
	if d.since.IsZero() {
		return d.cfg.Longest
	}
	return d.cfg.Longest - time.Since(d.since)
}

func (d *door) extensible() bool { return d.left() > 0 }

func (d *door) delay() { d.after(d.cfg.TriggerDelay, evDelayOver) }

func (d *door) forget() {
	d.halt()
	d.exit = exit{}
	d.report(event.DoorFailed, d.reason)
}

func (d *door) energise() {
	on := min(d.cfg.SwitchOn, d.left())
	first := d.since.IsZero()
	if first {
		d.since = time.Now()
	}
	if d.exit.what.Kind != "" && d.exit.until.IsZero() {
		d.exit.until = time.Now().Add(on)
	}
	if err := d.hold(on); err != nil {
		if first {
			d.since = time.Time{}
		}
		d.failed = err
		d.step(evEnergiseFails)
		return
	}
	if first {
		d.report(event.DoorOpened, "")
		d.opened(Opening{Door: d.what.Door, Who: d.what.Who, How: d.what.How, Call: d.what.Call})
	}
}

// hold energises the relay for that long from now.
func (d *door) hold(on time.Duration) error {
	d.ends = time.Now().Add(on)
	d.after(on, evTimeOver) // before the relay moves: whatever happens next, it ends
	return d.relay.Energize(on)
}

// exiting says whether the inside button's time runs, or is to come.
func (d *door) exiting() bool {
	return d.exit.what.Kind != "" && (d.exit.until.IsZero() || time.Now().Before(d.exit.until))
}

// forExit leaves of an opening what the inside button asked for.
func (d *door) forExit() {
	d.what = d.exit.what
	if d.state != Open || !d.ends.After(d.exit.until) {
		return
	}
	if err := d.hold(time.Until(d.exit.until)); err != nil {
		d.failed = err
		d.step(evEnergiseFails)
	}
}

func (d *door) giveUp() {
	d.report(event.DoorFailed, d.failed.Error())
	d.reason = "relay failed"
	d.release()
}

func (d *door) release() {
	d.halt()
	// A relay that is not there is not on.
	if err := d.relay.Release(); err != nil && !errors.Is(err, board.ErrNoOutput) {
		d.failed = err
		d.step(evReleaseFails)
		return
	}
	d.step(evReleased)
}

func (d *door) retryLater() {
	if !d.told {
		d.told = true
		d.report(event.DoorFailed, d.failed.Error())
	}
	d.after(releaseRetry, evRetry)
}

func (d *door) closed() {
	if !d.since.IsZero() {
		d.report(event.DoorClosed, d.reason)
		d.released = time.Now()
	}
	d.since, d.failed, d.told, d.exit = time.Time{}, nil, false, exit{}
}
