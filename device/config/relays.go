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

// RelayLines gives the relays of the file at path and of the last good copy in dataDir ("": that of the file, else the default), and
// nothing else: for board.ReleaseAll, after a station was killed while a door was open. The killed station ran with the copy, and the
// file may have been changed or broken since. Where both name a line, a good file rules, and the copy does over a faulty one; a line
// that the ruling one gives to a bell, an input or a lamp is left alone.
//
// Of a faulty file each door counts whose line and polarity are beyond doubt. The error says that neither of the two could be read.
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
		var others []string
		for _, d := range c.Doors {
			pin, _ := pinOf(d.Line)
			if !taken[pin] {
				taken[pin] = true
				relay := d.output()
				relay.Name = fmt.Sprintf("%s on %s", relay.Name, d.Line) // one name may stand in both
				bc.Relays = append(bc.Relays, relay)
			}
		}
		for _, b := range c.Bells {
			others = append(others, b.Line)
		}
		for _, in := range c.Inputs {
			others = append(others, in.Line)
		}
		for _, l := range c.Lamps {
			others = append(others, l.Line)
		}
		for _, line := range others {
			pin, _ := pinOf(line)
			taken[pin] = true
		}
	}
	return bc, nil
}

// relaysOf reads a file as far as it goes, without the doors that are in doubt; nil where nothing could be decoded.
func relaysOf(path string) (c *Config, faulty bool, err error) {
	src, _, err := readFile(path, maxFile)
	if err != nil {
		return nil, false, fmt.Errorf("config: read %q: %w", path, err)
	}
	c, d := parse(filepath.Base(path), src)
	if c == nil {
		return nil, true, d.faults
	}
	fields := tomlFields(reflect.TypeFor[Door]())
	doors := c.Doors
	c.Doors = nil
	for i, x := range doors {
		at := fmt.Sprintf("door[%d]", i)
		doubt := x.Line == "" || d.bad[at] || d.bad[at+".line"] || d.bad[at+".active_low"]
		// An unknown key may be a misspelt active_low.
		for key := range d.bad {
			name, ok := strings.CutPrefix(key, at+".")
			_, known := fields[name]
			doubt = doubt || ok && !known
		}
		if x.Longest <= 0 {
			x.Longest = maxLongest // not what is asked for here
		}
		if !doubt {
			c.Doors = append(c.Doors, x)
		}
	}
	return c, d.faults.Fatal(), nil
}

// dataDirOf is where the last good copy of a file is: given if that is not "", else where the file says as far as it can be read (file
// is nil where it cannot), else where the default is.
func dataDirOf(file *Config, given string) string {
	switch {
	case given != "":
		return given
	case file != nil && filepath.IsAbs(file.Station.DataDir):
		return file.Station.DataDir
	}
	return Default().Station.DataDir
}
