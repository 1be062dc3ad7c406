package board

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func doorConfig(activeLow bool) Config {
	return Config{
		Inputs: []Input{{Name: "bell", Line: "GPIO17", ActiveLow: true, Bias: PullUp, Debounce: 20 * time.Millisecond, StuckAfter: time.Minute}},
		Relays: []Output{{Name: "door", Line: "GPIO5", ActiveLow: activeLow, MaxOn: 10 * time.Second}},
		Lamps:  []Output{{Name: "lamp", Line: "GPIO22", ActiveLow: activeLow}},
	}
}

func mustOpen(t *testing.T, s *Sim, c Config) *Board {
	t.Helper()
	b, err := s.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// journal is the log of a wire: "0s on, 3s off".
func journal(s *Sim, name string) string {
	var parts []string
	for _, e := range s.Edges(name) {
		level := "off"
		if e.Active {
			level = "on"
		}
		parts = append(parts, fmt.Sprint(e.At, " ", level))
	}
	return strings.Join(parts, ", ")
}

func wantJournal(t *testing.T, s *Sim, name, want string) {
	t.Helper()
	if got := journal(s, name); got != want {
		t.Errorf("%s: %q, want %q", name, got, want)
	}
}

func TestLeaseEndsByItself(t *testing.T) {
	for _, c := range []struct {
		name string
		act  func(t *testing.T, r Relay)
		want string
	}{
		{"its own time", func(t *testing.T, r Relay) { must(t, r.Energize(3*time.Second)) }, "0s on, 3s off"},
		{"the ceiling", func(t *testing.T, r Relay) { must(t, r.Energize(time.Hour)) }, "0s on, 10s off"},
		{"released early", func(t *testing.T, r Relay) {
			must(t, r.Energize(3*time.Second))
			time.Sleep(time.Second)
			must(t, r.Release())
			must(t, r.Release())
		}, "0s on, 1s off"},
		{"extended", func(t *testing.T, r Relay) {
			must(t, r.Energize(3*time.Second))
			time.Sleep(2 * time.Second)
			must(t, r.Energize(3*time.Second))
		}, "0s on, 5s off"},
		{"shortened: the newest call rules", func(t *testing.T, r Relay) {
			must(t, r.Energize(8*time.Second))
			time.Sleep(2 * time.Second)
			must(t, r.Energize(time.Second))
		}, "0s on, 3s off"},
		{"extended for ever", func(t *testing.T, r Relay) {
			for range 99 {
				must(t, r.Energize(5*time.Second))
				time.Sleep(100 * time.Millisecond)
			}
		}, "0s on, 10s off"},
		{"a second lease starts anew", func(t *testing.T, r Relay) {
			must(t, r.Energize(9*time.Second))
			time.Sleep(12 * time.Second)
			must(t, r.Energize(9*time.Second))
		}, "0s on, 9s off, 12s on, 21s off"},
		{"after a release the ceiling counts anew", func(t *testing.T, r Relay) {
			must(t, r.Energize(9*time.Second))
			time.Sleep(8 * time.Second)
			must(t, r.Release())
			time.Sleep(time.Second)
			must(t, r.Energize(9*time.Second))
		}, "0s on, 8s off, 9s on, 18s off"},
		{"no time at all", func(t *testing.T, r Relay) {
			for _, d := range []time.Duration{0, -time.Second} {
				if r.Energize(d) == nil {
					t.Errorf("Energize(%v) is no error", d)
				}
			}
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := NewSim()
				b := mustOpen(t, s, doorConfig(true))
				c.act(t, b.Relay("door")) // without Run: the lease needs nobody
				time.Sleep(time.Minute)
				wantJournal(t, s, "door", c.want)
			})
		})
	}
}

// Many callers who never stop asking get the longest time, and not a moment more.
func TestCeilingAgainstManyCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSim()
		b := mustOpen(t, s, doorConfig(false))
		for i := range 8 {
			go func() {
				for time.Since(s.start) < 9500*time.Millisecond {
					_ = b.Relay("door").Energize(7 * time.Second)
					time.Sleep(time.Duration(i+1) * 3 * time.Millisecond)
				}
			}()
		}
		time.Sleep(time.Minute)
		wantJournal(t, s, "door", "0s on, 10s off")
	})
}

