package app

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio/audiotest"
	"portero/audio/rtp"
	"portero/board"
	"portero/device"
	"portero/device/config"
	"portero/device/event"
	"portero/sip"
	"portero/sip/digest"
	"portero/sip/siptest"
	"portero/sip/transport"
)

// station is a configuration file and what lives through its reloads and restarts, in a bubble: the board's
// wires, the network, the data directory.
type station struct {
	t       *testing.T
	file    string
	data    string // NewProgram's
	guard   Guard
	sim     *board.Sim
	open    func(board.Config) (*board.Board, error) // of the board
	check   func(board.Config) []error               // of the board; nil: the product's
	network *siptest.Network
	rtp     audiotest.Net
	ports   atomic.Uint32
	socket  chan error   // ends a SIP transport with an error
	taken   sync.Map     // SIP addresses that another program holds
	log     *slog.Logger // nil: silent

	// Of the program that runs.
	program *Program
	events  *event.Subscription
	stop    context.CancelFunc
	done    chan error
}

const stationConfig = `version = 1
[station]
data_dir = %q
[sip]
listen = "10.0.0.1:5062"
[server]
enabled = "off"
[[bell]]
name = "front"
line = "GPIO17"
targets = ["sip:kitchen@10.0.0.9"]
ring_limit = "5s"
[[door]]
name = "front"
line = "GPIO27"
[[code]]
who = "family"
code = "4711"
doors = ["front"]
[audio]
card = "none"
[board]
sim = true
`

// newStation writes the file, changed by edits (old, new, old, new...), and starts nothing.
func newStation(t *testing.T, edits ...string) *station {
	t.Helper()
	dir := t.TempDir()
	sim := board.NewSim()
	s := &station{t: t, open: sim.Open, file: filepath.Join(dir, "portero.toml"), sim: sim, network: siptest.NewNetwork(1), socket: make(chan error)}
	s.write(fmt.Sprintf(stationConfig, dir))
	s.edit(edits...)
	return s
}

// wired has the file speak of a real board, which is this one.
func (s *station) wired() {
	s.t.Helper()
	s.edit("sim = true", "sim = false")
	s.check = func(board.Config) []error { return nil }
}

func (s *station) write(text string) {
	s.t.Helper()
	if err := os.WriteFile(s.file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *station) text() string {
	s.t.Helper()
	text, err := os.ReadFile(s.file)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// edit replaces texts of the file, each of which must be there.
func (s *station) edit(edits ...string) {
	s.t.Helper()
	text := s.text()
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			s.t.Fatalf("the file has no %q", edits[i])
		}
		text = strings.Replace(text, edits[i], edits[i+1], 1)
	}
	s.write(text)
}

// start runs the program, with the events that it tells from now on.
func (s *station) start() error {
	s.t.Helper()
	var err error
	if s.program, err = NewProgram(s.file, s.data, s.guard); err != nil {
		return err
	}
	events := event.NewLog(100)
	s.events = events.Subscribe(1000)
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	s.done = make(chan error, 1)
	o := Options{About: device.About{Version: "test"}, World: World{
		OpenBoard:  s.open,
		CheckBoard: s.check,
		ListenSIP:  s.listen,
		ListenRTP: func(netip.Addr) (rtp.PacketConn, rtp.PacketConn, error) {
			port := 10000 + 2*s.ports.Add(1)
			return s.rtp.Listen(fmt.Sprintf("10.0.0.1:%d", port)), s.rtp.Listen(fmt.Sprintf("10.0.0.1:%d", port+1)), nil
		},
		OpenCard: func(config.Audio) (*Card, error) { return &Card{Open: audiotest.NewCard(16000, 320).Open}, nil },
	}}
	log := cmp.Or(s.log, slog.New(slog.DiscardHandler))
	go func() { s.done <- s.program.Run(ctx, log, events, o) }()
	return nil
}

func (s *station) listen(addr string) (Listener, error) {
	if _, taken := s.taken.Load(addr); taken {
		return nil, fmt.Errorf("listen on %s: %w", addr, syscall.EADDRINUSE)
	}
	return socket{s.network.Listen(addr), s.socket}, nil
}

// socket is a transport that fails as it is told.
type socket struct {
	*siptest.Transport
	fails chan error
}

