package main

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"portero/device"
	"portero/device/app"
	"portero/device/event"
	"portero/device/guard"
	station "portero/device/status"
	"portero/device/systemd"
)

func runVerb(ctx context.Context, fs *flag.FlagSet, args []string) error {
	file := fs.String("config", "/etc/portero/portero.toml", "configuration file")
	data := fs.String("data", "", "where the last good copy is looked for (default: data_dir of FILE, if that much of it can be read)")
	socket := fs.String("socket", runtimeSocket(), "where portero status asks; \"\": nowhere (default: in systemd's RUNTIME_DIRECTORY)")
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
	program, err := app.NewProgram(*file, *data, watch)
	if err != nil {
		return err
	}
	go obey(ctx, signals, program)
	c := program.Config().Log
	log := app.NewLogger(systemd.NewStderr(), c)
	watch.SetLog(log, c.Format)
	defer watchOver(ctx, watch)()
	events, told := reportEvents(log)
	defer told()
	ready := []string{"READY=1"}
	if watch.Before() != "" { // then the unit's main process has ended
		ready = append(ready, systemd.MainPID())
	}
	return program.Run(ctx, log, events, app.Options{About: device.About{Version: versionString()}, Trace: *trace, Socket: *socket, Status: func(line string) {
		tellSystemd(log, "STATUS="+line)
	}, AliveEvery: aliveEvery(), Ready: func() {
		watch.Ready()
		go func() { // the station's loop does not wait for it
			select {
			case <-watch.Armed():
			case <-time.After(armedWithin):
			}
			tellSystemd(log, ready...)
		}()
	}, Alive: func() {
		tellSystemd(log, "WATCHDOG=1")
		watch.Alive()
	}})
}

// armedWithin is how long systemd waits to hear that the station is ready, because the guard is not: the card
// is slow.
const armedWithin = 10 * time.Second

// runtimeSocket is where the unit's runtime directory is; "" without systemd.
func runtimeSocket() string {
	if dir := os.Getenv("RUNTIME_DIRECTORY"); dir != "" {
		return filepath.Join(dir, filepath.Base(station.Socket))
	}
	return ""
}

// obey does what signals say.
func obey(ctx context.Context, signals <-chan os.Signal, program *app.Program) {
	for {
		select {
		case sig := <-signals:
			if sig == syscall.SIGUSR2 {
				program.Press()
			} else {
				program.Reload()
			}
		case <-ctx.Done():
			return
		}
	}
}

// reportEvents makes the log of events, which are written to log; told ends it with the station's end.
func reportEvents(log *slog.Logger) (events *event.Log, told func()) {
	events = event.NewLog(500)
	report := events.Subscribe(1000)
	ctx, stop := context.WithCancel(context.Background())
	reported := make(chan struct{})
	go func() {
		defer close(reported)
		report.Report(ctx, log)
	}()
	return events, func() {
		events.Emit(event.Event{Kind: event.StationStopping})
		stop()
		<-reported
	}
}

// watchOver runs the station's end of the guard. bye ends it: where the station ends by itself, and not as it
// was told to, systemd's station is left to its guard to be started again.
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

// aliveEvery is how often the loop gives a sign of life: often enough for the guard's patience, and twice as
// often as systemd asks.
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