// The relay module's pull holds it released; opening, closing and opening again must not move it, whatever
// the polarity.
func TestRelayNeverMovesUnasked(t *testing.T) {
	for _, activeLow := range []bool{false, true} {
		t.Run(fmt.Sprintf("activeLow=%v", activeLow), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, c := NewSim(), doorConfig(activeLow)
				must(t, s.Pull("GPIO5", activeLow))
				for range 3 {
					b := mustOpen(t, s, c)
					time.Sleep(time.Minute)
					must(t, b.Close())
					must(t, b.Close())
					must(t, s.ReleaseAll(c))
					time.Sleep(time.Minute)
				}
				wantJournal(t, s, "door", "")
				if s.Level("door") {
					t.Error("the relay is energised")
				}

				// A request that fails half-way through leaves the relay alone too.
				bad := c
				bad.Inputs = append([]Input{}, Input{Name: "a", Line: "GPIO1"}, Input{Name: "b", Line: "GPIO1"})
				if _, err := s.Open(bad); err == nil {
					t.Fatal("a line used twice was opened")
				}
				wantJournal(t, s, "door", "")
			})
		})
	}
}

// A relay found energised, because a killed process left it so, is released at Open and by ReleaseAll.
func TestKilledProcessIsCleanedUpAfter(t *testing.T) {
	for _, activeLow := range []bool{false, true} {
		for _, by := range []string{"Open", "ReleaseAll"} {
			t.Run(fmt.Sprintf("%s activeLow=%v", by, activeLow), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, c := NewSim(), doorConfig(activeLow)
					b := mustOpen(t, s, c)
					must(t, b.Relay("door").Energize(5*time.Second))
					must(t, b.Lamp("lamp").Set(true))
					time.Sleep(time.Second)
					s.Kill()
					if err := b.Close(); !errors.Is(err, syscall.EBADF) {
						t.Errorf("close after the kill: %v", err)
					}
					time.Sleep(time.Minute)
					wantJournal(t, s, "door", "0s on")
					if by == "Open" {
						mustOpen(t, s, c)
					} else {
						must(t, s.ReleaseAll(c))
						mustOpen(t, s, c) // the lines are free again
					}
					wantJournal(t, s, "door", "0s on, 1m1s off")
					wantJournal(t, s, "lamp", "0s on, 1m1s off")
				})
			})
		}
	}
}

func TestCloseReleasesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSim()
		b := mustOpen(t, s, doorConfig(true))
		must(t, b.Relay("door").Energize(5*time.Second))
		must(t, b.Lamp("lamp").Set(true))
		time.Sleep(time.Second)
		s.Fail("door", false, 1, 1)
		must(t, b.Close()) // one refusal does not leave the door open
		if err := b.Relay("door").Energize(time.Second); !errors.Is(err, ErrClosed) {
			t.Errorf("Energize on a closed board: %v", err)
		}
		if err := b.Relay("door").Release(); err != nil {
			t.Errorf("Release on a closed board: %v", err)
		}
		if err := b.Lamp("lamp").Set(true); !errors.Is(err, ErrClosed) {
			t.Errorf("Set on a closed board: %v", err)
		}
		time.Sleep(time.Minute)
		wantJournal(t, s, "door", "0s on, 1s off")
		wantJournal(t, s, "lamp", "0s on, 1s off")
	})
}

func TestCloseReportsARelayItCannotRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSim()
		b := mustOpen(t, s, doorConfig(true))
		must(t, b.Relay("door").Energize(5*time.Second))
		s.Fail("door", false, 1, -1)
		if err := b.Close(); !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), `"door"`) {
			t.Errorf("close: %v", err)
		}
	})
}

func TestFailingEnergize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSim()
		b := mustOpen(t, s, doorConfig(true))
		s.Fail("door", true, 2, 1)
		must(t, b.Relay("door").Energize(5*time.Second))
		time.Sleep(time.Second)
		err := b.Relay("door").Energize(5 * time.Second)
		if !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), `energize relay "door"`) {
			t.Errorf("the failing one: %v", err)
		}
		wantJournal(t, s, "door", "0s on, 1s off") // a line in doubt is released
		must(t, b.Relay("door").Energize(5*time.Second))
		time.Sleep(time.Minute)
		wantJournal(t, s, "door", "0s on, 1s off, 1s on, 6s off")
	})
}

func TestFailingReleaseIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s, c := NewSim(), doorConfig(true)
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
		b := mustOpen(t, s, c)
		s.Fail("door", false, 1, 3)
		must(t, b.Relay("door").Energize(5*time.Second))
		time.Sleep(time.Second)
		if err := b.Relay("door").Release(); !errors.Is(err, syscall.EIO) {
			t.Errorf("a failing Release: %v", err)
		}
		time.Sleep(time.Minute) // 10, 20 and 40 ms later
		synctest.Wait()
		wantJournal(t, s, "door", "0s on, 1.07s off")
		for _, want := range []string{"failed=1", "failed=2", "released at last", "input/output error"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log lacks %q:\n%s", want, &log)
			}
		}
	})
}

func TestReleaseThatFailsAtTheEndOfTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSim()
		b := mustOpen(t, s, doorConfig(true))
		s.Fail("door", false, 1, -1)
		must(t, b.Relay("door").Energize(time.Hour))
		time.Sleep(30 * time.Second)
		// The relay is still on, past its longest time: asking for more is refused, and the attempts go on.
		if err := b.Relay("door").Energize(time.Second); err == nil || !strings.Contains(err.Error(), "longest time") {
			t.Errorf("Energize past the ceiling: %v", err)
		}
		s.Heal()
		time.Sleep(retryMax)
		synctest.Wait()
		if s.Level("door") {
			t.Errorf("not released within %v of the fault's end: %s", retryMax, journal(s, "door"))
		}
		must(t, b.Relay("door").Energize(time.Second))
		time.Sleep(time.Minute)
		if n := len(s.Edges("door")); n != 4 || s.Level("door") {
			t.Errorf("after the fault: %s", journal(s, "door"))
		}
	})
}

// An Energize between two failing releases is a valid lease, inside the first one's ceiling.
func TestEnergizeWhileReleaseFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSim()
		b := mustOpen(t, s, doorConfig(true))
		must(t, b.Relay("door").Energize(5*time.Second))
		time.Sleep(6 * time.Second / 2)
		s.Fail("door", false, 1, 1)
		if b.Relay("door").Release() == nil {
			t.Fatal("the release did not fail")
		}
		must(t, b.Relay("door").Energize(time.Hour))
		time.Sleep(time.Minute)
		wantJournal(t, s, "door", "0s on, 10s off")
	})
}

func TestUnknownNames(t *testing.T) {
	b := mustOpen(t, NewSim(), doorConfig(true))
	for _, err := range []error{
		b.Relay("gate").Energize(time.Second), b.Relay("gate").Release(), b.Lamp("door").Set(true), b.Relay("lamp").Energize(1), b.Relay("").Release(),
	} {
		if err == nil || !strings.Contains(err.Error(), "no ") {
			t.Errorf("unknown name: %v", err)
		}
	}
	if n := len(b.Sim().Edges()); n != 0 {
		t.Errorf("%d edges", n)
	}
}

func TestLampReportsFailure(t *testing.T) {
	s := NewSim()
	b := mustOpen(t, s, doorConfig(true))
	s.Fail("lamp", true, 1, 1)
	if err := b.Lamp("lamp").Set(true); !errors.Is(err, syscall.EIO) {
		t.Errorf("lamp: %v", err)
	}
	must(t, b.Lamp("lamp").Set(true))
	if !s.Level("lamp") {
		t.Error("the lamp is dark")
	}
}

func TestEnergizeAllocatesNothing(t *testing.T) {
	b := mustOpen(t, NewSim(), doorConfig(true))
	r, l := b.Relay("door"), b.Lamp("lamp")
	must(t, r.Energize(time.Second)) // the timer is made once
	if n := testing.AllocsPerRun(1000, func() {
		if r.Energize(time.Second) != nil || r.Release() != nil || l.Set(true) != nil || l.Set(false) != nil {
			t.Fatal("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkEnergizeRelease(b *testing.B) {
	board, err := NewSim().Open(doorConfig(true))
	if err != nil {
		b.Fatal(err)
	}
	defer board.Close()
	r := board.Relay("door")
	b.ReportAllocs()
	for b.Loop() {
		if r.Energize(time.Second) != nil || r.Release() != nil {
			b.Fatal("refused")
		}
	}
}
