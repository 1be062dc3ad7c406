package board

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// verdicts of the rule: refused, warned of, fine; for an active-high and an active-low relay.
func verdict(e *PinError) string {
	switch {
	case e == nil:
		return "fine"
	case e.Refused:
		return "refused"
	}
	return "warned"
}

// TestRelayPins is the rule, typed from the Raspberry Pi's own pages: BCM2835 ARM Peripherals table 6-31 (the
// pulls), the HAT design guide (GPIO0 and 1), the UART page (GPIO14 and 15), and the I2C, SPI and PCM
// functions of the pins.
func TestRelayPins(t *testing.T) {
	const file = `
GPIO0-1   refused refused
GPIO2-3   refused fine    i2c: refused refused
GPIO4-6   refused fine
GPIO7-8   refused warned
GPIO9-11  warned  refused
GPIO12-13 fine    refused
GPIO14-15 refused refused
GPIO16-17 fine    refused
GPIO18-21 warned  refused
GPIO22-27 fine    refused
GPIO28-53 fine    fine`
	seen := 0
	for row := range strings.Lines(strings.TrimSpace(file)) {
		f := strings.Fields(row)
		var first, last int
		if _, err := fmt.Sscanf(f[0], "GPIO%d-%d", &first, &last); err != nil {
			t.Fatal(err)
		}
		for gpio := first; gpio <= last; gpio++ {
			seen++
			for i, activeLow := range []bool{false, true} {
				withBus := f[1+i]
				if len(f) > 3 {
					withBus = f[4+i]
				}
				if got := verdict(relayPin(gpio, activeLow, false)); got != f[1+i] {
					t.Errorf("GPIO%d, active-low %v: %s, want %s", gpio, activeLow, got, f[1+i])
				}
				if got := verdict(relayPin(gpio, activeLow, true)); got != withBus {
					t.Errorf("GPIO%d, active-low %v, with I2C: %s, want %s", gpio, activeLow, got, withBus)
				}
			}
		}
	}
	if seen != 54 {
		t.Errorf("%d pins judged", seen)
	}
}

// TestRemediesAreRight: each pin that a remedy names is fine for the relay it names it for.
func TestRemediesAreRight(t *testing.T) {
	for gpio := range 28 {
		for _, activeLow := range []bool{false, true} {
			e := relayPin(gpio, activeLow, true)
			if e == nil {
				continue
			}
			low, high, _ := strings.Cut(e.Remedy, "an active-high relay on ")
			if !activeLow {
				low, high = "", e.Remedy
			}
			named := 0
			for text, activeLow := range map[string]bool{low: true, high: false} {
				for _, n := range numbers(text) {
					named++
					if bad := relayPin(n, activeLow, true); bad != nil {
						t.Errorf("GPIO%d: %q proposes GPIO%d: %v", gpio, e.Remedy, n, bad)
					}
				}
			}
			if named < 2 {
				t.Errorf("GPIO%d: %q names no pin", gpio, e.Remedy)
			}
		}
	}
}

// numbers reads "GPIO5 or GPIO6" and "GPIO22 to GPIO27".
func numbers(text string) (found []int) {
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" ,;", r) })
	for i, w := range words {
		n := 0
		if _, err := fmt.Sscanf(w, "GPIO%d", &n); err != nil {
			continue
		}
		if i > 1 && words[i-1] == "to" {
			for k := found[len(found)-1] + 1; k < n; k++ {
				found = append(found, k)
			}
		}
		found = append(found, n)
	}
	return found
}

// TestHeaderPins against the names that the first kernels of the Pi 5 gave the lines: those of the holes.
func TestHeaderPins(t *testing.T) {
	holes := pi5Names61
	if len(headerPins) != 28 {
		t.Fatalf("%d pins", len(headerPins))
	}
	for i, p := range headerPins {
		name := fmt.Sprintf("PIN%d", p.Hole)
		if i < 2 {
			name = []string{"ID_SD", "ID_SC"}[i]
		}
		if p.GPIO != i || holes[i] != name || p.PullUp != (i <= 8) {
			t.Errorf("%+v, want %s", p, holes[i])
		}
	}
}

func TestHeaderGPIO(t *testing.T) {
	for line, want := range map[string]int{"GPIO0": 0, "GPIO17": 17, "gpio17": 17, "pinctrl-bcm2835:9": 9,
		"pinctrl-bcm2711:27": 27,
		"pinctrl-rp1:53":     53, "rp1-gpio:4": 4, "GPIO": -1, "GPIO170": -1, "xGPIO1": -1, "gpiochip0:17": -1, "PIN29": -1, "": -1,
		"pinctrl-bcm2711:-1": -1, "pinctrl-bcm2711": -1, "raspberrypi-exp-gpio:1": -1} {
		got, ok := HeaderGPIO(line)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %d, want %d", line, got, want)
		}
	}
}

