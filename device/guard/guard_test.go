package guard

import (
	"errors"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// bench is a guard in a bubble whose lines and stations are made here.
type bench struct {
	t       *testing.T
	g       *guard
	mu      sync.Mutex
	level   map[int]bool // by descriptor: energised
	broken  map[int]bool // releases fail
	refuse  int          // starts that fail
	latest  *fakeStation
	starts  []time.Time
	manager []string
	signals chan os.Signal
	done    chan error
}

// fakeStation is the other end of the guard's socket.
type fakeStation struct {
	t    *testing.T
	to   chan message // the guard's in
	from chan message // what it was sent
	gone atomic.Bool
	deaf atomic.Bool // it answers no ping

	mu     sync.Mutex
	killed []os.Signal
	given  []message // before its greeting's end, and that
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, level: map[int]bool{}, broken: map[int]bool{}, signals: make(chan os.Signal, 1), done: make(chan error, 1)}
	b.g = newGuard(func(fd int) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.broken[fd] {
			return syscall.EIO
		}
		b.level[fd] = false
		return nil
	}, slog.New(slog.DiscardHandler))
	b.g.lines.close = func(int) {}
	b.g.manager = func(a ...string) error { b.manager = append(b.manager, a...); return nil }
	b.g.start = func() (*station, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.refuse > 0 {
			b.refuse--
			return nil, errors.New("no memory")
		}
		b.starts = append(b.starts, time.Now())
		return b.newStation(), nil
	}
	b.g.station = b.newStation() // before run: nobody else knows of it
	go func() { b.done <- b.g.run(b.signals) }()
	t.Cleanup(func() { // the bubble wants every goroutine back
		b.signals <- syscall.SIGTERM
		synctest.Wait()
		if !b.current().gone.Load() {
			b.current().die()
		}
		<-b.done
	})
	return b
}

func (b *bench) newStation() *station {
	s := &fakeStation{t: b.t, to: make(chan message, 16), from: make(chan message, 64)}
	b.latest = s
	go s.answer()
	return watched(&end{in: s.to, send: func(m message) error {
		if !s.gone.Load() {
			s.from <- m
		}
		return nil
	}, kill: func(sig os.Signal) error {
		if s.gone.Load() {
			return os.ErrProcessDone
		}
		s.mu.Lock()
		s.killed = append(s.killed, sig)
		s.mu.Unlock()
		if sig == os.Kill {
			s.die()
		}
		return nil
	}, close: func() {}}, time.Now())
}

// answer is the station's healthy side: it answers pings.
func (s *fakeStation) answer() {
	for m := range s.from {
		if n := len(s.given); m.Kind != ping && (n == 0 || s.given[n-1].Kind != begin) {
			s.given = append(s.given, m)
		}
		if m.Kind == ping && !s.deaf.Load() && !s.gone.Load() {
			s.to <- message{Kind: pong}
		}
	}
}

func (s *fakeStation) signals() []os.Signal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.killed)
}

func (s *fakeStation) die() {
	s.gone.Store(true)
	close(s.to)
	close(s.from)
}

func (b *bench) set(levels map[int]bool, to bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	levels[7] = to
}

func (b *bench) current() *fakeStation {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.latest
}

func (b *bench) energised() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.level[7]
}

// sleep lets time pass, and all that is due then happen.
func (b *bench) sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// open has the station's relay on descriptor 7 energised for the time.
func (b *bench) open(atMost time.Duration) {
	b.current().to <- message{Kind: keep, Line: "front", fd: 7}
	synctest.Wait()
	b.current().to <- message{Kind: lease, Line: "front", For: atMost}
	synctest.Wait()
	b.set(b.level, true)
}

// released waits for the relay on descriptor 7 to be released, and says how long that took.
func (b *bench) released(atMost time.Duration) time.Duration {
	b.t.Helper()
	began := time.Now()
	for b.energised() {
		if time.Since(began) > atMost {
			b.t.Fatalf("the relay is energised after %v", atMost)
		}
		b.sleep(10 * time.Millisecond)
	}
	return time.Since(began)
}

func TestStationKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.sleep(time.Minute)
		b.open(3 * time.Second)
		died := time.Now()
		b.current().die()
		synctest.Wait()
		if b.energised() {
			t.Error("the relay is energised, and its station is dead")
		}
		b.sleep(time.Second)
		if len(b.starts) != 1 || b.starts[0].Sub(died) > 100*time.Millisecond {
			t.Errorf("stations started at %v, want one right after %v", b.starts, died)
		}
		if want := []string{"STATUS=starting: the station was lost (it ended), another is started", "WATCHDOG=1"}; !slices.Equal(b.manager, want) {
			t.Errorf("systemd was told %q", b.manager)
		}
	})
}

// TestLinesAreHandedOn: another station gets the lines and settings of the one before, and hears how that
// ended.
func TestLinesAreHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.open(time.Second)
		b.current().to <- message{Kind: settings, Data: []byte("version = 1")}
		synctest.Wait()
		b.current().die()
		b.sleep(startAgain + time.Second)
		got := b.current().given
		if len(got) < 3 || got[0].Kind != keep || got[0].Line != "front" || got[0].fd != 7 ||
			got[1].Kind != settings || string(got[1].Data) != "version = 1" ||
			got[2].Kind != begin || string(got[2].Data) != "it ended, released front" {
			t.Errorf("the new station was given %+v", got)
		}
	})
}