func (l socket) Run(ctx context.Context, deliver func(transport.Packet) bool) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, 1)
	go func() {
		select {
		case err := <-l.fails:
			failed <- err
			stop()
		case <-ctx.Done():
			failed <- nil
		}
	}()
	err := l.Transport.Run(ctx, deliver)
	if why := <-failed; why != nil {
		return why
	}
	return err
}

func (s *station) mustStart() {
	s.t.Helper()
	if err := s.start(); err != nil {
		s.t.Fatal(err)
	}
	s.want(event.StationReady)
}

func (s *station) end() {
	s.t.Helper()
	s.stop()
	if err := <-s.done; err != nil {
		s.t.Errorf("the program ended with %v", err)
	}
}

// want returns the next event of the kind.
func (s *station) want(kind event.Kind) event.Event {
	s.t.Helper()
	ctx, stop := context.WithTimeout(s.t.Context(), time.Hour)
	defer stop()
	var seen []string
	for {
		ev, err := s.events.Next(ctx)
		switch {
		case err != nil:
			s.t.Fatalf("want %s; seen: %v", kind, seen)
		case ev.Kind == kind:
			return ev
		}
		seen = append(seen, fmt.Sprintf("%s %s", ev.Kind, ev.Reason))
	}
}

// rings presses the first bell, which is to be this one, and waits until its call has ended.
func (s *station) rings(bell string) {
	s.t.Helper()
	s.program.Press()
	if ev := s.want(event.CallStarted); ev.Bell != bell {
		s.t.Errorf("the bell %q rang, want %q", ev.Bell, bell)
	}
	s.want(event.CallEnded)
}

func (s *station) reload(edits ...string) {
	s.t.Helper()
	s.edit(edits...)
	s.program.Reload()
}

func (s *station) rejected(part string) {
	s.t.Helper()
	if ev := s.want(event.ConfigRejected); !strings.Contains(ev.Reason, part) {
		s.t.Errorf("rejected for %q, want %q in it", ev.Reason, part)
	}
}

// lastGood is the copy.
func (s *station) lastGood() string { return filepath.Join(filepath.Dir(s.file), "last-good.toml") }

// TestReload: a faulty file changes nothing and is told; a good one is taken; the bell works before, between
// and after.
func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		s.mustStart()
		s.rings("front")
		s.reload(`line = "GPIO27"`, `line = "GPIO17"`)
		s.rejected("door[0].line")
		s.rings("front")
		s.reload(`line = "GPIO17"
targets`, `line = "GPIO22"
targets`, `name = "front"`, `name = "garden"`, `line = "GPIO17"`, `line = "GPIO27"`)
		s.want(event.ConfigReloaded)
		s.want(event.StationReady)
		s.rings("garden")
		s.end()
	})
}

// TestLastGood: with a faulty file the bell still rings, from the last good one; a door without a button
// inside is not there to open.
func TestLastGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		s.mustStart()
		s.end()
		s.edit("targets", "tragets")
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
		s.rejected("tragets")
		s.want(event.StationReady)
		if doors := len(s.program.Config().Doors); doors != 0 {
			t.Errorf("%d doors in the last good copy", doors)
		}
		s.rings("front")
		s.end()
	})
}

// TestLastGoodInPlaceOf a file that is gone, and of one that no station can be built from: the bell rings,
// and the copy stays good.
func TestLastGoodInPlaceOf(t *testing.T) {
	for name, c := range map[string]struct {
		spoil  func(s *station)
		reason string
	}{
		"gone": {func(s *station) {
			if err := os.Remove(s.file); err != nil {
				s.t.Fatal(err)
			}
			s.data = filepath.Dir(s.file) // the file cannot tell
		}, "no such file"},
		"port in use": {func(s *station) {
			s.edit("10.0.0.1:5062", "10.0.0.2:5062")
			s.taken.Store("10.0.0.2:5062", true)
		}, "already in use; another program holds the port (perhaps a second portero): stop it or change sip.listen"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStation(t)
				s.wired()
				s.mustStart()
				s.end()
				before, err := os.ReadFile(s.lastGood())
				if err != nil {
					t.Fatal(err)
				}
				c.spoil(s)
				if err := s.start(); err != nil {
					t.Fatal(err)
				}
				s.rejected(c.reason)
				s.want(event.StationReady)
				s.rings("front")
				s.end()
				if after, err := os.ReadFile(s.lastGood()); err != nil || string(after) != string(before) {
					t.Errorf("the copy has changed: %v\n%s", err, after)
				}
			})
		})
	}
}

