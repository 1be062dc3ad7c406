package access

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/board/boardtest"
	"portero/device/event"
)

// TestREXNeedsNoCode: the button of a door without codes opens it, and no code or program does
// (TestNothingOpensUnasked).
func TestREXNeedsNoCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, slog.DiscardHandler)
		if err := h.Open(Opening{"yard", "yard button", event.ByREX, ""}); err != nil {
			t.Error(err)
		}
		h.run(time.Minute)
		h.want(t, "0s door:yard on\n1s door:yard off\n", "0s door.opening yard yard button rex", "0s door.opened yard", "1s door.closed yard")
	})
}

// TestAlarmClosesAndBlocks what codes and programs open, in whatever state it is, and nothing of the inside
// button's.
func TestAlarmClosesAndBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, slog.DiscardHandler)
		_ = h.Open(Opening{"front", "family", event.ByCode, "call1"})
		_ = h.Open(Opening{"gate", "family", event.ByCode, "call1"}) // its delay runs
		_ = h.Open(Opening{"yard", "yard button", event.ByREX, ""})
		h.run(500 * time.Millisecond)
		h.Alarm("case", "opened")
		wires := "0s door:front on\n0s door:yard on\n500ms door:front off\n"
		h.want(t, wires, "0s door.opening front", "0s door.opened front", "0s door.opening gate", "0s door.opening yard", "0s door.opened yard",
			"500ms tamper.alarm case opened", "500ms door.closed front family code call1 tamper 500ms",
			"500ms door.failed gate family code call1 tamper")
		h.events = nil
		h.run(time.Second)
		wires += "1s door:yard off\n"
		h.want(t, wires, "1s door.closed yard yard button rex time over 1000ms")
		for _, how := range []event.How{event.ByCode, event.ByAPI, event.BySelfTest} {
			for _, door := range []string{"front", "gate", "yard"} {
				h.events = nil
				if err := h.Open(Opening{door, "x", how, ""}); !errors.Is(err, ErrTamper) {
					t.Errorf("%s by %s: %v", door, how, err)
				}
				h.want(t, wires, "1.5s door.failed "+door+" x "+string(how)+" after a tamper alarm codes")
			}
		}
		h.events = nil
		if err := h.Open(Opening{"yard", "yard button", event.ByREX, ""}); err != nil {
			t.Error(err)
		}
		h.run(28*time.Minute + 58500*time.Millisecond)
		wires += "1.5s door:yard on\n2.5s door:yard off\n"
		h.want(t, wires, "1.5s door.opening yard yard button rex", "1.5s door.opened yard",
			"2.5s door.closed yard yard button rex time over 1000ms")
		h.events = nil
		h.Alarm("case", "opened") // begins it anew
		h.run(29*time.Minute + 500*time.Millisecond)
		if err := h.Open(Opening{"front", "family", event.ByCode, ""}); !errors.Is(err, ErrTamper) {
			t.Error(err)
		}
		h.run(time.Minute)
		h.want(t, wires, "29m0s tamper.alarm case", "58m0.5s door.failed front", "59m0s tamper.over")
		if err := h.Open(Opening{"front", "family", event.ByCode, ""}); err != nil {
			t.Error(err)
		}
		if log := h.Log(); log != wires+"59m0.5s door:front on\n" {
			t.Error(log)
		}
	})
}

// TestAlarmLeavesTheButtonsShare of an opening that a code and the inside button have asked for both.
func TestAlarmLeavesTheButtonsShare(t *testing.T) {
	type ask struct {
		after time.Duration
		how   event.How
	}
	const code, rex = event.ByCode, event.ByREX
	for _, c := range []struct {
		name, door string
		asks       []ask
		alarm      time.Duration // after the latest
		want       string
	}{
		{"the button's time is the longer", "front", []ask{{0, code}, {time.Second, rex}}, time.Second,
			"0s door:front on\n4s door:front off\n"},
		{"the code's is", "front", []ask{{0, rex}, {time.Second, code}}, time.Second,
			"0s door:front on\n3s door:front off\n"},
		{"the button's is over", "front", []ask{{0, rex}, {2 * time.Second, code}}, 1500 * time.Millisecond,
			"0s door:front on\n3.5s door:front off\n"},
		{"pressed twice", "front", []ask{{0, rex}, {2 * time.Second, rex}}, time.Second,
			"0s door:front on\n5s door:front off\n"},
		{"pressed in a code's delay", "gate", []ask{{0, code}, {time.Second, rex}}, 0,
			"2s door:gate on\n3s door:gate off\n"},
		{"a code in the button's delay", "gate", []ask{{0, rex}, {time.Second, code}}, 0,
			"2s door:gate on\n3s door:gate off\n"},
		{"the opening before was the button's", "front", []ask{{0, rex},
			{4 * time.Second, code}}, time.Second,
			"0s door:front on\n3s door:front off\n4s door:front on\n5s door:front off\n"},
		{"no button", "front", []ask{{0, code}, {time.Second, code}}, time.Second,
			"0s door:front on\n2s door:front off\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, slog.DiscardHandler)
				for _, a := range c.asks {
					h.run(a.after)
					if err := h.Open(Opening{c.door, "x", a.how, ""}); err != nil {
						t.Error(err)
					}
				}
				h.run(c.alarm)
				h.Alarm("case", "opened")
				h.run(20 * time.Second)
				if got := h.Log(); got != c.want || !h.Idle() {
					t.Errorf("wires:\n%swant:\n%s", got, c.want)
				}
			})
		})
	}
}

