package transaction

import (
	"testing"
	"time"
)

// TestTold tells a thing once a minute, and never more than Most things within any minute.
func TestTold(t *testing.T) {
	told := Told[string]{Most: 64}
	now := time.Now()
	for i, step := range []struct {
		what string
		wait time.Duration
		want bool
	}{
		{"a", 0, true}, {"a", 0, false}, {"b", time.Second, true}, {"a", 58 * time.Second, false}, {"a", time.Second, true},
		{"b", 0, false}, {"b", time.Second, true},
	} {
		now = now.Add(step.wait)
		if got := told.First(step.what, now); got != step.want {
			t.Errorf("step %d: told %v", i, got)
		}
	}
	flood := Told[int]{Most: 20}
	var at []time.Time
	for i := range 5 * 60 * 10 {
		if now = now.Add(100 * time.Millisecond); flood.First(i, now) {
			at = append(at, now)
		}
	}
	for i := 20; i < len(at); i++ {
		if at[i].Sub(at[i-20]) < time.Minute {
			t.Fatalf("21 lines within %v", at[i].Sub(at[i-20]))
		}
	}
	if len(at) != 100 || len(flood.last) > 20 {
		t.Errorf("%d lines in five minutes, %d kept", len(at), len(flood.last))
	}
}
