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

// TestRelayLinesRelease: a relay that a killed station left on is released although its file has become
// faulty since.
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

// TestRelayLinesOfLamps: what a relay switches is let go of, whatever it is called; a plain lamp's line is
// left alone.
func TestRelayLinesOfLamps(t *testing.T) {
	const lamp = `[[lamp]]
name = "stairs"
line = "GPIO26"
active_low = false
shows = "ringing"
relay = true
`
	plain := strings.Replace(lamp, "relay = true", "relay = false", 1)
	for name, test := range map[string]struct{ file, copied, want string }{
		"a relay":                  {good + lamp, "", "GPIO26"},
		"and a lamp without one":   {good + sensors + lamp, "", "GPIO26"},
		"in the copy":              {good, good + lamp, "GPIO26"},
		"none any more":            {good + plain, good + lamp, ""},
		"its line is a door's now": {strings.Replace(good, "GPIO27", "GPIO26", 1), good + lamp, ""},
		"its line has changed": {strings.Replace(good+lamp, "GPIO26", "GPIO24", 1), good + lamp,
			"GPIO24 GPIO26"},
		"a bad polarity": {strings.Replace(good+lamp, "low = false", "low = 0", 1), "", ""},
		"a bad polarity, with a copy": {strings.Replace(good+lamp, "low = false", "low = 0", 1),
			good + lamp, "GPIO26"},
		"a misspelt key, with a copy": {strings.Replace(good+lamp, "relay", "realy", 1),
			good + lamp, "GPIO26"},
		"a relay of nonsense, and a copy": {strings.Replace(good+lamp, "= true", "= 1", 1),
			good + lamp, "GPIO26"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "portero.toml")
		write(t, path, test.file, 0o600)
		if test.copied != "" {
			write(t, filepath.Join(dir, lastGood), test.copied, 0o600)
		}
		bc, err := RelayLines(path, dir)
		var got []string
		for _, l := range bc.Lamps {
			got = append(got, l.Line)
		}
		if err != nil || strings.Join(got, " ") != test.want || len(bc.Relays) < 2 || len(bc.Inputs) != 0 {
			t.Errorf("%s: %q, %v; want %q", name, got, err, test.want)
		}
	}
}

// TestRelayOfALampIsReleased, driven on by a station that was killed, by what `portero release` does.
func TestRelayOfALampIsReleased(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "portero.toml")
	text := good + strings.Replace(sensors, `shows = "ready"`, "shows = \"ready\"\nrelay = true", 1)
	write(t, path, text, 0o600)
	sim := board.NewSim()
	b, err := sim.Open(mustParse(t, text).BoardConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Lamp(LampName("ready")).Set(true); err != nil {
		t.Fatal(err)
	}
	sim.Kill()
	bc, err := RelayLines(path, dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.ReleaseAll(bc); err != nil {
		t.Fatal(err)
	}
	edges := sim.Edges()
	if len(edges) != 2 || !edges[0].Active || edges[1].Active || edges[1].Name != "lamp:ready on GPIO19" ||
		!edges[1].High {
		t.Errorf("%+v", edges)
	}
}

func TestRingingRelayIsWarnedOf(t *testing.T) {
	for keys, want := range map[string]int{
		"shows = \"ringing\"\nrelay = true":  1,
		"shows = \"ringing\"\nrelay = false": 0,
		"shows = \"talking\"\nrelay = true":  0,
	} {
		n := 0
		for _, f := range mustParse(t,
			good+"[[lamp]]\nname = \"gong\"\nline = \"GPIO26\"\n"+keys+"\n").Warnings() {
			if f.Severity == Warning {
				n++
				if f.Key != "lamp[0].shows" || !strings.Contains(f.Problem, "coil of a gong burns") ||
					!strings.Contains(f.Remedy, "ends by itself") {
					t.Errorf("%v", f)
				}
			}
		}
		if n != want {
			t.Errorf("%q: warned %d times", keys, n)
		}
	}
	// Its pin is judged as a door's, but it opens nothing.
	for _, f := range mustParse(t,
		good+"[[lamp]]\nname = \"x\"\nline = \"GPIO14\"\nshows = \"open\"\nrelay = true\n").Warnings() {
		if f.Severity == Unsafe || f.Severity == Warning && f.Key != "lamp[0].line" {
			t.Errorf("%v", f)
		}
	}
}
