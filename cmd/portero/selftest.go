package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"os/user"
	"path/filepath"
	"syscall"

	"portero/board"
	"portero/device/app"
	"portero/device/config"
	"portero/device/durable"
	"portero/device/selftest"
)

// selftestVerb walks the wiring test with the user and leaves a report.
func selftestVerb(ctx context.Context, fs *flag.FlagSet, args []string) error {
	file := fs.String("config", "/etc/portero/portero.toml", "configuration file")
	path := fs.String("report", "", "where the report goes (default: selftest.txt in the data directory)")
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	cfg, err := config.Load(*file)
	if err != nil {
		return err
	}
	if err := ownData(cfg.Station.DataDir); err != nil {
		return err
	}
	// A connection that breaks off while a relay is on must not end the program before it has released it.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGQUIT)
	defer stop()
	p := selftest.Parts{Config: cfg, Check: board.Check, Open: board.Open, Chips: board.Chips, Who: userName(),
		System: os.DirFS("/"), Version: versionString(), In: os.Stdin, Out: os.Stdout,
		Log: app.NewLogger(os.Stderr, cfg.Log)}
	if cfg.Board.Sim {
		fmt.Println("board.sim = true: the board is simulated, nothing here is real")
		p.Chips = nil
	}
	if cfg.Audio.Card != "none" {
		c, err := app.NewCard(cfg.Audio)
		if err != nil {
			return err
		}
		defer c.Close()
		p.Card = c.Open
	}
	report, err := selftest.Run(ctx, p)
	if report == nil {
		return err
	}
	to := cmp.Or(*path, filepath.Join(cfg.Station.DataDir, "selftest.txt"))
	if writeErr := durable.Write(to, []byte(report.String())); writeErr != nil {
		return fmt.Errorf("report: %w", writeErr)
	}
	fmt.Printf("\n%d faults; the report is %s: read it before you send it\n", report.Faults(), to)
	if err == nil && report.Faults() > 0 {
		err = exit(1)
	}
	return err
}

// ownData refuses another user than the station's: the audit of openings would become a file that the station
// cannot write.
func ownData(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	if int(owner) == os.Geteuid() {
		return nil
	}
	name := fmt.Sprintf("#%d", owner)
	if u, err := user.LookupId(fmt.Sprint(owner)); err == nil {
		name = u.Username
	}
	return fmt.Errorf("%s belongs to %s: run `sudo -u %[2]s portero selftest`", dir, name)
}

// userName is who is at the keyboard, for the audit of openings.
func userName() string {
	if name := os.Getenv("SUDO_USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return fmt.Sprintf("#%d", os.Getuid())
}
