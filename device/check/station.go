package check

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"portero/audio"
	"portero/board"
	"portero/device/app"
	"portero/device/config"
	"portero/device/event"
	"portero/device/status"
	"portero/sip"
	"portero/sip/transport"
)

// Options are what differs from one use to another. The zero value serves.
type Options struct {
	File string // the configuration's, for its name and age
	// Running asks the station that runs on this machine; false: none does. nil: it cannot be asked.
	Running func() (*status.Document, bool)

	// In place of the machine's own, when set.
	ListenSIP func(addr string) (app.Listener, error)
	Lookup    func(context.Context, sip.URI) ([]transport.Target, error)
}

// Checker looks at one configuration.
type Checker struct {
	Options
	cfg     *config.Config
	log     *slog.Logger
	running *status.Document // nil: none, or it cannot be asked
	known   bool             // whether a station runs
}

// New makes a checker of a configuration without faults of its own.
func New(cfg *config.Config, o Options) *Checker {
	c := &Checker{Options: o, cfg: cfg, log: slog.New(slog.DiscardHandler)}
	if o.Running != nil {
		var runs bool
		if c.running, runs = o.Running(); !runs {
			c.running = nil
		}
		c.known = true
	}
	if c.ListenSIP == nil {
		c.ListenSIP = func(addr string) (app.Listener, error) { return transport.ListenUDP(addr) }
	}
	if c.Lookup == nil {
		c.Lookup = (&transport.Resolver{}).Lookup
	}
	return c
}

func (c *Checker) fault(s config.Severity, key, value, problem, remedy string) config.Fault {
	if value != "" {
		value = fmt.Sprintf("%q", value)
	}
	return config.Fault{Severity: s, File: filepath.Base(c.File), Key: key, Value: value, Problem: problem, Remedy: remedy}
}

// Station builds what `portero run` builds, and gives it back.
func (c *Checker) Station() (faults config.Faults) {
	a, err := app.Build(c.cfg, c.log, event.NewLog(1), app.Options{World: app.World{
		OpenBoard: func(bc board.Config) (*board.Board, error) {
			bc.Sim = true
			return board.Open(bc)
		},
		ListenSIP: func(addr string) (app.Listener, error) {
			l, told, err := c.listen(addr)
			faults = append(faults, told...)
			return l, err
		},
		OpenCard: openCard,
	}})
	if err != nil {
		return append(faults, c.fault(config.Error, "", "", err.Error(), ""))
	}
	a.Close()
	return append(faults, c.targets()...)
}

// listen opens a port as the station does; where the running station holds it, any other.
func (c *Checker) listen(addr string) (app.Listener, config.Faults, error) {
	l, err := c.ListenSIP(addr)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return l, nil, err
	}
	var told config.Faults
	switch {
	case c.running != nil:
	case c.known || !ours(holders(addr), serviceUID(c.cfg.Station.DataDir)):
		return nil, nil, err
	default:
		told = append(told, c.fault(config.Info, "", "", fmt.Sprintf("the port of %s is in use by a program of the station's user: the running station's", addr), ""))
	}
	host, _, _ := net.SplitHostPort(addr)
	l, err = c.ListenSIP(net.JoinHostPort(host, "0"))
	return l, told, err
}

// openCard is app.NewCard without beginning a recording, which would wipe out the last one.
func openCard(a config.Audio) (*app.Card, error) {
	files, ok := strings.CutPrefix(a.Card, "wav:")
	if !ok {
		return app.NewCard(a)
	}
	in, out, _ := strings.Cut(files, ",")
	if err := mayWrite(out); err != nil {
		return nil, fmt.Errorf("audio.card: record: %w", err)
	}
	file, err := audio.NewFileCard(audio.FileCardConfig{Rate: a.Rate, Period: a.Period, Capture: in})
	if err != nil {
		return nil, fmt.Errorf("audio.card: %w", err)
	}
	return &app.Card{Open: file.Open, File: file}, nil
}

// mayWrite tells why a file can be neither written nor made; it is left as it is.
func mayWrite(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return tryWrite(filepath.Dir(path))
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// plainWord reports whether text is what nobody dials at an account, and what users of the built-in server are
// called: letters, with dots and dashes between them.
func plainWord(text string) bool {
	letter := func(r rune) bool { return 'a' <= r|0x20 && r|0x20 <= 'z' }
	return len(text) > 1 && letter(rune(text[0])) &&
		!strings.ContainsFunc(text, func(r rune) bool { return !letter(r) && !strings.ContainsRune("._-", r) })
}

// targets finds those that are dialled through an account and are probably phones of the built-in server.
func (c *Checker) targets() (faults config.Faults) {
	for i := range c.cfg.Bells {
		b := &c.cfg.Bells[i]
		for j, text := range b.Targets {
			t, err := c.cfg.Target(b, text)
			if err != nil || t.Account == "" || !plainWord(text) {
				continue
			}
			faults = append(faults, c.fault(config.Warning, fmt.Sprintf("bell[%d].targets[%d]", i, j), text,
				fmt.Sprintf("no user of the built-in server: it is dialled as %s through the account %q", t.URI, t.Account),
				"if it is meant for a phone of the built-in server: "+c.asUser(text)))
		}
	}
	return faults
}

// asUser says what makes a target a user of the built-in server.
func (c *Checker) asUser(text string) string {
	var todo []string
	if !c.cfg.ServerOn() {
		todo = append(todo, `write enabled = "on" under [server]`)
	}
	i := slices.IndexFunc(c.cfg.Server.Users, func(u config.ServerUser) bool { return strings.EqualFold(u.Name, text) })
	switch {
	case i < 0:
		todo = append(todo, fmt.Sprintf("add a [[server.user]] with name = %q", text))
	case c.cfg.Server.Users[i].Name != text:
		todo = append(todo, fmt.Sprintf("write the target as its name: %q", c.cfg.Server.Users[i].Name))
	}
	return strings.Join(todo, ", ")
}