// TestPortJustLetGo: a port that another process gives up within two seconds costs nothing.
func TestPortJustLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		s.taken.Store("10.0.0.1:5062", true)
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		s.taken.Delete("10.0.0.1:5062")
		s.want(event.StationReady)
		if doors := len(s.program.Config().Doors); doors != 1 {
			t.Errorf("%d doors, want 1", doors)
		}
		s.end()
	})
}

// TestLinesCostOnlyThemselves: a file that names lines of other programs runs as it is, at once and not as its
// last good copy; each line works once it is let go. A reload to a file that names another such line is
// refused, one that leaves them as they are is not.
func TestLinesCostOnlyThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		s.mustStart()
		s.end()
		taken := &board.BusyError{Line: "gpiochip0:4", Consumer: "w1"}
		for _, line := range []string{"GPIO4", "GPIO16"} {
			s.sim.Refuse(line, taken)
		}
		s.check = func(c board.Config) (errs []error) {
			for _, in := range c.Inputs {
				if in.Line == "GPIO4" || in.Line == "GPIO18" {
					errs = append(errs, &board.LineError{Name: in.Name, Err: taken})
				}
			}
			return errs
		}
		s.edit("[[door]]\n", "[[bell]]\nname = \"side\"\nline = \"GPIO4\"\ntargets = [\"sip:kitchen@10.0.0.9\"]\n[[door]]\n", `line = "GPIO27"`, `line = "GPIO16"`)
		began := time.Now()
		s.mustStart()
		if d := time.Since(began); d >= buildAgain {
			t.Errorf("ready after %v", d)
		}
		if a := s.program.Config(); len(a.Bells) != 2 || len(a.Doors) != 1 || s.program.rejected != nil {
			t.Errorf("%d bells, %d doors, rejected %v", len(a.Bells), len(a.Doors), s.program.rejected)
		}
		s.rings("front")
		s.reload(`ring_limit = "5s"`, `ring_limit = "6s"`)
		s.want(event.ConfigReloaded)
		if ev := s.want(event.LineLost); ev.Bell != "side" {
			t.Errorf("%+v", ev)
		}
		s.want(event.StationReady)
		s.reload(`line = "GPIO17"`, `line = "GPIO18"`)
		s.rejected("w1")
		s.rings("front")
		s.sim.Refuse("GPIO4", nil)
		s.sim.Refuse("GPIO16", nil)
		if ev := s.want(event.LineBack); ev.Bell != "side" {
			t.Errorf("%+v", ev)
		}
		if ev := s.want(event.LineBack); ev.Door != "front" {
			t.Errorf("%+v", ev)
		}
		if err := s.sim.Press("bell:side", true); err != nil {
			t.Fatal(err)
		}
		if ev := s.want(event.CallStarted); ev.Bell != "side" {
			t.Errorf("%+v", ev)
		}
		s.end()
	})
}

// TestNoCopyOfWhatCannotStart: a file that no station can be built from does not become the last good one.
func TestNoCopyOfWhatCannotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		s.taken.Store("10.0.0.1:5062", true)
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
		if err := <-s.done; !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("ended with %v, want %v", err, syscall.EADDRINUSE)
		}
		if _, err := os.Stat(s.lastGood()); !os.IsNotExist(err) {
			t.Errorf("last good copy: %v", err)
		}
	})
}

// TestFailedChange: where no station can be built from a good file, the one before goes on.
func TestFailedChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		s.mustStart()
		s.taken.Store("10.0.0.2:5062", true)
		s.reload("10.0.0.1:5062", "10.0.0.2:5062")
		s.rejected("already in use")
		s.want(event.StationReady)
		s.rings("front")
		s.end()
	})
}

// memory is a guard as the station after a failure sees it.
type memory struct {
	before   string
	settings []byte
}

func (m *memory) Before() string              { return m.before }
func (m *memory) Settings() []byte            { return m.settings }
func (m *memory) Save(settings []byte)        { m.settings = settings }
func (m *memory) Retain([]string)             {}
func (m *memory) Take(string) (int, bool)     { return 0, false }
func (m *memory) Keep(string, int) error      { return nil }
func (m *memory) Drop(string) error           { return nil }
func (m *memory) Lease(string, time.Duration) {}

