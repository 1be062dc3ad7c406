package board

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// waves is a contact that AC flows through for total: on and off in turn.
func waves(at, on, off, total time.Duration) (moves []contact) {
	for end := at + total; at < end; at += on + off {
		moves = append(moves, contact{at, true}, contact{at + on, false})
	}
	return moves
}

const us = time.Microsecond

var holdCases = []struct {
	name string
	hold time.Duration
	ac   bool
	move []contact
	want string
}{
	// 100 Hz behind a PC814, half waves of 50 Hz behind a PC817 at two currents, and a fourth kind, for 200
	// ms each.
	{"9/1", 50 * ms, true, waves(10*ms, 9*ms, 1*ms, 200*ms), "10ms b on, 209ms b off"},
	{"8/12", 50 * ms, true, waves(10*ms, 8*ms, 12*ms, 200*ms), "10ms b on, 198ms b off"},
	{"2/18", 50 * ms, true, waves(10*ms, 2*ms, 18*ms, 200*ms), "10ms b on, 192ms b off"},
	{"6/10.7", 50 * ms, true, waves(10*ms, 6*ms, 10700*us, 200*ms), "10ms b on, 199.7ms b off"},
	{"a train that ends before hold", 50 * ms, true, waves(10*ms, 2*ms, 18*ms, 60*ms), ""},
	{"the last active instant decides", 42 * ms, true, waves(10*ms, 2*ms, 18*ms, 60*ms),
		"10ms b on, 52ms b off"},
	{"a gap of 25 ms is bridged", 30 * ms, true, []contact{{10 * ms, true}, {11 * ms, false}, {36 * ms, true},
		{41 * ms, false}}, "10ms b on, 41ms b off"},
	{"one of more is not", 30 * ms, true, []contact{{10 * ms, true}, {11 * ms, false}, {36*ms + us, true},
		{41 * ms, false}}, ""},
	{"a steady contact on an AC input", 50 * ms, true, []contact{{10 * ms, true}, {70 * ms, false}},
		"10ms b on, 70ms b off"},
	{"two trains", 50 * ms, true, slices.Concat(waves(10*ms, 2*ms, 18*ms, 100*ms),
		waves(500*ms, 9*ms, ms, 60*ms)),
		"10ms b on, 92ms b off, 500ms b on, 559ms b off"},

	{"without ac a train is many spikes", 50 * ms, false, waves(10*ms, 9*ms, 1*ms, 200*ms), ""},
	{"a finger", 50 * ms, false, []contact{{10 * ms, true}, {200 * ms, false}}, "10ms b on, 200ms b off"},
	{"one that bounces counts from its last bounce", 50 * ms, false,
		append(train(10*ms, true, 5, ms), contact{200 * ms, false}), "20ms b on, 200ms b off"},
	{"one that is too short by a hair", 50 * ms, false, []contact{{10 * ms, true}, {60*ms - us, false}}, ""},
	{"one that is just long enough", 50 * ms, false, []contact{{10 * ms, true}, {60 * ms, false}},
		"10ms b on, 60ms b off"},
	{"a hold shorter than the window", 10 * ms, false, []contact{{10 * ms, true}, {21 * ms, false},
		{22 * ms, true}, {23 * ms, false}},
		"10ms b on, 23ms b off"},
}

func holdConfig(hold time.Duration, ac bool) Config {
	return Config{Inputs: []Input{{Name: "b", Line: "GPIO17", ActiveLow: true, Debounce: 30 * ms,
		Hold: hold, AC: ac}}}
}

// TestHold on a board that is awake.
func TestHold(t *testing.T) {
	cases := slices.Clone(holdCases)
	for _, ac := range []bool{true, false} {
		for _, spike := range []time.Duration{us, 2 * ms, 5 * ms, 10 * ms, 20 * ms} {
			name := fmt.Sprintf("a spike of %v, ac %v", spike, ac)
			cases = append(cases, holdCases[0])
			c := &cases[len(cases)-1]
			c.name, c.hold, c.ac, c.move, c.want = name, 50*ms, ac, []contact{{10 * ms, true},
				{10*ms + spike, false}}, ""
		}
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := NewSim()
				b := mustOpen(t, s, holdConfig(c.hold, c.ac))
				got := []string{}
				ctx, cancel := context.WithCancel(context.Background())
				done := make(chan error)
				go func() { done <- b.Run(ctx, func(e Event) { got = append(got, e.text()) }) }()
				for _, m := range c.move {
					time.Sleep(m.at - time.Since(s.start))
					must(t, s.Press("b", m.active))
				}
				time.Sleep(time.Minute)
				cancel()
				must(t, <-done)
				if got := strings.Join(got[1:], ", "); got != c.want {
					t.Errorf("events\n%s, want\n%s", got, c.want)
				}
			})
		})
	}
}

// TestHoldLateReader: edges that are all read long after they came tell the same.
func TestHoldLateReader(t *testing.T) {
	for _, c := range holdCases {
		var got []string
		post := func(e Event) { got = append(got, e.text()) }
		d := newDebouncer(holdConfig(c.hold, c.ac).Inputs[0])
		d.begin(false, 0, func(Event) {})
		for _, m := range c.move {
			d.edge(m.active, m.at, post)
		}
		for now := 10 * time.Second; d.settles(now); now += time.Second {
			if now > time.Minute {
				t.Fatalf("%s: nothing settles it: %+v", c.name, d)
			}
			d.settle(false, now, post)
		}
		if got := strings.Join(got, ", "); got != c.want {
			t.Errorf("%s: events\n%s, want\n%s", c.name, got, c.want)
		}
	}
}

