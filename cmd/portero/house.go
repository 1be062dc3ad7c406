package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"portero/audio"
	"portero/audio/alsa"
	"portero/board"
	"portero/device"
	"portero/device/config"
	"portero/device/event"
	"portero/sip/registrar"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// house is a whole door station, put together from a configuration.
type house struct {
	cfg     *config.Config
	log     *slog.Logger
	events  *event.Log
	audit   *event.Audit
	board   *board.Board
	card    *card
	engine  *audio.Engine
	phone   *device.Phone
	stack   *transaction.Stack
	server  *transaction.Stack // nil: the built-in server is off
	users   *registrar.Server
	phones  *phones
	locate  func() (netip.AddrPort, error) // where phones find it
	station *device.Station
	closers []io.Closer

	next      atomic.Pointer[config.Config] // set before the station leaves for it
	left      *config.Config                // what Run has left for
	nextBoard *board.Board                  // opened for left by Run; nil: could not be
}

// options are what differs between run and demo.
type options struct {
	trace      bool
	ready      func() // the inputs are watched
	alive      func() // feeds the watchdog
	aliveEvery time.Duration
	card       *card                                         // in place of the configuration's
	users      *registrar.Server                             // of the house before: its phones stay registered
	board      *board.Board                                  // opened already; build takes it over, also when it fails
	tap        func(transport.Transport) transport.Transport // around the station's transport
}

// build puts a station together. Nothing runs yet, but sockets and GPIO lines are held: Run or Close gives them back.
func build(cfg *config.Config, log *slog.Logger, events *event.Log, o options) (h *house, err error) {
	// A wake-up of the audio thread must not wait for a neighbour's garbage collection, even on one core.
	if runtime.GOMAXPROCS(0) < 4 {
		runtime.GOMAXPROCS(4)
	}
	h = &house{cfg: cfg, log: log, events: events}
	defer func() {
		if err != nil {
			h.Close()
			h = nil
		}
	}()
	if h.board = o.board; h.board == nil {
		if h.board, err = openBoard(cfg, log); err != nil {
			return h, err
		}
	}
	h.closers = append(h.closers, h.board)
	if h.card = o.card; h.card == nil {
		if h.card, err = newCard(cfg.Audio); err != nil {
			return h, err
		}
	}
	h.closers = append(h.closers, h.card)
	h.engine = audio.NewEngine(h.card.Open, audio.EngineOptions{
		Log: log,
		Echo: audio.EchoOptions{Off: !cfg.Audio.EchoCancelling && !cfg.Audio.Walkie, NoiseSuppression: cfg.Audio.NoiseSuppression,
			Gain: cfg.Audio.GainControl, Walkie: cfg.Audio.Walkie},
		Events: func(ev audio.CardEvent) { events.Emit(cardEvent(ev)) },
		Thread: alsa.Realtime,
	})
	var builtin *device.BuiltIn
	if cfg.ServerOn() {
		if builtin, err = h.addServer(o); err != nil {
			return h, err
		}
	}
	if h.phone, err = device.NewPhone(cfg, builtin, log); err != nil {
		return h, err
	}
	udp, err := transport.ListenUDP(cfg.SIP.Listen)
	if err != nil {
		return h, inUse(err, "sip.listen")
	}
	h.closers = append(h.closers, udp)
	var wire transport.Transport = udp
	if o.tap != nil {
		wire = o.tap(udp)
	}
	h.stack = transaction.NewStack(transaction.Config{UserAgent: "Portero/" + versionString(), Log: log, Trace: o.trace}, h.phone.Agent, wire)
	if h.station, err = device.New(device.Parts{Config: cfg, Board: h.board, Phone: h.phone, Engine: h.engine, Events: events, Log: log,
		Ready: o.ready, Alive: o.alive, AliveEvery: o.aliveEvery}); err != nil {
		return h, err
	}
	h.audit = event.NewAudit(events, filepath.Join(cfg.Station.DataDir, "audit.jsonl"), 256<<10, log)
	return h, nil
}

func openBoard(cfg *config.Config, log *slog.Logger) (*board.Board, error) {
	bc := cfg.BoardConfig()
	bc.Log = log
	return board.Open(bc)
}

// inUse adds the remedy to the commonest fault of all.
func inUse(err error, key string) error {
	if errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w; another program holds the port (perhaps a second portero): stop it or change %s", err, key)
	}
	return err
}

// addServer makes the built-in registrar and proxy on a stack and port of its own, with a user for the station itself.
func (h *house) addServer(o options) (*device.BuiltIn, error) {
	udp, err := transport.ListenUDP(h.cfg.Server.Listen)
	if err != nil {
		return nil, inUse(err, "server.listen")
	}
	h.closers = append(h.closers, udp)
	self := &device.BuiltIn{User: config.StationUser, Password: rand.Text(), Locate: func() (netip.AddrPort, error) { return reachable(udp.Addr()), nil }}
	domain := h.cfg.Server.Domain
	if domain == "" {
		domain = config.LocalDomain
	}
	h.locate = self.Locate
	users := []registrar.User{{Name: self.User, Password: self.Password}}
	for _, u := range h.cfg.Server.Users {
		users = append(users, registrar.User{Name: u.Name, Password: string(u.Password)})
	}
	h.users, err = registrar.New(registrar.Config{Domains: []string{domain}, Realm: domain, Users: users, Log: h.log,
		MaxExpires: phonesReturn, DefaultExpires: phonesReturn})
	if err != nil {
		return nil, err
	}
	h.server = transaction.NewStack(transaction.Config{Log: h.log, Trace: o.trace}, h.users, udp) // a proxy does not sign what others say
	h.phones = keepPhones(h.users, h.cfg.Station.DataDir, h.log)
	if o.users != nil {
		h.users.Restore(o.users)
	} else {
		h.phones.Load()
	}
	return self, nil
}