// TestAfterAFailure: a station that a guard has started goes on as the one before, whatever has become of the
// file: the doors too.
func TestAfterAFailure(t *testing.T) {
	for name, spoil := range map[string]func(s *station){
		"the disk is lost": func(s *station) {
			for _, path := range []string{s.file, s.lastGood()} {
				if err := os.Remove(path); err != nil {
					s.t.Fatal(err)
				}
			}
		},
		"the file is being edited": func(s *station) { s.edit("targets", "tragets") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStation(t)
				kept := &memory{}
				s.guard = kept
				s.mustStart()
				s.reload(`ring_limit = "5s"`, `ring_limit = "6s"`)
				s.want(event.ConfigReloaded)
				s.want(event.StationReady)
				s.end()
				kept.before = "it ended"
				spoil(s)
				if err := s.start(); err != nil {
					t.Fatal(err)
				}
				if ev := s.want(event.StationStarted); ev.Reason != "test; the station before: it ended" {
					t.Errorf("started: %q", ev.Reason)
				}
				s.want(event.ConfigRejected)
				if ev := s.want(event.StationDegraded); !strings.HasPrefix(ev.Reason, "what the station before ran with stands in for the file: ") {
					t.Errorf("degraded: %q", ev.Reason)
				}
				s.want(event.StationReady)
				if c := s.program.Config(); len(c.Doors) != 1 || c.Bells[0].RingLimit != 6*time.Second {
					t.Errorf("%d doors, ring limit %v; want 1 and that of the latest reload, 6s", len(c.Doors), c.Bells[0].RingLimit)
				}
				s.rings("front")
				s.end()
			})
		})
	}
}

// registrations answers every REGISTER at an address with 200, until the test ends, and tells of each whether
// it takes a binding away. Whoever it is to call is busy.
func (s *station) registrations(addr, station string) <-chan bool {
	peer := s.network.NewPeer(s.t, addr)
	told, stop, done := make(chan bool, 100), make(chan struct{}), make(chan struct{})
	s.t.Cleanup(func() {
		close(stop)
		<-done
	})
	go func() {
		defer close(done)
		for {
			req, _ := peer.Within(time.Second)
			select {
			case <-stop:
				return
			default:
			}
			switch {
			case req == nil, req.Method == sip.ACK:
				continue
			case req.Method == sip.INVITE:
				peer.Respond(req, netip.MustParseAddrPort(station), 486, nil)
				continue
			}
			peer.Respond(req, netip.MustParseAddrPort(station), 200, func(res *sip.Response) { res.Contact = req.Contact })
			told <- strings.HasSuffix(req.Contact[0].String(), ";expires=0")
		}
	}()
	return told
}

// TestReloadKeepsBindings: an account that stays as it is is never un-registered, one that goes is, and so
// are all at the end.
func TestReloadKeepsBindings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		account := func(name, server string) string {
			return fmt.Sprintf("[[account]]\nname = %q\nserver = %q\nuser = \"d\"\npassword = \"of the account\"\n", name, server)
		}
		goes := account("goes", "10.0.0.4:5060")
		s := newStation(t, "[[bell]]", account("stays", "10.0.0.3:5060")+goes+"[[bell]]")
		keeps, leaves := s.registrations("10.0.0.3:5060", "10.0.0.1:5062"), s.registrations("10.0.0.4:5060", "10.0.0.1:5062")
		expect := func(from <-chan bool, want bool, when string) {
			t.Helper()
			select {
			case left := <-from:
				if left != want {
					t.Errorf("%s: the binding is taken away: %v", when, left)
				}
			case <-time.After(time.Minute):
				t.Fatalf("%s: no REGISTER", when)
			}
		}
		s.mustStart()
		expect(keeps, false, "start")
		expect(leaves, false, "start")
		s.reload(goes, "")
		expect(leaves, true, "reload")
		s.want(event.ConfigReloaded)
		expect(keeps, false, "reload")
		s.end()
		expect(keeps, true, "end")
	})
}

