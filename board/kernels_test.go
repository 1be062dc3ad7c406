package board

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// namedChip is a chip with named lines.
func namedChip(name, label string, lines ...string) Chip {
	c := Chip{Name: name, Label: label, Path: "/dev/" + name}
	for i, n := range lines {
		c.Lines = append(c.Lines, Line{Offset: i, Name: n})
	}
	return c
}

func names(text string, lines int) []string {
	n := strings.Fields(text)
	return append(n, make([]string, lines-len(n))...)
}

// The header's line names as kernels give them.
var (
	piOSNames = names(`ID_SDA ID_SCL GPIO2 GPIO3 GPIO4 GPIO5 GPIO6 GPIO7 GPIO8 GPIO9 GPIO10 GPIO11 GPIO12 GPIO13 GPIO14 GPIO15 GPIO16
		GPIO17 GPIO18 GPIO19 GPIO20 GPIO21 GPIO22 GPIO23 GPIO24 GPIO25 GPIO26 GPIO27`, 54)
	mainlineNames = names(`ID_SDA ID_SCL SDA1 SCL1 GPIO_GCLK GPIO5 GPIO6 SPI_CE1_N SPI_CE0_N SPI_MISO SPI_MOSI SPI_SCLK GPIO12 GPIO13
		TXD1 RXD1 GPIO16 GPIO17 GPIO18 GPIO19 GPIO20 GPIO21 GPIO22 GPIO23 GPIO24 GPIO25 GPIO26 GPIO27`, 54)
	pi1Names = names(`SDA0 SCL0 SDA1 SCL1 GPIO_GCLK CAM_GPIO1 LAN_RUN SPI_CE1_N SPI_CE0_N SPI_MISO SPI_MOSI SPI_SCLK NC NC TXD0 RXD0
		STATUS_LED_N GPIO17 GPIO18 NC NC GPIO21 GPIO22 GPIO23 GPIO24 GPIO25 NC CAM_GPIO0`, 54)
	pi5Names61 = names(`ID_SD ID_SC PIN3 PIN5 PIN7 PIN29 PIN31 PIN26 PIN24 PIN21 PIN19 PIN23 PIN32 PIN33 PIN8 PIN10 PIN36 PIN11 PIN12
		PIN35 PIN38 PIN40 PIN15 PIN16 PIN18 PIN22 PIN37 PIN13`, 54)
	noNames = make([]string, 54)
)

// pi5 has the header's chip and the four of the SoC under the numbers that a kernel gave them.
func pi5(rp1 int, soc [4]int, header []string) []Chip {
	var chips []Chip
	for i, c := range []struct {
		label string
		lines int
	}{{"gpio-brcmstb@107d508500", 32}, {"gpio-brcmstb@107d508520", 4},
		{"gpio-brcmstb@107d517c00", 17}, {"gpio-brcmstb@107d517c20", 6}} {
		chips = append(chips, namedChip(fmt.Sprintf("gpiochip%d", soc[i]), c.label,
			make([]string, c.lines)...))
	}
	header5 := namedChip(fmt.Sprintf("gpiochip%d", rp1), "pinctrl-rp1", header...)
	header5.Device = "platform/axi/1000120000.pcie/1f000d0000.gpio"
	return append(chips, header5)
}

