package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"portero/device"
	"portero/device/event"
	"portero/sip/registrar"
)

// logger writes the log where that is wanted, and tells stay of phones that are refused.
func (d *demo) logger() *slog.Logger {
	var to slog.Handler = slog.DiscardHandler
	if d.verbose {
		to = slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})
	}
	refused := make(chan refusal, 16)
	d.refused = refused
	return slog.New(refusals{to, refused})
}

// stay waits for a softphone of the user's, and says what becomes of it. Each line of in presses the bell.
func (d *demo) stay(ctx context.Context, in io.Reader) {
	soft := &softphone{user: "softphone", password: d.soft, server: d.serverAddr(), say: d.say,
		bindings: d.station.Users.Bindings, told: map[string]time.Time{}}
	fmt.Fprintf(d.out, `
Now your own phone. Register any SIP softphone with
  server    %s  (UDP)
  user      %s
  password  %s
then press Enter here: your phone rings. Answer, listen, and type %s# to open the door. Ctrl-C ends it.
`, soft.server, soft.user, soft.password, d.code)
	enter := make(chan struct{})
	go func() { // ends with in, or the process
		for s := bufio.NewScanner(in); s.Scan(); {
			enter <- struct{}{}
		}
	}()
	events := make(chan event.Event)
	go func() {
		for {
			ev, err := d.events.Next(ctx)
			if err != nil {
				return
			}
			select {
			case events <- ev:
			case <-ctx.Done():
				return
			}
		}
	}()
	soft.keep(ctx, enter, events, d.refused, func() error { return d.station.Station.Do(ctx, device.Press{}) })
}

// softphone is the user's phone, as the demo's server sees it.
type softphone struct {
	user, password string
	server         netip.AddrPort
	say            func(format string, args ...any)
	bindings       func() []registrar.Binding

	here []registrar.Binding
	told map[string]time.Time // refusals, by their sentence
}

const (
	lookEvery   = time.Second      // whether the phone is there
	remindAfter = 30 * time.Second // without a phone
	tellAgain   = 30 * time.Second // of the same refusal: phones try on and on
)

// keep tells what happens until ctx ends, and presses the bell at each Enter.
func (p *softphone) keep(ctx context.Context, enter <-chan struct{}, events <-chan event.Event, refused <-chan refusal, press func() error) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	remind := time.NewTimer(remindAfter)
	defer remind.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			p.look()
			if len(p.here) > 0 {
				remind.Stop()
			}
		case r := <-refused:
			p.refuse(r)
		case <-remind.C:
			p.missing("No phone has registered yet.")
		case ev := <-events:
			if text := p.sentence(ev); text != "" {
				p.say("%s", text)
			}
		case <-enter:
			if p.look(); len(p.here) == 0 {
				p.missing("No phone is registered, so none rings.")
			}
			if err := press(); err != nil {
				p.say("%v", err)
			}
		}
	}
}

// look tells of a phone that has come or gone.
func (p *softphone) look() {
	at := func(b registrar.Binding) func(registrar.Binding) bool {
		return func(o registrar.Binding) bool { return o.Source == b.Source }
	}
	var now []registrar.Binding
	for _, b := range p.bindings() {
		if b.User != p.user {
			continue
		}
		now = append(now, b)
		if !slices.ContainsFunc(p.here, at(b)) {
			p.say("Your phone is here: %s. Press Enter: it rings.", p.describe(b))
		}
	}
	for _, b := range p.here {
		if !slices.ContainsFunc(now, at(b)) {
			p.say("Your phone is gone: %s has logged out, or was silent for too long.", p.describe(b))
		}
	}
	p.here = now
}

func (p *softphone) describe(b registrar.Binding) string {
	if b.UserAgent == "" {
		return b.Source.String()
	}
	return fmt.Sprintf("%s, %s", b.Source, b.UserAgent)
}

// missing says what to do about a phone that does not come.
func (p *softphone) missing(what string) {
	p.say("%s In the phone's app set server %s (UDP), user %s, also as the name for authentication, and password %s.%s",
		what, p.server, p.user, p.password, p.elsewhere())
}

// elsewhere is the hint for phones on other machines, where only this one is listened to.
func (p *softphone) elsewhere() string {
	if !p.server.Addr().IsLoopback() {
		return ""
	}
	return " A phone on another machine does not reach that: for one start the demo with -listen 0.0.0.0:5060."
}

// refuse tells of a phone that was refused.
func (p *softphone) refuse(r refusal) {
	text := fmt.Sprintf("A phone at %s tries to log in as %q: %s. It needs user %s and password %s.",
		r.from, r.user, r.why, p.user, p.password)
	if now := time.Now(); now.Sub(p.told[text]) >= tellAgain {
		if len(p.told) > 100 { // a stranger may have many names
			clear(p.told)
		}
		p.told[text] = now
		p.say("%s", text)
	}
}

// sentence says what an event means to somebody who tries a phone; "" for what does not concern the phone.
func (p *softphone) sentence(ev event.Event) string {
	if ev.Target != "" && ev.Target != p.user { // the demo's own phone, which has left
		return ""
	}
	switch ev.Kind {
	case event.BellPressed:
		return "The bell is pressed."
	case event.CallRinging:
		return "Your phone rings."
	case event.CallAnswered:
		return "Your phone answers: it hears the door, and the door hears it."
	case event.CallRefused:
		return fmt.Sprintf("Your phone does not take the call: %s.", ev.Reason)
	case event.CallEnded:
		return fmt.Sprintf("The call has ended: %s.", ev.Reason)
	case event.BellUnheard:
		return fmt.Sprintf("Nobody has come: %s.", ev.Reason)
	case event.CodeAccepted:
		return "The code is right."
	case event.CodeWrong:
		return "That code is wrong."
	case event.CodeLockedOut:
		return "Too many wrong codes: none is taken for a while."
	case event.DoorOpened:
		return "The door is open."
	case event.DoorClosed:
		return "The door is shut again."
	case event.StationReady, event.BellIgnored, event.BellStuck, event.DoorFailed, event.CardLost, event.EventsLost:
		return strings.TrimSpace(fmt.Sprint(ev.Kind, " ", ev.Reason))
	}
	return ""
}

// refusal is a phone that was refused at the built-in server, as its log tells.
type refusal struct{ from, user, why string }

// refusals hands on what the log warns of users who try to log in from somewhere.
type refusals struct {
	slog.Handler
	to chan<- refusal
}

func (h refusals) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn || h.Handler.Enabled(ctx, level)
}

// Handle must not wait: it runs on the server's loop.
func (h refusals) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		found := refusal{why: r.Message}
		r.Attrs(func(a slog.Attr) bool {
			switch a.Key {
			case "user":
				found.user = a.Value.String()
			case "from":
				if at, ok := a.Value.Any().(netip.AddrPort); ok {
					found.from = at.Addr().String()
				}
			}
			return true
		})
		if found.from != "" && found.user != "" {
			select {
			case h.to <- found:
			default:
			}
		}
	}
	if !h.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

func (h refusals) WithAttrs(attrs []slog.Attr) slog.Handler {
	return refusals{h.Handler.WithAttrs(attrs), h.to}
}

func (h refusals) WithGroup(name string) slog.Handler {
	return refusals{h.Handler.WithGroup(name), h.to}
}