// TestPhonesStay: a phone at the built-in server rings after a reload, and after a restart, without having
// registered anew.
func TestPhonesStay(t *testing.T) {
	for name, again := range map[string]func(s *station){
		"reload": func(s *station) {
			s.reload(`ring_limit = "5s"`, `ring_limit = "6s"`)
			s.want(event.ConfigReloaded)
			s.want(event.StationReady)
		},
		"restart": func(s *station) {
			s.end()
			s.mustStart()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStation(t, `enabled = "off"`, `enabled = "on"
listen = "10.0.0.1:5060"
[[server.user]]
name = "kitchen"
password = "kettle-on-8"`, `"sip:kitchen@10.0.0.9"`, `"kitchen"`)
				phone := s.phone("10.0.0.9:5060", "10.0.0.1:5060")
				s.mustStart()
				phone.register()
				again(s)
				s.program.Press()
				invite := phone.Request("INVITE")
				if invite.URI.User != "kitchen" {
					t.Errorf("INVITE %v", invite.URI)
				}
				phone.Respond(invite, phone.server, 486, nil)
				s.want(event.CallEnded)
				s.end()
			})
		})
	}
}

// TestPhoneOfThisMachine: a phone logs in by the host's own name. Its call is refused with a line that says
// what would let it in, and with that it rings at the door.
func TestPhoneOfThisMachine(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	host, _, _ = strings.Cut(host, ".")
	synctest.Test(t, func(t *testing.T) {
		var told bytes.Buffer
		s := newStation(t, `enabled = "off"`, `enabled = "on"
listen = "10.0.0.1:5060"
[[server.user]]
name = "kitchen"
password = "kettle-on-8"`)
		s.log = slog.New(slog.NewTextHandler(&told, &slog.HandlerOptions{Level: slog.LevelWarn}))
		phone := s.phone("10.0.0.9:5060", "10.0.0.1:5060")
		phone.domain = host + ".local"
		s.mustStart()
		phone.register()
		time.Sleep(time.Second) // the station, too
		call := func() *sip.Response {
			t.Helper()
			phone.request("INVITE", "door@", "Authorization", 3600)
			_, res := phone.Within(time.Second)
			for res != nil && res.Status == 100 {
				_, res = phone.Within(time.Second)
			}
			return res
		}
		for range 2 {
			if res := call(); res == nil || res.Status != 403 {
				t.Fatalf("answered %v", res)
			}
			phone.Within(time.Minute / 4) // no ACK: it is said again
		}
		synctest.Wait()
		if n := strings.Count(told.String(), "caller refused"); n != 1 ||
			!strings.Contains(told.String(), "[[incoming.allow]]: from = 'kitchen' and source = 'server'") {
			t.Errorf("told %d times:\n%s", n, &told)
		}
		s.reload("[[bell]]", "[[incoming.allow]]\nfrom = 'kitchen'\nsource = 'server'\n[[bell]]")
		s.want(event.StationReady)
		for range 100 { // what is left of the calls before
			if _, res := phone.Within(time.Minute); res == nil {
				break
			}
		}
		phone.register() // the nonce of before is stale
		if res := call(); res == nil || res.Status != 180 {
			t.Errorf("answered %v", res)
		}
		s.end()
	})
}

// phone is one at the built-in server.
type phone struct {
	*siptest.Peer
	server netip.AddrPort
	user   string
	domain string
	seq    int
	login  digest.Client
}

// phone makes one of the kitchen's.
func (s *station) phone(at, server string) *phone {
	return &phone{Peer: s.network.NewPeer(s.t, at), server: netip.MustParseAddrPort(server), user: "kitchen", domain: "portero.local"}
}

// request sends a request of the phone's user. expires is a REGISTER's.
func (p *phone) request(method, to, challenge string, expires int) {
	uri := "sip:" + to + p.domain
	self := "<sip:" + p.user + "@" + p.domain + ">"
	called, auth := self, ""
	if method != "REGISTER" {
		called = "<" + uri + ">"
	}
	if challenge != "" {
		auth = challenge + ": " + p.login.Authorize(method, uri) + "\r\n"
	}
	p.seq++
	p.Send(p.server, fmt.Appendf(nil, "%[1]s %[2]s SIP/2.0\r\nVia: SIP/2.0/UDP %[3]s;branch=z9hG4bK%[4]s%[5]d\r\nMax-Forwards: 70\r\n"+
		"From: %[6]s;tag=p\r\nTo: %[7]s\r\nCall-ID: phone-%[3]s-%[1]s\r\nCSeq: %[5]d %[1]s\r\n"+
		"Contact: <sip:%[4]s@%[3]s>;expires=%[8]d\r\n%[9]sContent-Length: 0\r\n\r\n",
		method, uri, p.Addr, p.user, p.seq, self, called, expires, auth))
}

