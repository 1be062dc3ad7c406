package selftest

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"portero/board"
	"portero/device/event"
)

// Grade says how a finding is.
type Grade string

// The grades of a finding.
const (
	OK      Grade = "ok"
	Note    Grade = "note"    // works, and could be better
	Fault   Grade = "fault"   // will not do
	Skipped Grade = "skipped" // not tried, or not judged by the user
)

// Finding is what was found of one thing.
type Finding struct {
	Grade  Grade
	What   string // "bell \"front\" on GPIO17"
	Says   string
	Remedy string // "": none is needed, or none known
}

func (f Finding) String() string {
	s := fmt.Sprintf("%-7s %s: %s", f.Grade, f.What, f.Says)
	if f.Remedy != "" && f.Grade != OK {
		s += "\n        -> " + f.Remedy
	}
	return s
}

// Report is what a walk found. It holds names and lines of the configuration as they are written there, and
// no code, password, account, target or address.
type Report struct {
	Version  string // the program's, with its architecture
	At       time.Time
	Facts    []Fact
	Lines    []string // what is on which line
	Findings []Finding
}

func newReport(p Parts) *Report {
	return &Report{Version: p.Version + " " + runtime.GOOS + "/" + runtime.GOARCH, At: time.Now()}
}

// Faults counts the findings of grade [Fault].
func (r *Report) Faults() (n int) {
	for _, f := range r.Findings {
		if f.Grade == Fault {
			n++
		}
	}
	return n
}

// String is the report as a file.
func (r *Report) String() string {
	var s strings.Builder
	clock := ""
	if !event.TimeKnown() {
		clock = ", the clock is not set"
	}
	at := r.At.UTC().Format("2006-01-02 15:04 UTC")
	fmt.Fprintf(&s, "Portero %s, wiring test of %s%s\n", r.Version, at, clock)
	s.WriteString("Names and lines are the configuration's; no code, password, account or address is here.\n")
	s.WriteString("\nBoard\n")
	for _, f := range r.Facts {
		fmt.Fprintf(&s, "  %-28s %s\n", f.Name, f.Value)
	}
	s.WriteString("\nLines\n")
	for _, l := range r.Lines {
		fmt.Fprintf(&s, "  %s\n", l)
	}
	s.WriteString("\nTest\n")
	for _, f := range r.Findings {
		fmt.Fprintf(&s, "  %s\n", strings.ReplaceAll(f.String(), "\n", "\n  "))
	}
	fmt.Fprintf(&s, "\n%d faults\n", r.Faults())
	return s.String()
}

// lines notes which line is whose, and where the kernel has it.
func (w *walk) lines(bc board.Config) {
	var chips []board.Chip
	if w.Chips != nil {
		var err error
		if chips, err = w.Chips(); err != nil {
			w.report.Facts = append(w.report.Facts, Fact{"GPIO chips", err.Error()})
		}
	}
	for _, c := range chips {
		lines := fmt.Sprintf("%s, %d lines", c.Label, len(c.Lines))
		w.report.Facts = append(w.report.Facts, Fact{c.Name, lines})
	}
	inputs := map[string]board.Input{}
	for _, in := range bc.Inputs {
		inputs[in.Name] = in
	}
	low := map[string]bool{}
	for _, o := range append(bc.Relays, bc.Lamps...) {
		low[o.Name] = o.ActiveLow
	}
	for _, u := range board.LineUsers(chips, bc) {
		place := "not found"
		if u.Chip != "" {
			place = fmt.Sprintf("%s:%d", u.Chip, u.Offset)
		}
		s := fmt.Sprintf("%s %q: %s (%s)", u.Kind, u.Name, u.Line, place)
		if in, ok := inputs[u.Name]; ok {
			s += fmt.Sprintf(", active_low = %v, bias %q", in.ActiveLow, in.Bias)
		} else {
			s += fmt.Sprintf(", active_low = %v", low[u.Name])
		}
		w.report.Lines = append(w.report.Lines, s)
	}
}
