package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"text/tabwriter"
	"time"

	"portero/board"
	"portero/device/app"
	"portero/device/config"
)

// pinsVerb lists chips and lines, what to write for each, and what the configuration uses them for; with
// -live it shows the inputs as they change. It never reads an output: that would make it an input.
func pinsVerb(ctx context.Context, fs *flag.FlagSet, args []string) error {
	file := fs.String("config", "", "configuration file: show what uses which line")
	live := fs.Bool("live", false, "show the configuration's inputs as they change, and count pulses too short to be a press, until Ctrl-C (stop the station first)")
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	var bc board.Config
	if *file != "" {
		cfg, err := config.Load(*file)
		if err != nil {
			return err
		}
		bc = app.BoardConfig(cfg)
	}
	if *live {
		if *file == "" {
			return errors.New("-live needs -config: which inputs?")
		}
		return watchInputs(ctx, os.Stdout, bc)
	}
	chips, err := board.Chips()
	if err != nil {
		return err
	}
	if len(chips) == 0 {
		fmt.Println("no GPIO chips (is this a board with GPIO, and may this user open /dev/gpiochip*? group gpio)")
	}
	return listPins(os.Stdout, chips, board.LineUsers(chips, bc))
}

func listPins(out io.Writer, chips []board.Chip, users []board.LineUser) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i, c := range chips {
		fmt.Fprintf(w, "%s\t%s\t%d lines\n", c.Name, c.Label, len(c.Lines))
		for _, l := range c.Lines {
			direction := "input"
			if l.Output {
				direction = "output"
			}
			use := ""
			for _, u := range users {
				if u.Chip == c.Name && u.Offset == l.Offset {
					use = "<- " + u.Kind + " " + u.Name
				}
			}
			line := board.Spelling(chips, &chips[i], l.Offset)
			fmt.Fprintf(w, "  %d\t%s\tline = %q\t%s\t%s\t%s\t%s\n",
				l.Offset, l.Name, line, direction, l.Bias, l.Consumer, use)
		}
	}
	for _, u := range users {
		if u.Chip == "" {
			fmt.Fprintf(w, "%s %s: line %q is not here; `portero check` tells more\n", u.Kind, u.Name, u.Line)
		}
	}
	return w.Flush()
}

// watchInputs opens the inputs alone and prints their levels and every change.
func watchInputs(ctx context.Context, out io.Writer, bc board.Config) error {
	bc.Relays, bc.Lamps = nil, nil
	if len(bc.Inputs) == 0 {
		return errors.New("the configuration has no inputs")
	}
	b, err := board.Open(bc)
	var busy *board.BusyError
	if errors.As(err, &busy) && busy.Ours() {
		return fmt.Errorf("%w: the station is running; `systemctl stop portero` first", err)
	}
	if err != nil {
		return err
	}
	defer b.Close()
	return watchBoard(ctx, out, b, bc.Inputs)
}

// pulsesEvery is how often a line that hears interference says so.
const pulsesEvery = time.Second

// watchBoard prints every change, and how many pulses were too short to be one: what bounces when a button is pressed, and what the
// wire catches when nobody touches it.
func watchBoard(ctx context.Context, out io.Writer, b *board.Board, inputs []board.Input) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	fmt.Fprintln(out, "Press the bell now, then leave everything alone and switch the door opener, lamps and motors: pulses shorter than\n"+
		"an input's debounce time, or its hold, are counted. Those at a press are its contact; any others are interference.\n"+
		"Ctrl-C ends.")
	var mu sync.Mutex // out, and first
	var first time.Duration
	start, told := time.Now(), map[string]uint64{}
	counts := func() {
		mu.Lock()
		defer mu.Unlock()
		for _, in := range inputs {
			if n := b.ShortPulses(in.Name); n != told[in.Name] {
				fmt.Fprintf(out, "%9.3f s  %-24s %s\n", time.Since(start).Seconds(), in.Name, pulseCount(in, n))
				told[in.Name] = n
			}
		}
	}
	var counting sync.WaitGroup
	counting.Go(func() {
		tick := time.NewTicker(pulsesEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				counts()
			}
		}
	})
	err := b.Run(ctx, func(ev board.Event) {
		mu.Lock()
		defer mu.Unlock()
		if first == 0 {
			first = ev.At
		}
		state := map[bool]string{true: "active", false: "inactive"}[ev.Active]
		switch {
		case ev.Stuck:
			state = "stuck"
		case ev.Initial:
			state += " now"
		}
		fmt.Fprintf(out, "%9.3f s  %-24s %s\n", (ev.At - first).Seconds(), ev.Line, state)
	})
	stop()
	counting.Wait()
	fmt.Fprintf(out, "In %.0f s:\n", time.Since(start).Seconds())
	for _, in := range inputs {
		fmt.Fprintf(out, "%13s%-24s %s\n", "", in.Name, pulseCount(in, b.ShortPulses(in.Name)))
	}
	return err
}

func pulseCount(in board.Input, n uint64) string {
	switch {
	case in.AC:
		return "short pulses are not counted: an AC contact makes nothing else"
	case in.Debounce == 0 && in.Hold == 0:
		return "short pulses are not counted: its debounce is 0"
	}
	return fmt.Sprintf("%d short pulses so far (under %v)", n, max(in.Debounce, in.Hold))
}
