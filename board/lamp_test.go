package board

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestLampIsNeverFatal: a lamp's line that somebody else holds costs the lamp, and neither bell nor door.
func TestLampIsNeverFatal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSim()
		_, err := s.kernel().request(request{name: "sound", line: "GPIO22", output: true})
		must(t, err)
		c := doorConfig(true)
		b := mustOpen(t, s, c)
		if err := b.Lamp("lamp").Set(true); !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "portero:sound") {
			t.Errorf("Set: %v", err)
		}
		must(t, b.Relay("door").Energize(time.Second))
		if !s.Level("door") {
			t.Error("the relay does not switch")
		}
		ctx, cancel := context.WithCancel(t.Context())
		events, done := make(chan Event, 10), make(chan error)
		go func() { done <- b.Run(ctx, func(ev Event) { events <- ev }) }()
		<-events
		must(t, s.Press("bell", true))
		if ev := <-events; ev.Line != "bell" || !ev.Active {
			t.Errorf("%+v", ev)
		}
		cancel()
		must(t, <-done)
	})
}

// TestBusyDoorIsFatal: without its door or bell a board that is not Late does not open.
func TestBusyDoorIsFatal(t *testing.T) {
	for _, line := range []string{"GPIO5", "GPIO17"} {
		s := NewSim()
		_, err := s.kernel().request(request{name: "other", line: line, output: true})
		must(t, err)
		var busy *BusyError
		if _, err := s.Open(doorConfig(true)); !errors.As(err, &busy) {
			t.Errorf("%s: %v", line, err)
		}
	}
}
