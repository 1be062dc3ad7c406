package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"portero/audio/alsa"
	"portero/board"
	"portero/device/app"
	"portero/device/check"
	"portero/device/config"
	station "portero/device/status"
)

func checkVerb(ctx context.Context, fs *flag.FlagSet, args []string) error {
	file := fs.String("config", "/etc/portero/portero.toml", "configuration file")
	offline := fs.Bool("offline", false, "look for no host and ask no server; and as a reload does, take a relay on an unsafe pin, "+
		"or a sound card that is not there, where the station has it so already")
	if err := parse(fs, args, len(args)); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		*file = fs.Arg(0)
		if err := parse(fs, fs.Args()[1:], 0); err != nil { // flags behind it
			return err
		}
	}
	cfg, err := config.Load(*file)
	var faults config.Faults
	switch {
	case errors.As(err, &faults):
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w; run it as the station's user: sudo -u portero portero check", err)
	case err != nil:
		return err
	default:
		faults = cfg.Warnings()
	}
	var before *config.Config // what the station has already
	if *offline {
		before, _ = config.LoadLastGood(*file, "")
	}
	errorsFound := 0
	tell := func(faults config.Faults) {
		for _, f := range faults {
			fmt.Println(f.Error())
			if f.Severity <= config.Unsafe && !hasUnsafe(before, cfg, f) {
				errorsFound++
			}
		}
	}
	tell(faults)
	if cfg != nil {
		errorsFound += checkHardware(cfg, *file, before)
		o := check.Options{File: *file}
		if doc, err := station.Ask(ctx, station.Socket); err == nil {
			o.Running = func() (*station.Document, bool) { return doc, true }
		}
		c := check.New(cfg, o)
		tell(c.Station())
		tell(c.DataDir())
		if !*offline {
			tell(c.Network(ctx))
		}
	}
	if errorsFound > 0 {
		fmt.Println(count(errorsFound, "fault"))
		return exit(1)
	}
	fmt.Printf("%s is good: %d bells, %d doors, %d accounts, built-in server %v\n", *file, len(cfg.Bells), len(cfg.Doors), len(cfg.Accounts), cfg.ServerOn())
	return nil
}

// hasUnsafe reports whether a fault is a relay on an unsafe pin that the configuration before has there too.
func hasUnsafe(before, cfg *config.Config, f config.Fault) bool {
	if before == nil || cfg == nil || f.Severity != config.Unsafe {
		return false
	}
	for i, d := range cfg.Doors {
		if f.Key == fmt.Sprintf("door[%d].line", i) {
			return before.HasRelay(d.Line, d.ActiveLow)
		}
	}
	return false
}

// checkHardware looks for the lines and the card without moving or playing anything. What the configuration
// before has as well is told, and no fault.
func checkHardware(cfg *config.Config, file string, before *config.Config) (faults int) {
	for _, err := range board.Check(app.BoardConfig(cfg)) {
		var busy *board.BusyError
		var pin *board.PinError
		switch {
		case errors.As(err, &busy) && busy.Ours():
			fmt.Printf("%s: info: %v (the running station's)\n", file, err)
			continue
		case errors.As(err, &pin) && pin.Spelt: // among the file's faults already
			continue
		case errors.As(err, &pin) && (!pin.Refused || hasRelay(before, cfg, pin.Relay)):
			fmt.Printf("%s: warning: %v\n", file, err)
			continue
		}
		fmt.Printf("%s: %v\n", file, err)
		faults++
	}
	if !cfg.Board.Sim && len(cfg.Doors) > 0 {
		if chips, err := board.Chips(); err == nil { // its absence is among the faults
			fmt.Println(keptOutputs(board.KeepsOutputs(chips)))
		}
	}
	if c := cfg.Audio.Card; c != "none" && !strings.HasPrefix(c, "wav:") {
		if err := alsa.Check(alsa.Config{Card: c, Rate: cfg.Audio.Rate, Period: cfg.Audio.Period, Volumes: cfg.Audio.Volume}); err != nil {
			severity := ""
			if before != nil && before.CopiedCard() == c {
				severity = "warning: "
			} else {
				faults++
			}
			fmt.Printf("%s: %saudio.card %q: %v; `portero tone -list` lists the cards, card = \"none\" does without\n", file, severity, c, err)
		}
	}
	return faults
}

// hasRelay reports whether the configuration before has the relay, by its name on the board, as cfg has it.
func hasRelay(before, cfg *config.Config, relay string) bool {
	return before != nil && slices.ContainsFunc(cfg.Doors, func(d config.Door) bool {
		return config.DoorRelay(d.Name) == relay && before.HasRelay(d.Line, d.ActiveLow)
	})
}

// keptOutputs says what becomes of an energised relay whose process is killed.
func keptOutputs(kept, known bool, where string) string {
	switch {
	case where == "":
		return "info: no Raspberry Pi header here: try what becomes of a relay whose process is killed"
	case !known:
		return "info: this kernel does not tell whether it keeps outputs (" + where + "): count on a relay " +
			"staying on after a kill until Portero or `portero release` lets it go"
	case kept:
		return "info: this kernel keeps outputs: after a kill a relay stays on until Portero or " +
			"`portero release` lets it go; dtparam=strict_gpiod in config.txt ends that"
	}
	return "info: this kernel lets outputs go: after a kill a relay's pin is an input at once, " +
		"which its pull holds released"
}

func configVerb(_ context.Context, fs *flag.FlagSet, args []string) error {
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	_, err := os.Stdout.Write(config.Sample)
	return err
}

// releaseVerb drives all relays inactive: systemd calls it after the station ended, however it ended. A
// faulty file is no excuse: the lines of the last good one count too.
func releaseVerb(_ context.Context, fs *flag.FlagSet, args []string) error {
	file := fs.String("config", "/etc/portero/portero.toml", "configuration file")
	data := fs.String("data", "", "data directory, where the last good copy is (default: the file's)")
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	lines, err := config.RelayLines(*file, *data)
	if err != nil {
		return err
	}
	return board.ReleaseAll(lines)
}
