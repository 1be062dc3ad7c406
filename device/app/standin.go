package app

import (
	"errors"
	"net"
	"slices"
	"time"

	"portero/device/config"
	"portero/device/event"
)

// What stands in for the file is a state, which ends by itself.
const (
	tryEvery       = 10 * time.Second // whether the file can be used by now
	changeAgain    = 10 * time.Minute // after a change to it that failed: that was a moment without a bell
	tellDegradedIn = time.Hour
)

// failure is a text of the file that no station could be built from, though nothing had spoken against it.
type failure struct {
	of string // its digest
	at time.Time
}

// tellDegraded tells of a configuration that stands in for the file's, at once and then each hour.
func (p *Program) tellDegraded() {
	if s := p.standing.standIn(); s != nil && !time.Now().Before(p.degraded) {
		p.degraded = time.Now().Add(tellDegradedIn)
		p.events.Emit(event.Event{Kind: event.StationDegraded, Reason: s.String()})
	}
}

// reason says why a file cannot be used: its warnings are none.
func reason(why error) string {
	var faults config.Faults
	if errors.As(why, &faults) {
		return slices.DeleteFunc(slices.Clone(faults), func(f config.Fault) bool { return f.Severity != config.Error }).Error()
	}
	return why.Error()
}

// retry has the file follow the configuration that stands in for it, as a reload would, once it can be used. A
// reason why it cannot is told when it is new.
func (p *Program) retry(a *App) {
	was := p.standing.standIn()
	if was == nil || a.next.Load() != nil {
		return
	}
	next, err := p.reload(a)
	if err == nil {
		err = p.free(a.Config, next)
	}
	switch {
	case err != nil && reason(err) != was.Reason:
		p.reject(err)
	case err == nil && (next.Digest() != p.failed.of || time.Since(p.failed.at) >= changeAgain):
		a.LeaveFor(next)
	}
}

// free says whether the addresses that a configuration listens at can be had, but for those of the station
// that runs.
func (p *Program) free(running, next *config.Config) error {
	for _, want := range listens(next) {
		if want.heldBy(running) {
			continue
		}
		l, err := p.options.ListenSIP(want.addr)
		if err != nil {
			return inUse(err, want.key)
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	return nil
}

// listen is an address to listen at, and the key that names it.
type listen struct{ key, addr string }

func listens(c *config.Config) []listen {
	all := []listen{{"sip.listen", c.SIP.Listen}}
	if c.ServerOn() {
		all = append(all, listen{"server.listen", c.Server.Listen})
	}
	return all
}

// heldBy says whether a station with that configuration keeps others from listening there.
func (l listen) heldBy(c *config.Config) bool {
	host, port, _ := net.SplitHostPort(l.addr) // validated
	for _, held := range listens(c) {
		h, p, _ := net.SplitHostPort(held.addr)
		if p == port && (h == host || wildcard(h) || wildcard(host)) {
			return true
		}
	}
	return false
}

func wildcard(host string) bool { return host == "" || host == "0.0.0.0" || host == "::" }