var kernels = []struct {
	name  string
	chips []Chip
}{
	{"Zero, 1 B+ on Raspberry Pi OS since January 2024",
		[]Chip{namedChip("gpiochip0", "pinctrl-bcm2835", piOSNames...)}},
	{"Zero, 1 B+ on Debian", []Chip{namedChip("gpiochip0", "pinctrl-bcm2835", mainlineNames...)}},
	{"1 A/B", []Chip{namedChip("gpiochip0", "pinctrl-bcm2835", pi1Names...)}},
	{"3 B on Linux 4.19", []Chip{namedChip("gpiochip0", "pinctrl-bcm2835", noNames...)}},
	{"3 B+ on Debian", []Chip{namedChip("gpiochip0", "pinctrl-bcm2835", mainlineNames...),
		namedChip("gpiochip1", "raspberrypi-exp-gpio", "BT_ON", "WL_ON", "PWR_LED_OFF", "GLOBAL_RESET",
			"", "", "", "")}},
	{"4 on Raspberry Pi OS", []Chip{
		namedChip("gpiochip0", "pinctrl-bcm2711", append(slices.Clone(piOSNames), make([]string, 4)...)...),
		namedChip("gpiochip1", "raspberrypi-exp-gpio", make([]string, 8)...)}},
	{"4 on Debian, with a USB expander that names its lines", []Chip{
		namedChip("gpiochip0", "mcp2221_gpio", "GPIO7", "GPIO4", "GPIO0", "GPIO14"),
		namedChip("gpiochip1", "pinctrl-bcm2711", append(slices.Clone(mainlineNames),
			make([]string, 4)...)...)}},
	{"5 on the first Linux 6.1", pi5(4, [4]int{0, 1, 2, 3}, pi5Names61)},
	{"5 on Linux 6.6.44", pi5(4, [4]int{0, 1, 2, 3}, piOSNames)},
	{"5 on Linux 6.6.45", pi5(0, [4]int{10, 11, 12, 13}, piOSNames)},
	{"5 on Linux 6.12.96", pi5(15, [4]int{11, 12, 13, 14}, piOSNames)},
	{"5 on a mainline kernel", []Chip{namedChip("gpiochip2", "rp1-gpio", noNames...)}},
}

// TestGPIOIsTheSamePinOnEveryKernel: "GPIO17" is the header's GPIO17, whatever its chip is numbered and its
// line is named.
func TestGPIOIsTheSamePinOnEveryKernel(t *testing.T) {
	for _, k := range kernels {
		for gpio := range 28 {
			for _, spec := range []string{"GPIO%d", "gpio%d", "GPIO%02d"} {
				spec = fmt.Sprintf(spec, gpio)
				at, err := find(k.chips, spec)
				if err != nil || at.line.Offset != gpio || !headerChip(at.chip.Label) {
					t.Errorf("%s: %s is %v, %v", k.name, spec, at, err)
				}
			}
		}
		if at, err := find(k.chips, "GPIO58"); err == nil {
			t.Errorf("%s: GPIO58 is %v", k.name, at)
		}
	}
}

// TestRememberedLabels: a line named by its chip's number stays on the chip that it was on when the
// configuration was good.
func TestRememberedLabels(t *testing.T) {
	for _, before := range kernels {
		for _, name := range []string{"gpiochip0", "gpiochip1", "gpiochip4", "gpiochip15"} {
			c := Config{Relays: []Output{{Name: "door", Line: name + ":3", MaxOn: 1}},
				Lamps:  []Output{{Name: "l", Line: "GPIO5"}},
				Inputs: []Input{{Name: "b", Line: "/dev/" + name + ":2"}}}
			was, err := find(before.chips, name+":3")
			if err != nil {
				if labels := ChipLabels(before.chips, c); len(labels) != 0 {
					t.Errorf("%s: %v remembered of no chip", before.name, labels)
				}
				continue
			}
			c.ChipLabels = ChipLabels(before.chips, c)
			if want := map[string]string{name + ":3": was.chip.Label, "/dev/" + name + ":2": was.chip.Label}; !reflect.DeepEqual(c.ChipLabels, want) {
				t.Errorf("%s: remembered %v, want %v", before.name, c.ChipLabels, want)
			}
			for _, after := range kernels {
				there := len(findChips(after.chips, was.chip.Label)) > 0
				for _, strict := range []bool{true, false} {
					got := c.relabelled(after.chips, strict)
					at, err := find(after.chips, got.Relays[0].Line)
					input, _ := find(after.chips, got.Inputs[0].Line)
					switch {
					case there && (err != nil || at.chip.Label != was.chip.Label || at.line.Offset != 3 ||
						input.chip != at.chip):
						t.Errorf("%s, then %s: %v, %v, want it on %s", before.name, after.name, at, err,
							was.chip.Label)
					case !there && strict && err == nil:
						t.Errorf("%s, then %s: the chip is gone, and %v would be moved", before.name,
							after.name, at)
					case !there && !strict && got.Relays[0].Line != c.Relays[0].Line:
						t.Errorf("%s, then %s: %q", before.name, after.name, got.Relays[0].Line)
					}
					if got.Lamps[0].Line != "GPIO5" || c.Relays[0].Line != name+":3" {
						t.Errorf("%+v of %+v", got, c)
					}
				}
				if there {
					again := ChipLabels(after.chips, c)
					if !reflect.DeepEqual(again, c.ChipLabels) {
						t.Errorf("%s, then %s: %v is remembered as %v", before.name, after.name,
							c.ChipLabels, again)
					}
				}
			}
		}
	}
}

