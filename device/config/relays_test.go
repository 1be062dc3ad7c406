package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portero/board"
)

// lines writes relays as "GPIO27 GPIO5-" (minus: active-low).
func lines(bc board.Config) string {
	var out []string
	for _, r := range bc.Relays {
		s := r.Line
		if r.ActiveLow {
			s += "-"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func TestRelayLines(t *testing.T) {
	replace := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("%q is not in the good file", from)
		}
		return strings.Replace(good, from, to, 1)
	}
	const garage = "line = \"GPIO5\"\nactive_low = true"
	for name, test := range map[string]struct{ file, copied, want string }{
		"a good file":                {good, "", "GPIO27 GPIO5-"},
		"and its copy":               {good, good, "GPIO27 GPIO5-"},
		"a fault elsewhere":          {replace(`enabled = "on"`, `enabled = 5`), "", "GPIO27 GPIO5-"},
		"a line that is not TOML":    {replace(`enabled = "on"`, `enabled = on`), "", "GPIO27 GPIO5-"},
		"a faulty time":              {replace(`switch_on = "500ms"`, `switch_on = 3`), "", "GPIO27 GPIO5-"},
		"a longest time of nonsense": {replace(`switch_on = "500ms"`, `longest = "0s"`), "", "GPIO27 GPIO5-"},
		"a bad line":                 {replace(garage, "line = 5\nactive_low = true"), "", "GPIO27"},
		"a bad polarity":             {replace(garage, "line = \"GPIO5\"\nactive_low = \"yes\""), good, "GPIO27 GPIO5-"},
		"a bad polarity alone":       {replace(garage, "line = \"gpiochip1:3\"\nactive_low = \"yes\""), "", "GPIO27"},
		"a misspelt one alone":       {replace(garage, "line = \"gpiochip1:3\"\nactivelow = true"), "", "GPIO27"},
		"a polarity told twice":      {replace(garage, "line = \"GPIO5\"\nactive_low = true\nactive_low = false"), good, "GPIO27 GPIO5-"},
		"faulty, and it has changed": {replace(garage, "line = \"gpiochip1:3\"\nactive_low = true") + "x = 1\n", replace(garage, `line = "gpiochip1:3"`), "GPIO27 gpiochip1:3"},
		"good, and it has changed":   {replace(garage, "line = \"gpiochip1:3\"\nactive_low = true"), replace(garage, `line = "gpiochip1:3"`), "GPIO27 gpiochip1:3-"},
		"a bell's, in a faulty file": {strings.Replace(good, "GPIO27", "GPIO22", 1), good, "GPIO27 GPIO5-"},
		"a misspelt polarity":        {replace(garage, "line = \"GPIO5\"\nactivelow = true"), good, "GPIO27 GPIO5-"},
		"the line has changed":       {replace("GPIO27", "GPIO26"), good, "GPIO26 GPIO5- GPIO27"},
		"the polarity has changed":   {replace("GPIO27\"", "GPIO7\"\nactive_low = true"), replace("GPIO27", "GPIO7"), "GPIO7- GPIO5-"},
		"the line is a bell's now":   {replace("GPIO27", "GPIO26") + strings.Replace(sensors, "GPIO12", "GPIO27", 1), good, "GPIO26 GPIO5-"},
		"the line by another name":   {replace("GPIO27", "pinctrl-bcm2711:27"), good, "pinctrl-bcm2711:27 GPIO5-"},
		"nothing to be read":         {"[[[", good, "GPIO27 GPIO5-"},
		"a later version":            {replace("version = 1", "version = 9"), good, "GPIO27 GPIO5-"},
		"no doors any more":          {"version = 1\n", good, "GPIO27 GPIO5-"},
		"no file":                    {"", good, "GPIO27 GPIO5-"},
		"a trial now":                {good + "[board]\nsim = true\n", good, "GPIO27 GPIO5-"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "portero.toml")
		if test.file != "" {
			write(t, path, test.file, 0o600)
		}
		if test.copied != "" {
			write(t, filepath.Join(dir, lastGood), test.copied, 0o600)
		}
		bc, err := RelayLines(path, dir)
		if err != nil || lines(bc) != test.want || bc.Sim || len(bc.Inputs)+len(bc.Lamps) != 0 {
			t.Errorf("%s: %q, sim %v, %v; want %q", name, lines(bc), bc.Sim, err, test.want)
		}
	}
}

func TestRelayLinesOfASimulation(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "portero.toml")
	write(t, path, good+"[board]\nsim = true\n", 0o600)
	if bc, err := RelayLines(path, dir); err != nil || !bc.Sim || len(bc.Relays) != 0 {
		t.Errorf("%+v, %v", bc, err)
	}
}

// TestRelayLinesFindTheCopy in the data directory that the file names, where no other is given.
func TestRelayLinesFindTheCopy(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "portero.toml")
	write(t, path, fmt.Sprintf("version = 1\n[station]\ndata_dir = %q\n[log]\nlevel = 7\n", dir), 0o600)
	write(t, filepath.Join(dir, lastGood), good, 0o600)
	if bc, err := RelayLines(path, ""); err != nil || lines(bc) != "GPIO27 GPIO5-" {
		t.Errorf("%+v, %v", bc, err)
	}
	if _, err := RelayLines(filepath.Join(dir, "absent"), filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// TestRelayLinesRelease: a relay that a killed station left on is released although its file has become faulty since.
func TestRelayLinesRelease(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "portero.toml")
	c := mustParse(t, good)
	if err := c.SaveLastGood(dir, nil); err != nil {
		t.Fatal(err)
	}
	sim := board.NewSim()
	b, err := sim.Open(c.BoardConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, door := range []string{"front", "garage"} {
		if err := b.Relay(DoorRelay(door)).Energize(9 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
	sim.Kill()
	if edges := sim.Edges(); len(edges) != 2 {
		t.Fatalf("%v", edges)
	}
	write(t, path, strings.Replace(good, `name = "garage"`, "name = garage\nline = \"GPIO6\"", 1)+"[[door]\n", 0o600)
	bc, err := RelayLines(path, dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.ReleaseAll(bc); err != nil {
		t.Fatal(err)
	}
	for _, e := range sim.Edges()[2:] {
		if e.Active {
			t.Errorf("%+v", e)
		}
	}
	if n := len(sim.Edges()); n != 4 {
		t.Errorf("%d edges, want each relay on and off", n)
	}
}
