package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portero/board"
	"portero/board/boardtest"
	"portero/device/config"
	"portero/device/event"
	"portero/sip/fsm/fsmtest"
)

// loop is a station's loop: timers post to it, run executes what was posted.
type loop chan func()

func (l loop) AfterFunc(d time.Duration, f func()) (stop func()) {
	stopped := false
	t := time.AfterFunc(d, func() {
		l <- func() {
			if !stopped {
				f()
			}
		}
	})
	return func() {
		stopped = true
		t.Stop()
	}
}

// run is the loop for d.
func (l loop) run(d time.Duration) {
	end := time.NewTimer(d)
	for {
		select {
		case f := <-l:
			f()
			continue
		case <-end.C:
		}
		break
	}
	synctest.Wait() // what is due at the same moment
	for {
		select {
		case f := <-l:
			f()
		default:
			return
		}
	}
}

// house is doors on a real board with simulated wires.
type house struct {
	loop
	*boardtest.Rig
	*Doors
	start  time.Time
	events []string
	stop   func() // ends the writer of the tamper state
}

// station has a door "front" that opens at once, "gate" with a trigger delay of 2 s, "cellar" without a code,
// and "yard" with a request-to-exit button alone.
func station() *config.Config {
	c := config.Default()
	c.Doors = []config.Door{
		{Name: "front", Line: "GPIO27", SwitchOn: 3 * time.Second, Longest: 10 * time.Second},
		{Name: "gate", Line: "GPIO5", ActiveLow: true, SwitchOn: time.Second, Longest: 10 * time.Second, TriggerDelay: 2 * time.Second},
		{Name: "cellar", Line: "GPIO22", SwitchOn: time.Second, Longest: 10 * time.Second},
		{Name: "yard", Line: "GPIO23", SwitchOn: time.Second, Longest: 10 * time.Second},
	}
	c.Inputs = []config.Input{{Name: "yard button", Kind: config.REX, Line: "GPIO24", Door: "yard", Debounce: 30 * time.Millisecond},
		{Name: "cellar contact", Kind: config.Contact, Line: "GPIO25", Door: "cellar"}}
	c.Codes = []config.Code{{Who: "family", Code: "730158", Doors: []string{"front", "gate"}}}
	return c
}

func newHouse(t *testing.T, logger slog.Handler) *house {
	return newHouseIn(t, t.TempDir(), boardtest.New(t, station().BoardConfig()), logger)
}

// newHouseIn starts doors on a board that is there, with the state in dir.
func newHouseIn(t *testing.T, dir string, rig *boardtest.Rig, logger slog.Handler) *house {
	c := station()
	h := &house{loop: make(loop, 100), Rig: rig, start: time.Now()}
	tamper := NewTamper(dir, c.Access, h.loop, h.note, slog.New(logger))
	h.Doors = NewDoors(c, h.Board.Relay, tamper, h.loop, h.note, slog.New(logger))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- tamper.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(h.stop)
	tamper.Start()
	return h
}

// bare makes the doors of the station on a relay, nothing else.
func bare(t *testing.T, l loop, relay func(string) board.Relay) *Doors {
	c, log, nobody := station(), slog.New(slog.DiscardHandler), func(event.Event) {}
	return NewDoors(c, relay, NewTamper(t.TempDir(), c.Access, l, nobody, log), l, nobody, log)
}

func (h *house) note(e event.Event) {
	s := fmt.Sprintf("%v %s", time.Since(h.start), e.Kind)
	for _, x := range []string{e.Door, e.Input, e.Who, string(e.How), e.Call, e.Reason} {
		if x != "" {
			s += " " + x
		}
	}
	if e.OnMS != 0 {
		s += fmt.Sprintf(" %dms", e.OnMS)
	}
	h.events = append(h.events, s)
}

func (h *house) want(t *testing.T, wires string, events ...string) {
	t.Helper()
	if got := h.Log(); got != wires {
		t.Errorf("wires:\n%swant:\n%s", got, wires)
	}
	if len(events) != len(h.events) {
		t.Errorf("events:\n%s\nwant:\n%s", strings.Join(h.events, "\n"), strings.Join(events, "\n"))
		return
	}
	for i, e := range events {
		if !strings.HasPrefix(h.events[i], e) {
			t.Errorf("event %d is\n%s\nwant\n%s", i, h.events[i], e)
		}
	}
}

