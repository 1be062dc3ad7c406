package board

import (
	"slices"
	"strings"
)

// numbered reads a line that is named by its chip's number.
func numbered(line string) (chip, offset string, ok bool) {
	chip, offset, ok = strings.Cut(strings.TrimPrefix(line, "/dev/"), ":")
	number, isChip := strings.CutPrefix(chip, "gpiochip")
	return chip, offset, ok && isChip && isNumber(number) && isNumber(offset)
}

// ByChipNumber says whether a line is named by a number that the kernel hands out as it finds the chips
// ("gpiochip0:17"): after an update it may be another chip's.
func ByChipNumber(line string) bool {
	_, _, ok := numbered(line)
	return ok
}

// ChipLabels gives, for each line of c that is named by its chip's number, what does not change of that chip:
// {"gpiochip0:27": "pinctrl-rp1"}. As c.ChipLabels it finds the line again under another number; a line that
// is new in a configuration means what it says.
func ChipLabels(chips []Chip, c Config) map[string]string {
	labels := map[string]string{}
	now := c.relabelled(chips, false).requests()
	for i, r := range c.requests() {
		if !ByChipNumber(r.line) {
			continue
		}
		if at, err := find(chips, now[i].line); err == nil {
			labels[r.line] = steady(chips, at.chip)
		} else if label := c.ChipLabels[r.line]; label != "" {
			labels[r.line] = label // the chip is not there at the moment
		}
	}
	return labels
}

// relabelled names lines whose chip has another number by now by the label that ChipLabels remembers. Where
// no chip has that label, strict tells what the line means: the chip that is gone, or the one that has its
// number now.
func (c Config) relabelled(chips []Chip, strict bool) Config {
	if len(c.ChipLabels) == 0 {
		return c
	}
	line := func(line string) string {
		now := relabel(chips, line, c.ChipLabels[line], strict)
		if now != line {
			c.tellRelabelled(line, now)
		}
		return now
	}
	c.Inputs, c.Relays, c.Lamps = slices.Clone(c.Inputs), slices.Clone(c.Relays), slices.Clone(c.Lamps)
	for i := range c.Inputs {
		c.Inputs[i].Line = line(c.Inputs[i].Line)
	}
	for _, outputs := range [][]Output{c.Relays, c.Lamps} {
		for i := range outputs {
			outputs[i].Line = line(outputs[i].Line)
		}
	}
	return c
}

// relabel names one line so, whose chip had that label; "": nobody knows.
func relabel(chips []Chip, line, label string, strict bool) string {
	chip, offset, ok := numbered(line)
	if !ok || label == "" {
		return line
	}
	labelled, named := findChips(chips, label), findChips(chips, chip)
	same := len(named) == 1 && slices.Contains(labelled, named[0])
	if same || len(labelled) == 0 && !strict {
		return line
	}
	return label + ":" + offset
}

func (c Config) tellRelabelled(line, now string) {
	c.logger().Warn("chip found by its label, it has another number now", "line", line, "write", now)
}
