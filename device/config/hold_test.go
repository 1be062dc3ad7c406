package config

import (
	"strings"
	"testing"
	"time"
)

// TestSustained: how long each kind of input has to last, with and without the key.
func TestSustained(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		kind, keys string
		want       time.Duration
		ac         bool
	}{
		{"rex", "", 30 * ms, false},
		{"rex", `debounce = "50ms"`, 50 * ms, false},
		{"rex", `hold = "20ms"`, 20 * ms, false},
		{"rex", "hold = \"60ms\"\nac = true", 60 * ms, true},
		{"contact", "", 100 * ms, false},
		{"contact", `debounce = "0s"`, 100 * ms, false},
		{"contact", `hold = "2s"`, 2 * time.Second, false},
		{"tamper", "", 200 * ms, false},
		{"tamper", `debounce = "500ms"`, 200 * ms, false},
		{"tamper", `hold = "50ms"`, 50 * ms, false},
	} {
		door := "\ndoor = \"front\""
		if c.kind == Tamper {
			door = ""
		}
		text := good + "[[input]]\nname = \"x\"\nline = \"GPIO12\"\nkind = \"" + c.kind + "\"" + door + "\n" + c.keys + "\n"
		in := mustParse(t, text).BoardConfig().Inputs[2]
		if in.Hold != c.want || in.AC != c.ac {
			t.Errorf("%s %s: %+v", c.kind, c.keys, in)
		}
	}
	bell := mustParse(t, strings.Replace(good, `name = "front"`,
		"name = \"front\"\nhold = \"50ms\"\nac = true", 1)).BoardConfig().Inputs
	if bell[0].Hold != 50*ms || !bell[0].AC || bell[1].Hold != 0 || bell[1].AC {
		t.Errorf("%+v", bell)
	}
}

func TestShortHoldOfAC(t *testing.T) {
	for hold, want := range map[string]int{"25ms": 1, "26ms": 0, "0s": 0} {
		n := 0
		for _, f := range mustParse(t, strings.Replace(good, `name = "front"`,
			"name = \"front\"\nac = true\nhold = \""+hold+"\"", 1)).Warnings() {
			if f.Key == "bell[0].hold" && f.Severity == Warning && strings.Contains(f.Remedy, "50ms") {
				n++
			}
		}
		if n != want {
			t.Errorf("%s: warned %d times", hold, n)
		}
	}
}
