package transaction

import (
	"slices"
	"time"
)

// Told keeps a log readable, and its medium alive, where strangers decide how often something happens: each
// thing is told once a minute, and Most things a minute in all. It is not safe for concurrent use.
type Told[K comparable] struct {
	Most int
	last []telling[K] // of the last minute, oldest first
}

type telling[K comparable] struct {
	what K
	at   time.Time
}

// First reports whether what is to be told.
func (t *Told[K]) First(what K, now time.Time) bool {
	old := 0
	for old < len(t.last) && now.Sub(t.last[old].at) >= time.Minute {
		old++
	}
	t.last = slices.Delete(t.last, 0, old)
	if len(t.last) >= t.Most || slices.ContainsFunc(t.last, func(l telling[K]) bool { return l.what == what }) {
		return false
	}
	t.last = append(t.last, telling[K]{what, now})
	return true
}

// Cut bounds what a stranger can put into a line.
func Cut(s string) string { return s[:min(len(s), 64)] }