// TestTableIsTheGoldenFile holds the rows against the file, which has a reason for each pair without a row.
func TestTableIsTheGoldenFile(t *testing.T) { fsmtest.Of(doorTable).Check(t, "testdata/door.txt") }

// scenes are doors on the real board; together they take every row.
var scenes = []struct {
	name string
	play func(t *testing.T, h *house)
}{
	{"code", func(t *testing.T, h *house) {
		if err := h.Open(Opening{"front", "family", event.ByCode, "call1"}); err != nil {
			t.Error(err)
		}
		h.run(20 * time.Second)
		h.want(t, "0s door:front on\n3s door:front off\n",
			"0s door.opening front family code call1",
			"0s door.opened front family code call1",
			"3s door.closed front family code call1 time over 3000ms")
	}},
	{"trigger delay", func(t *testing.T, h *house) {
		_ = h.Open(Opening{"gate", "", event.ByREX, ""})
		h.run(time.Second)
		if s := h.State("gate"); s != Delayed {
			t.Error(s)
		}
		_ = h.Open(Opening{"gate", "", event.ByREX, ""}) // on its way already
		h.run(20 * time.Second)
		h.want(t, "2s door:gate on\n3s door:gate off\n", "0s door.opening gate rex", "2s door.opened gate rex", "3s door.closed gate rex time over 1000ms")
	}},
	{"closed during the trigger delay", func(t *testing.T, h *house) {
		_ = h.Open(Opening{"gate", "family", event.ByCode, ""})
		h.run(time.Second)
		_ = h.Close("gate", "tamper")
		h.run(20 * time.Second)
		h.want(t, "", "0s door.opening gate", "1s door.failed gate family code tamper")
	}},
	{"opened again and again", func(t *testing.T, h *house) {
		for range 20 {
			_ = h.Open(Opening{"front", "family", event.ByAPI, ""})
			h.run(600 * time.Millisecond) // 12 s in all: the longest time ends it once
		}
		h.run(20 * time.Second)
		if log := h.Log(); log != "0s door:front on\n10s door:front off\n10.2s door:front on\n14.4s door:front off\n" {
			t.Error(log)
		}
	}},
	{"closed early", func(t *testing.T, h *house) {
		_ = h.Open(Opening{"front", "family", event.ByCode, ""})
		h.run(time.Second)
		h.CloseAll("reload")
		if !h.Idle() {
			t.Error("not idle")
		}
		_ = h.Close("front", "twice")
		h.run(20 * time.Second)
		h.want(t, "0s door:front on\n1s door:front off\n", "0s door.opening", "0s door.opened", "1s door.closed front family code reload 1000ms")
	}},
	{"a tamper alarm", func(t *testing.T, h *house) {
		_ = h.Open(Opening{"front", "family", event.ByCode, ""})
		_ = h.Open(Opening{"gate", "family", event.ByCode, ""})
		h.run(time.Second)
		h.Alarm("case", "opened")
		h.run(20 * time.Second)
		h.want(t, "0s door:front on\n1s door:front off\n", "0s door.opening", "0s door.opened",
			"0s door.opening", "1s tamper.alarm",
			"1s door.closed front family code tamper 1000ms", "1s door.failed gate family code tamper")
	}},
	{"a tamper alarm while the inside button's time runs", func(t *testing.T, h *house) {
		_ = h.Open(Opening{"front", "button", event.ByREX, ""})
		h.run(500 * time.Millisecond)
		_ = h.Open(Opening{"gate", "button", event.ByREX, ""})
		h.run(500 * time.Millisecond)
		h.Alarm("case", "opened")
		h.run(20 * time.Second)
		h.want(t, "0s door:front on\n2.5s door:gate on\n3s door:front off\n3.5s door:gate off\n",
			"0s door.opening", "0s door.opened", "500ms door.opening", "1s tamper.alarm", "2.5s door.opened gate button rex",
			"3s door.closed front button rex time over 3000ms", "3.5s door.closed gate button rex time over 1000ms")
	}},
	{"the relay fails as a tamper alarm leaves the button's time", func(t *testing.T, h *house) {
		_ = h.Open(Opening{"front", "button", event.ByREX, ""})
		h.run(time.Second)
		_ = h.Open(Opening{"front", "family", event.ByCode, ""})
		h.FailEnergize("door:front", 1)
		h.Alarm("case", "opened")
		h.run(20 * time.Second)
		if log := h.Log(); log != "0s door:front on\n1s door:front off\n" || !h.Idle() {
			t.Error(log)
		}
	}},
	{"a tamper alarm while the relay does not switch off", func(t *testing.T, h *house) {
		_ = h.Open(Opening{"front", "family", event.ByCode, ""})
		h.FailRelease("door:front", 1, 6)
		h.run(3500 * time.Millisecond)
		h.Alarm("case", "opened")
		h.run(30 * time.Second)
		if h.State("front") != Closed || h.Sim.Level("door:front") {
			t.Errorf("%s, %v", h.State("front"), h.Log())
		}
	}},
	{"the relay does not switch on", func(t *testing.T, h *house) {
		h.FailEnergize("door:front", 1)
		if err := h.Open(Opening{"front", "family", event.ByCode, ""}); err == nil {
			t.Error("no error")
		}
		h.run(20 * time.Second)
		if !h.Idle() {
			t.Error("not idle")
		}
		h.want(t, "", "0s door.opening", "0s door.failed front family code board: energize")
		if err := h.Open(Opening{"front", "family", event.ByCode, ""}); err != nil { // the next one works
			t.Error(err)
		}
	}},
	{"the relay fails while open", func(t *testing.T, h *house) {
		_ = h.Open(Opening{"front", "family", event.ByCode, ""})
		h.run(time.Second)
		h.FailEnergize("door:front", 1)
		if err := h.Open(Opening{"front", "family", event.ByCode, ""}); err == nil {
			t.Error("no error")
		}
		h.want(t, "0s door:front on\n1s door:front off\n", "0s door.opening", "0s door.opened", "1s door.opening",
			"1s door.failed front", "1s door.closed front family code relay failed 1000ms")
	}},
	{"the relay does not switch off", func(t *testing.T, h *house) {
		_ = h.Open(Opening{"front", "family", event.ByCode, ""})
		h.FailRelease("door:front", 1, 12) // the board tries at growing distance, the door each second
		h.run(3500 * time.Millisecond)
		if s := h.State("front"); s != Releasing {
			t.Error(s)
		}
		if err := h.Open(Opening{"front", "family", event.ByCode, ""}); !errors.Is(err, ErrStuck) {
			t.Error(err)
		}
		_ = h.Close("front", "hurry")
		h.run(30 * time.Second)
		if h.State("front") != Closed || h.Sim.Level("door:front") {
			t.Errorf("%s, %v", h.State("front"), h.Log())
		}
		last := h.events[len(h.events)-1]
		if len(h.events) != 5 || !strings.Contains(h.events[2], "door.failed front family code board: release") || !strings.Contains(last, "door.closed") {
			t.Errorf("events:\n%s", strings.Join(h.events, "\n"))
		}
	}},
}

