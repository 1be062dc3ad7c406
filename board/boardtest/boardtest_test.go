package boardtest

import (
	"testing"
	"testing/synctest"
	"time"

	"portero/board"
)

func TestVisit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(t, DoorConfig())
		r.Listen()
		for range 2 {
			if e := r.NextEvent(time.Second); !e.Initial || e.Active {
				t.Fatalf("initial level: %+v", e)
			}
		}
		r.Bounce("bell", true, 5, time.Millisecond)
		if e := r.NextEvent(time.Second); e != (board.Event{Line: "bell", Active: true}) {
			t.Errorf("press: %+v", e)
		}
		r.NoEvent(time.Second)
		r.Set("bell", false)
		if e := r.NextEvent(time.Second); e.Active || e.At != 1010*time.Millisecond {
			t.Errorf("let go: %+v", e)
		}

		r.FailEnergize("door", 1)
		if err := r.Board.Relay("door").Energize(3 * time.Second); err == nil {
			t.Error("the failing Energize succeeded")
		}
		r.FailRelease("door", 1, 2)
		if err := r.Board.Relay("door").Energize(3 * time.Second); err != nil {
			t.Error(err)
		}
		on, off := r.WaitEdge("door", true, time.Second), r.WaitEdge("door", false, 5*time.Second)
		if d := off.At - on.At; d != 3030*time.Millisecond {
			t.Errorf("on for %v; 3 s and two failing releases, 10 and 20 ms apart, are 3.03 s", d)
		}
		if got, want := r.Log("door"), "1.01s door on\n4.04s door off\n"; got != want {
			t.Errorf("log %q, want %q", got, want)
		}
	})
}

func TestRestartAndCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(t, DoorConfig())
		r.Restart()
		r.Press("bell", 100*time.Millisecond)
		if got := r.Log("door", "lamp"); got != "" {
			t.Errorf("a restart moved %s", got)
		}
		if err := r.Board.Relay("door").Energize(time.Hour); err != nil {
			t.Fatal(err)
		}
		r.WaitEdge("door", true, time.Second)
		r.Crash()
		if e := r.WaitEdge("door", false, 0); e.At != 100*time.Millisecond {
			t.Errorf("released at %v, not when the board came back", e.At)
		}
		if got, want := r.Log("bell"), "0s bell on\n100ms bell off\n"; got != want {
			t.Errorf("log %q, want %q", got, want)
		}
	})
}