// phonesReturn is how long a registration at the built-in server lasts, and so how long a bell may ring nobody where the network has
// changed during a power cut.
const phonesReturn = 2 * time.Minute

// reachable turns a wildcard address into the one that the default route leaves from; without such a route, as in a house network
// without a router, into the first of an interface; and into loopback without a network.
func reachable(a netip.AddrPort) netip.AddrPort {
	if !a.Addr().IsUnspecified() {
		return a
	}
	for _, probe := range []string{"192.0.2.1:9", "[2001:db8::1]:9"} { // documentation addresses: a UDP dial sends nothing
		if c, err := net.Dial("udp", probe); err == nil {
			local := c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
			c.Close()
			return netip.AddrPortFrom(local, a.Port())
		}
	}
	addrs, _ := net.InterfaceAddrs() // an error leaves none
	return netip.AddrPortFrom(outward(addrs), a.Port())
}

// outward is the first IPv4 address, else the first IPv6 one, that other machines can send to; loopback if there is none.
func outward(addrs []net.Addr) netip.Addr {
	found := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		addr := p.Addr().Unmap()
		switch {
		case err != nil || !addr.IsGlobalUnicast():
		case addr.Is4():
			return addr
		case found.IsLoopback():
			found = addr
		}
	}
	return found
}

// LeaveFor lets Run return nil as soon as the station is idle, to be followed by a house with the configuration next.
func (h *house) LeaveFor(next *config.Config) {
	h.next.Store(next)
	h.station.LeaveWhenIdle()
}

// Run runs everything until ctx ends, a part fails or it is to leave. The station ends first, then its relays are released, then the
// far ends are told, then the rest ends. It gives back all that build took. When it leaves for another configuration it opens that
// one's board at once: buttons that are pressed until the next station runs are not lost.
func (h *house) Run(ctx context.Context) error {
	defer h.Close()
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, inner := errgroup.WithContext(inner)
	part := func(run func(context.Context) error) {
		g.Go(func() error {
			if err := run(inner); err != nil && !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
		})
	}
	part(h.engine.Run)
	part(h.audit.Run)
	part(h.stack.Run)
	if h.server != nil {
		part(h.server.Run)
		part(h.phones.Run)
	}
	stationCtx, stopStation := context.WithCancel(ctx)
	defer stopStation()
	defer context.AfterFunc(inner, stopStation)()
	err := h.station.Run(stationCtx)
	err = errors.Join(err, h.board.Close())
	goodbye, within := make(chan struct{}), goodbyeWithin
	if next := h.next.Load(); next != nil && err == nil && ctx.Err() == nil && inner.Err() == nil {
		within, h.left = changeWithin, next
		var boardErr error
		if h.nextBoard, boardErr = openBoard(next, h.log); boardErr != nil {
			h.log.Warn("the new configuration's board", "err", boardErr) // build will try again, and tell
		}
		h.phone.Leave(next, func() { close(goodbye) })
	} else {
		h.phone.Agent.Shutdown(func() { close(goodbye) })
	}
	select {
	case <-goodbye:
	case <-time.After(within):
	case <-inner.Done():
	}
	stop()
	return errors.Join(err, g.Wait())
}

// How long far ends may take to answer BYE and un-REGISTER.
const (
	goodbyeWithin = 2 * time.Second        // at the end
	changeWithin  = 200 * time.Millisecond // before the next configuration: nobody can be called meanwhile
)

// Close gives back what build took from the system. A second call does nothing.
func (h *house) Close() {
	for i := len(h.closers) - 1; i >= 0; i-- {
		h.closers[i].Close()
	}
	h.closers = nil
}

func cardEvent(ev audio.CardEvent) event.Event {
	e := event.Event{Mic: ev.Use == audio.FullDuplex}
	switch ev.State {
	case audio.CardOpened:
		e.Kind = event.CardOpened
	case audio.CardClosed:
		e.Kind = event.CardClosed
	case audio.CardLost:
		e.Kind = event.CardLost
	case audio.CardRecovered:
		e.Kind = event.CardRecovered
	}
	if ev.Err != nil {
		e.Reason = ev.Err.Error()
	}
	return e
}

// card opens what audio.card of the configuration names.
type card struct {
	Open audio.Opener
	file *audio.FileCard
}

func newCard(c config.Audio) (*card, error) {
	if files, ok := strings.CutPrefix(c.Card, "wav:"); ok {
		in, out, _ := strings.Cut(files, ",")
		file, err := audio.NewFileCard(audio.FileCardConfig{Rate: c.Rate, Period: c.Period, Capture: in, Record: out})
		if err != nil {
			return nil, err
		}
		return &card{Open: file.Open, file: file}, nil
	}
	if c.Card == "none" {
		file, err := audio.NewFileCard(audio.FileCardConfig{Rate: c.Rate, Period: c.Period})
		if err != nil {
			return nil, err
		}
		return &card{Open: file.Open, file: file}, nil
	}
	ac := alsa.Config{Card: c.Card, Rate: c.Rate, Period: c.Period, Volumes: c.Volume}
	return &card{Open: func(ctx context.Context, use audio.Use) (audio.Duplex, error) { return alsa.Open(ctx, ac, use) }}, nil
}

// Close completes a recording.
func (c *card) Close() error {
	if c.file != nil {
		return c.file.Close()
	}
	return nil
}

// newLogger writes to stderr as the configuration asks.
func newLogger(w io.Writer, c config.Log) *slog.Logger {
	var level slog.Level
	level.UnmarshalText([]byte(c.Level)) // validated; the zero value is info
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
