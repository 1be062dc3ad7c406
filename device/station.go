package device

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"portero/audio"
	"portero/board"
	"portero/device/access"
	"portero/device/config"
	"portero/device/event"
	"portero/device/media"
	"portero/sip/fsm"
	"portero/sip/ua"
)

// Parts are what a station is put together from; package app makes, runs and closes them. The station keeps
// them to itself: who holds a Station holds no relay.
type Parts struct {
	Config    *config.Config
	Board     *board.Board
	Phone     *Phone
	Engine    *audio.Engine
	Events    *event.Log
	ListenRTP media.Listen // nil: the kernel's, in the config's range of ports
	Log       *slog.Logger
	About     About
	LastVisit *Visit // at the station that this one follows; nil: nobody knows of one

	// Ready is called from the loop when the station has begun to watch its inputs; nil: nobody waits for it.
	Ready func()
	// Alive is called from the loop every AliveEvery while it runs and the SIP stack's loop answers it: a
	// watchdog that is fed from anywhere else would not notice a station that hangs.
	Alive      func()
	AliveEvery time.Duration
}

// Station is the door station: one loop that owns bells, calls and doors.
type Station struct {
	parts Parts
	cfg   *config.Config
	phone *Phone
	log   *slog.Logger
	box   *fsm.Mailbox
	ended chan struct{} // closed when Run has returned
	snap  atomic.Pointer[Snapshot]

	// The loop's.
	table  *fsm.Table[State, trigger, *Station]
	state  State
	in     input    // what the running action handles
	raised []raised // triggers that wait for the running action to return
	visit  *visit   // nil: nobody
	media  media.Config
	doors  *access.Doors
	codes  *access.Codes
	lock   *access.Lockout
	tamper *access.Tamper
	inputs map[string]*sensor // by their names on the board
	lamps  []*lamp
	sounds *sounds
	tone   func()          // ends the ending state early
	unread map[string]bool // inputs of which nothing has been heard, by their names on the board
	leave  bool            // Run returns as soon as the station is idle
	view   view            // of what others own

	watching bool // all inputs: it is ready
	blink    bool // a ready lamp that blinks is lit
}

// input is what a trigger comes with.
type input struct {
	bell   *config.Bell
	party  *party
	sip    ua.CallEvent
	call   *ua.Call
	rule   *allowRule
	by     access.Way // the digit came
	digit  rune
	door   *config.Door
	reason string
}

type raised struct {
	trigger trigger
	input   input
}

// New makes a station. It starts nothing.
func New(p Parts) (*Station, error) {
	s := &Station{parts: p, cfg: p.Config, phone: p.Phone, log: p.Log.With("part", "station"), box: fsm.NewMailbox(),
		ended: make(chan struct{}), table: stationTable, state: Idle}
	s.media = media.Config{Engine: p.Engine, Listen: p.ListenRTP, InBand: p.Config.Access.InBand, Public: publicAddress(p.Config).Addr()}
	if s.media.Listen == nil {
		first, last, err := p.Config.SIP.Ports()
		if err != nil {
			return nil, err
		}
		s.media.Listen = media.Ports(int(first), int(last))
	}
	var err error
	if s.media.Codecs, err = media.Codecs(p.Config.Audio.Codecs...); err != nil {
		return nil, err
	}
	s.sounds = newSounds(p.Config, p.Engine, s.log)
	if err := s.makeParts(); err != nil {
		return nil, err
	}
	p.Phone.incoming = s.incoming
	if s.cfg.ServerOn() {
		for _, u := range s.cfg.Server.Users {
			s.view.phones = with(s.view.phones, u.Name, Handset{User: u.Name})
		}
	}
	s.publish()
	return s, nil
}

// makeParts makes doors and codes, inputs and lamps. What doors and codes do is told as events.
func (s *Station) makeParts() error {
	s.lock = access.NewLockout(s.cfg.Station.DataDir, s.cfg.Access, s.tell, s.log)
	var err error
	if s.codes, err = access.NewCodes(s.cfg, s.lock, s.tell); err != nil {
		return err
	}
	s.tamper = access.NewTamper(s.cfg.Station.DataDir, s.cfg.Access, loopClock{s}, s.tell, s.log)
	s.doors = access.NewDoors(s.cfg, s.parts.Board.Relay, s.tamper, loopClock{s}, s.tell, s.log)
	s.doors.OnOpen, s.tamper.OnChange = s.doorOpened, s.forgetCode
	s.inputs = map[string]*sensor{}
	for i := range s.cfg.Inputs {
		in := &s.cfg.Inputs[i]
		s.inputs[config.InputName(in.Name)] = &sensor{Input: in}
	}
	for i := range s.cfg.Lamps {
		l := &s.cfg.Lamps[i]
		s.lamps = append(s.lamps, &lamp{Lamp: l, board: s.parts.Board.Lamp(config.LampName(l.Name))})
	}
	return nil
}

