package selftest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"portero/board"
	"portero/device/config"
)

const (
	quietTime = 5 * time.Second // in which nobody touches anything
	patience  = time.Minute     // for the way to a button
	settled   = 2 * time.Second // after the last edge of a press

	pressIt = "press the button and let go"
)

// wires keeps the edges of all inputs. post is the board's goroutine, the rest the walk's.
type wires struct {
	moved chan struct{} // holds a token after an edge

	mu     sync.Mutex
	levels map[string]bool
	edges  map[string][]board.Event
}

func newWires() *wires {
	return &wires{moved: make(chan struct{}, 1), levels: map[string]bool{}, edges: map[string][]board.Event{}}
}

func (w *wires) post(e board.Event) {
	w.mu.Lock()
	w.levels[e.Line] = e.Active
	if !e.Initial {
		w.edges[e.Line] = append(w.edges[e.Line], e)
	}
	w.mu.Unlock()
	select {
	case w.moved <- struct{}{}:
	default:
	}
}

func (w *wires) level(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.levels[name]
}

func (w *wires) of(name string) []board.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.edges[name])
}

// take returns how many edges each input had, and forgets them.
func (w *wires) take() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	counts := map[string]int{}
	for name, edges := range w.edges {
		counts[name] = len(edges)
	}
	clear(w.edges)
	return counts
}

// wired is an input of the configuration.
type wired struct {
	name   string // the board's
	title  string
	do     string // what moves it
	window time.Duration
	button bool // rests inactive
}

func (w *walk) wired() []wired {
	var all []wired
	for _, b := range w.Config.Bells {
		title := fmt.Sprintf("bell %q on %s", b.Name, b.Line)
		all = append(all, wired{config.BellInput(b.Name), title, pressIt, b.Debounce, true})
	}
	for _, in := range w.Config.Inputs {
		title := fmt.Sprintf("%s %q on %s", in.Kind, in.Name, in.Line)
		x := wired{config.InputName(in.Name), title, "", in.Debounce, false}
		switch in.Kind {
		case config.REX:
			x.do, x.button = pressIt, true
		case config.Contact:
			x.do = "open the door and shut it again"
		default:
			x.do = "open the case and shut it again"
		}
		all = append(all, x)
	}
	return all
}

// handsOff listens to wires that nobody touches.
func (w *walk) handsOff(ctx context.Context) error {
	all := w.wired()
	if len(all) == 0 {
		return nil
	}
	w.talk.say("\nInputs. Shut the door and the case, and touch nothing for %v.", quietTime)
	select {
	case <-time.After(quietTime):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	moved := w.wires.take()
	for _, x := range all {
		state := "inactive"
		if w.wires.level(x.name) {
			state = "active"
		}
		switch n := moved[x.name]; {
		case n > 0:
			const remedy = "a loose wire, or one beside a disturber: see the long wires"
			w.find(Fault, x.title, remedy, "%d edges while nobody touched it, now %s", n, state)
		case state == "active" && x.button:
			w.find(Fault, x.title, "a stuck button, shorted wires, or active_low is wrong", "active at rest")
		case state == "active":
			w.find(Fault, x.title, "is it open? else a cut wire, or active_low is wrong", "reads as open")
		default:
			w.find(OK, x.title, "", "quiet, %s", state)
		}
	}
	return nil
}

func (w *walk) inputs(ctx context.Context) error {
	all := w.wired()
	for _, x := range all {
		rest := w.wires.level(x.name)
		w.wires.take()
		w.talk.say("\n%s: %s within %v (s and Enter: skip).", x.title, x.do, patience)
		skipped, err := w.touched(ctx, x.name, rest)
		if err != nil {
			return err
		}
		if skipped {
			w.find(Skipped, x.title, "", "not tried")
			continue
		}
		w.judge(x, analyse(w.wires.of(x.name), rest, x.window))
		w.others(x, all)
	}
	return nil
}

// touched waits until the input has moved and come to rest again, or nobody moves it.
func (w *walk) touched(ctx context.Context, name string, rest bool) (skipped bool, err error) {
	late := time.NewTimer(patience)
	defer late.Stop()
	quiet := time.NewTimer(patience)
	defer quiet.Stop()
	for seen := 0; ; {
		select {
		case <-w.wires.moved:
			if n := len(w.wires.of(name)); n > seen {
				seen = n
				quiet.Reset(settled)
			}
		case <-quiet.C:
			if seen > 0 && w.wires.level(name) == rest {
				return false, nil
			}
		case <-late.C:
			return false, nil
		case line, ok := <-w.talk.lines:
			if !ok {
				return false, errGone
			}
			if line == string(skip) {
				return true, nil
			}
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

func (w *walk) judge(x wired, c contact) {
	seen := fmt.Sprintf("presses %d, bounces %d, spikes %d", c.presses, c.bounces, c.spikes)
	if c.presses > 0 {
		const ms = time.Millisecond
		seen += fmt.Sprintf(", held for %v to %v", c.shortest.Round(ms), c.longest.Round(ms))
	}
	switch {
	case c.away:
		const remedy = "it did not come back: a stuck contact, or wires that touch while they move"
		w.find(Fault, x.title, remedy, "%s, still away", seen)
	case c.presses == 0 && c.spikes == 0:
		const remedy = "look for the wrong pin, a cut wire, or a button that needs a supply"
		w.find(Fault, x.title, remedy, "nothing was seen")
	case c.presses == 0:
		w.find(Fault, x.title, "only spikes: the wire is disturbed, the contact does not close", "%s", seen)
	case c.spikes > 0:
		w.find(Note, x.title, "R and C at the pin: see the long wires", "%s", seen)
	default:
		w.find(OK, x.title, "", "%s", seen)
	}
}

// others reports the inputs that moved with the one that was touched.
func (w *walk) others(touched wired, all []wired) {
	moved := w.wires.take()
	for _, x := range all {
		if n := moved[x.name]; n > 0 && x.name != touched.name {
			const remedy = "two wires touch, or one disturbs the other"
			w.find(Fault, x.title, remedy, "%d edges while %s was moved", n, touched.title)
		}
	}
}
