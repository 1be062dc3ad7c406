package board

import (
	"fmt"
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

// find looks a line up by its name, or by chip and offset.
func find(chips []Chip, spec string) (found, error) {
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
		return only(all, fmt.Sprintf("line name %q", spec))
	}

	colon := strings.LastIndexByte(spec, ':') // labels may hold colons themselves
	if colon < 0 {
		return found{}, fmt.Errorf("no line is named %q on %s", spec, chipList(chips))
	}
	offset, err := strconv.ParseUint(spec[colon+1:], 10, 31)
	if err != nil {
		return found{}, fmt.Errorf("line %q: no line has that name, and after the colon stands no offset", spec)
	}
	name := strings.TrimPrefix(spec[:colon], "/dev/")
	for i, c := range chips {
		if c.Name != name && c.Label != name {
			continue
		}
		if offset >= uint64(len(c.Lines)) {
			return found{}, fmt.Errorf("line %q: %s (%s) has lines 0 to %d", spec, c.Name, c.Label, len(c.Lines)-1)
		}
		f := found{&chips[i], &chips[i].Lines[offset]}
		if c.Name == name {
			return f, nil // names are unique, labels are not
		}
		all = append(all, f)
	}
	if len(all) == 0 {
		return found{}, fmt.Errorf("line %q: no chip is named or labelled %q among %s", spec, name, chipList(chips))
	}
	return only(all, fmt.Sprintf("chip label %q", name))
}

func only(all []found, what string) (found, error) {
	if len(all) == 1 {
		return all[0], nil
	}
	var names []string
	for _, f := range all {
		names = append(names, f.String())
	}
	return found{}, fmt.Errorf("%s is ambiguous: %s; give chip and offset, like %q",
		what, strings.Join(names, ", "), fmt.Sprintf("%s:%d", all[0].chip.Name, all[0].line.Offset))
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
			errs = append(errs, fmt.Errorf("board: %s %q: %w", r.kind, r.name, err))
			continue
		}
		places[i] = at
		if other, taken := users[at.line]; taken && other.line != r.line {
			errs = append(errs, usedTwice(r, other))
		}
		users[at.line] = r
	}
	return places, errs
}

// BusyError tells that a line of the configuration is held by somebody else.
type BusyError struct {
	Line     string // where it was found
	Consumer string // who holds it; empty: the kernel does not say
}

func (e *BusyError) Error() string {
	who := "an unnamed consumer"
	if e.Consumer != "" {
		who = strconv.Quote(e.Consumer)
	}
	return fmt.Sprintf("line %s is in use by %s", e.Line, who)
}

// Ours says whether it is a Portero that holds the line: the running service, as a rule.
func (e *BusyError) Ours() bool { return strings.HasPrefix(e.Consumer, consumer) }
