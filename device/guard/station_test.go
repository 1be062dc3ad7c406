package guard

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// fakeGuard is the other end of a station's socket.
type fakeGuard struct {
	to chan message

	mu     sync.Mutex
	got    []message
	killed bool
	deaf   bool // it neither pings nor answers
}

// guarded is a station's end in a bubble, with the guards that it starts.
type guarded struct {
	*Station
	mu       sync.Mutex
	started  []*fakeGuard
	released []int       // descriptors
	fail     atomic.Bool // no guard can be started
	stop     context.CancelFunc
	done     chan error
}

func newBareGuarded() *guarded {
	g := &guarded{done: make(chan error, 1)}
	g.Station = newStationEnd(func(fd int) error {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.released = append(g.released, fd)
		return nil
	}, slog.New(slog.DiscardHandler))
	g.close = func(int) {}
	return g
}

func (g *guarded) guards() []*fakeGuard {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.started)
}

func newGuarded(t *testing.T) *guarded {
	g := newBareGuarded()
	g.launch = func() (*end, func() error, error) {
		if g.fail.Load() {
			return g.newEnd(&fakeGuard{to: make(chan message, 16)}), func() error { return errors.New("no memory") }, nil
		}
		return g.newGuard(), func() error { return nil }, nil
	}
	var ctx context.Context
	ctx, g.stop = context.WithCancel(t.Context())
	go func() { g.done <- g.Run(ctx) }()
	return g
}

func (g *guarded) newGuard() *end {
	f := &fakeGuard{to: make(chan message, 16)}
	g.mu.Lock()
	g.started = append(g.started, f)
	g.mu.Unlock()
	f.pingLater()
	return g.newEnd(f)
}

func (g *guarded) newEnd(f *fakeGuard) *end {
	return &end{in: f.to, send: f.take, kill: func(os.Signal) error { f.kill(); return nil }, close: func() {}}
}

func (f *fakeGuard) pingLater() {
	time.AfterFunc(pingEvery, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if !f.deaf && !f.killed {
			f.to <- message{Kind: ping}
			f.pingLater()
		}
	})
}

func (f *fakeGuard) take(m message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = append(f.got, m)
	switch {
	case f.deaf:
	case m.Kind == drop:
		f.to <- message{Kind: drop, Line: m.Line}
	case m.Kind == lease:
		f.to <- message{Kind: ping}
	}
	return nil
}

func (f *fakeGuard) kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.killed = true
}

func (f *fakeGuard) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deaf = true
}

// handed is the first message.
func (f *fakeGuard) handed() message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.got[0]
}

func (f *fakeGuard) kinds() (kinds []kind) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.got {
		if m.Kind != pong {
			kinds = append(kinds, m.Kind)
		}
	}
	return kinds
}

func TestGuardIsHandedEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t)
		if err := g.Keep("front", 7); err != nil {
			t.Fatal(err)
		}
		g.Save([]byte("version = 1"))
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(g.guards()) != 0 {
			t.Fatal("a guard was started before the station was ready")
		}
		g.Ready()
		synctest.Wait()
		first := g.guards()[0]
		if !slices.Equal(first.kinds(), []kind{keep, settings}) || first.handed().fd != 7 {
			t.Errorf("the first guard was given %v, first %+v", first.kinds(), first.handed())
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(g.guards()) != 1 {
			t.Fatalf("%d guards within an hour, want 1", len(g.guards()))
		}

		g.Lease("front", time.Minute)
		first.kill()
		close(first.to)
		synctest.Wait()
		g.mu.Lock()
		if !slices.Equal(g.released, []int{7}) {
			t.Errorf("released when the guard was lost: %v, want 7", g.released)
		}
		g.mu.Unlock()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(g.guards()) != 2 || !slices.Equal(g.guards()[1].kinds(), []kind{keep, settings}) {
			t.Fatalf("%d guards; the second was given %v", len(g.guards()), g.guards()[len(g.guards())-1].kinds())
		}
		g.stop()
		if err := <-g.done; err != nil {
			t.Error(err)
		}
		if kinds := g.guards()[1].kinds(); kinds[len(kinds)-1] != bye {
			t.Errorf("at the end the guard was told %v, want bye last", kinds)
		}
	})
}

