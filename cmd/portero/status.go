package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	station "portero/device/status"
)

// Exit statuses, as systemctl's.
const (
	notGood    = 1
	notRunning = 3
	notKnown   = 4
)

// statusVerb says in one sentence how the running station stands, and then the details.
func statusVerb(ctx context.Context, fs *flag.FlagSet, args []string) error {
	socket := fs.String("socket", station.Socket, "where the station answers")
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	d, err := station.Ask(ctx, *socket)
	paint := painter(os.Stdout)
	if err != nil {
		line, code := noAnswer(err, *socket)
		fmt.Println(paint(false, line))
		return exit(code)
	}
	line, good := d.Sentence()
	fmt.Println(paint(good, line))
	details(os.Stdout, d, time.Now())
	if !good {
		return exit(notGood)
	}
	return nil
}

// noAnswer says what it means that a station gave no document.
func noAnswer(err error, socket string) (line string, code int) {
	switch {
	case errors.Is(err, station.ErrNotRunning):
		return fmt.Sprintf("not running: no station answers at %s; `systemctl status portero` and `journalctl -u portero` tell why", socket), notRunning
	case errors.Is(err, station.ErrHangs):
		return "hangs: the station runs and does not answer; the watchdog is about to replace it", notGood
	case errors.Is(err, fs.ErrPermission):
		return "not known: only root and the group portero may ask; run `sudo portero status`", notKnown
	}
	return station.Line("not known: " + err.Error()), notKnown
}

// painter makes what is good green and what is not red, on a terminal and where NO_COLOR does not forbid it
// (no-color.org).
func painter(f *os.File) func(good bool, text string) string {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return func(_ bool, text string) string { return text }
	}
	return func(good bool, text string) string {
		if good {
			return "\x1b[32m" + text + "\x1b[0m"
		}
		return "\x1b[31m" + text + "\x1b[0m"
	}
}

// details lists what stands behind the sentence.
func details(w io.Writer, d *station.Document, now time.Time) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-9s %s\n", name, station.Line(fmt.Sprintf(format, args...)))
	}
	at := func(t time.Time) string {
		return fmt.Sprintf("%s (%v ago)", t.Local().Format("2006-01-02 15:04:05"), now.Sub(t).Round(time.Second))
	}
	row("version", "%s", d.Version)
	if d.Starting != "" {
		return
	}
	row("since", "%s", at(d.Since))
	switch s := d.StandIn; {
	case s == nil:
		row("config", "%s", d.File)
	case s.Copy.IsZero():
		row("config", "what the station before ran with, because %s cannot be used", d.File)
	default:
		row("config", "the last good copy of %s, because %s cannot be used", s.Copy.Local().Format("2006-01-02 15:04"), d.File)
	}
	if d.StandIn != nil {
		for fault := range strings.Lines(d.StandIn.Reason) {
			row("because", "%s", strings.TrimSpace(fault))
		}
	} else if d.Refused != "" {
		row("refused", "the file as it was read last: %s", d.Refused)
	}
	for _, b := range d.Bells {
		row("bell", "%s calls %q", b.Name, b.Targets)
	}
	for _, a := range d.Accounts {
		switch {
		case a.Registered:
			row("account", "%s registered since %s", a.Name, at(a.Since))
		case a.Since.IsZero():
			row("account", "%s not registered yet", a.Name)
		default:
			row("account", "%s not registered since %s: %s", a.Name, at(a.Since), a.Reason)
		}
	}
	for _, p := range d.Phones {
		switch p.Contacts {
		case 0:
			row("user", "%s has no phone here", p.User)
		case 1:
			row("user", "%s has 1 phone since %s", p.User, at(p.Since))
		default:
			row("user", "%s has %d phones since %s", p.User, p.Contacts, at(p.Since))
		}
	}
	for _, l := range d.Missing {
		row("lost", "%s: its line cannot be had; `portero check` tells why", l)
	}
	if d.Card.State == "lost" {
		row("card", "lost since %s: %s", at(d.Card.Since), d.Card.Reason)
	}
	if d.LockOut.After(now) {
		row("lock-out", "after wrong codes none is taken until %s", d.LockOut.Local().Format("15:04:05"))
	}
	if d.Tamper {
		row("tamper", "the case was opened: codes and programs open no door for a while")
	}
	visit(row, at, d)
}

// visit tells of the visit that goes on, or of the last one.
func visit(row func(name, format string, args ...any), at func(time.Time) string, d *station.Document) {
	v, name := d.Visit, "visit"
	if v == nil {
		v, name = d.LastVisit, "last"
	}
	if v == nil {
		row("last", "no visit since this process began")
		return
	}
	who := "bell " + v.Bell
	if v.Bell == "" {
		who = "a call of " + v.Peer
	}
	how := ", not answered"
	switch {
	case !v.Answered.IsZero() && v.Bell != "":
		how = ", answered by " + v.Peer
	case !v.Answered.IsZero():
		how = ", answered"
	case d.Visit != nil:
		how = ", rings"
	}
	row(name, "%s, %s%s", who, at(v.Since), how)
}
