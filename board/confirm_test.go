package board

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// exitConfig has an input whose presses must last.
func exitConfig() Config {
	return Config{Inputs: []Input{{Name: "exit", Line: "GPIO17", ActiveLow: true, Bias: PullUp,
		Debounce: 20 * ms, Hold: 20 * ms, StuckAfter: time.Minute}}}
}

func TestConfirm(t *testing.T) {
	for _, c := range []struct {
		name  string
		moves []contact
		want  string
	}{
		{"a spike is nothing", []contact{{10 * ms, true}, {10*ms + time.Microsecond, false}}, ""},
		{"nor is a train of them", slices.Concat(train(10*ms, true, 100, 10*ms), []contact{{2015 * ms, false}}), ""},
		{"nor one that is shorter than the window by a hair", []contact{{10 * ms, true}, {30*ms - time.Microsecond, false}}, ""},
		{"nor one at the heartbeat", []contact{{heartbeat - time.Microsecond, true}, {heartbeat + time.Microsecond, false}}, ""},
		{"a press counts once it has lasted", []contact{{10 * ms, true}, {300 * ms, false}},
			"10ms exit on, 300ms exit off"},
		{"a press that bounces counts from its last bounce to its last",
			slices.Concat(train(10*ms, true, 5, ms), train(300*ms, false, 5, ms)),
			"20ms exit on, 310ms exit off"},
		{"a spike in a press ends it as little as one begins it",
			[]contact{{10 * ms, true}, {100 * ms, false}, {105 * ms, true}, {110 * ms, false}},
			"10ms exit on, 110ms exit off"},
		{"a longer gap is a release, and what follows has to last again",
			[]contact{{10 * ms, true}, {100 * ms, false}, {121 * ms, true}, {140 * ms, false},
				{200 * ms, true}, {220 * ms, false}},
			"10ms exit on, 100ms exit off, 200ms exit on, 220ms exit off"},
		{"stuck", []contact{{10 * ms, true}}, "10ms exit on, 1m0.01s exit on stuck"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := NewSim()
				b := mustOpen(t, s, exitConfig())
				var got []string
				ctx, cancel := context.WithCancel(context.Background())
				done := make(chan error)
				go func() { done <- b.Run(ctx, func(e Event) { got = append(got, e.text()) }) }()
				for _, m := range c.moves {
					time.Sleep(m.at - time.Since(s.start))
					must(t, s.Press("exit", m.active))
				}
				time.Sleep(2 * time.Minute)
				cancel()
				must(t, <-done)
				want := "0s exit off initial"
				if c.want != "" {
					want += ", " + c.want
				}
				if got := strings.Join(got, ", "); got != want {
					t.Errorf("events\n%s, want\n%s", got, want)
				}
			})
		})
	}
}

// A level that is read before its edges arrive has to last too.
func TestConfirmWhatIsReadAheadOfItsEdges(t *testing.T) {
	var got []string
	post := func(e Event) { got = append(got, e.text()) }
	d := newDebouncer(exitConfig().Inputs[0])
	d.begin(false, 0, post)
	d.edge(true, 10*ms, post)
	d.edge(false, 12*ms, post)
	d.settle(true, 40*ms, post) // a second spike, met by the reader
	d.edge(false, 41*ms, post)
	d.edge(true, 55*ms, post)
	if d.settles(60*ms) || !d.settles(75*ms) {
		t.Errorf("it is to last from the last spike on: %+v", d)
	}
	d.settle(false, 75*ms, post)
	if d.settles(time.Hour) {
		t.Errorf("nothing is left to be settled: %+v", d)
	}
	if want := []string{"0s exit off initial"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestPressBeforeRun: a button that is pressed when the lines are held already, but nobody reads them yet,
// was pressed.
func TestPressBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSim()
		b := mustOpen(t, s, doorConfig(true))
		time.Sleep(100 * ms)
		must(t, s.Press("bell", true))
		time.Sleep(100 * ms)
		must(t, s.Press("bell", false))
		time.Sleep(100 * ms)
		var got []string
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		must(t, b.Run(ctx, func(e Event) { got = append(got, e.text()) }))
		if want := []string{"0s bell off initial", "100ms bell on", "200ms bell off"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}
