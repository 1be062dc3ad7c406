package guard

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"portero/board"
	"portero/device/systemd"
)

const guardName = "portero-guard" // at most 15 bytes

const (
	pingEvery   = time.Second
	pingTense   = 200 * time.Millisecond  // while a relay is energised
	silentTense = 850 * time.Millisecond  // then the relays are released
	excused     = 500 * time.Millisecond  // of that, at most, where the guard itself was late
	silentLong  = 2500 * time.Millisecond // then the other is killed
	loopSilent  = 8 * time.Second         // without a sign of the station's loop, which comes every 5 s
	abortTakes  = time.Second             // for the stacks of all goroutines
	dyingTakes  = time.Second             // from SIGKILL until another is started all the same
	lookEvery   = 20 * time.Millisecond   // whether it is dead
	shortLife   = 5 * time.Second         // two that lived for less in a row are not replaced at once
	startAgain  = 2 * time.Second
	stopTakes   = 15 * time.Second // as long as systemd may take to stop the unit
)

// station is the station's process as the guard knows it.
type station struct {
	*end
	since time.Time

	heard  time.Time     // the latest message
	excuse time.Duration // since then, for which the guard itself was late
	doubt  bool          // since then the relays were released for its silence
	loop   time.Time     // the latest sign of its loop; zero: it has given none
	abort  time.Time     // when SIGABRT was sent; zero: not
	bye    bool
}

// guard is the guard process. All fields belong to run.
type guard struct {
	lines    lines
	settings []byte
	start    func() (*station, error)
	manager  func(assignments ...string) error // systemd
	log      *slog.Logger

	station  *station  // nil: there is none
	dying    *station  // killed, perhaps not dead
	killed   time.Time // when
	startAt  time.Time // of the next
	brief    int       // stations in a row that lived briefly
	ended    string    // how the last one ended
	pingAt   time.Time
	stopping time.Time // until when nothing is started; zero: start
	planned  time.Time // when tick was to be called next
}

// IsGuard says whether this process is to be a guard.
func IsGuard() bool { return os.Getenv(roleKey) == guardRole }

// Main is the guard process. It returns when the station has ended as it was told to, or when the unit is
// stopped.
func Main() error { return guardMain(board.Deenergize) }

func guardMain(deenergize func(fd int) error) error {
	rename(guardName)
	signals := make(chan os.Signal, 8)
	// What concerns the station reaches it without the guard's help: systemd signals the whole unit, a
	// terminal its whole group.
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2) // ignored: a station would inherit that
	log := guardLog()
	p, pid, err := inherited()
	if err != nil {
		return err
	}
	prog, err := mapProgram()
	if err != nil {
		return err
	}
	g := newGuard(deenergize, log)
	g.start = func() (*station, error) { return startStation(prog) }
	g.station = watched(p.open(parentProcess(pid)), time.Now())
	locked := make(chan error, 1)
	go func() { locked <- prog.lock() }() // from a slow card it takes a while
	go func() {
		if err := <-locked; err != nil {
			log.Warn("guard memory not locked", "part", "guard", "err", err)
		}
	}()
	return g.run(signals)
}

// guardLog writes in the form of the station's log.
func guardLog() *slog.Logger {
	if os.Getenv(logKey) == "json" {
		return slog.New(slog.NewJSONHandler(systemd.NewStderr(), nil))
	}
	return slog.New(slog.NewTextHandler(systemd.NewStderr(), nil))
}

func newGuard(deenergize func(fd int) error, log *slog.Logger) *guard {
	return &guard{log: log, manager: systemd.Notify, lines: lines{held: map[string]*line{}, deenergize: deenergize,
		close: func(fd int) { _ = unix.Close(fd) }, log: log}}
}

func watched(e *end, now time.Time) *station { return &station{end: e, since: now, heard: now} }

// parentProcess signals the process pid, which made the socket, if it is the parent still; else it is dead,
// and its number is not its any more.
func parentProcess(pid int) func(os.Signal) error {
	if os.Getppid() == pid {
		if process, err := os.FindProcess(pid); err == nil {
			return process.Signal
		}
	}
	return func(os.Signal) error { return os.ErrProcessDone }
}

// startStation starts another station from memory.
func startStation(prog *program) (*station, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	process, err := prog.start(stationRole, os.Getenv(logKey), theirs, true)
	if err = errors.Join(err, theirs.Close()); err != nil {
		return nil, errors.Join(err, ours.conn.Close())
	}
	go func() { _, _ = process.Wait() }() // how it ended does not matter: only that it is gone
	return watched(ours.open(process.Signal), time.Now()), nil
}

func (g *guard) run(signals <-chan os.Signal) error {
	now := time.Now()
	g.planned, g.pingAt = now, now
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case m, ok := <-g.inbox():
			if g.heard(m, ok) {
				return nil
			}
		case <-signals:
			g.stopping = time.Now().Add(stopTakes)
		case <-timer.C:
			select { // who is late itself hears first, and judges then
			case m, ok := <-g.inbox():
				if g.heard(m, ok) {
					return nil
				}
			default:
				g.tick(time.Now())
			}
		}
		if g.station == nil && g.stopped(time.Now()) {
			return nil
		}
		g.planned = g.due()
		timer.Reset(time.Until(g.planned))
	}
}

// inbox is where the station speaks; nil: there is none.
func (g *guard) inbox() <-chan message {
	if g.station == nil {
		return nil
	}
	return g.station.in
}

// heard takes what came from the station, or its end; done: nothing is left to guard.
func (g *guard) heard(m message, ok bool) (done bool) {
	if !ok {
		return g.lost(time.Now())
	}
	g.take(m, time.Now())
	return false
}

