package board

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// found is where a line is.
type found struct {
	chip *Chip
	line *Line
}

func (f found) String() string {
	if f.line.Name == "" {
		return fmt.Sprintf("%s:%d (%s)", f.chip.Name, f.line.Offset, f.chip.Label)
	}
	return fmt.Sprintf("%s:%d (%s %s)", f.chip.Name, f.line.Offset, f.chip.Label, f.line.Name)
}

// find looks a line up: "GPIO17" by the header's numbering, others by the name that the kernel gives them, or
// by chip and offset.
func find(chips []Chip, spec string) (found, error) {
	if number := gpioNumber(spec); number != "" {
		if header := headerChips(chips); len(header) > 0 {
			return findGPIO(chips, header, spec, number)
		}
	}
	var all, header []found
	for i := range chips {
		for j := range chips[i].Lines {
			f := found{&chips[i], &chips[i].Lines[j]}
			if spec == "" || f.line.Name != spec {
				continue
			}
			all = append(all, f)
			if strings.HasPrefix(f.chip.Label, "pinctrl-") {
				header = append(header, f)
			}
		}
	}
	if len(header) == 1 {
		all = header
	}
	if len(all) > 0 {
		return only(chips, all, fmt.Sprintf("line name %q", spec))
	}
	return findOffset(chips, spec)
}

func headerChips(chips []Chip) (header []*Chip) {
	for i := range chips {
		if headerChip(chips[i].Label) {
			header = append(header, &chips[i])
		}
	}
	return header
}

// findGPIO takes the number as the header chip's offset where the line is not named so: kernels name the
// lines differently, or not at all. What other chips call a line is not asked: it would be another line after
// the next kernel.
func findGPIO(chips []Chip, header []*Chip, spec, number string) (found, error) {
	var all []found
	for _, c := range header {
		n, err := strconv.Atoi(number)
		if j := slices.IndexFunc(c.Lines, func(l Line) bool { return l.Name == "GPIO"+number }); j >= 0 {
			all = append(all, found{c, &c.Lines[j]})
		} else if err == nil && n < len(c.Lines) {
			all = append(all, found{c, &c.Lines[n]})
		}
	}
	if len(all) == 0 {
		return found{}, fmt.Errorf("no line is named %q on %s", spec, chipList(chips))
	}
	return only(chips, all, fmt.Sprintf("line %q", spec))
}

// findOffset looks up "CHIP:7", where CHIP is a chip's name, its label, or its device.
func findOffset(chips []Chip, spec string) (found, error) {
	colon := strings.LastIndexByte(spec, ':') // labels and devices may hold colons themselves
	if colon < 0 {
		return found{}, fmt.Errorf("no line is named %q on %s", spec, chipList(chips))
	}
	offset, err := strconv.ParseUint(spec[colon+1:], 10, 31)
	if err != nil {
		return found{}, fmt.Errorf("line %q: no line has that name, and after the colon stands no offset", spec)
	}
	name := spec[:colon]
	var all []found
	for _, c := range findChips(chips, name) {
		if offset >= uint64(len(c.Lines)) {
			return found{}, fmt.Errorf("line %q: %s (%s) has lines 0 to %d", spec, c.Name, c.Label, len(c.Lines)-1)
		}
		all = append(all, found{c, &c.Lines[offset]})
	}
	if len(all) == 0 {
		return found{}, fmt.Errorf("line %q: no chip is named or labelled %q among %s", spec, name, chipList(chips))
	}
	return only(chips, all, fmt.Sprintf("chip label %q", name))
}

// findChips are the chips of a name, label or device. A name ("gpiochip0", "/dev/gpiochip0", a link) is one
// chip's.
func findChips(chips []Chip, name string) (all []*Chip) {
	short := strings.TrimPrefix(name, "/dev/")
	for i := range chips {
		if c := &chips[i]; c.Name == short || slices.Contains(c.links, short) {
			return []*Chip{c}
		}
	}
	for i := range chips {
		c := &chips[i]
		place := "/" + strings.TrimPrefix(name, "/")
		if c.Label == name || c.Device != "" && place != "/" && strings.HasSuffix("/"+c.Device, place) {
			all = append(all, c)
		}
	}
	return all
}

// steady names a chip by what no enumeration changes: its label, or its device where other chips share that.
func steady(chips []Chip, c *Chip) string {
	for _, name := range []string{c.Label, path.Base(c.Device), c.Device} {
		if all := findChips(chips, name); name != "" && len(all) == 1 && all[0] == c {
			return name
		}
	}
	return c.Name
}

// Spelling is how a configuration should name the line of a chip in chips: "GPIO17" on the header, else by
// what no enumeration changes.
func Spelling(chips []Chip, c *Chip, offset int) string {
	if headerChip(c.Label) && offset < len(headerPins) && len(headerChips(chips)) == 1 {
		return fmt.Sprintf("GPIO%d", offset)
	}
	return fmt.Sprintf("%s:%d", steady(chips, c), offset)
}

func only(chips []Chip, all []found, what string) (found, error) {
	if len(all) == 1 {
		return all[0], nil
	}
	var names, offsets []string
	for _, f := range all {
		names = append(names, f.String())
		offsets = append(offsets, strconv.Quote(Spelling(chips, f.chip, f.line.Offset)))
	}
	return found{}, fmt.Errorf("%s is ambiguous: %s; write %s",
		what, strings.Join(names, ", "), strings.Join(offsets, " or "))
}

func chipList(chips []Chip) string {
	if len(chips) == 0 {
		return "no chip"
	}
	var names []string
	for _, c := range chips {
		names = append(names, fmt.Sprintf("%s (%s)", c.Name, c.Label))
	}
	return strings.Join(names, ", ")
}

// place finds all lines; one physical line under two names is an error. What validate reports is left to it.
// The errors are [LineError]s.
func place(chips []Chip, reqs []request) ([]found, []error) {
	var errs []error
	places := make([]found, len(reqs))
	users := map[*Line]request{}
	for i, r := range reqs {
		if r.line == "" {
			continue
		}
		at, err := find(chips, r.line)
		if err != nil {
			errs = append(errs, &LineError{r.name, fmt.Errorf("board: %s %q: %w", r.kind, r.name, err)})
			continue
		}
		places[i] = at
		if other, taken := users[at.line]; taken && other.line != r.line {
			errs = append(errs, &LineError{r.name, usedTwice(r, other)})
		}
		users[at.line] = r
	}
	return places, errs
}

// LineError tells that the line of one input, relay or lamp cannot be had.
type LineError struct {
	Name string // the Input's or Output's
	Err  error
}

func (e *LineError) Error() string { return e.Err.Error() }
func (e *LineError) Unwrap() error { return e.Err }

// BusyError tells that a line of the configuration is held by somebody else.
type BusyError struct {
	Line     string // where it was found
	Consumer string // who holds it; empty: the kernel does not say
	Remedy   string
}

func (e *BusyError) Error() string {
	who := "an unnamed consumer"
	if e.Consumer != "" {
		who = strconv.Quote(e.Consumer)
	}
	if e.Remedy != "" && !e.Ours() {
		return fmt.Sprintf("line %s is in use by %s: %s", e.Line, who, e.Remedy)
	}
	return fmt.Sprintf("line %s is in use by %s", e.Line, who)
}

// Ours says whether it is a Portero that holds the line: the running service, as a rule.
func (e *BusyError) Ours() bool { return strings.HasPrefix(e.Consumer, consumer) }
