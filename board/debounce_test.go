package board

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

const ms = time.Millisecond

func (e Event) text() string {
	s := fmt.Sprint(e.At, " ", e.Line)
	if e.Active {
		s += " on"
	} else {
		s += " off"
	}
	if e.Initial {
		s += " initial"
	}
	if e.Stuck {
		s += " stuck"
	}
	return s
}

// contact moves the bell: to active or back, at a time after the start.
type contact struct {
	at     time.Duration
	active bool
}

// train is a contact that reaches active after n bounces.
func train(at time.Duration, active bool, n int, every time.Duration) []contact {
	moves := []contact{{at, active}}
	for range n {
		moves = append(moves, contact{at + every, !active}, contact{at + 2*every, active})
		at += 2 * every
	}
	return moves
}

func TestDebounce(t *testing.T) {
	for _, c := range []struct {
		name  string
		moves []contact
		want  string
	}{
		{"a clean press", []contact{{10 * ms, true}, {300 * ms, false}}, "10ms bell on, 300ms bell off"},
		{"a bounce train is one press, and so is its end",
			slices.Concat(train(10*ms, true, 20, 200*time.Microsecond), train(300*ms, false, 20, 200*time.Microsecond)), "10ms bell on, 300ms bell off"},
		{"a train longer than the window is one press", append(train(10*ms, true, 30, 5*ms), contact{900 * ms, false}), "10ms bell on, 900ms bell off"},
		{"50 Hz from a bell transformer is one press", append(train(10*ms, true, 100, 10*ms), contact{2500 * ms, false}), "10ms bell on, 2.5s bell off"},
		{"a release inside the window is not lost", []contact{{10 * ms, true}, {15 * ms, false}}, "10ms bell on, 15ms bell off"},
		{"a press inside the window of the release is not lost", []contact{{10 * ms, true}, {100 * ms, false}, {110 * ms, true}, {400 * ms, false}},
			"10ms bell on, 100ms bell off, 110ms bell on, 400ms bell off"},
		{"a spike is a press and a release", []contact{{10 * ms, true}, {10*ms + time.Microsecond, false}}, "10ms bell on, 10.001ms bell off"},
		{"two presses just further apart than the window", []contact{{10 * ms, true}, {31 * ms, false}, {52 * ms, true}, {73 * ms, false}},
			"10ms bell on, 31ms bell off, 52ms bell on, 73ms bell off"},
		{"a stuck button is one press and one report", []contact{{10 * ms, true}}, "10ms bell on, 1m0.01s bell on stuck"},
		{"it reports again at the next press only", []contact{{10 * ms, true}, {3 * time.Minute, false}, {4 * time.Minute, true}},
			"10ms bell on, 1m0.01s bell on stuck, 3m0s bell off, 4m0s bell on, 5m0s bell on stuck"},
		{"let go in time it is not stuck", []contact{{10 * ms, true}, {59 * time.Second, false}}, "10ms bell on, 59s bell off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := NewSim()
				b := mustOpen(t, s, doorConfig(true))
				var got []string
				posted := map[string]time.Duration{}
				ctx, cancel := context.WithCancel(context.Background())
				done := make(chan error)
				go func() {
					done <- b.Run(ctx, func(e Event) {
						got = append(got, e.text())
						posted[e.text()] = time.Since(s.start) - e.At
					})
				}()
				for _, m := range c.moves {
					time.Sleep(m.at - time.Since(s.start))
					must(t, s.Press("bell", m.active))
				}
				time.Sleep(2*time.Minute + 30*time.Second)
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
				want := "0s bell off initial, " + c.want
				if got := strings.Join(got, ", "); got != want {
					t.Errorf("events\n%s, want\n%s", got, want)
				}
				if first := strings.Split(c.want, ", ")[0]; posted[first] != 0 {
					t.Errorf("the press was posted %v late", posted[first])
				}
			})
		})
	}
}