// TestShortLivesArePaced: a station that dies soon is replaced at once, and the next one, which does, too,
// after a while.
func TestShortLivesArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		began := time.Now()
		for range 3 {
			b.current().die()
			b.sleep(startAgain + lookEvery)
		}
		var after []time.Duration
		for _, at := range b.starts {
			after = append(after, at.Sub(began).Round(100*time.Millisecond))
		}
		if want := []time.Duration{0, 2 * startAgain, 3 * startAgain}; !slices.Equal(after, want) {
			t.Errorf("started after %v, want %v", after, want)
		}
	})
}

func TestStationStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.sleep(time.Minute)
		b.open(time.Minute)
		b.current().deaf.Store(true)
		stopped := b.current()
		if took := b.released(time.Minute); took > 950*time.Millisecond {
			t.Errorf("released after %v, want below 1 s", took)
		}
		b.sleep(silentLong)
		if !slices.Contains(stopped.signals(), os.Kill) || len(b.starts) != 1 {
			t.Errorf("the silent station got %v, %d started; want SIGKILL and 1", stopped.signals(), len(b.starts))
		}
	})
}

func TestIdleStationStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.sleep(time.Minute + pingEvery/2)
		b.current().deaf.Store(true)
		b.sleep(4 * time.Second)
		if len(b.starts) != 1 {
			t.Errorf("%d stations started within 4 s, want 1", len(b.starts))
		}
	})
}

// TestLoopHangs: the process answers, its loop does not: stacks first, then the end. A station that never
// told of a loop is not judged.
func TestLoopHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.sleep(time.Hour)
		if len(b.starts) != 0 {
			t.Fatal("a station without a sign of its loop was replaced")
		}
		hung := b.current()
		hung.to <- message{Kind: alive}
		b.sleep(loopSilent - 10*time.Millisecond)
		if len(hung.signals()) != 0 {
			t.Fatalf("signals %v before %v", hung.signals(), loopSilent)
		}
		b.sleep(abortTakes + 100*time.Millisecond)
		if !slices.Equal(hung.signals(), []os.Signal{syscall.SIGABRT, os.Kill}) || len(b.starts) != 1 {
			t.Errorf("signals %v, %d started; want SIGABRT, SIGKILL, 1", hung.signals(), len(b.starts))
		}
	})
}

// TestLeaseOver: the station lives and answers, but its own timer did not fire.
func TestLeaseOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.open(2 * time.Second)
		if took := b.released(time.Minute); took < 2*time.Second || took > 2*time.Second+leaseSlack+20*time.Millisecond {
			t.Errorf("released after %v, want 2 s and a little", took)
		}
		if len(b.starts) != 0 {
			t.Error("the station was replaced")
		}
	})
}

func TestLeaseEndedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.open(2 * time.Second)
		b.current().to <- message{Kind: lease, Line: "front"}
		synctest.Wait()
		b.set(b.level, true) // by somebody else: the guard has nothing to do with it
		b.sleep(time.Minute)
		if !b.energised() {
			t.Error("a released line was released again")
		}
	})
}

func TestFailingReleaseIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.sleep(time.Minute)
		b.open(time.Minute)
		b.set(b.broken, true)
		b.current().die()
		b.sleep(10 * time.Second)
		b.set(b.broken, false)
		if took := b.released(time.Minute); took > 2*releaseRetry {
			t.Errorf("released %v after it became possible", took)
		}
	})
}

// TestLeaseComesWithTheLine: a guard that takes another's place knows how long a relay may be energised
// still.
func TestLeaseComesWithTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.set(b.level, true)
		b.current().to <- message{Kind: keep, Line: "front", For: time.Second, fd: 7}
		if took := b.released(time.Minute); took < time.Second || took > time.Second+leaseSlack+20*time.Millisecond {
			t.Errorf("released after %v, want 1 s and a little", took)
		}
	})
}

func TestStopEndsBoth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.open(time.Minute)
		b.current().to <- message{Kind: bye}
		synctest.Wait()
		b.current().die()
		synctest.Wait()
		if b.energised() || len(b.starts) != 0 {
			t.Errorf("after a regular end: energised %v, %d started", b.energised(), len(b.starts))
		}
		b.done <- <-b.done
	})
}

// TestKilledWhileStopping: the unit is being stopped, and the station dies on the way: nobody starts another.
func TestKilledWhileStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.signals <- syscall.SIGTERM
		b.sleep(time.Second)
		b.current().die()
		b.done <- <-b.done
		if len(b.starts) != 0 {
			t.Errorf("%d stations started", len(b.starts))
		}
	})
}

func TestFailedStartIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.sleep(time.Minute)
		b.mu.Lock()
		b.refuse = 3
		b.mu.Unlock()
		b.current().die()
		b.sleep(3*startAgain + time.Second)
		if len(b.starts) != 1 || b.refuse != 0 {
			t.Errorf("%d started, %d tries left; want 1, 0", len(b.starts), b.refuse)
		}
	})
}
