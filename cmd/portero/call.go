package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"portero/device"
	"portero/device/app"
	"portero/device/config"
	"portero/sip"
	"portero/sip/transport"
	"portero/sip/ua"
)

// callVerb is a bench call: it rings somebody as the station would, with files or the card for sound, and
// says how it went.
func callVerb(ctx context.Context, fs *flag.FlagSet, args []string) error {
	file := fs.String("config", "", "configuration file: its account, card and ports are used (default: a direct call, card \"none\")")
	play := fs.String("play", "", "WAV file to send in place of the microphone")
	record := fs.String("record", "", "WAV file that takes what is heard")
	length := fs.Duration("for", 10*time.Second, "how long to talk")
	digits := fs.String("digits", "", "digits to send once the call is answered")
	answer := fs.Bool("answer", false, "wait for a call and answer it, in place of placing one")
	within := fs.Duration("within", 60*time.Second, "give up when there is no answer (or no call) by then")
	listen := fs.String("listen", "", "address and port of this phone (default: the configuration's host, any port)")
	verbose := fs.Bool("v", false, "log everything to stderr")
	if err := parse(fs, args, 1); err != nil {
		return err
	}
	if *answer == (fs.NArg() == 1) {
		fs.SetOutput(os.Stderr)
		fs.Usage()
		return exit(2)
	}
	cfg := config.Default()
	cfg.Audio.Card = "none"
	if *file != "" {
		var err error
		if cfg, err = config.Load(*file); err != nil {
			return err
		}
	}
	if *play != "" || *record != "" {
		cfg.Audio.Card = "wav:" + absolute(*play) + "," + absolute(*record)
	}
	log := slog.New(slog.DiscardHandler)
	if *verbose {
		log = app.NewLogger(os.Stderr, config.Log{Level: "debug"})
	}
	return benchCall(ctx, cfg, log, fs.Arg(0), *listen, *digits, *length, *within)
}

func absolute(path string) string {
	if path == "" {
		return ""
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// benchCall places a call to uri, or waits for one when uri is empty.
func benchCall(ctx context.Context, cfg *config.Config, log *slog.Logger, uri, listen, digits string, length, within time.Duration) (err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	card, err := app.NewCard(cfg.Audio)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, card.Close()) }()
	phones, err := device.NewPhone(cfg, nil, log) // for its accounts
	if err != nil {
		return err
	}
	account := phones.Account("")
	if listen == "" {
		host, _ := config.SplitHostPort(cfg.SIP.Listen, 0)
		listen = host + ":0"
	}
	allow := func(transport.Flow, *sip.Request) int { return 0 } // somebody sits at this bench and asked for a call
	if uri != "" {
		allow = nil
	}
	p, err := newBenchPhone(listen, account, card.Open, cfg.SIP, log, allow)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- p.run(ctx) }()
	defer func() {
		p.media.Close()
		bye := make(chan struct{})
		p.agent.Shutdown(func() { close(bye) })
		select {
		case <-bye:
		case <-time.After(app.GoodbyeWithin):
		}
		stop()
		err = errors.Join(err, <-done)
	}()
	waiting, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if uri != "" {
		err = p.dial(waiting, cfg, account, uri)
	} else {
		err = p.await(waiting, account)
	}
	if err != nil {
		return err
	}
	return p.converse(ctx, digits, length)
}

func (p *benchPhone) dial(ctx context.Context, cfg *config.Config, account *ua.Account, text string) error {
	to, err := sip.ParseURI(text)
	if err != nil && account != nil { // an extension of the account
		to = sip.URI{Scheme: "sip", User: sip.EscapeUser(text), Host: account.AOR.Host}
	} else if err != nil {
		return err
	}
	fmt.Printf("calling %s\n", to)
	inv := ua.Invite{Account: account, To: to, DisplayName: cfg.Station.Name, Offer: p.offer,
		From: sip.URI{Scheme: "sip", User: "bench", Host: config.LocalDomain}}
	began := time.Now()
	p.call = p.agent.Invite(inv, p.heard)
	for {
		ev, err := p.next(ctx, ua.Progress, ua.Answered)
		switch {
		case err != nil:
			p.call.Hangup()
			return fmt.Errorf("not answered: %w", err)
		case ev.Kind == ua.Ended:
			return fmt.Errorf("not answered: %s", reasonOf(ev))
		case ev.Kind == ua.Progress:
			fmt.Printf("%d %s\n", ev.Status, ev.Reason)
			continue
		}
		fmt.Printf("%d %s after %v\n", ev.Status, ev.Reason, time.Since(began).Round(time.Millisecond))
		if err := p.accept(ev.Body); err != nil {
			p.call.Hangup()
			return err
		}
		return nil
	}
}

func reasonOf(ev callEvent) string {
	if ev.Status != 0 {
		return fmt.Sprintf("%d %s", ev.Status, ev.Reason)
	}
	return ev.Reason
}

// await registers the account, if there is one, and answers the first call.
func (p *benchPhone) await(ctx context.Context, account *ua.Account) error {
	if account != nil {
		p.agent.Register(account, func(ev ua.RegEvent) {
			switch {
			case ev.Registered:
				fmt.Printf("registered as %s\n", account.AOR)
			case ev.Err != nil || ev.Status != 0:
				fmt.Printf("not registered: %d %v\n", ev.Status, ev.Err)
			}
		})
	}
	local, err := p.stack.Local(transport.Target{Proto: sip.UDP, Addr: netip.MustParseAddrPort("127.0.0.1:5060")})
	if err != nil {
		return err
	}
	fmt.Printf("waiting for a call at port %d\n", local.Port())
	ev, err := p.next(ctx, ua.Offered)
	if err != nil {
		return fmt.Errorf("no call: %w", err)
	}
	fmt.Printf("call from %s\n", ev.From.URI)
	if err := p.take(ev); err != nil {
		return err
	}
	return nil
}

// converse lets the call run, prints the digits that arrive, and judges how it ended.
func (p *benchPhone) converse(ctx context.Context, digits string, length time.Duration) error {
	if digits != "" {
		if err := p.media.Session().SendDigits(strings.ToUpper(digits)); err != nil {
			return err
		}
	}
	over := time.NewTimer(length)
	defer over.Stop()
	for {
		select {
		case <-ctx.Done():
			p.call.Hangup()
			return ctx.Err()
		case <-over.C:
			p.call.Hangup()
			return p.verdict("hung up")
		case ev := <-p.events:
			switch {
			case ev.Kind == ua.Ended && ev.Err != nil:
				return fmt.Errorf("the call broke: %w", ev.Err)
			case ev.Kind == ua.Ended:
				return p.verdict("the far end hung up")
			case ev.Kind == ua.Offered && ev.Renewed:
				ev.Leg.Reject(488) // a bench phone keeps its media
			}
		}
	}
}

// verdict prints the statistics; a call in which nothing was heard did not go well.
func (p *benchPhone) verdict(how string) error {
	st := p.media.Session().Stats()
	fmt.Printf("%s: %d packets sent, %d received, %d lost, %d late, jitter %v\n", how, st.Sent, st.Received, st.Lost, st.Late, st.Jitter.Round(time.Millisecond/10))
	if st.Received == 0 {
		return errors.New("no sound came from the far end: is its address in SDP reachable, is a firewall between?")
	}
	return nil
}