func TestScenesTakeEveryRow(t *testing.T) {
	taken := fsmtest.NewLog()
	for _, scene := range scenes {
		t.Run(scene.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { scene.play(t, newHouse(t, taken)) })
		})
	}
	for _, r := range doorTable.Rows {
		step := fsmtest.Step{Machine: "door", From: string(r.State), Event: string(r.Event), To: string(r.Next)}
		if taken.Taken(step) == 0 {
			t.Errorf("no scene takes %v", r)
		}
	}
}

func TestNothingOpensUnasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, slog.DiscardHandler)
		h.run(time.Hour)
		for _, test := range []struct {
			door string
			how  event.How
			want error
		}{{"cellar", event.ByCode, ErrOff}, {"cellar", event.ByREX, ErrOff}, {"cellar", event.ByAPI, ErrOff},
			{"cellar", event.BySelfTest, ErrOff}, {"attic", event.BySelfTest, ErrNoDoor},
			{"yard", event.ByCode, ErrOff}, {"yard", event.ByAPI, ErrOff}, {"yard", "REX", nil}, {"attic", event.ByCode, ErrNoDoor}, {"front", "", nil}, {"front", "dtmf", nil}} {
			if err := h.Open(Opening{test.door, "family", test.how, ""}); err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("%+v: %v", test, err)
			}
		}
		h.CloseAll("the end")
		if err := h.Close("attic", ""); !errors.Is(err, ErrNoDoor) {
			t.Error(err)
		}
		h.run(time.Hour)
		if log := h.Log(); log != "" {
			t.Errorf("wires moved:\n%s", log)
		}
		if !h.Idle() || h.State("attic") != "" || h.State("front") != Closed {
			t.Error("states")
		}
	})
}

