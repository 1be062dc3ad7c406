package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"portero/audio"
	"portero/audio/alsa"
	"portero/board"
	"portero/device"
	"portero/device/config"
	"portero/device/event"
	"portero/sip/registrar"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// App is a whole door station, put together from a configuration.
type App struct {
	Config  *config.Config
	Station *device.Station
	Events  *event.Log
	Users   *registrar.Server // of the built-in server; nil: it is off

	options Options
	board   *board.Board
	log     *slog.Logger
	audit   *event.Audit
	card    *Card
	engine  *audio.Engine
	phone   *device.Phone
	stack   *transaction.Stack
	server  *transaction.Stack // nil: the built-in server is off
	phones  *phones
	locate  func() (netip.AddrPort, error) // Locate
	closers []io.Closer

	next      atomic.Pointer[config.Config] // set before the station leaves for it
	left      *config.Config                // what Run has left for
	nextBoard *board.Board                  // opened for left by Run; nil: could not be
}

// Options are what differs from one use of a station to another. The zero value serves.
type Options struct {
	World
	About      device.About
	Trace      bool   // log whole SIP messages
	Ready      func() // the inputs are watched
	Alive      func() // feeds the watchdogs
	AliveEvery time.Duration
	Status     func(line string)                             // hears in one line how the program stands, as often as that changes; nil: nobody does
	Socket     string                                        // where package status answers; "": nowhere
	Keeper     board.Keeper                                  // of the relays' lines; nil: none
	Tap        func(transport.Transport) transport.Transport // around the station's transport

	users *registrar.Server // of the app before: its phones stay registered
	board *board.Board      // opened already; Build takes it over, also when it fails

	lastVisit *device.Visit // at the station of the app before
}

// Build puts a station together. Nothing runs yet, but sockets and GPIO lines are held: Run or Close gives
// them back.
func Build(cfg *config.Config, log *slog.Logger, events *event.Log, o Options) (a *App, err error) {
	// A wake-up of the audio thread must not wait for a neighbour's garbage collection, even on one core.
	if runtime.GOMAXPROCS(0) < 4 {
		runtime.GOMAXPROCS(4)
	}
	o.World = o.World.complete()
	a = &App{Config: cfg, Events: events, options: o, log: log}
	defer func() {
		if err != nil {
			a.Close()
			a = nil
		}
	}()
	if a.board = o.board; a.board == nil {
		if a.board, err = a.openBoard(cfg); err != nil {
			return a, err
		}
	}
	a.closers = append(a.closers, a.board)
	if a.card, err = o.OpenCard(cfg.Audio); err != nil {
		return a, err
	}
	a.closers = append(a.closers, a.card)
	a.engine = audio.NewEngine(a.card.Open, audio.EngineOptions{
		Log: log,
		Echo: audio.EchoOptions{Off: !cfg.Audio.EchoCancelling && !cfg.Audio.Walkie, NoiseSuppression: cfg.Audio.NoiseSuppression,
			Gain: cfg.Audio.GainControl, Walkie: cfg.Audio.Walkie},
		Events: func(ev audio.CardEvent) {
			events.Emit(cardEvent(ev))
			a.Station.CardChanged(ev)
		},
		Thread: alsa.Realtime,
	})
	var builtin *device.BuiltIn
	if cfg.ServerOn() {
		if builtin, err = a.addServer(); err != nil {
			return a, err
		}
	}
	if a.phone, err = device.NewPhone(cfg, builtin, log); err != nil {
		return a, err
	}
	listener, err := o.ListenSIP(cfg.SIP.Listen)
	if err != nil {
		return a, inUse(err, "sip.listen")
	}
	a.closers = append(a.closers, listener)
	var wire transport.Transport = listener
	if o.Tap != nil {
		wire = o.Tap(listener)
	}
	a.stack = transaction.NewStack(transaction.Config{UserAgent: "Portero/" + o.About.Version, Log: log, Trace: o.Trace,
		AnswersFrom: cfg.SIP.Admits}, a.phone.Agent, wire)
	if a.Station, err = device.New(device.Parts{Config: cfg, Board: a.board, Phone: a.phone, Engine: a.engine, Events: events, Log: log,
		About: o.About, LastVisit: o.lastVisit, ListenRTP: o.ListenRTP, Ready: o.Ready, Alive: o.Alive, AliveEvery: o.AliveEvery}); err != nil {
		return a, err
	}
	if a.Users != nil {
		a.findPhones()
	}
	a.audit = event.NewAudit(events, filepath.Join(cfg.Station.DataDir, "audit.jsonl"), 256<<10, log)
	return a, nil
}