// replay feeds a debouncer by hand, as a reader does that wakes late and finds many edges.
func replay(window time.Duration, edges []contact, level bool, at time.Duration) []string {
	var got []string
	post := func(e Event) { got = append(got, e.text()) }
	d := &debouncer{name: "bell", window: window}
	d.begin(false, 5*ms, post)
	for _, e := range edges {
		d.edge(e.active, e.at, post)
	}
	if d.settles(at) {
		d.settle(level, at, post)
	}
	return got
}

func TestDebounceOnKernelTimeStamps(t *testing.T) {
	for _, c := range []struct {
		name   string
		window time.Duration
		edges  []contact
		level  bool
		want   string
	}{
		{"a second late, every press still counts", 20 * ms,
			[]contact{{10 * ms, true}, {11 * ms, false}, {12 * ms, true}, {500 * ms, false}, {700 * ms, true}, {701 * ms, false}, {900 * ms, true}, {990 * ms, false}}, false,
			"10ms bell on, 500ms bell off, 700ms bell on, 701ms bell off, 900ms bell on, 990ms bell off"},
		{"edges from before the first reading are part of it", 20 * ms, []contact{{1 * ms, true}, {4 * ms, false}}, false, ""},
		{"an edge the kernel lost is found by reading", 20 * ms, []contact{{10 * ms, true}}, false, "10ms bell on, 1s bell off"},
		{"two edges the same way are one", 20 * ms, []contact{{10 * ms, true}, {500 * ms, true}}, true, "10ms bell on"},
		{"without a window every edge counts", 0, []contact{{10 * ms, true}, {11 * ms, false}, {12 * ms, true}}, true,
			"10ms bell on, 11ms bell off, 12ms bell on"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := []string{"5ms bell off initial"}
			if c.want != "" {
				want = append(want, strings.Split(c.want, ", ")...)
			}
			if got := replay(c.window, c.edges, c.level, time.Second); !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// The level read at the window's end may be ahead of its own edges, which are on their way: their bounces
// must still be bounces.
func TestSettleAheadOfItsEdges(t *testing.T) {
	var got []string
	post := func(e Event) { got = append(got, e.text()) }
	d := &debouncer{name: "bell", window: 20 * ms}
	d.begin(false, 0, post)
	d.edge(true, 10*ms, post)
	d.edge(false, 12*ms, post)
	d.settle(true, 40*ms, post) // pressed again a moment ago
	d.edge(true, 39*ms, post)   // the edge of it, stale
	d.edge(false, 41*ms, post)  // bounces
	d.edge(true, 42*ms, post)
	if d.settles(61*ms) || !d.settles(62*ms) {
		t.Errorf("the window ends at %v, not 20 ms after the last bounce", d.until)
	}
	d.settle(true, 63*ms, post)
	if want := []string{"0s bell off initial", "10ms bell on"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Any sequence of edges, in whatever batches it is read, ends with the true level posted, changes alternate,
// and times do not run back.
func FuzzDebounce(f *testing.F) {
	f.Add([]byte{1, 200, 3, 4, 5, 90, 1, 1}, byte(3))
	f.Add([]byte{255, 0, 0, 0, 255, 255}, byte(1))
	f.Add([]byte{20, 20, 21, 19, 1}, byte(0))
	f.Fuzz(func(t *testing.T, gaps []byte, batch byte) {
		var last Event
		n := 0
		post := func(e Event) {
			if n > 0 && (e.Active == last.Active || e.At < last.At) {
				t.Fatalf("%s after %s", e.text(), last.text())
			}
			last = e
			n++
		}
		d := &debouncer{name: "x", window: 20 * ms}
		d.begin(false, 0, post)
		at, level := time.Duration(0), false
		for i, g := range gaps {
			at += time.Duration(g) * ms / 4
			level = !level
			d.edge(level, at, post)
			if now := at + time.Duration(batch)*ms; i%(int(batch)%5+1) == 0 && (i+1 == len(gaps) || now < at+time.Duration(gaps[i+1])*ms/4) && d.settles(now) {
				d.settle(level, now, post)
			}
		}
		if end := at + time.Second; d.settles(end) {
			d.settle(level, end, post)
		}
		if last.Active != level {
			t.Fatalf("the line is %v, posted was %s", level, last.text())
		}
	})
}

func TestInitialLevels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := NewSim(), doorConfig(true)
		c.Inputs = append(c.Inputs, Input{Name: "contact", Line: "GPIO27"})
		must(t, s.Pull("GPIO17", false)) // held at power-on
		b := mustOpen(t, s, c)
		var got []string
		for range 2 { // Run may be run again
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error)
			go func() { done <- b.Run(ctx, func(e Event) { got = append(got, e.text()) }) }()
			time.Sleep(2 * time.Minute)
			cancel()
			must(t, <-done)
		}
		want := []string{"0s bell on initial", "0s contact off initial", "1m0s bell on stuck",
			"2m0s bell on initial", "2m0s contact off initial", "3m0s bell on stuck"}
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

func TestRunEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(*Sim, *Board, context.CancelFunc)
		want error
	}{
		{"with its context", func(_ *Sim, _ *Board, cancel context.CancelFunc) { cancel() }, nil},
		{"with the board", func(_ *Sim, b *Board, _ context.CancelFunc) { _ = b.Close() }, ErrClosed},
		{"with the chip", func(s *Sim, _ *Board, _ context.CancelFunc) { s.Unplug() }, syscall.ENODEV},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := NewSim()
				b := mustOpen(t, s, doorConfig(true))
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				done := make(chan error, 1)
				go func() { done <- b.Run(ctx, func(Event) {}) }()
				time.Sleep(time.Second)
				if err := b.Run(ctx, func(Event) {}); err == nil || errors.Is(err, ErrClosed) {
					t.Errorf("a second Run beside the first: %v", err)
				}
				before := time.Now()
				c.end(s, b, cancel)
				if err := <-done; !errors.Is(err, c.want) {
					t.Errorf("Run: %v, want %v", err, c.want)
				}
				if d := time.Since(before); d != 0 {
					t.Errorf("it took %v", d)
				}
				if c.name == "with the chip" {
					if err := b.Relay("door").Energize(time.Second); !errors.Is(err, syscall.ENODEV) {
						t.Errorf("Energize on a chip that is gone: %v", err)
					}
				}
			})
		})
	}
	b := mustOpen(t, NewSim(), doorConfig(true))
	must(t, b.Close())
	if err := b.Run(context.Background(), func(Event) {}); !errors.Is(err, ErrClosed) {
		t.Errorf("Run on a closed board: %v", err)
	}
}

