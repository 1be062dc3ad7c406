package app

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/board"
	"portero/device/event"
)

const insideButton = `[[input]]
name = "exit"
kind = "rex"
line = "GPIO23"
door = "front"
[[door]]
name = "garden"
line = "GPIO26"
[[incoming.allow]]
from = "sip:kitchen@10.0.0.9"
source = "10.0.0.9"
[audio]`

// standIn runs a station whose file is changed by edits after it has run for a while.
func standIn(t *testing.T, edits ...string) *station {
	t.Helper()
	s := newStation(t, "[audio]", insideButton)
	s.mustStart()
	s.end()
	s.edit(edits...)
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	return s
}

// since lists what was told so far and not read, and its times.
func (s *station) since() (told []event.Event) {
	synctest.Wait()
	for ev, ok := s.events.TryNext(); ok; ev, ok = s.events.TryNext() {
		told = append(told, ev)
	}
	return told
}

func kinds(told []event.Event) (kinds []event.Kind) {
	for _, ev := range told {
		kinds = append(kinds, ev.Kind)
	}
	return kinds
}

// TestStandInIsAState: what stands in, without what and why is told at the start and each hour, and nothing
// else is told of it; the button inside opens its door all the while.
func TestStandInIsAState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := standIn(t, "targets", "tragets")
		began := time.Now()
		fi, err := os.Stat(s.lastGood())
		if err != nil {
			t.Fatal(err)
		}
		s.rejected("tragets")
		ev := s.want(event.StationDegraded)
		for _, part := range []string{
			"the last good copy, of " + fi.ModTime().Format("2006-01-02 15:04") + ", stands in for the file",
			", without codes, callers, door garden: ", `bell[0].tragets`} {
			if !strings.Contains(ev.Reason, part) {
				t.Errorf("degraded: %q, want %q in it", ev.Reason, part)
			}
		}
		if strings.Contains(ev.Reason, "warning") || strings.Contains(ev.Reason, "info") {
			t.Errorf("degraded: %q, of which a warning is no reason", ev.Reason)
		}
		s.want(event.StationReady)
		for hour := 1; hour <= 2; hour++ {
			time.Sleep(time.Until(began.Add(time.Duration(hour)*time.Hour + time.Minute)))
			told := s.since()
			if len(told) != 1 || told[0].Kind != event.StationDegraded || told[0].Reason != ev.Reason {
				t.Fatalf("in hour %d: %+v", hour, told)
			}
			if late := told[0].At.Sub(began) - time.Duration(hour)*time.Hour; late < 0 || late > tryEvery {
				t.Errorf("told %v late", late)
			}
		}
		if err := s.sim.Press("input:exit", true); err != nil {
			t.Fatal(err)
		}
		if ev := s.want(event.DoorOpened); ev.Door != "front" || ev.How != event.ByREX {
			t.Errorf("opened: %+v", ev)
		}
		if ev := s.want(event.DoorClosed); ev.OnMS != 3000 {
			t.Errorf("closed: %+v", ev)
		}
		s.rings("front")
		s.end()
	})
}

// TestStandInEndsByItself, as soon as the file can be used. A new reason is told once.
func TestStandInEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := standIn(t, "targets", "tragets")
		s.want(event.StationReady)
		s.edit("GPIO17", "GPIO17x")
		s.rejected("GPIO17x")
		time.Sleep(5 * tryEvery)
		if told := s.since(); len(told) != 0 {
			t.Errorf("told again: %v", kinds(told))
		}
		s.edit("tragets", "targets", "GPIO17x", "GPIO17")
		repaired := time.Now()
		s.want(event.ConfigReloaded)
		s.want(event.StationReady)
		if took := time.Since(repaired); took > tryEvery+time.Second {
			t.Errorf("the file waited %v", took)
		}
		time.Sleep(2 * time.Hour)
		if told := s.since(); len(told) != 0 {
			t.Errorf("a good station tells %v", kinds(told))
		}
		if codes := len(s.program.standing.app.Config.Codes); codes != 1 {
			t.Errorf("%d codes", codes)
		}
		s.end()
	})
}

// TestStandInWaitsForTalks: the file is taken after the call that goes on, and after the door has closed.
func TestStandInWaitsForTalks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := standIn(t, "targets", "tragets")
		s.want(event.StationReady)
		time.Sleep(tryEvery - 2*time.Second)
		s.program.Press() // its call ends 5 s later, within which the file is looked at
		s.want(event.CallStarted)
		s.edit("tragets", "targets")
		time.Sleep(4 * time.Second)
		if err := s.sim.Press("input:exit", true); err != nil {
			t.Fatal(err)
		}
		s.want(event.ConfigReloaded)
		var order []event.Kind
		want := []event.Kind{event.CallEnded, event.DoorClosed, event.ConfigReloaded}
		for _, ev := range s.program.events.Recent() {
			if slices.Contains(want, ev.Kind) {
				order = append(order, ev.Kind)
			}
		}
		if !slices.Equal(order, want) {
			t.Errorf("in the order %v, want %v", order, want)
		}
		s.end()
	})
}

