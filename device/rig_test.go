package device

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio"
	"portero/audio/audiotest"
	"portero/audio/rtp"
	"portero/board"
	"portero/device/config"
	"portero/device/event"
	"portero/device/media"
	"portero/sip"
	"portero/sip/siptest"
	"portero/sip/transaction"
	"portero/sip/transport"
	"portero/sip/ua"
)

// rig is a house in a bubble: a network for SIP, one for RTP, and what lives on them.
type rig struct {
	moved   atomic.Pointer[netip.Addr] // that a door has left; see move
	refused atomic.Bool                // what the door at 10.0.0.1 sends of sound

	t   *testing.T
	sip *siptest.Network
	rtp *audiotest.Net
	log *slog.Logger

	alive func()               // of the doors, each second; nil: they have no watchdog
	ready func()               // of the doors
	edit  func(*config.Config) // changes their configurations; nil: as they are
	about About                // of the doors
	wires func(*board.Config)  // takes lines from their boards; nil: all are there

	lookup func(context.Context, sip.URI) ([]transport.Target, error) // of the doors' stacks; nil: this host's
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, sip: siptest.NewNetwork(1), rtp: &audiotest.Net{}, log: slog.New(slog.DiscardHandler)}
	r.sip.Delay = 2 * time.Millisecond
	if os.Getenv("DEVICE_TEST_LOG") != "" {
		r.log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return r
}

// part runs f until the test ends or it is stopped, and fails the test if it ends badly.
func (r *rig) part(name string, f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			r.t.Errorf("%s: %v", name, err)
		}
	})
	r.t.Cleanup(stop)
	return stop
}

// cardRate is that of all cards in Hz: the engine's own, since these tests are not about resampling and there
// are many.
const cardRate = 16000

var nextPort atomic.Uint32

// refuser is a connection whose packets can be refused.
type refuser struct {
	rtp.PacketConn
	refused *atomic.Bool
}

func (r refuser) WritePacket(b []byte, to netip.AddrPort) error {
	if r.refused.Load() {
		return syscall.ECONNREFUSED
	}
	return r.PacketConn.WritePacket(b, to)
}

// listen gives pairs of ports of the test network.
func (r *rig) listen(addr netip.Addr) (rtp.PacketConn, rtp.PacketConn, error) {
	port := 10000 + 2*nextPort.Add(1)%20000
	if addr == netip.MustParseAddr("10.0.0.1") {
		return refuser{r.rtp.Listen(fmt.Sprintf("%s:%d", addr, port)), &r.refused}, r.rtp.Listen(fmt.Sprintf("%s:%d", addr, port+1)), nil
	}
	return r.rtp.Listen(fmt.Sprintf("%s:%d", addr, port)), r.rtp.Listen(fmt.Sprintf("%s:%d", addr, port+1)), nil
}

// door is a whole door station.
type door struct {
	*Station
	t         *testing.T
	sim       *board.Sim
	card      *audiotest.Card
	heard     audiotest.Recorder
	transport *siptest.Transport
	sub       *event.Subscription
	stop      func()
	early     []string // what it said before it was ready
}

// doorConfig is a door that calls two phones directly. %s: more of it.
const doorConfig = `version = 1
[station]
data_dir = %q
[server]
enabled = "off"
[[bell]]
name = "front"
line = "GPIO17"
display_name = "Front door"
targets = [%s]
%s
[[door]]
name = "front"
line = "GPIO27"
hang_up_after = "0s"
[[code]]
who = "family"
code = "4711"
doors = ["front"]
[audio]
echo_cancelling = false
noise_suppression = false
gain_control = false
[board]
sim = true
`

// door starts a station at addr; bell holds further keys of the bell and further tables.
func (r *rig) door(addr, targets, bell, tables string) *door {
	r.t.Helper()
	return r.doorOn(board.NewSim(), r.t.TempDir(), addr, targets, bell, tables)
}