// TestNewLinesMeanWhatTheySay: what is remembered of one line says nothing of another on a chip of that
// number.
func TestNewLinesMeanWhatTheySay(t *testing.T) {
	c := Config{Lamps: []Output{{Name: "a", Line: "gpiochip0:27"}, {Name: "b", Line: "gpiochip0:3"}},
		ChipLabels: map[string]string{"gpiochip0:27": "pinctrl-bcm2711"}}
	chips := []Chip{namedChip("gpiochip0", "mcp2221_gpio", make([]string, 4)...),
		namedChip("gpiochip1", "pinctrl-bcm2711", piOSNames...)}
	got := c.relabelled(chips, false).Lamps
	if got[0].Line != "pinctrl-bcm2711:27" || got[1].Line != "gpiochip0:3" {
		t.Errorf("%+v", got)
	}
}

func TestRelabellingIsTold(t *testing.T) {
	var log strings.Builder
	c := Config{Relays: []Output{{Name: "door", Line: "gpiochip0:27", MaxOn: 1}},
		ChipLabels: map[string]string{"gpiochip0:27": "pinctrl-rp1"},
		Log:        slog.New(slog.NewTextHandler(&log, nil))}
	c.relabelled(pi5(0, [4]int{10, 11, 12, 13}, piOSNames), false)
	if log.Len() > 0 {
		t.Errorf("nothing has changed: %s", &log)
	}
	c.relabelled(pi5(15, [4]int{11, 12, 13, 14}, piOSNames), false)
	if !strings.Contains(log.String(), "level=WARN") ||
		!strings.Contains(log.String(), "write=pinctrl-rp1:27") {
		t.Errorf("%q", log.String())
	}
}

// TestTwoChipsOfOneLabel: neither is guessed; each can be named by its device.
func TestTwoChipsOfOneLabel(t *testing.T) {
	one, two := namedChip("gpiochip0", "pinctrl-rp1", piOSNames...), namedChip("gpiochip1", "pinctrl-rp1",
		piOSNames...)
	one.Device, two.Device = "platform/axi/1000120000.pcie/1f000d0000.gpio", "platform/axi/1000130000.pcie/2f000d0000.gpio"
	chips := []Chip{one, two}
	for _, spec := range []string{"GPIO17", "pinctrl-rp1:17"} {
		_, err := find(chips, spec)
		for _, want := range []string{"ambiguous", "gpiochip0:17", "gpiochip1:17",
			`"1f000d0000.gpio:17" or "2f000d0000.gpio:17"`} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: no %q in: %v", spec, want, err)
			}
		}
	}
	for spec, want := range map[string]int{"1f000d0000.gpio:17": 0, "2f000d0000.gpio:17": 1,
		"1000130000.pcie/2f000d0000.gpio:17":               1,
		"/platform/axi/1000120000.pcie/1f000d0000.gpio:17": 0} {
		if at, err := find(chips, spec); err != nil || at.chip != &chips[want] || at.line.Offset != 17 {
			t.Errorf("%s: %v, %v", spec, at, err)
		}
	}
	for _, spec := range []string{"f000d0000.gpio:17", "gpio:17", "pcie:1"} { // no part of a name is the name
		if at, err := find(chips, spec); err == nil {
			t.Errorf("%s: %v", spec, at)
		}
	}
	// Equal devices in different places are told apart by the whole path.
	chips[1].Device = "platform/axi/1000130000.pcie/1f000d0000.gpio"
	if _, err := find(chips, "GPIO17"); err == nil ||
		!strings.Contains(err.Error(), `"`+chips[1].Device+`:17"`) {
		t.Errorf("%v", err)
	}
	labels := ChipLabels(chips, Config{Lamps: []Output{{Name: "l", Line: "gpiochip1:4"}}})
	if labels["gpiochip1:4"] != chips[1].Device {
		t.Errorf("remembered %v", labels)
	}
}

