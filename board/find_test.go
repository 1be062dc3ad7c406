package board

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// pi4 has the chips of a Raspberry Pi 4 with two equal USB expanders and a second chip that repeats a header
// name.
func pi4() []Chip {
	chip := func(n int, label string, lines int, name func(int) string) Chip {
		c := Chip{Name: fmt.Sprintf("gpiochip%d", n), Label: label, Path: fmt.Sprintf("/dev/gpiochip%d", n), Lines: make([]Line, lines)}
		for i := range c.Lines {
			c.Lines[i] = Line{Offset: i, Name: name(i)}
		}
		return c
	}
	none := func(int) string { return "" }
	chips := []Chip{
		chip(0, "pinctrl-bcm2711", 58, func(i int) string { return fmt.Sprintf("GPIO%d", i) }),
		chip(1, "raspberrypi-exp-gpio", 8, func(i int) string { return [...]string{"BT_ON", "WL_ON", "GPIO17", "WAKE", "", "-", "", ""}[i] }),
		chip(2, "mcp2221", 4, none),
		chip(3, "mcp2221", 4, func(i int) string { return [...]string{"", "WAKE", "a:b", ""}[i] }),
		chip(4, "9030000.pl061:a", 8, none),
	}
	chips[0].Lines[10].Used, chips[0].Lines[10].Consumer = true, "spi0 CS0"
	chips[0].Lines[20].Used, chips[0].Lines[20].Consumer = true, "portero:door"
	chips[0].Lines[21].Used = true
	return chips
}

func TestFind(t *testing.T) {
	for _, c := range []struct{ spec, want string }{
		{"GPIO27", "gpiochip0:27 (pinctrl-bcm2711 GPIO27)"},
		{"GPIO17", "gpiochip0:17 (pinctrl-bcm2711 GPIO17)"}, // also on the expander: the header wins
		{"gpiochip1:2", "gpiochip1:2 (raspberrypi-exp-gpio GPIO17)"},
		{"/dev/gpiochip1:2", "gpiochip1:2 (raspberrypi-exp-gpio GPIO17)"},
		{"pinctrl-bcm2711:5", "gpiochip0:5 (pinctrl-bcm2711 GPIO5)"},
		{"9030000.pl061:a:2", "gpiochip4:2 (9030000.pl061:a)"},
		{"gpiochip2:3", "gpiochip2:3 (mcp2221)"},
		{"a:b", "gpiochip3:2 (mcp2221 a:b)"},
		{"WAKE", "error: line name \"WAKE\" is ambiguous: gpiochip1:3 (raspberrypi-exp-gpio WAKE), gpiochip3:1 (mcp2221 WAKE)"},
		{"mcp2221:1", "error: chip label \"mcp2221\" is ambiguous: gpiochip2:1 (mcp2221), gpiochip3:1 (mcp2221 WAKE); write \"gpiochip2:1\" or \"gpiochip3:1\""},
		{"GPIO99", "error: no line is named \"GPIO99\" on gpiochip0 (pinctrl-bcm2711), "},
		{"gpio17", "gpiochip0:17 (pinctrl-bcm2711 GPIO17)"},
		{"xgpio17", "error: no line is named"},
		{"", "error: no line is named \"\""},
		{"gpiochip0:58", "error: line \"gpiochip0:58\": gpiochip0 (pinctrl-bcm2711) has lines 0 to 57"},
		{"gpiochip0:-1", "error: line \"gpiochip0:-1\": no line has that name, and after the colon stands no offset"},
		{"gpiochip0:", "error: line \"gpiochip0:\": no line has that name"},
		{"gpiochip0:4294967301", "error: line"},
		{"gpiochip9:1", "error: line \"gpiochip9:1\": no chip is named or labelled \"gpiochip9\" among"},
		{":1", "error: line \":1\": no chip"},
	} {
		got := ""
		if f, err := find(pi4(), c.spec); err != nil {
			got = "error: " + err.Error()
		} else {
			got = f.String()
		}
		if got != c.want && (!strings.HasPrefix(c.want, "error: ") || !strings.HasPrefix(got, c.want)) {
			t.Errorf("find(%q):\n%s, want\n%s", c.spec, got, c.want)
		}
	}
	if _, err := find(nil, "GPIO17"); err == nil || !strings.Contains(err.Error(), "no chip") {
		t.Errorf("without chips: %v", err)
	}
}

func FuzzFind(f *testing.F) {
	for _, s := range []string{"GPIO17", "gpiochip0:17", "a:b", ":", "::9", "gpiochip3:003", "pinctrl-bcm2711:57"} {
		f.Add(s)
	}
	chips := pi4()
	f.Fuzz(func(t *testing.T, spec string) {
		if at, err := find(chips, spec); err == nil && (at.line == nil || &at.chip.Lines[at.line.Offset] != at.line) {
			t.Errorf("find(%q) = %v", spec, at)
		}
	})
}

func texts(errs []error) string {
	var lines []string
	for _, err := range errs {
		lines = append(lines, err.Error())
	}
	return strings.Join(lines, "\n")
}