// doorOn starts a station on hardware and with a data directory that were there before.
func (r *rig) doorOn(sim *board.Sim, dir, addr, targets, bell, tables string) *door {
	r.t.Helper()
	cfg, err := config.Parse([]byte(fmt.Sprintf(doorConfig, dir, targets, bell) + tables))
	if err != nil {
		r.t.Fatal(err)
	}
	if r.edit != nil {
		r.edit(cfg)
	}
	d := &door{t: r.t, sim: sim, card: audiotest.NewCard(cardRate, cardRate/50)}
	d.card.Speaker = d.heard.Write
	bc := cfg.BoardConfig()
	bc.Log, bc.Late = r.log, true
	if r.wires != nil {
		r.wires(&bc)
	}
	b, err := d.sim.Open(bc)
	if err != nil {
		r.t.Fatal(err)
	}
	events := event.NewLog(1000)
	d.sub = events.Subscribe(1000)
	engine := audio.NewEngine(d.card.Open, audio.EngineOptions{Log: r.log, Echo: audio.EchoOptions{Off: true}, Events: func(ev audio.CardEvent) {
		e := event.Event{Kind: event.CardOpened, Mic: ev.Use == audio.FullDuplex}
		if ev.State == audio.CardClosed {
			e.Kind = event.CardClosed
		}
		events.Emit(e)
	}})
	phone, err := NewPhone(cfg, nil, r.log)
	if err != nil {
		r.t.Fatal(err)
	}
	d.transport = r.sip.Listen(addr)
	stack := transaction.NewStack(transaction.Config{Log: r.log, Lookup: r.lookup}, phone.Agent, d.transport)
	d.Station, err = New(Parts{Config: cfg, Board: b, Phone: phone, Engine: engine, Events: events, Log: r.log, About: r.about, ListenRTP: r.listen, Ready: r.ready, Alive: r.alive, AliveEvery: time.Second})
	if err != nil {
		r.t.Fatal(err)
	}
	stopEngine := r.part("engine of "+addr, engine.Run)
	stopStack := r.part("stack of "+addr, stack.Run)
	r.t.Cleanup(func() { b.Close() })
	stopStation := r.part("station "+addr, d.Run)
	d.stop = func() {
		stopStation()
		for _, l := range cfg.Lamps {
			if sim.Level(config.LampName(l.Name)) {
				r.t.Errorf("the station has ended, and its lamp %q is lit", l.Name)
			}
		}
		for _, x := range cfg.Doors {
			if sim.Level(config.DoorRelay(x.Name)) {
				r.t.Errorf("the station has ended, and its door %q is open", x.Name)
			}
		}
		if err := b.Close(); err != nil {
			r.t.Error(err)
		}
		stopStack()
		stopEngine()
	}
	for {
		ev, err := d.sub.Next(context.Background())
		if err != nil {
			r.t.Fatal(err)
		}
		if ev.Kind == event.StationReady {
			break
		}
		d.early = append(d.early, spell(ev))
	}
	time.Sleep(time.Second)
	return d
}

// want returns the next event of the kind; others before it are passed over, but for those in never.
func (d *door) want(kind event.Kind, never ...event.Kind) event.Event {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var seen []string
	for {
		ev, err := d.sub.Next(ctx)
		if err != nil {
			d.t.Fatalf("want %s, got %s", kind, strings.Join(seen, ", "))
		}
		if ev.Kind == kind {
			return ev
		}
		for _, n := range never {
			if ev.Kind == n {
				d.t.Fatalf("want %s, got %+v", kind, ev)
			}
		}
		seen = append(seen, string(ev.Kind))
	}
}

// press pushes the bell button for 100 ms.
func (d *door) press(bell string) {
	d.t.Helper()
	d.set(config.BellInput(bell), true)
	time.AfterFunc(100*time.Millisecond, func() { d.sim.Press(config.BellInput(bell), false) })
}

// set moves the contact of an input, and waits until the station has taken it.
func (d *door) set(input string, active bool) {
	d.t.Helper()
	if err := d.sim.Press(input, active); err != nil {
		d.t.Fatal(err)
	}
	synctest.Wait()
}

// exit pushes the button inside for 100 ms.
func (d *door) exit() {
	d.t.Helper()
	d.set("input:exit", true)
	time.Sleep(100 * time.Millisecond)
	d.set("input:exit", false)
}

// said lists the events so far that nobody has read, but for the kinds in without, as "door.opened front exit
// rex".
func (d *door) said(without ...event.Kind) (out []string) {
	synctest.Wait()
	out, d.early = d.early, nil
	for {
		ev, ok := d.sub.TryNext()
		if !ok {
			return out
		}
		if !slices.Contains(without, ev.Kind) {
			out = append(out, spell(ev))
		}
	}
}

func spell(ev event.Event) string {
	s := string(ev.Kind)
	for _, x := range []string{ev.Door, ev.Input, ev.Lamp, ev.Who, string(ev.How), ev.Reason} {
		if x != "" {
			s += " " + x
		}
	}
	if ev.Active {
		s += " active"
	}
	return s
}

