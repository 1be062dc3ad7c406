package selftest

import (
	"testing"
	"time"

	"portero/board"
)

func TestAnalyse(t *testing.T) {
	// Each number is the time in ms of an edge, the first of which leaves the rest.
	ac := []int{}
	for i := range 30 { // 300 ms of a bell transformer behind an optocoupler: 9 ms away, 1 ms at rest
		ac = append(ac, 10*i, 10*i+9)
	}
	for name, c := range map[string]struct {
		edges []int
		want  contact // its times in ms
	}{
		"nothing":             {nil, contact{}},
		"one press":           {[]int{0, 200}, contact{presses: 1, shortest: 200, longest: 200}},
		"bounces at the make": {[]int{0, 1, 2, 3, 4, 200}, contact{presses: 1, bounces: 4, shortest: 200, longest: 200}},
		"and at the break":    {[]int{0, 200, 201, 203}, contact{presses: 1, bounces: 2, shortest: 203, longest: 203}},
		"two presses":         {[]int{0, 100, 500, 800}, contact{presses: 2, shortest: 100, longest: 300}},
		"spikes":              {[]int{0, 2, 500, 505}, contact{spikes: 2}},
		"a spike and a press": {[]int{0, 2, 500, 700}, contact{presses: 1, spikes: 1, shortest: 200, longest: 200}},
		"stuck":               {[]int{0}, contact{away: true}},
		"pressed and stuck":   {[]int{0, 100, 500}, contact{presses: 1, shortest: 100, longest: 100, away: true}},
		"AC":                  {ac, contact{presses: 1, bounces: 58, shortest: 299, longest: 299}},
	} {
		for _, rest := range []bool{false, true} {
			var edges []board.Event
			for i, at := range c.edges {
				away := i%2 == 0
				edges = append(edges, board.Event{Active: away != rest, At: time.Hour + time.Duration(at)*time.Millisecond})
			}
			want := c.want
			want.shortest *= time.Millisecond
			want.longest *= time.Millisecond
			if got := analyse(edges, rest, 30*time.Millisecond); got != want {
				t.Errorf("%s, rest %v: %+v, want %+v", name, rest, got, want)
			}
		}
	}
}
