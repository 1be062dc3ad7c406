package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"portero/board"
	"portero/device"
	"portero/device/config"
	"portero/device/event"
	"portero/device/guard"
	"portero/device/systemd"
)

func runVerb(ctx context.Context, fs *flag.FlagSet, args []string) error {
	file := fs.String("config", "/etc/portero/portero.toml", "configuration file")
	data := fs.String("data", "", "where the last good copy is looked for (default: data_dir of FILE, if that much of it can be read)")
	trace := fs.Bool("trace", false, "log whole SIP messages (needs log level debug)")
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	signals := make(chan os.Signal, 8) // before anything else: their default action would end the station
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR2)
	defer signal.Stop(signals)
	watch, err := guard.New()
	if err != nil {
		return err
	}
	cfg, rejected, err := configuration(*file, *data, watch.Settings())
	if err != nil {
		return err
	}
	log := newLogger(systemd.NewStderr(), cfg.Log)
	watch.SetLog(log, cfg.Log.Format)
	bye := watchOver(ctx, watch)
	defer bye()
	events := event.NewLog(500)
	report := events.Subscribe(1000)
	reporting, stop := context.WithCancel(context.Background())
	reported := make(chan struct{})
	go func() {
		defer close(reported)
		report.Report(reporting, log)
	}()
	defer func() {
		events.Emit(event.Event{Kind: event.StationStopping})
		stop()
		<-reported
	}()
	for _, w := range cfg.Warnings() {
		if w.Severity != config.Unsafe { // an event of its own
			log.Warn("config", "fault", w.Error())
		}
	}
	started := versionString()
	if how := watch.Before(); how != "" {
		started += "; the station before: " + how
	}
	events.Emit(event.Event{Kind: event.StationStarted, Reason: started})
	if rejected != nil {
		events.Emit(event.Event{Kind: event.ConfigRejected, Reason: rejected.Error()})
	}
	ready := []string{"READY=1"}
	if watch.Before() != "" { // then the unit's main process has ended
		ready = append(ready, systemd.MainPID())
	}
	o := options{trace: *trace, guard: watch, aliveEvery: aliveEvery(), ready: func() {
		tellSystemd(log, ready...)
		watch.Ready()
	}, alive: func() {
		tellSystemd(log, "WATCHDOG=1")
		watch.Alive()
	}}
	h, err := build(cfg, log, events, o)
	if err != nil && rejected == nil {
		// What is just being let go, by a process that ends, must not cost the doors.
		log.Warn("the station cannot be built, once more", "err", err)
		select {
		case <-time.After(buildAgain):
			h, err = build(cfg, log, events, o)
		case <-ctx.Done():
		}
	}
	switch {
	case err == nil && rejected == nil:
		keep(cfg, log)
		watch.Save(cfg.Snapshot())
	case err != nil && rejected == nil:
		// A file without a fault may still name what is not there: a line that is taken, a port in use.
		if cfg = lastGood(*file, *data); cfg == nil {
			return err
		}
		var worse error
		if h, worse = build(cfg, log, events, o); worse != nil {
			return err
		}
		events.Emit(event.Event{Kind: event.ConfigRejected, Reason: err.Error()})
	case err != nil:
		return err
	}
	tellUnsafe(cfg, events)
	return supervise(ctx, *file, h, signals, o)
}

const buildAgain = 2 * time.Second

// configuration is the file's; where that cannot be used, what the station before ran with, if there was one that a guard has
// replaced: neither a lost disk nor a file in mid-edit costs its doors; else that of the last good file, which opens no door and lets
// nobody call in, for the bell must ring. rejected says why it is not the file's.
func configuration(file, data string, before []byte) (cfg *config.Config, rejected, err error) {
	cfg, rejected = config.Load(file)
	if rejected == nil {
		return cfg, nil, nil
	}
	if before != nil {
		if cfg, err = config.Restore(before); err == nil {
			return cfg, rejected, nil
		}
	}
	if cfg = lastGood(file, data); cfg == nil {
		return nil, nil, rejected
	}
	return cfg, rejected, nil
}

