// Package fsmtest holds the tables of package fsm against golden files that are typed from a standard, and
// notes which rows a machine takes, so that a test can drive it through every one.
package fsmtest

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"portero/sip/fsm"
)

// Figure is a table without its functions.
type Figure struct {
	Rows      []string // in order, as the golden file has them
	Steps     []Step   // of each row
	States    []string
	Unhandled []string // "State event"
}

// Step is a row as a machine's log tells it.
type Step struct{ Machine, From, Event, To string }

// Of returns the figure of a table.
func Of[S, E ~string, M any](t *fsm.Table[S, E, M]) Figure {
	f := Figure{Unhandled: t.Unhandled()}
	for _, r := range t.Rows {
		f.Rows = append(f.Rows, r.String())
		f.Steps = append(f.Steps, Step{t.Name, string(r.State), string(r.Event), string(r.Next)})
	}
	for _, s := range t.States() {
		f.States = append(f.States, string(s))
	}
	return f
}

// Check fails the test unless the golden file at path has the rows of the figure in their order, and a reason
// for each pair of state and event that has none. It returns the file's rows.
//
// Empty lines and those that begin with # say nothing. After the line "ignored" each line is "State  events:
// reason"; * stands for all events.
func (f Figure) Check(t testing.TB, path string) (rows []string) {
	t.Helper()
	rows, ignored := f.read(t, path)
	for i := range max(len(rows), len(f.Rows)) {
		var want, got string
		if i < len(rows) {
			want = rows[i]
		}
		if i < len(f.Rows) {
			got = f.Rows[i]
		}
		if got != want {
			t.Errorf("%s: row %d:\n  file  %q\n  table %q", path, i+1, want, got)
		}
	}
	for _, pair := range f.Unhandled {
		if ignored[pair] == "" {
			t.Errorf("%s: %s: neither a row nor a reason", path, pair)
		}
	}
	for pair := range ignored {
		if !slices.Contains(f.Unhandled, pair) {
			t.Errorf("%s: %s: listed as ignored, but the table has a row or no such state or event",
				path, pair)
		}
	}
	return rows
}

func (f Figure) read(t testing.TB, path string) (rows []string, ignored map[string]string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ignored = map[string]string{}
	inIgnored := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case line == "ignored":
			inIgnored = true
		case !inIgnored:
			rows = append(rows, line)
		default:
			f.readReason(t, path, line, ignored)
		}
	}
	return rows, ignored
}

func (f Figure) readReason(t testing.TB, path, line string, ignored map[string]string) {
	t.Helper()
	pairs, reason, ok := strings.Cut(line, ": ")
	state, events, ok2 := strings.Cut(pairs, "  ")
	if !ok || !ok2 || reason == "" {
		t.Fatalf("%s: line %q is not \"State  events: reason\"", path, line)
	}
	for event := range strings.FieldsSeq(events) {
		if event == "*" {
			for _, s := range f.Steps {
				ignored[state+" "+s.Event] = reason
			}
			continue
		}
		if ignored[state+" "+event] != "" {
			t.Errorf("%s: %s %s is listed twice", path, state, event)
		}
		ignored[state+" "+event] = reason
	}
}

// Log is a slog.Handler that notes the transitions which machines log: records with the attributes machine,
// from, event and to, and ignored for a pair without a row.
type Log struct {
	mu      sync.Mutex
	taken   map[Step]int
	ignored map[string]int // "machine state event"
}

// NewLog makes an empty log.
func NewLog() *Log { return &Log{taken: map[Step]int{}, ignored: map[string]int{}} }

// Enabled lets all levels in.
func (l *Log) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs returns the log itself: what is common to all records names no machine.
func (l *Log) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup returns the log itself.
func (l *Log) WithGroup(string) slog.Handler { return l }

// Handle notes a transition.
func (l *Log) Handle(_ context.Context, r slog.Record) error {
	var s Step
	ignored := false
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "machine":
			s.Machine = a.Value.String()
		case "from":
			s.From = a.Value.String()
		case "event":
			s.Event = a.Value.String()
		case "to":
			s.To = a.Value.String()
		case "ignored":
			ignored = true
		}
		return true
	})
	if s.Machine == "" {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if ignored {
		l.ignored[s.Machine+" "+s.From+" "+s.Event]++
	} else {
		l.taken[s]++
	}
	return nil
}

// Taken returns how often a row was taken.
func (l *Log) Taken(s Step) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.taken[s]
}

// Ignored returns how often "machine state event" had no row.
func (l *Log) Ignored(pair string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ignored[pair]
}
