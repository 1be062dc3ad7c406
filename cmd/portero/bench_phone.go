package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"portero/audio"
	"portero/audio/alsa"
	"portero/device/config"
	"portero/device/media"
	"portero/sip"
	"portero/sip/transaction"
	"portero/sip/transport"
	"portero/sip/ua"
)

// benchPhone is a phone with a file for a microphone and a file for a loudspeaker: a user agent, a socket and
// an engine of its own. The demo's resident uses it, and `portero call`.
type benchPhone struct {
	agent   *ua.Agent
	stack   *transaction.Stack
	account *ua.Account
	engine  *audio.Engine
	events  chan callEvent

	media  *media.Leg // of its one call
	digits func(rune)
	call   *ua.Call
}

type callEvent struct {
	ua.CallEvent
	call *ua.Call
	at   time.Time
}

// newBenchPhone opens a socket on listen. Incoming calls from allow are taken to events; others get 403.
func newBenchPhone(listen string, account *ua.Account, open audio.Opener, ports config.SIP, log *slog.Logger,
	allow func(transport.Flow, *sip.Request) int) (*benchPhone, error) {
	p := &benchPhone{account: account, events: make(chan callEvent, 64)}
	p.agent = ua.New(ua.Config{Log: log, Allow: allow, Incoming: p.heard})
	p.engine = audio.NewEngine(open, audio.EngineOptions{Log: log, Echo: audio.EchoOptions{Off: true}, Thread: alsa.Realtime})
	var err error
	if p.media, err = p.newMedia(ports); err != nil {
		return nil, err
	}
	udp, err := transport.ListenUDP(listen)
	if err != nil {
		return nil, err
	}
	p.stack = transaction.NewStack(transaction.Config{UserAgent: "Portero-phone/" + versionString(), Log: log}, p.agent, udp)
	return p, nil
}

// run runs the phone until ctx ends.
func (p *benchPhone) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, run := range []func(context.Context) error{p.stack.Run, p.engine.Run} {
		g.Go(func() error {
			if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
		})
	}
	return g.Wait()
}

// heard takes the events of a call, on the stack's loop.
func (p *benchPhone) heard(c *ua.Call, ev ua.CallEvent) {
	select {
	case p.events <- callEvent{ev, c, time.Now()}:
	default: // nobody listens any more
	}
}

// next returns the next event of one of the kinds; Ended is returned whether asked for or not.
func (p *benchPhone) next(ctx context.Context, kinds ...ua.CallEventKind) (callEvent, error) {
	for {
		select {
		case ev := <-p.events:
			for _, k := range append(kinds, ua.Ended) {
				if ev.Kind == k {
					return ev, nil
				}
			}
		case <-ctx.Done():
			return callEvent{}, fmt.Errorf("waiting for %v: %w", kinds, ctx.Err())
		}
	}
}

// newMedia makes the sound of the phone's call: its microphone is a file, so it is open.
func (p *benchPhone) newMedia(ports config.SIP) (*media.Leg, error) {
	first, last, err := ports.Ports()
	if err != nil {
		return nil, err
	}
	codecs, err := media.Codecs("PCMA", "PCMU")
	if err != nil {
		return nil, err
	}
	c := &media.Config{Engine: p.engine, Listen: media.Ports(int(first), int(last)), Codecs: codecs}
	leg := c.NewLeg(func(d audio.Digit) {
		if p.digits != nil {
			p.digits(d.Rune)
		}
	})
	return leg, leg.Mute(false, false)
}

// offer makes the offer of a call.
func (p *benchPhone) offer(local netip.Addr, t transport.Target, done func([]byte, error)) {
	p.media.Offer(local, t.Addr.Addr(), done)
}

// accept starts the sound once the far end answered our offer.
func (p *benchPhone) accept(answer []byte) error {
	if err := p.media.Accept(answer); err != nil {
		return err
	}
	p.media.Start()
	return nil
}

// take answers the offer of an incoming call.
func (p *benchPhone) take(ev callEvent) error {
	local, err := p.stack.Local(transport.Target{Proto: ev.Flow.Proto, Addr: ev.Flow.Remote})
	if err != nil {
		return err
	}
	body, err := p.media.Answer(ev.Body, local.Addr(), ev.Flow.Remote.Addr())
	if err != nil {
		ev.Leg.Reject(488)
		return err
	}
	p.media.Start()
	p.call = ev.call
	ev.Leg.Answer(body)
	return nil
}