func TestNoRelayOnTheBoard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := board.Open(board.Config{Sim: true})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		l := make(loop, 10)
		ds := bare(t, l, b.Relay)
		if err := ds.Open(Opening{"front", "family", event.ByCode, ""}); err == nil {
			t.Error("no error")
		}
		if !ds.Idle() { // what is not there is not on
			t.Errorf("the door is %s", ds.State("front"))
		}
		l.run(time.Minute)
	})
}

// TestMissingDoorIsTold: who asks for a door that is not there finds it in the events.
func TestMissingDoorIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, slog.DiscardHandler)
		if err := h.Open(Opening{"attic", "attic button", event.ByREX, ""}); !errors.Is(err, ErrNoDoor) {
			t.Error(err)
		}
		h.want(t, "", "0s door.failed attic attic button rex no such door")
	})
}

// TestStuckLoop: the relay's own lease closes the door while the loop does not run its timers.
func TestStuckLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, slog.DiscardHandler)
		_ = h.Open(Opening{"front", "family", event.ByCode, ""})
		h.WaitEdge("door:front", true, time.Second)
		h.WaitEdge("door:front", false, time.Minute)
		if log := h.Log(); log != "0s door:front on\n3s door:front off\n" {
			t.Error(log)
		}
		h.run(time.Second)
		if h.State("front") != Closed {
			t.Error(h.State("front"))
		}
	})
}

// endless is a relay without a lease of its own: only the door ends it.
type endless struct {
	start time.Time
	log   []string
}

func (r *endless) Energize(d time.Duration) error {
	r.log = append(r.log, fmt.Sprintf("%v on for %v", time.Since(r.start), d))
	return nil
}

func (r *endless) Release() error {
	r.log = append(r.log, fmt.Sprintf("%v off", time.Since(r.start)))
	return nil
}

func TestTheDoorItselfKeepsTheLongestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := make(loop, 10), &endless{start: time.Now()}
		ds := bare(t, l, func(string) board.Relay { return r })
		for range 5 {
			_ = ds.Open(Opening{"front", "family", event.ByCode, ""})
			l.run(2 * time.Second)
		}
		l.run(time.Minute)
		want := []string{"0s on for 3s", "2s on for 3s", "4s on for 3s", "6s on for 3s", "8s on for 2s", "10s off"}
		if !slices.Equal(r.log, want) {
			t.Errorf("got  %v\nwant %v", r.log, want)
		}
	})
}

// TestLateTimer: a timer that waits in the loop's inbox while its opening is closed does not end the next
// opening.
func TestLateTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := make(loop, 10), &endless{start: time.Now()}
		ds := bare(t, l, func(string) board.Relay { return r })
		_ = ds.Open(Opening{"front", "family", event.ByCode, ""})
		time.Sleep(4 * time.Second) // the loop is busy; time-over is in its inbox
		synctest.Wait()
		ds.CloseAll("test")
		_ = ds.Open(Opening{"front", "family", event.ByCode, ""})
		l.run(time.Minute)
		want := []string{"0s on for 3s", "4s off", "4s on for 3s", "7s off"}
		if !slices.Equal(r.log, want) {
			t.Errorf("got  %v\nwant %v", r.log, want)
		}
	})
}