// BoardConfig gives the board's lines, with what is known of chips that they name by number.
func BoardConfig(cfg *config.Config) board.Config {
	bc := cfg.BoardConfig()
	bc.ChipLabels = config.KeptChips(cfg.Station.DataDir)
	return bc
}

func (a *App) openBoard(cfg *config.Config) (*board.Board, error) {
	bc := BoardConfig(cfg)
	bc.Log, bc.Keeper, bc.Late = a.log, a.options.Keeper, true
	return a.options.OpenBoard(bc)
}

// names says whether what is wrong with a line of next is wrong with the same line of this station: next makes
// nothing worse.
func (a *App) names(fault error, next *config.Config) bool {
	var line *board.LineError
	return errors.As(fault, &line) && next.SameLine(a.Config, line.Name)
}

// Sim is the simulated hardware under the board, nil under a real one.
func (a *App) Sim() *board.Sim { return a.board.Sim() }

// Locate says where phones find the built-in server.
func (a *App) Locate() (netip.AddrPort, error) { return a.locate() }

// LeaveFor lets Run return nil as soon as the station is idle, to be followed by a house with the
// configuration next.
func (a *App) LeaveFor(next *config.Config) {
	a.next.Store(next)
	a.Station.LeaveWhenIdle()
}

// Run runs everything until ctx ends, a part fails or it is to leave. The station ends first, then its relays
// are released, then the far ends are told, then the rest ends. It gives back all that build took. When it
// leaves for another configuration it opens that one's board at once: buttons that are pressed until the next
// station runs are not lost.
func (a *App) Run(ctx context.Context) error {
	defer a.Close()
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, inner := errgroup.WithContext(inner)
	part := func(run func(context.Context) error) {
		g.Go(func() error {
			if err := run(inner); err != nil && !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
		})
	}
	part(a.engine.Run)
	part(a.audit.Run)
	part(func(ctx context.Context) error {
		return giveBack(ctx, func() bool { return a.Station.Snapshot().Visit == nil })
	})
	part(a.stack.Run)
	if a.server != nil {
		part(a.server.Run)
		part(a.phones.Run)
	}
	stationCtx, stopStation := context.WithCancel(ctx)
	defer stopStation()
	defer context.AfterFunc(inner, stopStation)()
	err := a.Station.Run(stationCtx)
	err = errors.Join(err, a.board.Close())
	goodbye, silent, within := make(chan struct{}), make(chan struct{}), GoodbyeWithin
	if next := a.next.Load(); next != nil && err == nil && ctx.Err() == nil && inner.Err() == nil {
		within, a.left = changeWithin, next
		var boardErr error
		if a.nextBoard, boardErr = a.openBoard(next); boardErr != nil {
			// build will try again, and tell
			a.log.Warn("board of the new configuration not opened", "part", "app", "err", boardErr)
		}
		a.phone.Leave(next, func() { close(goodbye) })
	} else {
		a.phone.Agent.Shutdown(func() { close(goodbye) })
	}
	if a.Users != nil {
		a.Users.Shutdown(within/2, func() { close(silent) })
	} else {
		close(silent)
	}
	over, cancel := context.WithTimeout(inner, within)
	defer cancel()
	for _, told := range []chan struct{}{goodbye, silent} {
		select {
		case <-told:
		case <-over.Done():
		}
	}
	stop()
	return errors.Join(err, g.Wait())
}

// How long far ends may take to answer BYE and un-REGISTER, and CANCEL in half of that.
const (
	GoodbyeWithin = 2 * time.Second        // at the end
	changeWithin  = 200 * time.Millisecond // before the next configuration: nobody can be called meanwhile
)

// Close gives back what build took from the system. A second call does nothing.
func (a *App) Close() {
	for i := len(a.closers) - 1; i >= 0; i-- {
		a.closers[i].Close()
	}
	a.closers = nil
}