// TestRelayPinKnowsTheSpelling: without hardware the rule speaks of what the spelling tells, and of nothing
// else.
func TestRelayPinKnowsTheSpelling(t *testing.T) {
	for line, want := range map[string]string{"GPIO14": "refused", "gpio1": "refused",
		"pinctrl-rp1:15": "refused", "GPIO27": "fine",
		"GPIO2": "refused", "pinctrl-bcm2835:19": "warned", "gpiochip0:14": "fine", "mcp23017:14": "fine", "PIN8": "fine"} {
		e := RelayPin(line, false)
		if got := verdict(e); got != want || e != nil && (!e.Spelt || e.Line != line || e.Remedy == "") {
			t.Errorf("%q: %s %+v, want %s", line, got, e, want)
		}
	}
}

// TestCheckKnowsEverySpelling: once the hardware is there a line is its pin, by whatever name.
func TestCheckKnowsEverySpelling(t *testing.T) {
	pi5 := []Chip{
		namedChip("gpiochip0", "gpio-brcmstb@107d508500", make([]string, 32)...),
		namedChip("gpiochip4", "pinctrl-rp1", pi5Names61...),
	}
	for _, c := range []struct {
		chips     []Chip
		line      string
		activeLow bool
		want      string
	}{
		{pi4(), "gpiochip0:27", true, "refused"},
		{pi4(), "gpiochip0:27", false, "fine"},
		{pi4(), "gpiochip0:14", true, "refused"},
		{pi4(), "pinctrl-bcm2711:1", true, "refused"},
		{pi4(), "GPIO18", false, "warned"},
		{pi5, "PIN29", false, "refused"},
		{pi5, "PIN29", true, "fine"},
		{pi5, "PIN8", true, "refused"},
		{pi5, "gpiochip4:15", false, "refused"},
		{pi5, "gpiochip0:15", false, "fine"}, // the SoC's own chip, not the header
	} {
		var told []*PinError
		for _, err := range check(c.chips,
			Config{Relays: []Output{{Name: "door", Line: c.line, ActiveLow: c.activeLow, MaxOn: 1}}}, false) {
			if e, ok := err.(*PinError); ok {
				told = append(told, e)
			}
		}
		if len(told) == 0 {
			told = []*PinError{nil}
		}
		if got := verdict(told[0]); got != c.want || len(told) != 1 {
			t.Errorf("%s, active-low %v: %s %v, want %s", c.line, c.activeLow, got, told, c.want)
		}
		if e := told[0]; e != nil && e.Spelt != (RelayPin(c.line, c.activeLow) != nil) {
			t.Errorf("%s: %+v, but by its spelling: %v", c.line, e, RelayPin(c.line, c.activeLow))
		}
	}
	onBus := check(pi4(),
		Config{Relays: []Output{{Name: "door", Line: "GPIO3", ActiveLow: true, MaxOn: 1}}}, true)
	if e, ok := onBus[0].(*PinError); len(onBus) != 1 || !ok || e.Spelt ||
		!strings.Contains(e.Problem, "I2C") {
		t.Errorf("%v", onBus)
	}
}

func TestI2COn(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  bool
	}{
		{"no device tree", nil, false},
		{"no such bus", map[string]string{"model": "x\x00"}, false},
		{"Pi 4, off", map[string]string{"aliases/i2c1": "/soc/i2c@7e804000\x00",
			"soc/i2c@7e804000/status": "disabled\x00"}, false},
		{"Pi 4, dtparam=i2c_arm=on", map[string]string{"aliases/i2c1": "/soc/i2c@7e804000\x00",
			"soc/i2c@7e804000/status": "okay\x00"}, true},
		{"Pi 5", map[string]string{"aliases/i2c1": "/axi/pcie@120000/rp1/i2c@74000\x00",
			"axi/pcie@120000/rp1/i2c@74000/status": "okay\x00"}, true},
		{"no status is okay", map[string]string{"aliases/i2c1": "/soc/i2c@7e804000\x00",
			"soc/i2c@7e804000/reg": "x"}, true},
		{"an alias into nothing", map[string]string{"aliases/i2c1": "/soc/i2c@7e804000\x00"}, false},
	} {
		root := t.TempDir()
		for path, text := range c.files {
			path = filepath.Join(root, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := i2cOn(root); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
