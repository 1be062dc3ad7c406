package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const caller = "[[incoming.allow]]\nfrom = \"sip:kitchen@portero.local\"\nsource = \"server\"\nauto_answer = true\n"

// keep makes the text the last good copy in dir.
func keep(t *testing.T, dir, text string) {
	t.Helper()
	if err := mustParse(t, text).SaveLastGood(dir, nil); err != nil {
		t.Fatal(err)
	}
}

func TestLastGood(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadLastGood(filepath.Join(dir, "absent.toml"), dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	keep(t, dir, good)
	keep(t, dir, good+sensors+caller) // replaces
	path := filepath.Join(dir, lastGood)
	data, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(data), good+sensors+caller) {
		t.Errorf("%v: %s", err, data)
	}
	fi, err := os.Stat(path)
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", fi.Mode(), err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	c, err := LoadLastGood(filepath.Join(dir, "absent.toml"), dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Bells) != 2 || len(c.Accounts) != 1 || len(c.Server.Users) != 1 {
		t.Errorf("the bells: %+v", c)
	}
	if len(c.Codes)+len(c.Incoming.Allow) != 0 {
		t.Errorf("somebody could open or listen: %+v", c)
	}
	if len(c.Doors) != 1 || c.Doors[0].Name != "front" || len(c.BoardConfig().Relays) != 1 {
		t.Errorf("doors %+v, want that of the button inside", c.Doors)
	}
	if len(c.Inputs) != 3 || c.Inputs[0].Kind != REX || len(c.Lamps) != 1 {
		t.Errorf("inputs %+v, lamps %+v", c.Inputs, c.Lamps)
	}
	if !c.HasRelay("GPIO5", true) || !c.HasRelay("GPIO27", false) {
		t.Error("it does not know its relays any more")
	}
	at, out := c.Copied()
	if want := []string{"codes", "callers", "door garage"}; !at.Equal(fi.ModTime()) || !slices.Equal(out, want) {
		t.Errorf("a copy of %v without %q, want of %v without %q", at, out, fi.ModTime(), want)
	}
	if err := c.SaveLastGood(filepath.Join(dir, "absent"), nil); err == nil {
		t.Error("saved into nothing")
	}
	if err := Default().SaveLastGood(dir, nil); err == nil {
		t.Error("saved nothing")
	}
}

