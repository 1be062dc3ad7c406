package config

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestChipNumbersAreToldOf: warned of where they move a door, mentioned elsewhere.
func TestChipNumbersAreToldOf(t *testing.T) {
	for from, want := range map[string]Severity{`"GPIO27"`: Warning, `"GPIO17"`: Info, `"GPIO12"`: Info,
		`"GPIO19"`: Info} {
		n := 0
		for _, f := range mustParse(t, strings.Replace(good+sensors, from, `"gpiochip0:21"`, 1)).Warnings() {
			if strings.Contains(f.Problem, "its chip's number") {
				n++
				if f.Severity != want || f.Value != `"gpiochip0:21"` || !strings.Contains(f.Remedy, "label") {
					t.Errorf("%s: %v", from, f)
				}
			}
		}
		if n != 1 {
			t.Errorf("%s: told %d times", from, n)
		}
	}
}

// TestKeptChips: what chips were is kept with the last good copy, which stays a file like any other, and
// release gets it.
func TestKeptChips(t *testing.T) {
	dir := t.TempDir()
	defer func(was string) { machineID = was }(machineID)
	machineID = filepath.Join(dir, "none")
	path := filepath.Join(dir, "portero.toml")
	chips := map[string]string{"gpiochip0:27": "pinctrl-rp1", "/dev/gpiochip12:3": `mcp "x": # 1`}
	text := strings.Replace(good, `"GPIO27"`, `"gpiochip0:27"`, 1)
	write(t, path, text, 0o600)
	for range 2 { // replaced, not gathered
		if err := mustParse(t, text).SaveLastGood(dir, chips); err != nil {
			t.Fatal(err)
		}
	}
	if got := KeptChips(dir); !maps.Equal(got, chips) {
		t.Errorf("%v", got)
	}
	copied, err := os.ReadFile(filepath.Join(dir, lastGood))
	if err != nil || !strings.HasPrefix(string(copied), text) ||
		strings.Count(string(copied), "\n") != strings.Count(text, "\n")+4 {
		t.Errorf("%v:\n%s", err, copied)
	}
	if c, err := LoadLastGood(path, dir); err != nil || len(c.Bells) != 2 {
		t.Errorf("%v", err)
	}
	bc, err := RelayLines(path, dir)
	if err != nil || lines(bc) != "gpiochip0:27 GPIO5-" || !maps.Equal(bc.ChipLabels, chips) {
		t.Errorf("%+v, %v", bc, err)
	}
	if got := KeptChips(t.TempDir()); len(got) != 0 {
		t.Errorf("%v of no copy", got)
	}
	// A copy that came to be the file is no worse, and what is newest counts.
	again := mustParse(t, string(copied))
	if err := again.SaveLastGood(dir, map[string]string{"gpiochip0:27": "pinctrl-bcm2711"}); err != nil {
		t.Fatal(err)
	}
	if got := KeptChips(dir); got["gpiochip0:27"] != "pinctrl-bcm2711" {
		t.Errorf("%v", got)
	}
	// A file that fills the limit is kept without them.
	full := text + "#" + strings.Repeat("x", maxFile-len(text)-1)
	if err := mustParse(t, full).SaveLastGood(dir, chips); err != nil {
		t.Fatal(err)
	}
	if c, err := LoadLastGood(path, dir); err != nil || len(c.Bells) != 2 || len(KeptChips(dir)) != 0 {
		t.Errorf("%v", err)
	}
}