// A kernel that drops an edge, or does not wake the reader of a chip that vanishes, is found out by the
// heartbeat.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSim()
		b := mustOpen(t, s, doorConfig(true))
		events, done := make(chan Event, 9), make(chan error, 1)
		go func() { done <- b.Run(t.Context(), func(e Event) { events <- e }) }()
		<-events
		time.Sleep(time.Second)
		s.mu.Lock()
		s.byName["bell"].high = false // pressed, unheard
		s.mu.Unlock()
		if e := <-events; !e.Active || e.At > heartbeat {
			t.Errorf("event %s", e.text())
		}
		s.mu.Lock()
		s.broken = syscall.ENODEV
		s.mu.Unlock()
		if err := <-done; !errors.Is(err, syscall.ENODEV) || time.Since(s.start) > 2*heartbeat {
			t.Errorf("Run: %v after %v", err, time.Since(s.start))
		}
	})
}

func TestDebounceAllocatesNothing(t *testing.T) {
	d := &debouncer{name: "bell", window: 20 * ms, stuckAfter: time.Minute}
	posted, at := 0, time.Duration(0)
	post := func(Event) { posted++ }
	if n := testing.AllocsPerRun(1000, func() {
		at += time.Second
		d.edge(true, at, post)
		d.edge(false, at+ms, post)
		d.settle(false, at+21*ms, post)
	}); n != 0 || posted < 2000 {
		t.Errorf("%v allocations, %d events", n, posted)
	}
}

func BenchmarkDebounceEdge(b *testing.B) {
	d := &debouncer{name: "bell", window: 20 * ms}
	at, level := time.Duration(0), false
	post := func(Event) {}
	b.ReportAllocs()
	for b.Loop() {
		at, level = at+25*ms, !level
		d.edge(level, at, post)
	}
}
