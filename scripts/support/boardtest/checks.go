//go:build boardtest

package boardtest

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// check runs one check as a subtest, prints "name result seconds note", and adds that to the file $STAGES (scripts/support/stages.sh).
// after runs when it has failed, to let the next one start from a known state.
func (r *rig) check(name string, after func(), f func(t *testing.T)) {
	began := time.Now()
	r.note = ""
	ok := r.t.Run(name, func(t *testing.T) {
		outer := r.now
		r.now = t
		defer func() {
			r.now = outer
			if t.Failed() {
				t.Logf("events and edges since the check began:\n%s", r.since(began))
				if m := kernelFault.FindString(r.guest.Log()); m != "" {
					t.Log("the kernel: " + m)
				}
			}
		}()
		f(t)
	})
	result := "passed"
	if !ok {
		result = "failed"
	}
	seconds, note := time.Since(began).Seconds(), r.note
	fmt.Fprintf(os.Stderr, "%-58s %s  %.1f s%s\n", name, result, seconds, prefixed("  ", note))
	if path := os.Getenv("STAGES"); path != "" {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = fmt.Fprintf(f, "%s\t%.1f\t%s\t%s\n", result, seconds, name, note)
			_ = f.Close()
		}
		if err != nil {
			r.t.Errorf("boardtest: results: %v", err)
		}
	}
	if !ok && after != nil {
		after()
	}
}

var kernelFault = regexp.MustCompile(`(?m)^.*(Kernel panic|Oops|BUG:|WARNING:).*$`)

// measured adds a figure to the line of the running check.
func (r *rig) measured(format string, args ...any) {
	r.note = strings.TrimPrefix(r.note+", "+fmt.Sprintf(format, args...), ", ")
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}
