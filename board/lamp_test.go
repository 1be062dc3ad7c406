package board

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
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
		var log bytes.Buffer
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
		b := mustOpen(t, s, c)
		if lamps := b.Lamps(); len(lamps) != 0 {
			t.Errorf("lamps: %q", lamps)
		}
		if err := b.Lamp("lamp").Set(true); !errors.Is(err, ErrNoOutput) {
			t.Errorf("Set: %v", err)
		}
		if !strings.Contains(log.String(), "lamp=lamp line=GPIO22") {
			t.Errorf("told: %s", log.String())
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

// TestBusyDoorIsFatal: without its door or bell a board does not open, as the one before may hold them still.
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

func TestPlaceable(t *testing.T) {
	c := doorConfig(true)
	c.Lamps = []Output{{Name: "no line", Line: "GPIO99"}, {Name: "good", Line: "GPIO22"}, {Name: "two chips", Line: "mcp2221:1"},
		{Name: "the door's", Line: "gpiochip0:5"}, {Name: "the good one's", Line: "gpiochip0:22"}}
	got, err := c.placeable(pi4())
	if err != nil || len(got.Lamps) != 1 || got.Lamps[0].Name != "good" || len(c.Lamps) != 5 {
		t.Errorf("%v %v", got.Lamps, err)
	}
	c.Inputs[0].Line = "GPIO99"
	if _, err := c.placeable(pi4()); err == nil {
		t.Error("a board without its bell")
	}
}