// saidOnly checks said.
func (d *door) saidOnly(want ...string) {
	d.t.Helper()
	if got := d.said(); !slices.Equal(got, want) {
		d.t.Errorf("events:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// edges are those of the relay.
func (d *door) edges() []board.Edge { return d.sim.Edges(config.DoorRelay("front")) }

// phone is a resident's phone: a user agent with sound.
type phone struct {
	t      *testing.T
	addr   netip.AddrPort
	agent  *ua.Agent
	card   *audiotest.Card
	heard  audiotest.Recorder
	media  media.Config
	events chan phoneEvent
	keys   chan rune
}

type phoneEvent struct {
	call *ua.Call
	ua.CallEvent
}

func (r *rig) phone(addr string) *phone {
	p := &phone{t: r.t, addr: netip.MustParseAddrPort(addr), card: audiotest.NewCard(cardRate, cardRate/50), events: make(chan phoneEvent, 256), keys: make(chan rune, 64)}
	p.card.Speaker = p.heard.Write
	engine := audio.NewEngine(p.card.Open, audio.EngineOptions{Log: r.log, Echo: audio.EchoOptions{Off: true}})
	p.media = media.Config{Engine: engine, Listen: r.listen, Codecs: []*audio.Codec{audio.PCMA}}
	p.agent = ua.New(ua.Config{Log: r.log, Allow: func(transport.Flow, *sip.Request) int { return 0 },
		Incoming: func(c *ua.Call, ev ua.CallEvent) { p.events <- phoneEvent{c, ev} }})
	stack := transaction.NewStack(transaction.Config{Log: r.log}, p.agent, r.sip.Listen(addr))
	r.part("engine of "+addr, engine.Run)
	r.part("stack of "+addr, stack.Run)
	return p
}

func (p *phone) want(kind ua.CallEventKind) phoneEvent {
	p.t.Helper()
	select {
	case ev := <-p.events:
		if ev.Kind != kind {
			p.t.Fatalf("phone %s: want %s, got %s %d %s", p.addr, kind, ev.Kind, ev.Status, ev.Reason)
		}
		return ev
	case <-time.After(5 * time.Minute):
		p.t.Fatalf("phone %s: want %s, got nothing", p.addr, kind)
	}
	panic("unreachable")
}

// quiet fails the test if the phone hears of anything within d.
func (p *phone) quiet(d time.Duration) {
	p.t.Helper()
	select {
	case ev := <-p.events:
		p.t.Fatalf("phone %s: want silence, got %s %d %s", p.addr, ev.Kind, ev.Status, ev.Reason)
	case <-time.After(d):
	}
}

// leg is one whose microphone is open.
func (p *phone) leg(onDigit func(audio.Digit)) *media.Leg {
	m := p.media.NewLeg(onDigit)
	if err := m.Mute(false, false); err != nil {
		p.t.Error(err)
	}
	return m
}

// answer answers an offered call and starts its sound.
func (p *phone) answer(ev phoneEvent) *media.Leg {
	p.t.Helper()
	m := p.leg(func(d audio.Digit) { p.keys <- d.Rune })
	body, err := m.Answer(ev.Body, p.addr.Addr(), ev.Flow.Remote.Addr())
	if err != nil {
		p.t.Fatal(err)
	}
	ev.Leg.Answer(body)
	p.want(ua.Acked)
	m.Start()
	p.t.Cleanup(m.Close)
	return m
}

// dial calls a station.
func (p *phone) dial(to string) (*ua.Call, *media.Leg) {
	uri, err := sip.ParseURI(to)
	if err != nil {
		p.t.Fatal(err)
	}
	m := p.leg(func(audio.Digit) {})
	p.t.Cleanup(m.Close)
	c := p.agent.Invite(ua.Invite{To: uri, From: sip.URI{Scheme: "sip", User: "kitchen", Host: p.addr.Addr().String()},
		Offer: func(local netip.Addr, t transport.Target, done func([]byte, error)) {
			m.Offer(local, t.Addr.Addr(), done)
		}},
		func(_ *ua.Call, ev ua.CallEvent) { p.events <- phoneEvent{nil, ev} })
	return c, m
}

// do has the station do a command.
func (d *door) do(c Command) {
	d.t.Helper()
	if err := d.Do(context.Background(), c); err != nil {
		d.t.Errorf("%T: %v", c, err)
	}
}
