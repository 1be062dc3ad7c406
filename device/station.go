package device

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"portero/audio"
	"portero/audio/rtp"
	"portero/board"
	"portero/device/access"
	"portero/device/config"
	"portero/device/event"
	"portero/sip"
	"portero/sip/fsm"
	"portero/sip/ua"
)

// Parts are what a station is put together from; main makes, runs and closes them.
type Parts struct {
	Config    *config.Config
	Board     *board.Board
	Phone     *Phone
	Engine    *audio.Engine
	Events    *event.Log
	ListenRTP ListenRTP // nil: the kernel's, in the config's range of ports
	Log       *slog.Logger

	// Ready is called from the loop when the station has begun to watch its inputs; nil: nobody waits for it.
	Ready func()
	// Alive is called from the loop every AliveEvery while it runs and the SIP stack's loop answers it: a watchdog that is fed from
	// anywhere else would not notice a station that hangs.
	Alive      func()
	AliveEvery time.Duration
}

// Station is the door station: one loop that owns bells, calls and doors.
type Station struct {
	Parts
	box    *fsm.Mailbox
	table  *fsm.Table[State, occasion, *Station]
	state  State
	on     occurrence // what the running action handles
	visit  *visit     // nil: nobody
	media  mediaConfig
	doors  *access.Doors
	codes  *access.Codes
	lock   *access.Lockout
	tamper *access.Tamper
	inputs map[string]*sensor // by their names on the board
	lights []*light
	up     map[string]bool // accounts that are registered
	sounds *sounds
	tone   func() // ends the ending state early
	unread int    // inputs whose initial level has not come
	leave  bool   // Run returns as soon as the station is idle
	snap   atomic.Pointer[Snapshot]
}

// occurrence is an occasion with its particulars.
type occurrence struct {
	bell   *config.Bell
	leg    *leg
	sip    ua.CallEvent
	call   *ua.Call
	rule   *allowRule
	digit  rune
	door   *config.Door
	reason string
}

// Snapshot is an immutable picture of the station.
type Snapshot struct {
	State State     `json:"state"`
	Bell  string    `json:"bell,omitempty"`
	Peer  string    `json:"peer,omitempty"`
	Since time.Time `json:"since"`
}

// Command is something that the station can be told to do.
type Command interface{ do(*Station) }

// Press presses a bell as a finger would; "" presses the first.
type Press struct{ Bell string }

// HangUp ends the call, whoever placed it.
type HangUp struct{}

func (p Press) do(s *Station) {
	for i := range s.Config.Bells {
		if b := &s.Config.Bells[i]; p.Bell == "" || b.Name == p.Bell {
			s.press(b)
			return
		}
	}
	s.Log.Warn("no such bell", "bell", p.Bell)
}

func (HangUp) do(s *Station) { s.step(onHangUp, occurrence{reason: "asked to"}) }

// New makes a station. It starts nothing.
func New(p Parts) (*Station, error) {
	s := &Station{Parts: p, box: fsm.NewMailbox(), table: stationTable, state: Idle}
	listen := p.ListenRTP
	if listen == nil {
		first, last, err := p.Config.SIP.Ports()
		if err != nil {
			return nil, err
		}
		listen = func(addr netip.Addr) (rtp.PacketConn, rtp.PacketConn, error) {
			return rtp.Listen(addr, int(first), int(last))
		}
	}
	s.media = mediaConfig{engine: p.Engine, listen: listen, inBand: p.Config.Access.InBand, public: publicAddress(p.Config).Addr()}
	for _, name := range p.Config.Audio.Codecs {
		c := audio.CodecByName(name)
		if c == nil {
			return nil, fmt.Errorf("device: no codec %q", name)
		}
		s.media.codecs = append(s.media.codecs, c)
	}
	s.sounds = newSounds(p.Config, p.Engine, p.Log)
	if err := s.furnish(); err != nil {
		return nil, err
	}
	p.Phone.incoming = s.incoming
	s.picture()
	return s, nil
}

// Do hands a command to the station. It never waits. Any goroutine may call it.
func (s *Station) Do(c Command) { s.box.Put(func() { c.do(s) }) }

// LeaveWhenIdle lets Run return nil as soon as nobody talks or rings and every door is closed: what happens before that moment is
// still this station's.
func (s *Station) LeaveWhenIdle() { s.box.Put(func() { s.leave = true }) }

// Snapshot returns what the station was doing after the last thing that happened.
func (s *Station) Snapshot() Snapshot { return *s.snap.Load() }

