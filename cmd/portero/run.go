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
	data := fs.String("data", config.Default().Station.DataDir, "where the last good copy is looked for when FILE is faulty")
	trace := fs.Bool("trace", false, "log whole SIP messages (needs log level debug)")
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	cfg, err := config.Load(*file)
	var rejected error
	if err != nil {
		var faults config.Faults
		if !errors.As(err, &faults) {
			return err
		}
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
		events.Emit(event.Event{At: time.Now(), Kind: event.StationStopping})
		stop()
		<-reported
	}()
	for _, w := range cfg.Warnings() {
		log.Warn("config", "fault", w.Error())
	}
	events.Emit(event.Event{At: time.Now(), Kind: event.StationStarted, Reason: versionString()})
	if rejected != nil {
		events.Emit(event.Event{At: time.Now(), Kind: event.ConfigRejected, Reason: rejected.Error()})
	} else if err := cfg.SaveLastGood(cfg.Station.DataDir); err != nil {
		log.Warn("the last good configuration is not kept", "err", err)
	}
	o := options{trace: *trace}
	if every, err := daemon.SdWatchdogEnabled(false); err == nil && every > 0 {
		o.aliveEvery = every / 2
		o.alive = func() { daemon.SdNotify(false, daemon.SdNotifyWatchdog) }
	}
	return supervise(ctx, *file, cfg, log, events, o)
}

// lastGood returns the copy of the last good configuration, nil when there is none. A faulty file's own word on the data directory
// is not taken.
func lastGood(file, dir string) *config.Config {
	cfg, err := config.LoadLastGood(dir)
	if err != nil {
		fmt.Fprintf(os.Stderr, "portero: %s is faulty and there is no last good copy in %s: %v\n", file, dir, err)
		return nil
	}
	return cfg
}

// supervise runs a station, and after each accepted reload another one with the new configuration.
func supervise(ctx context.Context, file string, cfg *config.Config, log *slog.Logger, events *event.Log, o options) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR2)
	defer signal.Stop(signals)
	h, err := build(cfg, log, events, o)
	if err != nil {
		return err
	}
	for {
		next, err := live(ctx, h, file, signals)
		if err != nil || next == nil {
			return err
		}
		h, err = build(next, log, events, o)
		if err != nil {
			events.Emit(event.Event{At: time.Now(), Kind: event.ConfigRejected, Reason: err.Error()})
			if h, err = build(cfg, log, events, o); err != nil {
				return err
			}
			continue
		}
		cfg = next
		if err := cfg.SaveLastGood(cfg.Station.DataDir); err != nil {
			log.Warn("the last good configuration is not kept", "err", err)
		}
		events.Emit(event.Event{At: time.Now(), Kind: event.ConfigReloaded})
	}
}

// live runs one station until ctx ends (nil, nil), a part fails, or a reload comes due: then it returns the new configuration.
func live(ctx context.Context, h *house, file string, signals <-chan os.Signal) (*config.Config, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	daemon.SdNotify(false, daemon.SdNotifyReady)
	var next *config.Config
	due := make(chan struct{}, 1)
	for {
		select {
		case err := <-done:
			return nil, err
		case sig := <-signals:
			if sig == syscall.SIGUSR2 {
				h.station.Do(device.Press{})
				continue
			}
			cfg, err := reload(file, h)
			if err != nil {
				h.events.Emit(event.Event{At: time.Now(), Kind: event.ConfigRejected, Reason: err.Error()})
				continue
			}
			next = cfg
			h.station.WhenIdle(func() {
				select {
				case due <- struct{}{}:
				default:
				}
			})
		case <-due:
			stop()
			return next, <-done
		}
	}
}

// reload reads and checks the file. Lines that this very process holds are no fault.
func reload(file string, h *house) (*config.Config, error) {
	cfg, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, err := range board.Check(cfg.BoardConfig()) {
		var busy *board.BusyError
		if !errors.As(err, &busy) || !busy.Ours() {
			errs = append(errs, err)
		}
	}
	return cfg, errors.Join(errs...)
}
