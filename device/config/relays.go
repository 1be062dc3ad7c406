package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"portero/board"
)

// RelayLines gives the doors' relays of the file at path and of the last good copy in dataDir ("": that of
// the file, else the default), the lamps that a relay switches, and nothing else: for board.ReleaseAll, after
// a station was killed while a door was open. The killed station ran with the copy, and the file may have
// been changed or broken since. Where both name a line, a good file rules, and the copy does over a faulty
// one; a line that the ruling one gives to a bell, an input or a lamp without a relay is left alone.
//
// Of a faulty file each door and lamp counts whose line and polarity are beyond doubt. The error says that
// neither of the two could be read.
func RelayLines(path, dataDir string) (board.Config, error) {
	file, faulty, err := relaysOf(path)
	dir := dataDirOf(file, dataDir)
	copied, _, copyErr := relaysOf(filepath.Join(dir, lastGood))
	if file == nil && copied == nil {
		return board.Config{}, errors.Join(err, copyErr)
	}
	ruling := []*Config{file, copied}
	if faulty {
		slices.Reverse(ruling)
	}
	bc := board.Config{Sim: true, ChipLabels: KeptChips(dir)}
	taken := map[string]bool{}
	for _, c := range ruling {
		if c == nil || c.Board.Sim {
			continue
		}
		bc.Sim = false
		free := func(line string) bool {
			pin, _ := pinOf(line)
			defer func() { taken[pin] = true }()
			return !taken[pin]
		}
		for _, d := range c.Doors {
			if free(d.Line) {
				bc.Relays = append(bc.Relays, placed(d.output()))
			}
		}
		for _, l := range c.Lamps {
			if free(l.Line) && l.Relay {
				bc.Lamps = append(bc.Lamps, placed(l.output()))
			}
		}
		for _, b := range c.Bells {
			free(b.Line)
		}
		for _, in := range c.Inputs {
			free(in.Line)
		}
	}
	return bc, nil
}

// placed has the line in its name: one name may stand in the file and, for another line, in the copy.
func placed(o board.Output) board.Output {
	o.Name = fmt.Sprintf("%s on %s", o.Name, o.Line)
	return o
}

// relaysOf reads a file as far as it goes, without the doors and lamps that are in doubt; nil where nothing
// could be decoded.
func relaysOf(path string) (c *Config, faulty bool, err error) {
	src, _, err := readFile(path, maxFile)
	if err != nil {
		return nil, false, fmt.Errorf("config: read %q: %w", path, err)
	}
	c, d := parse(filepath.Base(path), src)
	if c == nil {
		return nil, true, d.faults
	}
	c.Doors = beyondDoubt(d, "door", c.Doors)
	c.Lamps = beyondDoubt(d, "lamp", c.Lamps)
	for i := range c.Doors {
		if c.Doors[i].Longest <= 0 {
			c.Doors[i].Longest = maxLongest // not what is asked for here
		}
	}
	return c, d.faults.Fatal(), nil
}

// beyondDoubt leaves out the elements of a table whose wires are in doubt.
func beyondDoubt[T any](d *document, table string, list []T) (good []T) {
	for i, x := range list {
		if !d.doubts(fmt.Sprintf("%s[%d]", table, i), reflect.TypeFor[T]()) {
			good = append(good, x)
		}
	}
	return good
}

// doubts says whether the line of an element of a table, or what hangs on it, is in doubt. An unknown key may
// be any of these, misspelt.
func (d *document) doubts(at string, element reflect.Type) bool {
	if d.bad[at] {
		return true
	}
	fields := tomlFields(element)
	for key := range d.bad {
		name, ok := strings.CutPrefix(key, at+".")
		_, known := fields[name]
		if ok && (!known || slices.Contains([]string{"line", "active_low", "relay", "kind", "door", "bias"}, name)) {
			return true
		}
	}
	return false
}

// dataDirOf is where the last good copy of a file is: given if that is not "", else where the file says as
// far as it can be read (file is nil where it cannot), else where the default is.
func dataDirOf(file *Config, given string) string {
	switch {
	case given != "":
		return given
	case file != nil && filepath.IsAbs(file.Station.DataDir):
		return file.Station.DataDir
	}
	return Default().Station.DataDir
}