// Run runs the station until ctx ends or it is asked to leave; it hangs up and closes its doors before it returns. The stack and the
// engine must run meanwhile.
func (s *Station) Run(ctx context.Context) error {
	// What must outlive a restart is written beside the loop, and once more after its end.
	writing, written := context.WithCancel(context.WithoutCancel(ctx))
	var writers errgroup.Group
	writers.Go(func() error { return s.lock.Run(writing) })
	writers.Go(func() error { return s.tamper.Run(writing) })

	defer s.hangOnSignal()()
	run, stop := context.WithCancel(ctx)
	g, run := errgroup.WithContext(run)
	s.tamper.Start() // before the inputs can ask for anything
	g.Go(func() error { s.sounds.load(); return nil })
	g.Go(func() error {
		if err := s.Board.Run(run, func(ev board.Event) { s.box.Put(func() { s.input(ev) }) }); err != nil && run.Err() == nil {
			return fmt.Errorf("device: board: %w", err)
		}
		return run.Err()
	})
	s.Phone.Register(func(account string, ev ua.RegEvent) {
		s.registration(account, ev)
	})
	watched := s.Board.Inputs()
	s.tellLost(watched)
	if s.unread = len(watched); s.unread == 0 {
		s.ready()
	}
	var alive <-chan time.Time
	if s.Alive != nil {
		ticker := time.NewTicker(s.AliveEvery)
		defer ticker.Stop()
		alive = ticker.C
	}
	asked := false // the stack's loop, whether it is alive
	for run.Err() == nil {
		for f := s.box.Take(); f != nil; f = s.box.Take() {
			f()
		}
		if s.leave && s.state == Idle && s.doors.Idle() {
			break
		}
		s.show()
		select {
		case <-run.Done():
		case <-s.box.Wake():
		case <-alive:
			if !asked {
				asked = true
				s.Phone.Agent.Stack().Post(func() { s.box.Put(func() { asked = false; s.Alive() }) })
			}
		}
	}
	s.endVisit("the station stops", false)
	s.doors.CloseAll("the station stops")
	s.dark()
	stop()
	err := g.Wait()
	written()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, writers.Wait())
}

// step is the only writer of the station's state.
func (s *Station) step(ev occasion, on occurrence) {
	if ev != onPress { // a press sends its INVITE first
		s.sounds.load()
	}
	from, before := s.state, s.on
	s.on = on
	row := s.table.Step(&s.state, ev, s)
	s.on = before
	if row == nil {
		s.Log.Debug("station", "state", string(from), "event", string(ev), "ignored", true)
		return
	}
	s.Log.Debug("station", "from", string(from), "event", string(ev), "to", string(row.Next))
	s.picture()
}

func (s *Station) picture() {
	snap := Snapshot{State: s.state, Since: time.Now()}
	if v := s.visit; v != nil {
		snap.Since = v.since
		snap.Peer = v.who
		if v.bell != nil {
			snap.Bell = v.bell.Name
		}
	}
	s.snap.Store(&snap)
}

func (s *Station) tell(ev event.Event) { s.Events.Emit(ev) }

// after runs f on the station's loop; the stop it returns also stops a call that waits in the mailbox.
func (s *Station) after(d time.Duration, f func()) (stop func()) {
	stopped := false // the loop's
	t := time.AfterFunc(d, func() {
		s.box.Put(func() {
			if !stopped {
				f()
			}
		})
	})
	return func() {
		stopped = true
		t.Stop()
	}
}

// input takes a change of a line.
func (s *Station) input(ev board.Event) {
	if ev.Initial {
		if s.unread--; s.unread == 0 { // a press before this would have counted as an initial level
			defer s.ready()
		}
	}
	if in := s.inputs[ev.Line]; in != nil {
		s.sense(in, ev)
		return
	}
	for i := range s.Config.Bells {
		b := &s.Config.Bells[i]
		if config.BellInput(b.Name) != ev.Line {
			continue
		}
		switch {
		case ev.Stuck:
			s.tell(event.Event{Kind: event.BellStuck, Bell: b.Name})
		case ev.Active && !ev.Initial: // a button held down since before the start rings nobody
			s.press(b)
		}
	}
}

func (s *Station) ready() {
	s.tell(event.Event{Kind: event.StationReady})
	if s.Ready != nil {
		s.Ready()
	}
}

func (s *Station) press(b *config.Bell) {
	s.tell(event.Event{Kind: event.BellPressed, Bell: b.Name})
	s.step(onPress, occurrence{bell: b})
}

// registration runs on the stack's loop.
func (s *Station) registration(account string, ev ua.RegEvent) {
	e := event.Event{Account: account, Status: ev.Status}
	switch {
	case ev.Registered:
		e.Kind = event.RegistrationUp
	case ev.Err == nil && ev.Status == 0:
		e.Kind = event.RegistrationDown
	default:
		e.Kind = event.RegistrationFailed
		e.Reason = sip.ReasonPhrase(ev.Status)
		if ev.Err != nil {
			e.Reason = ev.Err.Error()
		}
	}
	s.tell(e)
	s.box.Put(func() { s.up[account] = ev.Registered })
}