// loopClock fires the doors' timers on the station's loop.
type loopClock struct{ s *Station }

func (c loopClock) AfterFunc(d time.Duration, f func()) (stop func()) { return c.s.after(d, f) }

// LeaveWhenIdle lets Run return nil as soon as nobody talks or rings and every door is closed: what happens
// before that moment is still this station's.
func (s *Station) LeaveWhenIdle() { s.box.Put(func() { s.leave = true }) }

// Run runs the station until ctx ends or it is asked to leave; it hangs up and closes its doors before it
// returns. The stack and the engine must run meanwhile. It runs once.
func (s *Station) Run(ctx context.Context) error {
	defer close(s.ended)
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
		post := func(ev board.Event) { s.box.Put(func() { s.lineChanged(ev) }) }
		if err := s.parts.Board.Run(run, post); err != nil && run.Err() == nil {
			return fmt.Errorf("device: board: %w", err)
		}
		return run.Err()
	})
	s.phone.Register(s.registration)
	s.unread = map[string]bool{}
	for _, name := range s.parts.Board.Inputs() {
		s.unread[name] = true
	}
	if len(s.unread) == 0 {
		s.ready()
	}
	s.blinking()
	s.loop(run)
	s.endVisit("the station stops", false)
	s.doors.CloseAll("the station stops")
	s.lampsOff()
	stop()
	err := g.Wait()
	written()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, writers.Wait())
}

// loop does what is in the mailbox until ctx ends, or until it is to leave and may.
func (s *Station) loop(ctx context.Context) {
	var alive <-chan time.Time
	if s.parts.Alive != nil {
		ticker := time.NewTicker(s.parts.AliveEvery)
		defer ticker.Stop()
		alive = ticker.C
	}
	asked := false // the stack's loop, whether it is alive
	ask := func() {
		if !asked && s.parts.Alive != nil {
			asked = true
			s.phone.Agent.Stack().Post(func() { s.box.Put(func() { asked = false; s.parts.Alive() }) })
		}
	}
	ask() // whoever reloads often is alive, too
	for ctx.Err() == nil {
		for f := s.box.Take(); f != nil; f = s.box.Take() {
			f()
			s.microphone()
			s.publish()
		}
		if s.leave && s.state == Idle && s.doors.Idle() {
			return
		}
		s.updateLamps()
		select {
		case <-ctx.Done():
		case <-s.box.Wake():
		case <-alive:
			ask()
		}
	}
}

// step is the only writer of the station's state. What an action raises comes right after it.
func (s *Station) step(t trigger, in input) {
	s.raised = append(s.raised, raised{t, in})
	if len(s.raised) > 1 {
		return // from within an action
	}
	for len(s.raised) > 0 {
		s.take(s.raised[0].trigger, s.raised[0].input)
		s.raised = s.raised[1:]
	}
	s.raised = nil
}

func (s *Station) take(t trigger, in input) {
	if t != onPress { // a press sends its INVITE first
		s.sounds.load()
	}
	from := s.state
	s.in = in
	row := s.table.Step(&s.state, t, s)
	s.in = input{}
	s.table.Log(s.log, slog.String("call", s.talkID()), from, t, row)
}

// talkID is the Call-ID of the talk; "" without one.
func (s *Station) talkID() string {
	if s.visit == nil || s.visit.talk == nil {
		return ""
	}
	return s.visit.talk.id()
}

func (s *Station) tell(ev event.Event) { s.parts.Events.Emit(ev) }

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

// lineChanged takes a change of a bell's or an input's line.
func (s *Station) lineChanged(ev board.Event) {
	if s.unread[ev.Line] && (ev.Initial || ev.Lost != nil) {
		delete(s.unread, ev.Line)
		if len(s.unread) == 0 { // a press before this would have counted as an initial level
			defer s.ready()
		}
	}
	if ev.Lost != nil || ev.Back {
		s.lineHeld(ev)
		return
	}
	if in := s.inputs[ev.Line]; in != nil {
		s.sense(in, ev)
		return
	}
	for i := range s.cfg.Bells {
		b := &s.cfg.Bells[i]
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
	s.watching = true
	s.publish()
	s.tell(event.Event{Kind: event.StationReady})
	if s.parts.Ready != nil {
		s.parts.Ready()
	}
}

func (s *Station) press(b *config.Bell) {
	s.tell(event.Event{Kind: event.BellPressed, Bell: b.Name})
	s.remember(b)
	s.step(onPress, input{bell: b})
}
