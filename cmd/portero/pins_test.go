package main

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portero/board"
)

func TestListPins(t *testing.T) {
	chips := []board.Chip{{Name: "gpiochip0", Label: "pinctrl-bcm2711", Lines: []board.Line{
		{Offset: 0, Name: "GPIO0"}, {Offset: 1, Name: "GPIO1", Consumer: "spi0 CS1", Used: true, Output: true}, {Offset: 2, Name: "GPIO2"}}}}
	users := board.LineUsers(chips, board.Config{Inputs: []board.Input{{Name: "bell:front", Line: "GPIO2"}}, Relays: []board.Output{{Name: "door:front", Line: "GPIO27"}}})
	var out strings.Builder
	if err := listPins(&out, chips, users); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"gpiochip0  pinctrl-bcm2711",
		`1  GPIO1  line = "GPIO1"  output    spi0 CS1`, "<- input bell:front", `relay door:front: line "GPIO27" is not here`} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), " "),
			strings.Join(strings.Fields(want), " ")) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// TestWatchCountsPulses: a spike of 30 ms that is no press is counted within a second, a long press is not, and the sum at the end names
// every input.
func TestWatchCountsPulses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inputs := []board.Input{{Name: "bell:front", Line: "GPIO17", Debounce: 30 * time.Millisecond},
			{Name: "input:rex", Line: "GPIO27", Debounce: 20 * time.Millisecond, Hold: 50 * time.Millisecond},
			{Name: "bell:chime", Line: "GPIO22", Debounce: 30 * time.Millisecond, AC: true}}
		sim := board.NewSim()
		b, err := sim.Open(board.Config{Inputs: inputs})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		ctx, stop := context.WithCancel(t.Context())
		var out lockedBuilder
		done := make(chan error)
		go func() { done <- watchBoard(ctx, &out, b, inputs) }()
		pulse := func(name string, long time.Duration) {
			t.Helper()
			for _, active := range []bool{true, false} {
				if err := sim.Press(name, active); err != nil {
					t.Fatal(err)
				}
				time.Sleep(long)
			}
		}
		time.Sleep(10 * time.Millisecond)
		pulse("bell:front", 200*time.Millisecond)
		for range 10 {
			pulse("bell:chime", 10*time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		if text := out.String(); strings.Contains(text, "short pulses so far") {
			t.Errorf("a press and an AC contact are told as pulses:\n%s", text)
		}
		for range 3 {
			pulse("input:rex", 30*time.Millisecond)
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(pulsesEvery)
		if text := out.String(); !strings.Contains(text, "input:rex                3 short pulses so far (under 50ms)\n") ||
			strings.Contains(text, "input:rex                active\n") {
			t.Errorf("three spikes:\n%s", text)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_, sum, _ := strings.Cut(out.String(), "\nIn ")
		for _, want := range []string{"bell:front               0 short pulses so far", "input:rex                3 short pulses so far",
			"bell:chime               short pulses are not counted"} {
			if !strings.Contains(sum, want) {
				t.Errorf("the sum has no %q:\n%s", want, sum)
			}
		}
	})
}

// lockedBuilder is a strings.Builder that may be read meanwhile.
type lockedBuilder struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuilder) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuilder) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
