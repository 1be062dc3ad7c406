package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"portero/audio/alsa"
	"portero/board"
	"portero/device/app"
	"portero/device/config"
)

func checkVerb(_ context.Context, fs *flag.FlagSet, args []string) error {
	file := fs.String("config", "/etc/portero/portero.toml", "configuration file")
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	cfg, err := config.Load(*file)
	var faults config.Faults
	switch {
	case errors.As(err, &faults):
	case err != nil:
		return err
	default:
		faults = cfg.Warnings()
	}
	errorsFound := 0
	for _, f := range faults {
		fmt.Println(f.Error())
		if f.Severity <= config.Unsafe {
			errorsFound++
		}
	}
	if cfg != nil {
		errorsFound += checkHardware(cfg, *file)
	}
	if errorsFound > 0 {
		fmt.Println(count(errorsFound, "fault"))
		return exit(1)
	}
	fmt.Printf("%s is good: %d bells, %d doors, %d accounts, built-in server %v\n", *file, len(cfg.Bells), len(cfg.Doors), len(cfg.Accounts), cfg.ServerOn())
	return nil
}

// checkHardware looks for the lines and the card without moving or playing anything.
func checkHardware(cfg *config.Config, file string) (faults int) {
	for _, err := range board.Check(app.BoardConfig(cfg)) {
		var busy *board.BusyError
		var pin *board.PinError
		switch {
		case errors.As(err, &busy) && busy.Ours():
			fmt.Printf("%s: info: %v (the running station's)\n", file, err)
			continue
		case errors.As(err, &pin) && pin.Spelt: // among the file's faults already
			continue
		case errors.As(err, &pin) && !pin.Refused:
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
			fmt.Printf("%s: audio.card %q: %v; `portero tone -list` lists the cards, card = \"none\" does without\n", file, c, err)
			faults++
		}
	}
	return faults
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