// TestStandInForAPort: while another program holds the file's port the bell rings on without a gap, and the
// file is taken once the port is free.
func TestStandInForAPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		s.mustStart()
		s.end()
		s.edit("10.0.0.1:5062", "10.0.0.2:5062")
		s.taken.Store("10.0.0.2:5062", true)
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
		s.rejected("change sip.listen")
		s.want(event.StationReady)
		time.Sleep(10*time.Minute + time.Second)
		if told := s.since(); len(told) != 0 {
			t.Errorf("while it is taken: %v", kinds(told))
		}
		s.taken.Delete("10.0.0.2:5062")
		free := time.Now()
		s.want(event.ConfigReloaded)
		if took := time.Since(free); took > tryEvery+time.Second {
			t.Errorf("the port was free for %v", took)
		}
		s.want(event.StationReady)
		s.end()
	})
}

// TestStandInDoesNotFlap: a file that looks good and that no station can be built from costs the bell a moment
// each ten minutes, or when it has changed.
func TestStandInDoesNotFlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		s.mustStart()
		s.end()
		opens := s.open
		s.open = func(c board.Config) (*board.Board, error) {
			if c.Inputs[0].Line != "GPIO17" {
				return nil, errors.New("the chip says no")
			}
			return opens(c)
		}
		s.edit("GPIO17", "GPIO22")
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
		s.rejected("the chip says no")
		s.want(event.StationReady)
		time.Sleep(29 * time.Minute)
		ready := 0
		for _, ev := range s.since() {
			if ev.Kind == event.StationReady {
				ready++
			}
		}
		if ready != 3 {
			t.Errorf("built %d times in half an hour", ready)
		}
		s.edit("GPIO22", "GPIO24")
		changed := time.Now()
		s.want(event.StationReady)
		if took := time.Since(changed); took > tryEvery+time.Second {
			t.Errorf("the changed file was tried after %v", took)
		}
		s.end()
	})
}

// TestSimulationStandsInForNothing: where the copy only simulates a board, nobody is told that a bell rings.
func TestSimulationStandsInForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		s.mustStart()
		s.end()
		s.edit("targets", "tragets", "sim = true", "sim = false")
		err := s.start()
		if err == nil {
			s.end()
			t.Fatal("it runs")
		}
		for _, part := range []string{"tragets", "only simulates a board"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%v\nwant %q in it", err, part)
			}
		}
	})
}

// TestWhatBecomesGood: a configuration that has run for a minute, or until it was told to end; not one whose
// station fails at once.
func TestWhatBecomesGood(t *testing.T) {
	kept := func(s *station) string {
		synctest.Wait()
		text, err := os.ReadFile(s.lastGood())
		if err != nil && !os.IsNotExist(err) {
			s.t.Fatal(err)
		}
		return string(text)
	}
	for name, c := range map[string]struct {
		runs  time.Duration
		fails bool
		good  bool
	}{
		"for a moment, as told":    {time.Second, false, true},
		"for a moment, then fails": {59 * time.Second, true, false},
		"for a minute, then fails": {61 * time.Second, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStation(t)
				s.mustStart()
				time.Sleep(c.runs - time.Second)
				if c.runs < goodAfter && kept(s) != "" {
					t.Error("kept at once")
				}
				time.Sleep(time.Second)
				if c.fails {
					s.socket <- errors.New("the socket is gone")
					if err := <-s.done; err == nil {
						t.Error("it did not fail")
					}
				} else {
					s.end()
				}
				if got := strings.HasPrefix(kept(s), s.text()); got != c.good {
					t.Errorf("kept: %v, want %v", got, c.good)
				}
			})
		})
	}
}

// TestReloadBecomesGoodLater: a file that was taken by a reload, and then replaced, was never good.
func TestReloadBecomesGoodLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		s.mustStart()
		time.Sleep(2 * goodAfter)
		limit := func() (limit string) {
			synctest.Wait()
			text, err := os.ReadFile(s.lastGood())
			if err != nil {
				t.Fatal(err)
			}
			_, after, _ := strings.Cut(string(text), "ring_limit = ")
			limit, _, _ = strings.Cut(after, "\n")
			return limit
		}
		for i := 6; i <= 7; i++ {
			s.reload(fmt.Sprintf(`ring_limit = "%ds"`, i-1), fmt.Sprintf(`ring_limit = "%ds"`, i))
			s.want(event.ConfigReloaded)
			s.want(event.StationReady)
			time.Sleep(goodAfter / 2)
			if got := limit(); got != `"5s"` {
				t.Errorf("kept after half a minute: %s", got)
			}
		}
		time.Sleep(goodAfter / 2)
		if got := limit(); got != `"7s"` {
			t.Errorf("kept after a minute: %s", got)
		}
		s.end()
	})
}