// TestAlarmWhileTheRelayFails: an alarm cannot make a broken relay work, but the door stays what it is: not
// closed, tried again.
func TestAlarmWhileTheRelayFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, slog.DiscardHandler)
		_ = h.Open(Opening{"front", "family", event.ByCode, ""})
		h.FailRelease("door:front", 1, 3)
		h.run(time.Second)
		h.Alarm("case", "opened")
		if s := h.State("front"); s != Releasing {
			t.Error(s)
		}
		h.run(5 * time.Second)
		if h.State("front") != Closed || h.Sim.Level("door:front") {
			t.Error(h.Log())
		}
	})
}

func TestBlockOutlivesRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, rig := t.TempDir(), boardtest.New(t, station().BoardConfig())
		h := newHouseIn(t, dir, rig, slog.DiscardHandler)
		h.Alarm("case", "opened")
		h.stop()
		for range 3 { // each restart begins it anew
			h = newHouseIn(t, dir, rig, slog.DiscardHandler)
			h.want(t, "", "0s tamper.alarm restart during a block")
			h.run(20 * time.Minute)
			if err := h.Open(Opening{"front", "family", event.ByCode, ""}); !errors.Is(err, ErrTamper) {
				t.Error(err)
			}
			h.stop()
		}
		h = newHouseIn(t, dir, rig, slog.DiscardHandler)
		h.run(31 * time.Minute)
		h.want(t, "", "0s tamper.alarm", "30m0s tamper.over")
		h.stop()
		h = newHouseIn(t, dir, rig, slog.DiscardHandler)
		if err := h.Open(Opening{"front", "family", event.ByCode, ""}); err != nil || len(h.events) != 2 {
			t.Errorf("after the end: %v, %v", err, h.events)
		}
	})
}

func TestUnreadableTamperStateBlocks(t *testing.T) {
	for _, text := range []string{"", "x", "{", `{"blocked":1}`, `{"blocked":false,"open":true}`, `{"blocked":false}{}`, strings.Repeat(" ", 5000) + "{}", "\x00\x00"} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, tamperFile), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			h := newHouseIn(t, dir, boardtest.New(t, station().BoardConfig()), slog.DiscardHandler)
			if err := h.Open(Opening{"front", "family", event.ByCode, ""}); !errors.Is(err, ErrTamper) {
				t.Errorf("%.20q: %v", text, err)
			}
			h.run(31 * time.Minute)
			h.want(t, "", "0s tamper.alarm its state is unreadable", "0s door.failed", "30m0s tamper.over")
		})
	}
}

// TestBlockHoldsBeforeStart: what asks between NewTamper and Start is refused as well.
func TestBlockHoldsBeforeStart(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, tamperFile), []byte(`{"blocked":true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if tamper := NewTamper(dir, station().Access, make(loop), func(event.Event) {}, slog.New(slog.DiscardHandler)); !tamper.Blocked() {
		t.Error("not blocked")
	}
}

func TestOpenedWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, slog.DiscardHandler)
		const ago = 10 * time.Second
		if h.OpenedWithin("front", ago) || h.OpenedWithin("attic", ago) || h.Energised() {
			t.Error("before")
		}
		_ = h.Open(Opening{"gate", "family", event.ByCode, ""})
		if h.OpenedWithin("gate", ago) || h.Energised() {
			t.Error("in the trigger delay")
		}
		h.run(2500 * time.Millisecond)
		if !h.OpenedWithin("gate", 0) || !h.Energised() || h.OpenedWithin("front", ago) {
			t.Error("energised")
		}
		h.run(10 * time.Second) // 9.5 s after the release
		if !h.OpenedWithin("gate", ago) || h.Energised() {
			t.Error("just released")
		}
		h.run(time.Second)
		if h.OpenedWithin("gate", ago) {
			t.Error("long ago")
		}
		h.FailEnergize("door:front", 1)
		_ = h.Open(Opening{"front", "family", event.ByCode, ""})
		if h.OpenedWithin("front", ago) {
			t.Error("never energised")
		}
	})
}
