package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"portero/board"
	"portero/device"
	"portero/device/config"
	"portero/device/event"
)

// Guard is what a program tells the process that watches it, and learns from it (package guard).
type Guard interface {
	board.Keeper
	Before() string      // how the station ended that this one replaces; "": none did
	Settings() []byte    // what that one has saved; nil: nothing
	Save(setting []byte) // for the station that replaces this one
}

// Program is a door station that lives through reloads. Its methods may be called by several goroutines.
type Program struct {
	file, data string
	options    Options
	guard      Guard // nil: none
	log        *slog.Logger
	events     *event.Log

	config   *config.Config // of the start
	rejected error          // why it is not the file's
	commands chan command
	standing standing
	degraded time.Time // when it is to be told next
	failed   failure
}

type command int

const (
	press command = iota
	reload
)

// NewProgram reads the configuration file, or what stands in for it, and starts nothing. data is where the
// last good copy is looked for; "": where the file says, as far as it can be read. The error says that there
// is nothing to run.
func NewProgram(file, data string, g Guard) (*Program, error) {
	p := &Program{file: file, data: data, guard: g, commands: make(chan command, 8)}
	var before []byte
	if g != nil {
		before = g.Settings()
	}
	var err error
	p.config, p.rejected, err = configuration(file, data, before)
	return p, err
}

// configuration is the file's; where that cannot be used, what the station before ran with, if a guard has
// replaced one: neither a lost disk nor a file in mid-edit costs its doors; else that of the last good copy,
// whose doors open by the buttons inside alone and which lets nobody call in, for the bell must ring. rejected
// says why it is not the file's.
func configuration(file, data string, before []byte) (cfg *config.Config, rejected, err error) {
	cfg, rejected = config.Load(file)
	if rejected == nil {
		return cfg, nil, nil
	}
	if before != nil {
		if cfg, err := config.Restore(before); err == nil {
			return cfg, rejected, nil
		}
	}
	cfg, err = config.LoadLastGood(file, data)
	if err != nil {
		return nil, nil, unusable(rejected, err)
	}
	return cfg, rejected, nil
}

// unusable adds to why a file cannot be used why its last good copy cannot, unless that is no fault to look
// for: there is none yet, or this is not the station's user.
func unusable(why, copyErr error) error {
	if errors.Is(copyErr, fs.ErrNotExist) || errors.Is(why, fs.ErrPermission) && errors.Is(copyErr, fs.ErrPermission) {
		return why
	}
	return fmt.Errorf("%w\napp: nor can its last good copy be used: %w", why, copyErr)
}

// Config is the configuration of the start.
func (p *Program) Config() *config.Config { return p.config }

// Press presses the first bell.
func (p *Program) Press() { p.command(press) }

// Reload takes the changed file as soon as nobody talks or rings; a faulty one changes nothing and is
// reported.
func (p *Program) Reload() { p.command(reload) }

func (p *Program) command(c command) {
	select {
	case p.commands <- c:
	default: // eight wait already
	}
}

// buildAgain is how long a port may take that is just being let go, by a process that ends: it must not cost
// the doors. (Lines are waited for by the board.)
const buildAgain = 2 * time.Second

// Run runs stations until ctx ends or one of them fails.
func (p *Program) Run(ctx context.Context, log *slog.Logger, events *event.Log, o Options) error {
	o.World = o.World.complete()
	if p.guard != nil {
		o.Keeper = p.guard
	}
	p.log, p.events, p.options = log, events, o
	defer p.answer(ctx)()
	p.waits("it is being put together")
	p.tellStart()
	a, err := p.first(ctx)
	if err == nil {
		p.tellUnsafe(a.Config)
		err = p.supervise(ctx, a)
	}
	p.tellEnd(err)
	return err
}

func (p *Program) tellStart() {
	for _, w := range p.config.Warnings() {
		if w.Severity == config.Warning { // what is unsafe is an event of its own, and check alone informs
			p.log.Warn("configuration in doubt", "part", "config", "err", w)
		}
	}
	started := p.options.About.Version
	if p.guard != nil && p.guard.Before() != "" {
		started += "; the station before: " + p.guard.Before()
	}
	p.events.Emit(event.Event{Kind: event.StationStarted, Reason: started})
	if p.rejected != nil {
		p.reject(p.rejected)
	}
}

func (p *Program) reject(why error) {
	p.standing.refuse(why)
	p.events.Emit(event.Event{Kind: event.ConfigRejected, Reason: why.Error()})
}

// first builds the first station.
func (p *Program) first(ctx context.Context) (*App, error) {
	a, err := p.build(p.config, p.rejected, p.options)
	if err == nil || p.rejected != nil {
		return a, err
	}
	p.waits(err.Error())
	p.log.Warn("station not built", "part", "app", "again", buildAgain, "err", err)
	select {
	case <-time.After(buildAgain):
	case <-ctx.Done():
		return nil, err
	}
	if a, err = p.build(p.config, nil, p.options); err == nil {
		return a, nil
	}
	// A file without a fault may still name what cannot be had: a port in use. (A line costs only itself.)
	copied, copyErr := config.LoadLastGood(p.file, p.data)
	if copyErr != nil {
		return nil, unusable(err, copyErr)
	}
	a, copyErr = p.build(copied, err, p.options)
	if copyErr != nil {
		return nil, err
	}
	p.reject(err)
	return a, nil
}

