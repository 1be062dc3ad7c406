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

	"github.com/coreos/go-systemd/v22/daemon"

	"portero/board"
	"portero/device"
	"portero/device/config"
	"portero/device/event"
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
	cfg, err := config.Load(*file)
	var rejected error
	if err != nil {
		// The bell must ring: the last good file serves, but opens no door and lets nobody call in.
		if cfg, rejected = lastGood(*file, *data), err; cfg == nil {
			return err
		}
	}
	log := newLogger(os.Stderr, cfg.Log)
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
	events.Emit(event.Event{Kind: event.StationStarted, Reason: versionString()})
	if rejected != nil {
		events.Emit(event.Event{Kind: event.ConfigRejected, Reason: rejected.Error()})
	}
	o := options{trace: *trace, ready: func() { daemon.SdNotify(false, daemon.SdNotifyReady) }}
	if every, err := daemon.SdWatchdogEnabled(false); err == nil && every > 0 {
		o.aliveEvery = every / 2
		o.alive = func() { daemon.SdNotify(false, daemon.SdNotifyWatchdog) }
	}
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

// reload reads and checks the file. Lines that this very process holds are no fault, nor is a relay's unsafe
// pin that stays as it is.
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