// watchOver runs the station's end of the guard. bye ends it: where the station ends by itself, and not as it was told to, systemd's
// station is left to its guard to be started again.
func watchOver(ctx context.Context, watch *guard.Station) (bye func()) {
	inner, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = watch.Run(inner) // ends with inner alone
	}()
	return func() {
		if ctx.Err() != nil || os.Getenv("NOTIFY_SOCKET") == "" {
			stop()
			<-done
		}
	}
}

// aliveEvery is how often the loop gives a sign of life: often enough for the guard's patience, and twice as often as systemd asks.
func aliveEvery() time.Duration {
	every := 4 * time.Second
	if limit, err := systemd.Watchdog(); err == nil && limit > 0 {
		every = min(every, limit/2)
	}
	return every
}

func tellSystemd(log *slog.Logger, assignments ...string) {
	if err := systemd.Notify(assignments...); err != nil {
		log.Warn("systemd not told", "part", "app", "what", assignments, "err", err)
	}
}

// keep makes cfg, which a station could be built from, the last good one.
func keep(cfg *config.Config, log *slog.Logger) {
	var chips map[string]string
	if bc := boardConfig(cfg); !bc.Sim {
		if found, err := board.Chips(); err == nil { // it held them a moment ago
			chips = board.ChipLabels(found, bc)
		}
	}
	if err := cfg.SaveLastGood(cfg.Station.DataDir, chips); err != nil {
		log.Warn("the last good configuration is not kept", "err", err)
	}
}

// lastGood returns the copy of the last good configuration, nil when there is none.
func lastGood(file, dir string) *config.Config {
	cfg, err := config.LoadLastGood(file, dir)
	if err != nil {
		fmt.Fprintf(os.Stderr, "portero: %s cannot be used, nor a last good copy of it: %v\n", file, err)
		return nil
	}
	return cfg
}

// supervise runs a station, and after each accepted reload another one with the new configuration.
func supervise(ctx context.Context, file string, h *house, signals <-chan os.Signal, o options) error {
	for {
		if err := live(ctx, h, file, signals); err != nil || ctx.Err() != nil {
			if h.nextBoard != nil {
				err = errors.Join(err, h.nextBoard.Close())
			}
			return err
		}
		cfg, next, log, events := h.cfg, h.next.Load(), h.log, h.events
		o.users = h.users
		with := o
		if with.board = h.nextBoard; with.board != nil && next != h.left { // a still newer file
			with.board.Close()
			with.board = nil
		}
		var err error
		if h, err = build(next, log, events, with); err != nil {
			events.Emit(event.Event{Kind: event.ConfigRejected, Reason: err.Error()})
			if h, err = build(cfg, log, events, o); err != nil {
				return err
			}
			continue
		}
		keep(next, log)
		o.guard.Save(next.Snapshot())
		events.Emit(event.Event{Kind: event.ConfigReloaded})
		tellUnsafe(next, events)
	}
}

// live runs one station until ctx ends, a part fails, or it left for the new configuration.
func live(ctx context.Context, h *house, file string, signals <-chan os.Signal) error {
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	for {
		select {
		case err := <-done:
			return err
		case sig := <-signals:
			if sig == syscall.SIGUSR2 {
				h.station.Do(device.Press{})
				continue
			}
			cfg, err := reload(file, h)
			if err != nil {
				h.events.Emit(event.Event{Kind: event.ConfigRejected, Reason: err.Error()})
				continue
			}
			h.LeaveFor(cfg)
		}
	}
}

// reload reads and checks the file. Lines that this very process holds are no fault, nor is a relay's unsafe pin that stays as it is.
func reload(file string, h *house) (*config.Config, error) {
	cfg, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	var errs []error
	hardware := board.Check(boardConfig(cfg))
	for _, err := range hardware {
		var busy *board.BusyError
		var pin *board.PinError
		if !errors.As(err, &pin) && (!errors.As(err, &busy) || !busy.Ours()) {
			errs = append(errs, err)
		}
	}
	for _, u := range unsafePins(cfg, hardware) {
		if !h.cfg.HasRelay(u.door.Line, u.door.ActiveLow) {
			errs = append(errs, u.why)
		}
	}
	return cfg, errors.Join(errs...)
}