func (g *guard) stopped(now time.Time) bool { return now.Before(g.stopping) }

// take takes a message from the station.
func (g *guard) take(m message, now time.Time) {
	s := g.station
	s.heard, s.excuse, s.doubt = now, 0, false
	switch m.Kind {
	case keep:
		g.lines.keep(m.Line, m.fd, m.For, now)
		g.pingAt = now
	case drop:
		g.lines.drop(m.Line)
		g.say(message{Kind: drop, Line: m.Line})
	case lease:
		g.lines.lease(m.Line, m.For, now)
		g.pingAt = now // the sooner a silence is noticed
	case settings:
		g.settings = m.Data
	case alive:
		s.loop = now
	case bye:
		s.bye = true
	}
}

// say tells the station something. What does not reach it is noticed by its silence.
func (g *guard) say(m message) { _ = g.station.send(m) }

// lost takes the end of the station; done: nothing is left to guard.
func (g *guard) lost(now time.Time) (done bool) {
	if g.station.bye {
		g.lines.releaseAll(now)
		return true
	}
	g.bury(now, "it ended")
	return false
}

// bury releases the relays, sees to it that the station is dead, and has another follow it.
func (g *guard) bury(now time.Time, how string) {
	released := g.lines.releaseAll(now)
	_ = g.station.kill(os.Kill)
	g.station.close()
	g.ended = how
	if len(released) > 0 {
		g.ended += ", released " + strings.Join(released, ", ")
	}
	g.log.Error("station lost", "part", "guard", "how", how, "released", released)
	_ = g.manager("STATUS=starting: the station was lost (" + how + "), another is started")
	g.startAt = now
	switch {
	case now.Sub(g.station.since) >= shortLife:
		g.brief = 0
	case g.brief > 0: // the first is replaced at once
		g.startAt = now.Add(startAgain)
		fallthrough
	default:
		g.brief++
	}
	g.dying, g.killed, g.station = g.station, now, nil
}

// tick does what is due.
func (g *guard) tick(now time.Time) {
	if late := now.Sub(g.planned); late > pingTense && g.station != nil { // the machine stood still, and the station with it
		g.station.excuse += late
	}
	if over := g.lines.expire(now); len(over) > 0 {
		g.log.Error("relay released, its lease is over", "part", "guard", "lines", over)
	}
	if g.station != nil {
		g.watch(now)
	} else if !now.Before(g.startAt) && g.dead(now) {
		g.another(now)
	}
}

// watch asks for signs of life, and judges.
func (g *guard) watch(now time.Time) {
	s := g.station
	silent := now.Sub(s.heard)
	if silent >= silentTense+min(s.excuse, excused) && !s.doubt && g.lines.energised() {
		s.doubt = true
		released := g.lines.releaseAll(now)
		g.log.Error("relay released, the station is silent", "part", "guard", "lines", released, "silent", silent)
	}
	hangs := !s.loop.IsZero() && now.Sub(s.loop) >= loopSilent+s.excuse
	switch {
	case silent >= silentLong+s.excuse:
		g.bury(now, fmt.Sprintf("it was silent for %v", silent.Round(time.Millisecond)))
		return
	case !s.abort.IsZero() && now.Sub(s.abort) >= abortTakes:
		g.bury(now, "its loop hung")
		return
	case hangs && s.abort.IsZero():
		s.abort = now
		g.log.Error("station hangs", "part", "guard", "silent", now.Sub(s.loop))
		_ = s.kill(syscall.SIGABRT)
	}
	if !now.Before(g.pingAt) {
		g.say(message{Kind: ping})
		g.pingAt = now.Add(g.pingPeriod())
	}
}

func (g *guard) pingPeriod() time.Duration {
	// A silence with a relay energised is remembered until the station is heard again or dead.
	if g.lines.energised() || g.station.doubt {
		return pingTense
	}
	return pingEvery
}

// dead says whether the station before has let go of its ports and devices.
func (g *guard) dead(now time.Time) bool {
	if g.dying == nil || errors.Is(g.dying.kill(syscall.Signal(0)), os.ErrProcessDone) || now.Sub(g.killed) >= dyingTakes {
		g.dying = nil
		return true
	}
	g.startAt = now.Add(lookEvery)
	return false
}

// another starts a station and gives it what the one before has left.
func (g *guard) another(now time.Time) {
	s, err := g.start()
	if err != nil {
		g.log.Error("station not started", "part", "guard", "again", startAgain, "err", err)
		g.startAt = now.Add(startAgain)
		return
	}
	g.station = s
	for key, l := range g.lines.held {
		g.say(message{Kind: keep, Line: key, fd: l.fd})
	}
	if g.settings != nil {
		g.say(message{Kind: settings, Data: g.settings})
	}
	g.say(message{Kind: begin, Data: []byte(g.ended)})
	_ = g.manager("WATCHDOG=1") // systemd's patience begins anew
	g.pingAt = now.Add(pingEvery)
}

// due is when tick is to be called next.
func (g *guard) due() time.Time {
	var at time.Time
	by := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	for _, l := range g.lines.held {
		if !l.until.IsZero() {
			by(l.due())
		}
	}
	s := g.station
	if s == nil {
		by(g.startAt)
		return at
	}
	by(g.pingAt)
	by(s.heard.Add(silentLong + s.excuse))
	if g.lines.energised() && !s.doubt {
		by(s.heard.Add(silentTense + min(s.excuse, excused)))
	}
	switch {
	case !s.abort.IsZero():
		by(s.abort.Add(abortTakes))
	case !s.loop.IsZero():
		by(s.loop.Add(loopSilent + s.excuse))
	}
	return at
}