// register registers the phone, and answers a challenge; leave takes that back.
func (p *phone) register() { p.bind(3600) }

func (p *phone) leave() { p.bind(0) }

func (p *phone) bind(expires int) {
	p.request("REGISTER", "", "", expires)
	p.login = digest.Client{User: p.user, Password: "kettle-on-8"}
	if err := p.login.Challenged(p.Response(401).Values("WWW-Authenticate"), false); err != nil {
		panic(err)
	}
	p.request("REGISTER", "", "Authorization", expires)
	p.Response(200)
}

// TestStopSilencesPhones: a phone that rings for another one, by the built-in server, gets a CANCEL before the process ends, and so
// before a reload takes the server from under it.
func TestStopSilencesPhones(t *testing.T) {
	for name, stop := range map[string]func(s *station){
		"stop":   func(s *station) { s.stop() },
		"reload": func(s *station) { s.reload(`ring_limit = "5s"`, `ring_limit = "6s"`) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStation(t, `enabled = "off"`, `enabled = "on"
listen = "10.0.0.1:5060"
[[server.user]]
name = "kitchen"
password = "kettle-on-8"`)
				s.mustStart()
				rings, calls := s.phone("10.0.0.9:5060", "10.0.0.1:5060"), s.phone("10.0.0.8:5060", "10.0.0.1:5060")
				rings.register()
				calls.invite()
				invite := rings.Request("INVITE")
				rings.Respond(invite, rings.server, 180, nil)
				calls.Response(180)
				stop(s)
				cancel := rings.Request("CANCEL")
				rings.Respond(cancel, rings.server, 200, nil)
				rings.Respond(invite, rings.server, 487, nil)
				rings.Request("ACK")
				calls.Response(503)
				s.end()
			})
		})
	}
}

// invite calls the phones of user kitchen as one of them, after a challenge.
func (p *phone) invite() {
	request := func(n uint32, auth string) string {
		return fmt.Sprintf("INVITE sip:kitchen@portero.local SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKi%d\r\nMax-Forwards: 70\r\n"+
			"From: <sip:kitchen@portero.local>;tag=i\r\nTo: <sip:kitchen@portero.local>\r\nCall-ID: call\r\nCSeq: %d INVITE\r\n"+
			"Contact: <sip:kitchen@%s>\r\n%sContent-Length: 0\r\n\r\n", p.Addr, n, n, p.Addr, auth)
	}
	p.Send(p.server, []byte(request(1, "")))
	login := digest.Client{User: "kitchen", Password: "kettle-on-8"}
	if err := login.Challenged(p.Response(407).Values("Proxy-Authenticate"), false); err != nil {
		panic(err)
	}
	p.Send(p.server, []byte(request(2, "Proxy-Authorization: "+login.Authorize("INVITE", "sip:kitchen@portero.local")+"\r\n")))
}

// TestTrueCauseFirst: where nothing can be run the file's own trouble is told, and its copy's only where there
// is one.
func TestTrueCauseFirst(t *testing.T) {
	dir := t.TempDir()
	file, copied := filepath.Join(dir, "portero.toml"), filepath.Join(dir, "last-good.toml")
	told := func() string {
		t.Helper()
		_, err := NewProgram(file, dir, nil)
		if err == nil {
			t.Fatal("it runs")
		}
		return err.Error()
	}
	if got := told(); strings.Contains(got, "copy") || !strings.HasPrefix(got, "config: read "+fmt.Sprintf("%q", file)) {
		t.Errorf("absent: %s", got)
	}
	for path, text := range map[string]string{file: "version = 1\nbells = 2\n", copied: "version = 1\ndoors = 2\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := told(); strings.Index(got, "bells") > strings.Index(got, "copy") || strings.Index(got, "copy") > strings.Index(got, "doors") {
		t.Errorf("both are faulty: %s", got)
	}
	if err := os.Remove(copied); err != nil {
		t.Fatal(err)
	}
	if got := told(); strings.Contains(got, "copy") || !strings.Contains(got, "bells") {
		t.Errorf("faulty: %s", got)
	}
}
