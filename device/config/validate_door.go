package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"portero/board"
)

// The longest a relay may be held: a strike coil burns, and a door stays open.
const (
	maxLongest      = 2 * time.Minute
	maxTriggerDelay = time.Minute
)

func (d *document) door(c *Config, i int) {
	x := &c.Doors[i]
	at := fmt.Sprintf("door[%d].", i)
	d.name(at+"name", x.Name, "door")
	d.between(at+"longest", x.Longest, 100*time.Millisecond, maxLongest)
	switch {
	case x.SwitchOn < 100*time.Millisecond:
		d.fault(at+"switch_on", x.SwitchOn, "too short to open a door", `write a duration from "100ms"`)
	case x.SwitchOn > x.Longest:
		d.fault(at+"switch_on", x.SwitchOn, fmt.Sprintf("longer than longest (%s)", short(x.Longest)), "shorten it, or raise longest")
	}
	d.between(at+"trigger_delay", x.TriggerDelay, 0, maxTriggerDelay)
	d.between(at+"hang_up_after", x.HangUpAfter, 0, 10*time.Minute)

	opens := false
	for _, code := range c.Codes {
		for _, name := range code.Doors {
			opens = opens || name == x.Name
		}
	}
	for _, in := range c.Inputs {
		opens = opens || in.Kind == REX && in.Door == x.Name
	}
	if !opens {
		d.warn(strings.TrimSuffix(at, "."), x.Name, "the opener is off until a code is set",
			fmt.Sprintf("add a [[code]] with doors = [%q]", x.Name))
		return
	}
	d.report(Fault{Severity: Info, Key: strings.TrimSuffix(at, "."), Value: shown(x.Name),
		Problem: "whoever opens the station's case reaches the wires of this relay",
		Remedy:  "keep the relay indoors, or where opening the case is noticed"})
}

// lineForm reports whether a line is spelt as a name, or as a chip and an offset.
func lineForm(line string) bool {
	chip, offset := line, "0"
	if i := strings.LastIndexByte(line, ':'); i >= 0 {
		chip, offset = line[:i], line[i+1:]
	}
	return chip != "" && !strings.ContainsAny(line, blanks) && len(offset) <= 4 && madeOf(offset, numerals)
}

// pinOf names a line in one way: on a Raspberry Pi's own chip the offset is the GPIO number. bcm is -1 for
// other lines.
func pinOf(line string) (name string, bcm int) {
	bcm, ok := board.HeaderGPIO(line)
	if !ok {
		return line, -1
	}
	return fmt.Sprintf("GPIO%d", bcm), bcm
}

// boardLines checks the lines of bells, inputs, lamps and doors, and that no line serves two.
func (d *document) boardLines(c *Config) {
	type use struct{ key, what string }
	used := map[string]use{}
	check := func(at, line, what string) {
		key := at + ".line"
		name, bcm := pinOf(line)
		switch {
		case line == "":
			d.fault(key, "", "missing", `write line = "GPIO17"; "portero pins" lists them`)
			return
		case !lineForm(line),
			len(line) > 4 && strings.EqualFold(line[:4], "GPIO") && line[4] >= '0' && line[4] <= '9' && bcm < 0,
			bcm > 53:
			d.fault(key, line, "not a line",
				`write "GPIO17" or "pinctrl-bcm2711:17"; "portero pins" lists them`)
			return
		}
		if strings.Trim(line, "0123456789") == "" {
			d.warn(key, line, "a number alone is hardly the name of a line", fmt.Sprintf("write %q", "GPIO"+line))
		}
		d.chipNumber(key, line, what)
		first, taken := used[name]
		if !taken {
			used[name] = use{key, what}
			return
		}
		problem := fmt.Sprintf("also the line of the %s in line %d", first.what, d.line(first.key))
		switch {
		case what != "door" || first.what == "door":
		case first.what == "lamp":
			problem += ": the lamp would open the door"
		default:
			problem += ": a button would open the door"
		}
		d.fault(key, line, problem, "give each its own line")
	}
	for i, b := range c.Bells {
		check(fmt.Sprintf("bell[%d]", i), b.Line, "bell")
	}
	for i, in := range c.Inputs {
		check(fmt.Sprintf("input[%d]", i), in.Line, "input")
	}
	for i, l := range c.Lamps {
		at := fmt.Sprintf("lamp[%d]", i)
		check(at, l.Line, "lamp")
		if l.Relay {
			d.relayPin(at+".line", l.Line, l.ActiveLow, Warning) // it clicks, and opens nothing
		}
	}
	for i, x := range c.Doors {
		at := fmt.Sprintf("door[%d]", i)
		check(at, x.Line, "door")
		d.relayPin(at+".line", x.Line, x.ActiveLow, Unsafe)
	}
}

