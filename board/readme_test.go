package board

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// relayRefused is the program's own rule for a relay on a GPIO of a Raspberry Pi.
func relayRefused(gpio int, activeLow bool) bool {
	err := relayPin(gpio, activeLow, false)
	return err != nil && err.Refused
}

var (
	gpioRange  = regexp.MustCompile(`GPIO([0-9]+)(?: to GPIO([0-9]+))?`)
	gpioInHole = regexp.MustCompile(`GPIO([0-9]+) \(([0-9]+)\)`)
)

// gpios reads "GPIO0, GPIO1" and "GPIO22 to GPIO27".
func gpios(t *testing.T, cell string) (all []int) {
	t.Helper()
	for _, m := range gpioRange.FindAllStringSubmatch(cell, -1) {
		first := number(t, m[1])
		last := first
		if m[2] != "" {
			last = number(t, m[2])
		}
		for gpio := first; gpio <= last; gpio++ {
			all = append(all, gpio)
		}
	}
	if len(all) == 0 {
		t.Errorf("no GPIO in %q", cell)
	}
	return all
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil || n >= len(headerPins) {
		t.Fatalf("GPIO%s: not on the header (%v)", s, err)
	}
	return n
}

// table returns the cells of the rows under a heading row.
func table(t *testing.T, page string, heading ...string) (rows [][]string) {
	t.Helper()
	_, rest, ok := strings.Cut(page, "\n| "+strings.Join(heading, " | ")+" |\n")
	if !ok {
		t.Fatalf("no table | %s |", strings.Join(heading, " | "))
	}
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		var row []string
		for cell := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			row = append(row, strings.TrimSpace(cell))
		}
		rows = append(rows, row)
	}
	return rows[1:] // the line under the heading
}

// TestREADMEPins holds the page that people wire by against the code that judges what they wired.
func TestREADMEPins(t *testing.T) {
	raw, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	for _, m := range gpioInHole.FindAllStringSubmatch(page, -1) {
		if gpio := number(t, m[1]); fmt.Sprint(headerPins[gpio].Hole) != m[2] {
			t.Errorf("GPIO%d is in hole %d, not %s", gpio, headerPins[gpio].Hole, m[2])
		}
	}

	never := powerOnTable(t, page)
	used := map[int]string{}
	for _, row := range table(t, page, "for", "pin (hole)", "mind") {
		what := row[0]
		if !strings.Contains(row[1], "GPIO") {
			continue // ground and supply
		}
		for _, gpio := range gpios(t, row[1]) {
			if used[gpio] != "" {
				t.Errorf("GPIO%d is for %q and for %q", gpio, used[gpio], what)
			}
			used[gpio] = what
			if slices.Contains(never, gpio) {
				t.Errorf("GPIO%d is for %q, and never to be used", gpio, what)
			}
			low := strings.Contains(what, "active-low")
			if strings.Contains(what, "relay") && relayRefused(gpio, low) {
				t.Errorf("the %s on GPIO%d is refused", what, gpio)
			}
		}
	}
	for _, what := range []string{"bell buttons", "relay, **active-high**", "relay, **active-low**", "lamps"} {
		if !slices.Contains(slices.Collect(maps.Values(used)), what) {
			t.Errorf("no pin is for %q", what)
		}
	}
}

// powerOnTable checks the table of the levels at power-on and returns the pins that are never a relay's.
func powerOnTable(t *testing.T, page string) (never []int) {
	t.Helper()
	told := map[int]bool{}
	for _, row := range table(t, page, "pins", "from power-on", "for a relay") {
		high := row[1] == "high"
		if !high && row[1] != "low" {
			t.Errorf("level %q", row[1])
		}
		for _, gpio := range gpios(t, row[0]) {
			if told[gpio] {
				t.Errorf("GPIO%d is told twice", gpio)
			}
			told[gpio] = true
			// Of the two polarities, the one that the level energises is always refused.
			if !relayRefused(gpio, !high) {
				t.Errorf("GPIO%d: %s from power-on, but a relay that this energises is taken", gpio, row[1])
			}
			fits := map[bool]string{true: "active-low", false: "active-high"}[high]
			switch kind, _, _ := strings.Cut(strings.NewReplacer(":", " ", ",", " ").Replace(row[2]), " "); {
			case kind == "never":
				never = append(never, gpio)
			case kind != fits:
				t.Errorf("GPIO%d is %s from power-on: %q", gpio, row[1], row[2])
			case relayRefused(gpio, high):
				t.Errorf("GPIO%d: %q, but it is refused", gpio, row[2])
			}
		}
	}
	if len(told) != len(headerPins) {
		t.Errorf("%d of %d pins are told", len(told), len(headerPins))
	}
	return never
}
