package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"portero/device"
	"portero/device/status"
)

// tellEvery is how often at most the service manager is told how the station stands.
const tellEvery = time.Second

// standing is how the program stands, for those who ask from outside.
type standing struct {
	mu      sync.Mutex
	app     *App            // that runs; nil: none
	waits   string          // what for; "": a station runs
	in      *device.StandIn // with the latest reason; nil: the file's configuration runs
	refused string          // why the latest file was not taken
	told    string          // to the service manager
}

// runs says which station runs.
func (s *standing) runs(a *App) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.app, s.waits = a, ""
	if in := a.options.About.StandIn; in == nil || s.in == nil {
		s.in = in
	}
}

// refuse says why the latest file was not taken; nil: it was.
func (s *standing) refuse(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = ""
	if why != nil {
		s.refused = reason(why)
	}
	if s.in != nil && why != nil {
		in := *s.in
		in.Reason = s.refused
		s.in = &in
	}
}

func (s *standing) standIn() *device.StandIn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.in
}

// waits says that no station runs, and what for.
func (p *Program) waits(what string) {
	s := &p.standing
	s.mu.Lock()
	s.app, s.waits = nil, what
	s.mu.Unlock()
	p.tellStatus()
}

// Status asks the station that runs; one that hangs gives nothing until ctx ends.
func (p *Program) Status(ctx context.Context) (*status.Document, error) {
	return p.document(func(s *device.Station) (device.Snapshot, error) { return s.Ask(ctx) })
}

func (p *Program) document(look func(*device.Station) (device.Snapshot, error)) (*status.Document, error) {
	s := &p.standing
	s.mu.Lock()
	a := s.app
	d := &status.Document{File: p.file, Refused: s.refused, Starting: s.waits}
	in := s.in
	s.mu.Unlock()
	d.About = p.options.About
	if a == nil {
		return d, nil
	}
	var err error
	switch d.Snapshot, err = look(a.Station); {
	case errors.Is(err, device.ErrEnded):
		d.Starting = "one station has ended, the next has not begun"
		return d, nil
	case err != nil:
		return nil, fmt.Errorf("app: status: %w", err)
	}
	d.StandIn, d.Digest = in, a.Config.Digest()
	for _, b := range a.Config.Bells {
		d.Bells = append(d.Bells, status.Bell{Name: b.Name, Targets: b.Targets})
	}
	return d, nil
}

// tellStatus tells the service manager how the station stands, if that has changed.
func (p *Program) tellStatus() {
	if p.options.Status == nil {
		return
	}
	d, err := p.document(func(s *device.Station) (device.Snapshot, error) { return s.Snapshot(), nil })
	if err != nil { // no snapshot ever fails
		return
	}
	line, _ := d.Sentence()
	p.tellLine(line)
}

// tellEnd says that the program has ended, and how.
func (p *Program) tellEnd(err error) {
	if err != nil {
		p.tellLine(status.Line("stopped: " + err.Error()))
	} else {
		p.tellLine("stopped")
	}
}

func (p *Program) tellLine(line string) {
	if p.options.Status != nil && line != p.standing.told {
		p.standing.told = line
		p.options.Status(line)
	}
}

// answer serves the status socket until the program ends.
func (p *Program) answer(ctx context.Context) (end func()) {
	if p.options.Socket == "" {
		return func() {}
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := status.Serve(ctx, p.options.Socket, p.Status); err != nil {
			p.log.Warn("status not served", "part", "app", "loss", "`portero status` says that no station runs", "err", err)
		}
	}()
	return func() {
		stop()
		<-done
	}
}