// chipNumber tells of a line whose chip is named by a number: it moves a door where it is another chip's
// after an update.
func (d *document) chipNumber(key, line, what string) {
	if !board.ByChipNumber(line) {
		return
	}
	severity := Info
	if what == "door" {
		severity = Warning
	}
	d.report(Fault{Severity: severity, Key: key, Value: shown(line),
		Problem: "named by its chip's number, which another chip may have after an update of the kernel",
		Remedy:  `write "GPIO17", or the chip's label: "pinctrl-bcm2711:17"; "portero pins" tells which`})
}

// relayPin reports a pin that is no place for a relay, as far as the spelling of its line tells: board.Check
// asks the hardware.
func (d *document) relayPin(key, line string, activeLow bool, refused Severity) {
	e := board.RelayPin(line, activeLow)
	if e == nil {
		return
	}
	f := Fault{Severity: Warning, Key: key, Value: shown(line), Problem: e.Problem, Remedy: e.Remedy}
	if e.Refused {
		f.Severity = refused
	}
	d.report(f)
}

// The lengths of a code. The longest keeps comparison in constant time simple.
const (
	MinCode = 4
	MaxCode = 32
)

func (d *document) codes(c *Config) {
	d.oneOf("access.end_with", c.Access.EndWith, "#", "length")
	d.between("access.digit_pause", c.Access.DigitPause, time.Second, time.Minute)
	if n := c.Access.WrongLimit; n < 1 || n > 20 {
		d.fault("access.wrong_limit", n, "out of range", "write a number from 1 to 20")
	}
	d.between("access.lock_out", c.Access.LockOut, 10*time.Second, 24*time.Hour)
	d.between("access.tamper_block", c.Access.TamperBlock, 10*time.Second, 24*time.Hour)

	doors := names(c.Doors, func(x Door) string { return x.Name })
	var good []int // codes that are worth comparing
	for i, code := range c.Codes {
		at := fmt.Sprintf("code[%d].", i)
		if strings.TrimSpace(code.Who) == "" {
			d.fault(at+"who", "", "missing: the audit of openings says whose code it was", `write who = "family"`)
		}
		switch digits := string(code.Code); {
		case digits == "":
			d.fault(at+"code", "", "missing: there is no default code", fmt.Sprintf("write at least %d digits", MinCode))
		case strings.Trim(digits, "0123456789") != "":
			d.fault(at+"code", "", "not digits", "use 0 to 9 only")
		case len(digits) < MinCode || len(digits) > MaxCode:
			d.fault(at+"code", "", fmt.Sprintf("%d digits", len(digits)), fmt.Sprintf("use %d to %d digits", MinCode, MaxCode))
		default:
			good = append(good, i)
			d.easyCode(at+"code", code.Code)
		}
		if len(code.Doors) == 0 {
			d.fault(at+"doors", "", "missing: the code would open nothing", `write doors = ["front"]`)
		}
		for j, name := range code.Doors {
			if !slices.Contains(doors, name) {
				d.fault(fmt.Sprintf("%sdoors[%d]", at, j), name, "no such door", d.suggest(name, doors))
			}
		}
	}
	for n, i := range good {
		for _, j := range good[:n] {
			d.codePair(c, j, i)
		}
	}
}

// easyCode reports a code that strangers know or guess. The sample's own opens nothing; what follows a pattern
// opens, for an upgrade must not lock a family out, and is warned of at every start.
func (d *document) easyCode(key string, code Secret) {
	if ofTheManual(code) {
		d.report(Fault{Severity: Unsafe, Key: key, Problem: "the sample's own, which everybody can read; it opens nothing",
			Remedy: "choose digits without a pattern, and tell those who use it"})
		return
	}
	if why := easyCode(string(code)); why != "" {
		d.warn(key, "", "easily guessed: "+why, "choose digits without a pattern")
	}
}

// codePair refuses codes that could be taken for one another.
func (d *document) codePair(c *Config, first, second int) {
	a, b := string(c.Codes[first].Code), string(c.Codes[second].Code)
	key := fmt.Sprintf("code[%d].code", second)
	line := d.line(fmt.Sprintf("code[%d].code", first))
	relation := ""
	switch {
	case a == b:
		relation = "the same as"
	case c.Access.EndWith == "length" && len(a) != len(b):
		d.fault(key, "", fmt.Sprintf("not as long as the code in line %d, but end_with = \"length\"", line),
			`give all codes one length, or write end_with = "#"`)
		return
	case strings.HasPrefix(a, b) || strings.HasPrefix(b, a):
		relation = "one begins with the other:"
	case strings.HasSuffix(a, b) || strings.HasSuffix(b, a):
		relation = "one ends with the other:"
	default:
		return
	}
	d.fault(key, "", fmt.Sprintf("%s the code in line %d", relation, line), "choose another code")
}