// TestChipNodes: links are other names of a chip, and a chip that comes back is another one.
func TestChipNodes(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, name string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	file("gpiochip0")
	file("gpiochip10")
	link("gpiochip0", "gpiochip4")
	link("gone", "gpiochip5")
	nodes, links := chipNodes(dir)
	if len(nodes) != 2 || filepath.Base(nodes[0].path) != "gpiochip0" ||
		!slices.Equal(links[nodes[0].path], []string{"gpiochip4"}) || len(links) != 1 {
		t.Errorf("%v, %v", nodes, links)
	}
	if again, _ := chipNodes(dir); !slices.Equal(nodes, again) {
		t.Errorf("%v, then %v", nodes, again)
	}
	file("gpiochip0.new")
	if err := os.Rename(filepath.Join(dir, "gpiochip0.new"), filepath.Join(dir, "gpiochip0")); err != nil {
		t.Fatal(err)
	}
	if again, _ := chipNodes(dir); len(again) != 2 || again[0] == nodes[0] || again[1] != nodes[1] {
		t.Errorf("%v, then %v", nodes, again)
	}
	linked := pi5(0, [4]int{10, 11, 12, 13}, piOSNames)
	linked[4].links = []string{"gpiochip4"}
	if at, err := find(linked, "gpiochip4:27"); err != nil || at.chip.Label != "pinctrl-rp1" {
		t.Errorf("by a link: %v, %v", at, err)
	}
}

func TestChipDevice(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"devices/platform/soc/fe200000.gpio/gpiochip0", "bus/gpio/devices"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../../../devices/platform/soc/fe200000.gpio/gpiochip0",
		filepath.Join(root, "bus/gpio/devices/gpiochip0")); err != nil {
		t.Fatal(err)
	}
	if got := chipDevice(root, "gpiochip0"); got != "platform/soc/fe200000.gpio" {
		t.Errorf("%q", got)
	}
	if got := chipDevice(root, "gpiochip1"); got != "" {
		t.Errorf("%q of no chip", got)
	}
}

func TestByChipNumber(t *testing.T) {
	for line, want := range map[string]bool{"gpiochip0:17": true, "/dev/gpiochip12:3": true, "GPIO17": false,
		"pinctrl-rp1:17": false, "gpiochip0": false} {
		if ByChipNumber(line) != want {
			t.Errorf("%q: %v", line, !want)
		}
	}
}

// TestReleaseTakesALineOnce: a file and its copy may name one line in two ways.
func TestReleaseTakesALineOnce(t *testing.T) {
	c := Config{
		Relays: []Output{{Name: "a", Line: "GPIO27"}, {Name: "b", Line: "gpiochip0:27"},
			{Name: "c", Line: "pinctrl-bcm2711:5"}, {Name: "d", Line: "nope"}},
		Lamps: []Output{{Name: "e", Line: "GPIO5"}, {Name: "f", Line: "GPIO6"}},
	}
	var got []string
	for _, r := range c.distinct(pi4()).requests() {
		got = append(got, r.name)
	}
	if want := []string{"a", "c", "d", "f"}; !slices.Equal(got, want) || c.Relays[1].Name != "b" {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestSpelling: what `portero pins` proposes finds the line, and no number of a chip is in it.
func TestSpelling(t *testing.T) {
	for _, k := range kernels {
		for i := range k.chips {
			for j := range k.chips[i].Lines {
				spec := Spelling(k.chips, &k.chips[i], j)
				if at, err := find(k.chips, spec); err != nil || at.line != &k.chips[i].Lines[j] ||
					ByChipNumber(spec) {
					t.Errorf("%s: %s is %v, %v", k.name, spec, at, err)
				}
			}
		}
	}
}
