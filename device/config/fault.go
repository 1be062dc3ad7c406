package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity tells whether a Fault keeps the station from starting.
type Severity int

// From worst to mildest.
const (
	Error   Severity = iota // the file is refused
	Ignored                 // refused by check; the station does without this value
	Unsafe                  // refused by check; the station runs, without what strangers could open the door by
	Warning                 // something will not work as its author may think
	Info                    // worth knowing at every start
)

func (s Severity) String() string {
	return [...]string{"error", "ignored", "unsafe", "warning", "info"}[s]
}

// Fault is one thing wrong with the file.
type Fault struct {
	Severity Severity
	File     string
	Line     int    // from 1; 0: the whole file
	Key      string // "bell[0].line"; "" for a line that is not TOML
	Value    string // as written, quoted when text; "" for secrets
	Problem  string
	Remedy   string
}

// Error gives `portero.toml:12: bell[0].line "GPIO99x": problem; remedy`.
func (f Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
	}
	b.WriteString(": ")
	if f.Severity != Error {
		b.WriteString(f.Severity.String() + ": ")
	}
	if f.Key != "" {
		b.WriteString(f.Key)
		if f.Value != "" {
			b.WriteString(" " + f.Value)
		}
		b.WriteString(": ")
	}
	b.WriteString(f.Problem)
	if f.Remedy != "" {
		b.WriteString("; " + f.Remedy)
	}
	return b.String()
}

// Faults is what is wrong with a file, sorted by line.
type Faults []Fault

// Error gives one line for each fault.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Fatal says whether any fault is an Error.
func (fs Faults) Fatal() bool {
	return slices.ContainsFunc(fs, func(f Fault) bool { return f.Severity == Error })
}

// Of are the faults of some severities.
func (fs Faults) Of(severities ...Severity) Faults {
	var found Faults
	for _, f := range fs {
		if slices.Contains(severities, f.Severity) {
			found = append(found, f)
		}
	}
	return found
}

func (fs Faults) sort() {
	slices.SortStableFunc(fs, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Severity, b.Severity))
	})
}

// nearest returns the candidate that word is most likely a slip of, "" when none is close.
func nearest(word string, candidates []string) string {
	best, at := "", max(2, len(word)/3)+1
	for _, c := range candidates {
		if d := distance(strings.ToLower(word), strings.ToLower(c)); d < at && d < len(c) {
			best, at = c, d
		}
	}
	return best
}

// distance counts insertions, deletions and replacements (Levenshtein).
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return len(a) + len(b)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
