package config

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"portero/device/durable"
)

const lastGood = "last-good.toml"

// copied is what a Config knows that is a last good copy.
type copied struct {
	at   time.Time // when it was kept; zero: it is no copy
	shut []Door    // what it has, and does not open
	out  []string  // what of it is left out
	card string    // audio.card as it says
}

// Copied says when the last good copy was kept that c is, and what of it LoadLastGood has left out; the zero
// time: c is no copy.
func (c *Config) Copied() (at time.Time, out []string) { return c.copied.at, c.copied.out }

// CopiedCard is audio.card as the last good copy says that c is, whatever the file says.
func (c *Config) CopiedCard() string { return c.copied.card }

// Digest names the text that c was read from: two texts that differ have different ones. It is "" where c was
// not read from a file.
func (c *Config) Digest() string {
	if c.source == nil {
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256(*c.source))
}

// SaveLastGood keeps the file that c was read from in dir (mode 0600), for LoadLastGood, and below it whose it
// is, and chips (board.ChipLabels), for KeptChips. It writes nothing where that is there already. The old copy
// stays until the new one is on the medium. It syncs: not for the station's loop.
func (c *Config) SaveLastGood(dir string, chips map[string]string) error {
	path := filepath.Join(dir, lastGood)
	if c.source == nil {
		return fmt.Errorf("config: save %q: not read from a file", path)
	}
	text := withMarks(*c.source, machine(), chips)
	if there, mode, err := readFile(path, maxFile); err == nil && mode.Perm() == 0o600 && bytes.Equal(there, text) {
		return nil
	}
	if err := durable.Write(path, text); err != nil {
		return fmt.Errorf("config: save %q: %w", path, err)
	}
	return nil
}

// LoadLastGood reads the copy for a station that cannot run with its file at path, from dataDir ("": where the
// file says, else the default). It rings its bells as before, and the buttons inside open their doors. It has
// no other doors, no codes and no incoming calls: who could open or listen in is not decided by a file that
// was replaced. Door contacts and tamper contacts go on telling what they see.
//
// What the file says of the wires, as far as it can be read, rules: see trust. A copy that another machine has
// kept, or that only simulates a board, is refused.
func LoadLastGood(path, dataDir string) (*Config, error) {
	file, rules := readWires(path)
	from := filepath.Join(dataDirOf(file, dataDir), lastGood)
	c, err := Load(from)
	if err != nil {
		return nil, err
	}
	if of := keptBy(*c.source); of != "" && machine() != "" && of != machine() {
		return nil, fmt.Errorf("config: %q was kept by another machine: its wires and its accounts are not this one's; repair the file", from)
	}
	if c.Board.Sim && (file == nil || !file.Board.Sim) {
		return nil, fmt.Errorf("config: %q only simulates a board (board.sim): it cannot stand in for a real one; repair the file", from)
	}
	if fi, err := os.Stat(from); err == nil {
		c.copied.at = fi.ModTime()
	}
	c.without(len(c.Codes) > 0, "codes")
	c.without(len(c.Incoming.Allow) > 0, "callers")
	c.Codes, c.Incoming = nil, Incoming{}
	if file != nil && file.Board.Sim && !c.Board.Sim { // nothing is said of the real wires
		rules = wires{}
	}
	c.trust(rules)
	c.copied.card = c.Audio.Card
	if file != nil && noCard(c.Audio.Card) && !noCard(file.Audio.Card) {
		c.Audio.Card = file.Audio.Card
	}
	return c, nil
}

// noCard says whether audio.card is no sound card: nobody could talk to a visitor.
func noCard(card string) bool { return card == "none" || strings.HasPrefix(card, "wav:") }

