package config

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// wasOn stands between a line that names its chip by the number and the chip's label, in the last good copy.
const wasOn = " was on "

// withMarks appends to a file, as comments, whose it is and the labels of lines' chips.
func withMarks(src []byte, machine string, chips map[string]string) []byte {
	var b bytes.Buffer
	b.Write(src)
	if machine != "" {
		fmt.Fprintf(&b, "\n# Kept by the machine %s\n", machine)
	}
	for i, name := range slices.Sorted(maps.Keys(chips)) {
		if i == 0 {
			b.WriteString("\n# What the chips are called whose numbers stand above, as those may change:\n")
		}
		fmt.Fprintf(&b, "# %s%s%q\n", name, wasOn, chips[name])
	}
	if b.Len() > maxFile {
		return src // a copy that is read is worth more
	}
	return b.Bytes()
}

// chipsKept reads what withMarks wrote.
func chipsKept(src []byte) map[string]string {
	chips := map[string]string{}
	for line := range strings.Lines(string(src)) {
		line, comment := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "# ")
		name, quoted, ok := strings.Cut(line, wasOn)
		if !comment || !ok || name == "" || strings.ContainsAny(name, blanks) || !strings.HasPrefix(quoted, `"`) {
			continue
		}
		if label, err := strconv.Unquote(quoted); err == nil {
			chips[name] = label
		}
	}
	return chips
}

// KeptChips gives what the last good copy in dataDir remembers of chips that have a number in it; nothing
// where there is none. It is for board.Config.ChipLabels.
func KeptChips(dataDir string) map[string]string {
	src, _, err := readFile(filepath.Join(dataDir, lastGood), maxFile)
	if err != nil {
		return nil
	}
	return chipsKept(src)
}
