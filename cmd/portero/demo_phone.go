package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"portero/audio"
	"portero/device/config"
	"portero/sip"
	"portero/sip/transport"
	"portero/sip/ua"
)

// demoPhone is the resident's phone in the demo.
type demoPhone struct {
	*benchPhone
	card   *audio.FileCard
	reg    *ua.Registration
	regs   chan ua.RegEvent
	offers callEvent
	caller string
}

func newDemoPhone(d *demo, listen, speech, record string, log *slog.Logger) (*demoPhone, error) {
	card, err := audio.NewFileCard(audio.FileCardConfig{Rate: demoRate, Period: 10 * time.Millisecond, Capture: speech, Record: record})
	if err != nil {
		return nil, err
	}
	account := ua.NewAccount(ua.AccountConfig{Name: "kitchen", AOR: sip.URI{Scheme: "sip", User: "kitchen", Host: config.LocalDomain},
		Server: sip.URI{Scheme: "sip", Host: config.LocalDomain}, Password: d.password, Locate: d.station.Locate})
	p := &demoPhone{card: card, regs: make(chan ua.RegEvent, 8)}
	p.benchPhone, err = newBenchPhone(listen, account, card.Open, config.SIP{RTPPorts: "30200-30399"}, log,
		func(flow transport.Flow, _ *sip.Request) int {
			if p.agent.Trusts(account, flow.Remote) {
				return 0
			}
			return 403
		})
	if err != nil {
		card.Close()
		return nil, err
	}
	return p, nil
}

// registered waits until the phone is registered.
func (p *demoPhone) registered(ctx context.Context) error {
	p.reg = p.agent.Register(p.account, func(ev ua.RegEvent) {
		select {
		case p.regs <- ev:
		default:
		}
	})
	select {
	case ev := <-p.regs:
		if !ev.Registered {
			return fmt.Errorf("the phone is not registered: status %d, %v", ev.Status, ev.Err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the phone is not registered: %w", ctx.Err())
	}
}

// rings waits for a call and returns when it began to ring.
func (p *demoPhone) rings(ctx context.Context) (time.Time, error) {
	ev, err := p.next(ctx, ua.Offered)
	if err != nil {
		return time.Time{}, fmt.Errorf("the phone does not ring: %w", err)
	}
	p.offers, p.caller = ev, ev.From.DisplayName
	ev.Leg.Progress(180, nil)
	return ev.at, nil
}

func (p *demoPhone) answer() error { return p.take(p.offers) }

// leave unregisters, so that the user's softphone has the bell to itself.
func (p *demoPhone) leave() {
	p.media.Close()
	p.reg.Stop()
}