// trust leaves out what hangs on wires that may have been moved since. Relays, lamps and the buttons inside
// stay only where the file confirms them: where a lamp was may be a strike today, and a button that was inside
// may hang outside. Bells and contacts are only listened to: they stay where the file does not give their line
// to something else. All stay where nothing of the file can be read.
func (c *Config) trust(rules wires) {
	c.Bells = slices.DeleteFunc(c.Bells, func(b Bell) bool {
		return c.without(!rules.allow(b.Line, bellUse), "bell "+b.Name)
	})
	c.Lamps = slices.DeleteFunc(c.Lamps, func(l Lamp) bool {
		return c.without(!rules.confirm(l.Line, l.use()), "lamp "+l.Name)
	})
	exits := map[string]bool{} // doors that a button inside opens
	c.Inputs = slices.DeleteFunc(c.Inputs, func(in Input) bool {
		if in.Kind != REX {
			return c.without(!rules.allow(in.Line, in.use(c)), in.Kind+" "+in.Name)
		}
		d := c.door(in.Door)
		stays := rules.confirm(in.Line, in.use(c)) && rules.confirm(d.Line, d.use())
		exits[in.Door] = exits[in.Door] || stays
		return c.without(!stays, "inside button "+in.Name)
	})
	for _, d := range c.Doors {
		if c.without(!exits[d.Name], "door "+d.Name) {
			c.copied.shut = append(c.copied.shut, d)
		}
	}
	c.Doors = slices.DeleteFunc(c.Doors, func(d Door) bool { return !exits[d.Name] })
}

// without notes what is left out, if it is.
func (c *Config) without(out bool, what string) bool {
	if out {
		c.copied.out = append(c.copied.out, what)
	}
	return out
}

// wires is what a file says hangs on each line; nil: nothing of it can be read.
type wires map[string][]string

// allow says that the file does not give a line to something else.
func (w wires) allow(line, use string) bool {
	uses := w[pin(line)]
	return len(uses) == 0 || slices.Contains(uses, use)
}

// confirm says that the file gives the line to this use alone.
func (w wires) confirm(line, use string) bool {
	return w == nil || slices.Equal(w[pin(line)], []string{use})
}

func pin(line string) string {
	name, _ := pinOf(line)
	return name
}

const (
	bellUse    = "bell"
	doubtedUse = "?"
)

func (d *Door) use() string { return fmt.Sprintf("door, active low %v", d.ActiveLow) }
func (l *Lamp) use() string { return fmt.Sprintf("lamp, active low %v", l.ActiveLow) }

func (in *Input) use(c *Config) string {
	if in.Kind != REX {
		return in.Kind
	}
	return fmt.Sprintf("rex of %s, active low %v, %s", pin(c.door(in.Door).Line), in.ActiveLow, in.Bias)
}

// door is the door of that name; an empty one where there is none.
func (c *Config) door(name string) *Door {
	for i := range c.Doors {
		if c.Doors[i].Name == name {
			return &c.Doors[i]
		}
	}
	return &Door{}
}

// readWires reads the file at path as far as it can be read; file is nil where nothing can.
func readWires(path string) (file *Config, w wires) {
	src, _, err := readFile(path, maxFile)
	if err != nil {
		return nil, nil
	}
	file, d := parse(filepath.Base(path), src)
	if file == nil {
		return nil, nil
	}
	w = wires{}
	put := func(line, use string, doubted bool) {
		if doubted {
			use = doubtedUse
		}
		w[pin(line)] = append(w[pin(line)], use)
	}
	for i := range file.Bells {
		put(file.Bells[i].Line, bellUse, false) // it is listened to whatever else is wrong
	}
	for i := range file.Inputs {
		in := &file.Inputs[i]
		put(in.Line, in.use(file), d.doubts(fmt.Sprintf("input[%d]", i), reflect.TypeFor[Input]()))
	}
	for i := range file.Doors {
		put(file.Doors[i].Line, file.Doors[i].use(), d.doubts(fmt.Sprintf("door[%d]", i), reflect.TypeFor[Door]()))
	}
	for i := range file.Lamps {
		put(file.Lamps[i].Line, file.Lamps[i].use(), d.doubts(fmt.Sprintf("lamp[%d]", i), reflect.TypeFor[Lamp]()))
	}
	return file, w
}

// keptBy is the machine that has kept a last good copy, as its comment says; "" where it says nothing.
func keptBy(copied []byte) string {
	for line := range strings.Lines(string(copied)) {
		if of, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "# Kept by the machine "); ok && madeOf(of, numerals+"abcdef") {
			return of
		}
	}
	return ""
}

// machineID is the name that a Linux system gives itself at its first start, for good (machine-id(5)).
var machineID = "/etc/machine-id"

// machine names this machine, and leads nobody back to its own name; "" where it has none.
func machine() string {
	id, err := os.ReadFile(machineID)
	if err != nil || len(bytes.TrimSpace(id)) == 0 {
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256(append([]byte("portero copy\x00"), bytes.TrimSpace(id)...)))[:16]
}