func TestSilentGuardIsReplaced(t *testing.T) {
	for _, c := range []struct {
		name  string
		tense bool
		want  time.Duration
	}{{"idle", false, silentLong + pingEvery}, {"with a relay energised", true, silentTense}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGuarded(t)
				g.Ready()
				synctest.Wait()
				if err := g.Keep("front", 7); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Second)
				g.guards()[0].stop()
				began := time.Now()
				if c.tense {
					g.Lease("front", time.Minute)
				}
				for len(g.guards()) == 1 && time.Since(began) < time.Minute {
					time.Sleep(10 * time.Millisecond)
					synctest.Wait()
				}
				if took := time.Since(began); took > c.want+1100*time.Millisecond || !g.guards()[0].killed {
					t.Errorf("replaced after %v, killed %v; want %v", took, g.guards()[0].killed, c.want)
				}
				g.stop()
				<-g.done
			})
		})
	}
}

// TestStartingGuardHasTime: a guard that still starts when a relay is energised is no silent one; one that
// never speaks is replaced in its time, however often relays are energised.
func TestStartingGuardHasTime(t *testing.T) {
	for name, c := range map[string]struct{ speaks, replaced time.Duration }{
		"slow":  {2 * time.Second, 0},
		"never": {time.Hour, silentLong},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newBareGuarded()
				g.launch = func() (*end, func() error, error) {
					f := &fakeGuard{to: make(chan message, 16), deaf: true}
					g.mu.Lock()
					g.started = append(g.started, f)
					g.mu.Unlock()
					return g.newEnd(f), func() error { return nil }, nil
				}
				ctx, stop := context.WithCancel(t.Context())
				go func() { g.done <- g.Run(ctx) }()
				g.Ready()
				<-g.Armed()
				if err := g.Keep("front", 7); err != nil {
					t.Fatal(err)
				}
				began, replaced := time.Now(), time.Duration(0)
				for range 8 {
					g.Lease("front", time.Minute)
					time.Sleep(500 * time.Millisecond)
					synctest.Wait()
					if f := g.guards()[0]; time.Since(began) >= c.speaks {
						f.to <- message{Kind: ping}
					}
					if replaced == 0 && len(g.guards()) > 1 {
						replaced = time.Since(began)
					}
				}
				if replaced != c.replaced {
					t.Errorf("replaced after %v, want %v", replaced, c.replaced)
				}
				stop()
				<-g.done
			})
		})
	}
}

func TestDropWaitsForTheGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t)
		if err := g.Drop("front"); err != nil {
			t.Errorf("without a guard: %v", err)
		}
		g.Ready()
		synctest.Wait()
		if err := g.Drop("front"); err != nil {
			t.Errorf("with a guard: %v", err)
		}
		g.guards()[0].stop()
		began := time.Now()
		if err := g.Drop("front"); err == nil || time.Since(began) != dropTakes {
			t.Errorf("with a guard that hangs: %v after %v, want an error after %v", err, time.Since(began), dropTakes)
		}
		g.stop()
		<-g.done
	})
}

// TestStationBefore: what a station before has left is taken, or given up.
func TestStationBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newBareGuarded()
		s := g.Station
		var closed []int
		s.close = func(fd int) { closed = append(closed, fd) }
		e := g.newGuard()
		for _, m := range []message{{Kind: keep, Line: "front", fd: 7}, {Kind: keep, Line: "back", fd: 8},
			{Kind: settings, Data: []byte("version = 1")}, {Kind: begin, Data: []byte("it ended")}} {
			g.guards()[0].to <- m
		}
		if err := s.greeted(e); err != nil {
			t.Fatal(err)
		}
		if s.Before() != "it ended" || string(s.Settings()) != "version = 1" {
			t.Errorf("before: %q, settings %q", s.Before(), s.Settings())
		}
		var ctx context.Context
		ctx, g.stop = context.WithCancel(t.Context())
		go func() { g.done <- s.Run(ctx) }()
		s.Retain([]string{"front"})
		if !slices.Equal(closed, []int{8}) || !slices.Contains(g.guards()[0].kinds(), drop) {
			t.Errorf("closed %v, the guard was told %v; want the back door's line given up", closed, g.guards()[0].kinds())
		}
		if fd, ok := s.Take("front"); fd != 7 || !ok {
			t.Errorf("front: %d, %v; want 7", fd, ok)
		}
		if _, ok := s.Take("front"); ok {
			t.Error("a line was given twice")
		}
		g.stop()
		<-g.done
	})
}

func TestGuardThatCannotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t)
		g.fail.Store(true)
		g.Ready()
		time.Sleep(time.Hour)
		g.fail.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(g.guards()) != 1 {
			t.Errorf("%d guards a minute after it became possible, want 1", len(g.guards()))
		}
		g.stop()
		<-g.done
	})
}