// goodAfter is how long a station must run until its configuration is the last good one: one that makes it
// crash at once never is. A station that ends before that, as it was told to, has not crashed.
const goodAfter = time.Minute

// keep makes the configuration of a station that runs the last good one, and that of a station that a guard
// has to start. It runs beside the station: a slow medium must not make a healthy one look dead. The function
// that it returns is told whether the station has ended as it was told to, and waits for the medium.
func (p *Program) keep(a *App) (kept func(asTold bool)) {
	if a.options.About.StandIn != nil {
		return func(bool) {}
	}
	if p.guard != nil {
		p.guard.Save(a.Config.Snapshot())
	}
	ended, done := make(chan bool, 1), make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-time.After(goodAfter):
			p.write(a.Config)
		case asTold := <-ended:
			if asTold {
				p.write(a.Config)
			}
		}
	}()
	return func(asTold bool) {
		ended <- asTold
		<-done
	}
}

func (p *Program) write(cfg *config.Config) {
	var chips map[string]string
	if bc := BoardConfig(cfg); !bc.Sim {
		if found, err := board.Chips(); err == nil { // it held them a moment ago
			chips = board.ChipLabels(found, bc)
		}
	}
	if err := cfg.SaveLastGood(cfg.Station.DataDir, chips); err != nil {
		p.log.Warn("last good configuration not kept", "part", "app", "err", err)
	}
}

// supervise runs a station, and after each accepted reload another one with the new configuration.
func (p *Program) supervise(ctx context.Context, a *App) error {
	for {
		if err := p.live(ctx, a); err != nil || ctx.Err() != nil {
			if a.nextBoard != nil {
				err = errors.Join(err, a.nextBoard.Close())
			}
			return err
		}
		var err error
		if a, err = p.change(a); err != nil {
			return err
		}
	}
}

// live runs one station until ctx ends, a part fails, or it left for the new configuration.
func (p *Program) live(ctx context.Context, a *App) error {
	kept := p.keep(a)
	p.standing.runs(a)
	p.tellDegraded()
	changed, again := time.NewTicker(tellEvery), time.NewTicker(tryEvery)
	defer changed.Stop()
	defer again.Stop()
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	for {
		select {
		case err := <-done:
			p.waits("its configuration changes")
			kept(err == nil && ctx.Err() != nil)
			return err
		case <-changed.C:
			p.tellStatus()
		case <-again.C:
			p.tellDegraded()
			p.retry(a)
		case c := <-p.commands:
			if c == press {
				if err := a.Station.Do(ctx, device.Press{}); err != nil {
					p.log.Warn("bell not pressed", "part", "app", "err", err)
				}
				continue
			}
			next, err := p.reload(a)
			if err != nil {
				p.reject(err)
				continue
			}
			a.LeaveFor(next)
		}
	}
}

// reload reads and checks the file. Lines that this very process holds are no fault, nor are a relay's unsafe
// pin that stays as it is and a line that stays one that cannot be had. A file that names another such line is
// refused, unlike at the start: the station that runs is better than one without its bell.
func (p *Program) reload(a *App) (*config.Config, error) {
	cfg, err := config.Load(p.file)
	if err != nil {
		return nil, err
	}
	var errs []error
	hardware := p.options.CheckBoard(BoardConfig(cfg))
	for _, err := range hardware {
		var busy *board.BusyError
		var pin *board.PinError
		if !errors.As(err, &pin) && (!errors.As(err, &busy) || !busy.Ours()) && !a.names(err, cfg) {
			errs = append(errs, err)
		}
	}
	for _, u := range unsafePins(cfg, hardware) {
		if !a.Config.HasRelay(u.door.Line, u.door.ActiveLow) {
			errs = append(errs, u.why)
		}
	}
	return cfg, errors.Join(errs...)
}

// change builds the station that the one before has left for; where that fails, the one before again.
func (p *Program) change(a *App) (*App, error) {
	next, o := a.next.Load(), p.options
	o.users, o.board, o.lastVisit = a.Users, a.nextBoard, a.Station.Snapshot().LastVisit
	if o.board != nil && next != a.left { // a still newer file
		if err := o.board.Close(); err != nil {
			p.log.Warn("board of a file that has changed again not closed", "part", "app", "err", err)
		}
		o.board = nil
	}
	b, err := p.build(next, nil, o)
	if err == nil {
		p.standing.refuse(nil)
		p.events.Emit(event.Event{Kind: event.ConfigReloaded})
		p.tellUnsafe(next)
		return b, nil
	}
	p.reject(err)
	p.failed = failure{of: next.Digest(), at: time.Now()}
	o.board, o.About = nil, a.options.About
	return Build(a.Config, p.log, p.events, o)
}

// build puts together the station of a configuration, which stands in for the file's if there is a reason.
func (p *Program) build(cfg *config.Config, why error, o Options) (*App, error) {
	o.About.Since = time.Now()
	if why != nil {
		at, out := cfg.Copied()
		o.About.StandIn = &device.StandIn{Reason: reason(why), Copy: at, Out: out}
	}
	return Build(cfg, p.log, p.events, o)
}