// TestLastGoodIsWrittenOnce: what is there already costs the medium nothing.
func TestLastGoodIsWrittenOnce(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, lastGood)
	look := func() os.FileInfo {
		t.Helper()
		fi, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return fi
	}
	chips := map[string]string{"gpiochip0:17": "pinctrl-rp1"}
	save := func() {
		t.Helper()
		if err := mustParse(t, good).SaveLastGood(dir, chips); err != nil {
			t.Fatal(err)
		}
	}
	save()
	if err := os.Chtimes(path, time.Time{}, time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	was := look()
	save()
	if now := look(); !os.SameFile(was, now) || !now.ModTime().Equal(was.ModTime()) {
		t.Error("an equal copy was written again")
	}
	chips["gpiochip0:17"] = "pinctrl-bcm2711"
	save()
	if os.SameFile(was, look()) {
		t.Error("another chip's name was not kept")
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	save()
	if now := look(); now.Mode().Perm() != 0o600 {
		t.Errorf("its mode is left at %v", now.Mode())
	}
}

// TestFileRulesWires: what of the copy hangs on wires that the faulty file has moved, or may have, stays out:
// neither a button outside nor a lamp opens a door. Bells and what is as it was stay.
func TestFileRulesWires(t *testing.T) {
	const fault = "\nnonsense = 1\n" // of the last table
	all := []string{"front", "back", "exit", "leaf", "case", "front", "ready"}
	without := func(names ...string) (left []string) {
		left = slices.Clone(all)
		for _, n := range names {
			i := slices.Index(left, n)
			if n == "front door" {
				i = 5
			}
			left[i] = ""
		}
		return slices.DeleteFunc(left, func(s string) bool { return s == "" })
	}
	for name, c := range map[string]struct {
		file string
		want []string
	}{
		"a fault elsewhere":             {good + sensors + "[audio]" + fault, all},
		"a target misspelt":             {strings.Replace(good, "targets", "tragets", 1) + sensors, all},
		"not TOML at all":               {"[[bell\n" + good + sensors, all},
		"a door and its button renamed": {strings.ReplaceAll(good+sensors, `"front"`, `"main"`) + fault, without("ready")},
		"bell and button swapped": {strings.NewReplacer("GPIO17", "GPIO12", "GPIO12", "GPIO17").Replace(good+sensors) + "[audio]" + fault,
			without("front", "exit", "front door")},
		"the button is a bell's": {strings.Replace(good, "GPIO22", "GPIO12", 1) + "[audio]" + fault, without("exit", "front door", "ready")},
		"the relay's polarity": {strings.Replace(good, `line = "GPIO27"`, "line = \"GPIO27\"\nactive_low = true", 1) + sensors + "[audio]" + fault,
			without("exit", "front door")},
		"the relay's polarity, misspelt": {strings.Replace(good, `line = "GPIO27"`, "line = \"GPIO27\"\nactiv_low = true", 1) + sensors,
			without("exit", "front door")},
		"the button's level": {strings.Replace(good+sensors, `line = "GPIO12"`, "line = \"GPIO12\"\nactive_low = false", 1) + "[audio]" + fault,
			without("exit", "front door")},
		"the button's pull": {strings.Replace(good+sensors, `line = "GPIO12"`, "line = \"GPIO12\"\nbias = \"none\"", 1) + "[audio]" + fault,
			without("exit", "front door")},
		"another button of the door": {strings.Replace(good+sensors, `line = "GPIO12"`, `line = "GPIO16"`, 1) + "[audio]" + fault,
			without("exit", "front door")},
		"the lamp is a door's relay": {strings.NewReplacer("GPIO27", "GPIO19", "GPIO19", "GPIO26").Replace(good+sensors) + "[audio]" + fault,
			without("exit", "front door", "ready")},
		"a relay where a bell was": {strings.NewReplacer("GPIO22", "GPIO26", "GPIO5", "GPIO22").Replace(good+sensors) + "[audio]" + fault,
			without("back")},
		"a door on a bell's line": {strings.Replace(good, "GPIO5", "GPIO22", 1) + sensors, all},
		"it only simulates":       {good + sensors + "[board]\nsim = true" + fault, without("exit", "front door", "ready")},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			keep(t, dir, good+sensors)
			path := filepath.Join(dir, "portero.toml")
			write(t, path, c.file, 0o600)
			if _, err := Load(path); err == nil {
				t.Fatal("the file has no fault")
			}
			copied, err := LoadLastGood(path, dir)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, x := range copied.Bells {
				got = append(got, x.Name)
			}
			for _, x := range copied.Inputs {
				got = append(got, x.Name)
			}
			for _, x := range copied.Doors {
				got = append(got, x.Name)
			}
			for _, x := range copied.Lamps {
				got = append(got, x.Name)
			}
			_, out := copied.Copied()
			if !slices.Equal(got, c.want) || len(got)+len(out) != len(all)+2 { // codes and the garage
				t.Errorf("stays: %q\nwant:  %q\nout:   %q", got, c.want, out)
			}
		})
	}
}

// TestCopyThatStandsInForNothing: a simulated board is no door station, and another machine's file is another
// house's.
func TestCopyThatStandsInForNothing(t *testing.T) {
	dir := t.TempDir()
	path, id := filepath.Join(dir, "portero.toml"), filepath.Join(dir, "machine-id")
	defer func(was string) { machineID = was }(machineID)
	machineID = id
	write(t, id, "2b1f0a\n", 0o644)
	refused := func(part string) {
		t.Helper()
		if _, err := LoadLastGood(path, dir); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v, want %q", err, part)
		}
	}
	taken := func() {
		t.Helper()
		if _, err := LoadLastGood(path, dir); err != nil {
			t.Error(err)
		}
	}
	sim := good + "[board]\nsim = true\n"
	keep(t, dir, sim)
	refused("only simulates a board") // there is no file
	write(t, path, good+"[audio]\nnonsense = 1\n", 0o600)
	refused("only simulates a board")
	write(t, path, sim+"[audio]\nnonsense = 1\n", 0o600)
	taken()

	keep(t, dir, good)
	taken()
	write(t, id, "another\n", 0o644)
	refused("kept by another machine")
	if err := os.Remove(id); err != nil { // it does not know itself
		t.Fatal(err)
	}
	taken()
	keep(t, dir, good+"# by a machine without a name\n")
	write(t, id, "another\n", 0o644)
	taken()
}

// TestCardOfTheFile: a copy made before there was a sound card talks through the file's.
func TestCardOfTheFile(t *testing.T) {
	for _, c := range []struct{ copied, file, want string }{
		{"none", "hw:1", "hw:1"}, {"wav:/tmp/in.wav,/tmp/out.wav", "", ""}, {"hw:0", "none", "hw:0"}, {"none", "none", "none"}, {"hw:0", "hw:1", "hw:0"},
	} {
		dir := t.TempDir()
		card := func(card string) string { return good + "[audio]\ncard = \"" + card + "\"\n" }
		keep(t, dir, card(c.copied))
		path := filepath.Join(dir, "portero.toml")
		write(t, path, card(c.file)+"nonsense = 1\n", 0o600)
		if got, err := LoadLastGood(path, dir); err != nil || got.Audio.Card != c.want {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
