// Package fsm runs state machines that are written as tables: one row for each arrow of the figure in the
// standard.
//
// A table is data, so a test can hold it against a golden file typed from the RFC, and drive a machine
// through every row. [Table.Step] is the only writer of a state. A (state, event) pair without a row is
// ignored, and says so in its result; [Table.Unhandled] lists such pairs, so that a test can ask for the
// reason of each.
package fsm

import (
	"context"
	"fmt"
	"log/slog"
)

// Row is one arrow: in State, when Event happens and Guard holds, Action runs and Next is entered.
//
// Rows with the same State and Event are tried in order, the first whose Guard holds is taken. Next is
// entered before Action runs, so an Action that posts a further event to its own machine finds the new state.
type Row[S, E ~string, M any] struct {
	State   S
	Event   E
	When    string       // what Guard asks, in words; "" when Guard is nil
	Guard   func(M) bool // nil: always
	Next    S
	Does    string  // what Action does, in the figure's words
	Action  func(M) // nil: nothing
	Section string  // where the standard says so
}

// Table is an immutable set of rows, shared by all machines of a kind.
type Table[S, E ~string, M any] struct {
	Name  string
	Rows  []Row[S, E, M]
	index map[pair[S, E]][]int
}

type pair[S, E ~string] struct {
	state S
	event E
}

// New makes a table. It panics on a guarded row without a When, which no reader of a log could make sense of.
func New[S, E ~string, M any](name string, rows []Row[S, E, M]) *Table[S, E, M] {
	t := &Table[S, E, M]{Name: name, Rows: rows, index: map[pair[S, E]][]int{}}
	for i, r := range rows {
		if (r.Guard != nil) != (r.When != "") {
			panic(fmt.Sprintf("fsm: table %s row %d: Guard and When go together", name, i))
		}
		k := pair[S, E]{r.State, r.Event}
		t.index[k] = append(t.index[k], i)
	}
	return t
}

// Step moves *state by event and runs the row's action on m. It returns the row taken, nil when the table has
// none.
func (t *Table[S, E, M]) Step(state *S, event E, m M) *Row[S, E, M] {
	for _, i := range t.index[pair[S, E]{*state, event}] {
		r := &t.Rows[i]
		if r.Guard != nil && !r.Guard(m) {
			continue
		}
		*state = r.Next
		if r.Action != nil {
			r.Action(m)
		}
		return r
	}
	return nil
}

// Log writes the line at level debug that every step leaves: machine, state, event, state. id says which
// machine of its kind it was; row is what Step returned.
func (t *Table[S, E, M]) Log(log *slog.Logger, id slog.Attr, from S, event E, row *Row[S, E, M]) {
	if !log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{id, slog.String("machine", t.Name), slog.String("from", string(from)),
		slog.String("event", string(event))}
	if row == nil {
		attrs = append(attrs, slog.String("to", string(from)), slog.Bool("ignored", true))
	} else {
		attrs = append(attrs, slog.String("to", string(row.Next)))
	}
	log.LogAttrs(context.Background(), slog.LevelDebug, "machine step", attrs...)
}

// States returns every state of the table in order of first mention.
func (t *Table[S, E, M]) States() []S {
	var out []S
	seen := map[S]bool{}
	add := func(s S) {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	for _, r := range t.Rows {
		add(r.State)
		add(r.Next)
	}
	return out
}

// Events returns every event of the table in order of first mention.
func (t *Table[S, E, M]) Events() []E {
	var out []E
	seen := map[E]bool{}
	for _, r := range t.Rows {
		if !seen[r.Event] {
			seen[r.Event] = true
			out = append(out, r.Event)
		}
	}
	return out
}

// Unhandled lists the pairs "state event" that have no row.
func (t *Table[S, E, M]) Unhandled() []string {
	var out []string
	for _, s := range t.States() {
		for _, e := range t.Events() {
			if len(t.index[pair[S, E]{s, e}]) == 0 {
				out = append(out, string(s)+" "+string(e))
			}
		}
	}
	return out
}

// String writes the row as a line of a golden file has it: "State event [when] -> Next: does (section)".
func (r Row[S, E, M]) String() string {
	s := fmt.Sprintf("%s  %s", r.State, r.Event)
	if r.When != "" {
		s += " [" + r.When + "]"
	}
	s += fmt.Sprintf(" -> %s", r.Next)
	if r.Does != "" {
		s += ": " + r.Does
	}
	if r.Section != "" {
		s += " (" + r.Section + ")"
	}
	return s
}
