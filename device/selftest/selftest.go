package selftest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"portero/audio"
	"portero/board"
	"portero/device/access"
	"portero/device/config"
	"portero/device/event"
)

// Confirmation is what the user types before anything is requested.
const Confirmation = "the strike is unplugged"

// Why the walk does not begin.
var (
	ErrRunning      = errors.New("the station is running and holds its lines; `systemctl stop portero` first")
	ErrNotConfirmed = errors.New("not confirmed: nothing was touched")
)

// Parts are what a walk needs.
type Parts struct {
	Config  *config.Config
	Check   func(board.Config) []error               // board.Check; nil: is not done
	Open    func(board.Config) (*board.Board, error) // board.Open
	Chips   func() ([]board.Chip, error)             // board.Chips; nil: no chip is described
	Card    audio.Opener                             // nil: a station without sound
	System  fs.FS                                    // the root of the file system; nil: no facts
	Who     string                                   // the user, for the audit of openings
	Version string                                   // the program's
	In      io.Reader                                // the user's answers
	Out     io.Writer                                // what the user is asked and told
	Log     *slog.Logger                             // what goes wrong beside the walk
}

// walk is one walk that goes on.
type walk struct {
	Parts
	talk   *talk
	report *Report
	board  *board.Board
	wires  *wires
	doors  *access.Doors
	loop   *loop
	ended  *event.Subscription // openings that are over
}

// Run walks with the user through all that the configuration names. The report is nil as long as nothing was
// requested ([ErrRunning], [ErrNotConfirmed]); else it holds what was seen up to the error.
func Run(ctx context.Context, p Parts) (*Report, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := &walk{Parts: p, talk: newTalk(ctx, p.In, p.Out), report: newReport(p)}
	bc := rawInputs(p.Config.BoardConfig())
	if p.Check != nil {
		for _, err := range p.Check(bc) {
			if running(err) {
				return nil, fmt.Errorf("selftest: %w: %w", ErrRunning, err)
			}
			grade := Fault
			var pin *board.PinError
			if errors.As(err, &pin) && !pin.Refused {
				grade = Note
			}
			w.find(grade, "configuration", "", "%v", err)
		}
	}
	if err := w.confirm(ctx); err != nil {
		return nil, err
	}
	bc.Log = p.Log
	var err error
	if w.board, err = p.Open(bc); err != nil {
		if running(err) {
			err = fmt.Errorf("%w: %w", ErrRunning, err)
		}
		return nil, fmt.Errorf("selftest: %w", err)
	}
	err = w.through(ctx, cancel, bc)
	if err != nil {
		w.find(Fault, "the walk", "", "ended early: %v", err)
	}
	return w.report, err
}

func running(err error) bool {
	var busy *board.BusyError
	return errors.As(err, &busy) && busy.Ours()
}

// rawInputs has every edge reported: bounces are to be counted.
func rawInputs(bc board.Config) board.Config {
	for i, in := range bc.Inputs {
		bc.Inputs[i] = board.Input{Name: in.Name, Line: in.Line, ActiveLow: in.ActiveLow, Bias: in.Bias}
	}
	return bc
}

func (w *walk) confirm(ctx context.Context) error {
	w.talk.say("This test switches relays. Pull the strike's wires out of their terminals: no door is to open.")
	line, err := w.talk.line(ctx, fmt.Sprintf("Type %q to go on: ", Confirmation))
	switch {
	case err != nil:
		return err
	case line != Confirmation:
		return fmt.Errorf("selftest: %w", ErrNotConfirmed)
	}
	return nil
}

// through runs what a walk needs, walks, and ends it, whatever happened: the openings first, then the relays.
func (w *walk) through(ctx context.Context, cancel context.CancelCauseFunc, bc board.Config) error {
	events := event.NewLog(1)
	audit := event.NewAudit(events, filepath.Join(w.Config.Station.DataDir, "audit.jsonl"), 256<<10, w.Log)
	w.ended = events.Subscribe(16, event.DoorClosed, event.DoorFailed)
	w.loop = newLoop()
	tamper := access.NewTamper(w.Config.Station.DataDir, w.Config.Access, w.loop, events.Emit, w.Log)
	w.doors = access.NewDoors(w.Config, w.board.Relay, tamper, w.loop, events.Emit, w.Log)
	w.wires = newWires()

	var parts sync.WaitGroup
	auditing, stopAudit := context.WithCancel(context.WithoutCancel(ctx))
	parts.Go(func() { _ = audit.Run(auditing) }) // its error is always nil
	parts.Go(w.loop.run)
	parts.Go(func() {
		if err := w.board.Run(ctx, w.wires.post); err != nil {
			cancel(err)
		}
	})
	err := w.steps(ctx, bc)
	w.loop.do(func() { w.doors.CloseAll("self-test over") })
	err = errors.Join(err, w.board.Close())
	w.loop.stop()
	stopAudit()
	parts.Wait()
	return err
}

func (w *walk) steps(ctx context.Context, bc board.Config) error {
	w.facts()
	w.lines(bc)
	for _, step := range []func(context.Context) error{w.handsOff, w.inputs, w.relays, w.lamps, w.sound} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// find notes what was found and tells it.
func (w *walk) find(g Grade, what, remedy, format string, args ...any) {
	f := Finding{Grade: g, What: what, Says: fmt.Sprintf(format, args...), Remedy: remedy}
	w.report.Findings = append(w.report.Findings, f)
	w.talk.say("%s", f)
}

// loop is the goroutine that the doors belong to.
type loop struct {
	post  chan func()
	ended chan struct{}
}

func newLoop() *loop { return &loop{post: make(chan func()), ended: make(chan struct{})} }

func (l *loop) run() {
	for {
		select {
		case f := <-l.post:
			f()
		case <-l.ended:
			return
		}
	}
}

func (l *loop) stop() { close(l.ended) }

// do runs f on the loop and waits for its end.
func (l *loop) do(f func()) {
	done := make(chan struct{})
	l.post <- func() {
		defer close(done)
		f()
	}
	<-done
}

// AfterFunc is the doors' clock.
func (l *loop) AfterFunc(d time.Duration, f func()) (stop func()) {
	stopped := false // the loop's
	t := time.AfterFunc(d, func() {
		select {
		case l.post <- func() {
			if !stopped {
				f()
			}
		}:
		case <-l.ended:
		}
	})
	return func() {
		stopped = true
		t.Stop()
	}
}