func TestCheck(t *testing.T) {
	relay := func(line string, activeLow bool) Config {
		return Config{Relays: []Output{{Name: "door", Line: line, ActiveLow: activeLow, MaxOn: 1}}}
	}
	for _, c := range []struct {
		name   string
		config Config
		want   []string // parts of the errors, one each
	}{
		{"nothing wrong", doorConfig(false),
			[]string{`relay "door" on "GPIO5": GPIO5 is high from power-on: an active-high relay is on`}},
		{"active-low on a pulled-up pin", relay("GPIO5", true), nil},
		{"active-low on a pulled-down pin", relay("GPIO17", true),
			[]string{"GPIO17 is low from power-on: an active-low relay is on"}},
		{"the same by offset", relay("gpiochip0:9", true),
			[]string{`relay "door" on "gpiochip0:9": GPIO9 is low from power-on`}},
		{"active-high on a pulled-down pin", relay("GPIO27", false), nil},
		{"another chip has no such pulls", relay("mcp2221-none:1", true), []string{"no chip is named or labelled"}},
		{"an expander", relay("gpiochip2:1", true), nil},
		{"a lamp may glow", Config{Lamps: []Output{{Name: "lamp", Line: "GPIO17", ActiveLow: true}}}, nil},
		{"in use by the kernel", relay("GPIO10", false),
			[]string{`relay "door": line gpiochip0:10 (pinctrl-bcm2711 GPIO10) is in use by "spi0 CS0"`,
				"GPIO10 is also a pin of SPI"}},
		{"in use by nobody named", relay("GPIO21", false), []string{"is in use by an unnamed consumer",
			"GPIO21 is also a pin of I2S"}},
		{"relay = input by another name", Config{
			Relays: []Output{{Name: "door", Line: "GPIO27", MaxOn: 1}},
			Inputs: []Input{{Name: "bell", Line: "pinctrl-bcm2711:27"}},
		}, []string{`relay "door" on "GPIO27": input "bell" on "pinctrl-bcm2711:27" uses the same line`}},
		{"unknown and ambiguous", Config{Inputs: []Input{{Name: "a", Line: "GPIO99"}, {Name: "b", Line: "WAKE"}}},
			[]string{`input "a": no line is named "GPIO99"`, `input "b": line name "WAKE" is ambiguous`}},
		{"validate reported it", Config{Inputs: []Input{{Name: "a", Line: "GPIO1"}, {Name: "b", Line: "GPIO1"}, {Name: "c"}}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			errs := check(pi4(), c.config, false)
			if len(errs) != len(c.want) {
				t.Fatalf("%d errors, want %d:\n%s", len(errs), len(c.want), texts(errs))
			}
			for i, want := range c.want {
				if !strings.Contains(errs[i].Error(), want) {
					t.Errorf("%v; want %s", errs[i], want)
				}
			}
		})
	}

	var busy *BusyError
	if errs := check(pi4(), relay("GPIO20", false), false); len(errs) != 2 || !errors.As(errs[0], &busy) ||
		!busy.Ours() || busy.Consumer != "portero:door" {
		t.Errorf("our own service: %v", errs)
	}
	if errs := check(pi4(), relay("GPIO10", false), false); !errors.As(errs[0], &busy) || busy.Ours() {
		t.Errorf("a foreign consumer: %v", errs)
	}
}

func TestValidate(t *testing.T) {
	c := Config{
		Sim: true,
		Inputs: []Input{
			{Name: "bell", Line: "GPIO5", Bias: "up", Debounce: -1, StuckAfter: -1},
			{Line: "GPIO6"},
			{Name: "door", Line: "GPIO7"},
		},
		Relays: []Output{{Name: "door", Line: "GPIO5"}, {Name: "gate", MaxOn: 1}},
		Lamps:  []Output{{Name: "lamp", Line: "GPIO8", MaxOn: 1}},
	}
	want := []string{
		`board: input on "GPIO6" has no name`,
		`board: relay "door": the name is taken by the input; give it another`,
		`board: relay "door" on "GPIO5": input "bell" on "GPIO5" uses the same line`,
		`board: relay "gate" has no line; name one like "GPIO17"`,
		`board: input "bell": bias "up" is none of "pull-up", "pull-down", "none"`,
		`board: input "bell": debounce -1ns is negative`,
		`board: input "bell": stuck after -1ns is negative`,
		`board: relay "door": longest on-time 0s: a relay needs one above zero`,
		`board: lamp "lamp": longest on-time 1ns: a lamp has none; make it a relay`,
	}
	if got := texts(Check(c)); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	for _, sim := range []bool{true, false} {
		c.Sim = sim
		if b, err := Open(c); err == nil || b != nil || !strings.Contains(err.Error(), want[0]) {
			t.Errorf("Open: %v, %v", b, err)
		}
	}
	if errs := Check(Config{Sim: true}); errs != nil {
		t.Errorf("an empty board: %v", errs)
	}
}
