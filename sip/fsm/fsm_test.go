package fsm

import (
	"slices"
	"testing"
)

type (
	state string
	event string
)

// lamp is a machine with a guard, an action that posts to itself, and a state of no return.
type lamp struct {
	state state
	power bool
	did   []string
	after func(*lamp)
}

func (l *lamp) do(what string) {
	l.did = append(l.did, what+" in "+string(l.state))
	if l.after != nil {
		f := l.after
		l.after = nil
		f(l)
	}
}

var lampTable = New("lamp", []Row[state, event, *lamp]{
	{State: "off", Event: "press", When: "power", Guard: func(l *lamp) bool { return l.power }, Next: "on",
		Does: "light", Action: func(l *lamp) { l.do("light") }, Section: "1"},
	{State: "off", Event: "press", Next: "off", Does: "click", Action: func(l *lamp) { l.do("click") },
		Section: "2"},
	{State: "on", Event: "press", Next: "off"},
	{State: "on", Event: "smash", Next: "broken", Does: "tinkle", Action: func(l *lamp) { l.do("tinkle") }},
})

func (l *lamp) step(e event) *Row[state, event, *lamp] { return lampTable.Step(&l.state, e, l) }

func TestStep(t *testing.T) {
	l := &lamp{state: "off"}
	if r := l.step("press"); r == nil || r.Section != "2" || l.state != "off" {
		t.Errorf("without power: %v, %s", r, l.state)
	}
	l.power = true
	if r := l.step("press"); r == nil || r.Section != "1" || l.state != "on" {
		t.Errorf("with power: %v, %s", r, l.state)
	}
	if r := l.step("press"); r == nil || l.state != "off" { // a row without an action
		t.Errorf("off again: %v, %s", r, l.state)
	}
	if r := l.step("smash"); r != nil || l.state != "off" {
		t.Errorf("a pair without a row: %v, %s", r, l.state)
	}
	if want := []string{"click in off", "light in on"}; !slices.Equal(l.did, want) {
		t.Errorf("did %q, want %q", l.did, want)
	}
}

// TestStepNested shows that an action finds the new state, and may step its own machine.
func TestStepNested(t *testing.T) {
	l := &lamp{state: "off", power: true, after: func(l *lamp) { l.step("smash") }}
	l.step("press")
	if want := []string{"light in on", "tinkle in broken"}; l.state != "broken" || !slices.Equal(l.did,
		want) {
		t.Errorf("%s, did %q", l.state, l.did)
	}
}

func TestLists(t *testing.T) {
	if got := lampTable.States(); !slices.Equal(got, []state{"off", "on", "broken"}) {
		t.Errorf("states %v", got)
	}
	if got := lampTable.Events(); !slices.Equal(got, []event{"press", "smash"}) {
		t.Errorf("events %v", got)
	}
	if got := lampTable.Unhandled(); !slices.Equal(got, []string{"off smash", "broken press",
		"broken smash"}) {
		t.Errorf("unhandled %q", got)
	}
	var rows []string
	for _, r := range lampTable.Rows {
		rows = append(rows, r.String())
	}
	want := []string{"off  press [power] -> on: light (1)", "off  press -> off: click (2)",
		"on  press -> off", "on  smash -> broken: tinkle"}
	if !slices.Equal(rows, want) {
		t.Errorf("rows %q", rows)
	}
}

func TestNewRefusesGuardWithoutWords(t *testing.T) {
	for _, r := range []Row[state, event, *lamp]{
		{State: "a", Event: "b", Next: "c", Guard: func(*lamp) bool { return true }},
		{State: "a", Event: "b", Next: "c", When: "x"},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("no panic for %+v", r)
				}
			}()
			New("bad", []Row[state, event, *lamp]{r})
		}()
	}
}

func TestStepAllocatesNothing(t *testing.T) {
	l := &lamp{state: "on"}
	if n := testing.AllocsPerRun(100, func() { l.step("press"); l.state = "on" }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