// TestHoldMissedEdges: the kernel keeps 64 edges of a line; a contact that may have been interrupted
// meanwhile has not lasted.
func TestHoldMissedEdges(t *testing.T) {
	for _, c := range []struct {
		name  string
		ac    bool
		edges []contact
		want  string
	}{
		{"two spikes whose ends are lost", false, []contact{{10 * ms, true}, {500 * ms, true},
			{501 * ms, false}}, ""},
		{"the same with ac", true, []contact{{10 * ms, true}, {500 * ms, true}, {501 * ms, false}}, ""},
		{"spikes whose beginnings are lost", true, []contact{{10 * ms, true}, {11 * ms, false},
			{500 * ms, false}, {510 * ms, true}, {511 * ms, false}}, ""},
		{"a wave whose end is lost", true, []contact{{10 * ms, true}, {30 * ms, true}, {50 * ms, true},
			{70 * ms, true}, {72 * ms, false}}, "10ms b on, 72ms b off"},
	} {
		var got []string
		post := func(e Event) { got = append(got, e.text()) }
		d := newDebouncer(holdConfig(50*ms, c.ac).Inputs[0])
		d.begin(false, 0, func(Event) {})
		for _, m := range c.edges {
			d.edge(m.active, m.at, post)
		}
		if d.settles(10 * time.Second) {
			d.settle(false, 10*time.Second, post)
		}
		if got := strings.Join(got, ", "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestACWithoutHold: the first edge rings, and no gap of a train is a release.
func TestACWithoutHold(t *testing.T) {
	var got []string
	post := func(e Event) { got = append(got, e.text()) }
	c := holdConfig(0, true).Inputs[0]
	c.Debounce = 5 * ms
	d := newDebouncer(c)
	d.begin(false, 0, func(Event) {})
	for _, m := range waves(10*ms, 2*ms, 18*ms, 200*ms) {
		d.edge(m.active, m.at, post)
	}
	d.settle(false, time.Second, post)
	if got := strings.Join(got, ", "); got != "10ms b on, 192ms b off" {
		t.Error(got)
	}
}

// spans are the contacts of a line: their first and last active instants, gaps of up to bridge within them.
func spans(edges []contact, bridge, end time.Duration) (found [][2]time.Duration) {
	for i := 0; i < len(edges); i += 2 {
		last := end
		if i+1 < len(edges) {
			last = edges[i+1].at
		}
		if n := len(found); n > 0 && bridge > 0 && edges[i].at-found[n-1][1] <= bridge {
			found[n-1][1] = last
			continue
		}
		found = append(found, [2]time.Duration{edges[i].at, last})
	}
	return found
}

// However the edges are batched: what is posted as pressed is a contact that lasted, one that lasted is
// posted or belongs to a press that goes on, and at the end the truth is posted.
func FuzzHold(f *testing.F) {
	f.Add([]byte{40, 8, 72, 8, 72, 8, 72, 8, 200, 4, 4}, byte(2), byte(50), true)
	f.Add([]byte{40, 250, 4, 250, 4, 10, 10, 200, 200}, byte(1), byte(20), false)
	f.Add([]byte{0, 0, 0, 0}, byte(0), byte(1), false)
	f.Fuzz(func(t *testing.T, gaps []byte, batch, hold byte, ac bool) {
		in := holdConfig(time.Duration(hold%100+1)*ms, ac).Inputs[0]
		d := newDebouncer(in)
		var posted []Event
		post := func(e Event) {
			if n := len(posted); n > 0 && (e.Active == posted[n-1].Active || e.At < posted[n-1].At) {
				t.Fatalf("%s after %s", e.text(), posted[n-1].text())
			}
			posted = append(posted, e)
		}
		d.begin(false, 0, post)
		at, level := ms, false
		var edges []contact
		for _, g := range gaps {
			at += time.Duration(g)*ms/4 + us
			level = !level
			edges = append(edges, contact{at, level})
		}
		for i, e := range edges {
			d.edge(e.active, e.at, post)
			now := e.at + time.Duration(batch)*ms
			if i%(int(batch)%5+1) == 0 && (i+1 == len(edges) || now < edges[i+1].at) && d.settles(now) {
				d.settle(e.active, now, post)
			}
		}
		end := at + 10*time.Second
		for now := end; d.settles(now); now += time.Second {
			d.settle(level, now, post)
			if now > end+time.Minute {
				t.Fatalf("it never settles: %+v", d)
			}
		}
		if last := posted[len(posted)-1]; last.Active != level {
			t.Fatalf("the line is %v, posted was %s", level, last.text())
		}
		long := map[time.Duration]bool{}
		for _, s := range spans(edges, d.bridge, end) {
			if s[1]-s[0] >= in.Hold {
				long[s[0]] = true
			}
		}
		for _, e := range posted[1:] {
			if e.Active && !long[e.At] {
				t.Fatalf("%s, but no contact of %v began then: %v", e.text(), in.Hold, edges)
			}
		}
		for from := range long {
			if !slices.ContainsFunc(posted, func(e Event) bool { return e.Active && e.At == from }) &&
				!pressedAt(posted, from) {
				t.Fatalf("a contact that began at %v and lasted is not posted: %v of %v", from, posted, edges)
			}
		}
	})
}

// pressedAt says whether a press that began before goes on at that time.
func pressedAt(posted []Event, at time.Duration) (pressed bool) {
	for _, e := range posted {
		if e.At <= at {
			pressed = e.Active
		}
	}
	return pressed
}
