package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"portero/audio"
	"portero/audio/alsa"
	"portero/audio/rtp"
	"portero/device/config"
	"portero/sip"
	"portero/sip/sdp"
	"portero/sip/transaction"
	"portero/sip/transport"
	"portero/sip/ua"
)

// benchPhone is a phone with a file for a microphone and a file for a loudspeaker: a user agent, a socket and an engine of its
// own. The demo's resident uses it, and `portero call`.
type benchPhone struct {
	agent   *ua.Agent
	stack   *transaction.Stack
	account *ua.Account
	engine  *audio.Engine
	ports   config.SIP
	events  chan callEvent

	mu     sync.Mutex
	call   *ua.Call
	leg    *ua.Leg
	rtp    rtp.PacketConn
	rtcp   rtp.PacketConn
	local  sdp.Local
	stream *audio.Session
	digits func(rune)
}

type callEvent struct {
	ua.CallEvent
	call *ua.Call
	at   time.Time
}

// newBenchPhone opens a socket on listen. Incoming calls from allow are taken to events; others get 403.
func newBenchPhone(listen string, account *ua.Account, open audio.Opener, ports config.SIP, log *slog.Logger,
	allow func(transport.Flow, *sip.Request) int) (*benchPhone, error) {
	p := &benchPhone{account: account, ports: ports, events: make(chan callEvent, 64)}
	p.agent = ua.New(ua.Config{Log: log, Allow: allow, Incoming: p.heard})
	udp, err := transport.ListenUDP(listen)
	if err != nil {
		return nil, err
	}
	p.stack = transaction.NewStack(transaction.Config{UserAgent: "Portero-phone/" + versionString(), Log: log}, p.agent, udp)
	p.engine = audio.NewEngine(open, audio.EngineOptions{Log: log, Echo: audio.EchoOptions{Off: true}, Thread: alsa.Realtime})
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

// offer binds ports and makes the offer of a call.
func (p *benchPhone) offer(local netip.Addr, _ transport.Target) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.open(local); err != nil {
		return nil, err
	}
	return p.local.Offer()
}

func (p *benchPhone) open(local netip.Addr) error {
	first, last, err := p.ports.Ports()
	if err != nil {
		return err
	}
	if p.rtp, p.rtcp, err = rtp.Listen(local, int(first), int(last)); err != nil {
		return err
	}
	p.local = sdp.Local{Addr: netip.AddrPortFrom(local, p.rtp.LocalAddr().Port()), Events: 101,
		Codecs: []sdp.Codec{{Name: "PCMA", ClockRate: 8000, PayloadType: 8}, {Name: "PCMU", ClockRate: 8000, PayloadType: 0}}}
	return nil
}

// accept starts the sound once the far end answered our offer.
func (p *benchPhone) accept(answer []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	res, err := p.local.Accept(answer)
	if err != nil {
		return err
	}
	return p.start(res)
}

// take answers the offer of an incoming call.
func (p *benchPhone) take(ev callEvent) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	local, err := p.stack.Local(transport.Target{Proto: ev.Flow.Proto, Addr: ev.Flow.Remote})
	if err != nil {
		return err
	}
	if err := p.open(local.Addr()); err != nil {
		return err
	}
	body, res, err := p.local.Answer(ev.Body)
	if err != nil {
		ev.Leg.Reject(488)
		return err
	}
	if err := p.start(res); err != nil {
		ev.Leg.Reject(500)
		return err
	}
	p.call, p.leg = ev.call, ev.Leg
	ev.Leg.Answer(body)
	return nil
}

func (p *benchPhone) start(r sdp.Result) error {
	m := audio.Media{Remote: r.Remote, RemoteRTCP: r.RemoteRTCP, EventPT: r.SendEvents, EventPTRecv: r.ReceiveEvents, PTime: r.PTime,
		Send: audio.Format{Codec: audio.CodecByName(r.Send.Name), PayloadType: r.Send.PayloadType}}
	for _, c := range r.Receive {
		m.Receive = append(m.Receive, audio.Format{Codec: audio.CodecByName(c.Name), PayloadType: c.PayloadType})
	}
	s, err := audio.NewSession(audio.SessionConfig{Conn: p.rtp, RTCP: p.rtcp, Media: m, OnDigit: func(d audio.Digit) {
		if p.digits != nil {
			p.digits(d.Rune)
		}
	}})
	if err != nil {
		return err
	}
	p.stream = s
	p.engine.Attach(s)
	return nil
}

// session returns the running stream; nil before the answer.
func (p *benchPhone) session() *audio.Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stream
}

// stop ends the sound.
func (p *benchPhone) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stream != nil {
		p.engine.Detach(p.stream)
		p.stream.Close()
	}
}
