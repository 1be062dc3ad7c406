package board

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// HeaderPin is a GPIO of a Raspberry Pi's 40-pin header, the same on every model (the first ones, of 26
// holes, lack some).
type HeaderPin struct {
	GPIO   int
	Hole   int    // of the header
	PullUp bool   // pulled high from power-on until somebody sets it; false: pulled low
	Driven string // what moves it at each boot: never a relay's; "" nothing does
	Shared string // what takes it over where that is switched on; "" nothing that is common
}

// What moves or takes pins; see the map in the package's documentation for the sources.
const (
	hatEEPROM = "the firmware reads a HAT's EEPROM through it at each boot"
	uart      = "the serial console idles high and sends boot messages"
	i2cBus    = "I2C, with 1.8 kΩ pull-ups on the board"
	spiBus    = "SPI"
	i2sBus    = "I2S, the bus of sound HATs"
)

// headerPins are the header's pins by their GPIO number, 0 to 27.
var headerPins = []HeaderPin{
	{0, 27, true, hatEEPROM, ""}, {1, 28, true, hatEEPROM, ""},
	{2, 3, true, "", i2cBus}, {3, 5, true, "", i2cBus},
	{4, 7, true, "", ""}, {5, 29, true, "", ""}, {6, 31, true, "", ""},
	{7, 26, true, "", spiBus}, {8, 24, true, "", spiBus}, {9, 21, false, "", spiBus},
	{10, 19, false, "", spiBus}, {11, 23, false, "", spiBus},
	{12, 32, false, "", ""}, {13, 33, false, "", ""},
	{14, 8, false, uart, ""}, {15, 10, false, uart, ""},
	{16, 36, false, "", ""}, {17, 11, false, "", ""},
	{18, 12, false, "", i2sBus}, {19, 35, false, "", i2sBus},
	{20, 38, false, "", i2sBus}, {21, 40, false, "", i2sBus},
	{22, 15, false, "", ""}, {23, 16, false, "", ""}, {24, 18, false, "", ""},
	{25, 22, false, "", ""}, {26, 37, false, "", ""}, {27, 13, false, "", ""},
}

// headerChip says whether a chip of that label drives the header: its offsets are the GPIO numbers.
func headerChip(label string) bool {
	switch label {
	case "pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1", "rp1-gpio":
		return true
	}
	return false
}

// gpioNumber returns the number out of "GPIO17", in any case; "" for every other spelling.
func gpioNumber(line string) (number string) {
	if len(line) <= 4 || len(line) > 6 || !strings.EqualFold(line[:4], "GPIO") || !isNumber(line[4:]) {
		return ""
	}
	return line[4:]
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// HeaderGPIO reads the GPIO number out of a line that is spelt "GPIO17" or "pinctrl-bcm2711:17" (the label of
// a Raspberry Pi's chip), without a look at the hardware. It is false for every other spelling.
func HeaderGPIO(line string) (gpio int, ok bool) {
	number := gpioNumber(line)
	if chip, offset, _ := strings.Cut(line, ":"); headerChip(chip) && len(offset) <= 2 && isNumber(offset) {
		number = offset
	}
	gpio, err := strconv.Atoi(number)
	return gpio, err == nil
}

// PinError says why a relay should not hang on a pin of the header.
type PinError struct {
	Relay   string // the Output's Name; "" from [RelayPin]
	Line    string // as configured
	Refused bool   // the relay moves at each boot; false: it may, and is warned of
	Spelt   bool   // the spelling of Line alone tells it, as RelayPin does
	Problem string
	Remedy  string
}

func (e *PinError) Error() string {
	relay := "a relay"
	if e.Relay != "" {
		relay = fmt.Sprintf("relay %q", e.Relay)
	}
	return fmt.Sprintf("board: %s on %q: %s; %s", relay, e.Line, e.Problem, e.Remedy)
}

// RelayPin judges a relay's line by its spelling alone, where no hardware is at hand: [Check] knows more. nil
// is no objection.
func RelayPin(line string, activeLow bool) *PinError {
	gpio, ok := HeaderGPIO(line)
	if !ok {
		return nil
	}
	e := relayPin(gpio, activeLow, false)
	if e != nil {
		e.Line, e.Spelt = line, true
	}
	return e
}

// relayPin is the one rule for which pins of the header may drive a relay.
func relayPin(gpio int, activeLow, i2c bool) *PinError {
	if gpio < 0 || gpio >= len(headerPins) {
		return nil
	}
	pin := headerPins[gpio]
	remedy := "use GPIO22 to GPIO27"
	if activeLow {
		remedy = "use GPIO5 or GPIO6, or an active-high relay on GPIO22 to GPIO27"
	}
	refused := func(problem string, args ...any) *PinError {
		return &PinError{Refused: true, Problem: fmt.Sprintf(problem, args...), Remedy: remedy}
	}
	switch {
	case pin.Driven != "":
		return refused("GPIO%d moves at each boot, and the relay with it: %s", gpio, pin.Driven)
	case pin.Shared == i2cBus && i2c:
		return refused("GPIO%d belongs to I2C, which is on: each scan of the bus moves the relay", gpio)
	case pin.PullUp && !activeLow:
		return refused("GPIO%d is high from power-on: an active-high relay is on until Linux starts", gpio)
	case !pin.PullUp && activeLow:
		return refused("GPIO%d is low from power-on: an active-low relay is on until Linux starts", gpio)
	case pin.Shared != "" && pin.Shared != i2cBus:
		e := refused("GPIO%d is also a pin of %s, which moves the relay once it is on", gpio, pin.Shared)
		e.Refused, e.Remedy = false, "keep that off in config.txt, or "+remedy
		return e
	}
	return nil
}

// deviceTree is where the kernel shows the device tree: /proc/device-tree leads here, but is hidden by
// ProcSubset=pid.
const deviceTree = "/sys/firmware/devicetree/base"

// i2cOn says whether the device tree under root has the I2C bus of GPIO2 and GPIO3 (i2c1) switched on. No
// status is "okay" (Devicetree Specification 2.3.4).
func i2cOn(root string) bool {
	path, err := os.ReadFile(filepath.Join(root, "aliases", "i2c1"))
	if err != nil {
		return false
	}
	node := filepath.Join(root, strings.TrimRight(string(path), "\x00"))
	if _, err := os.Stat(node); err != nil {
		return false
	}
	status, err := os.ReadFile(filepath.Join(node, "status"))
	if err != nil {
		return true
	}
	s := strings.TrimRight(string(status), "\x00")
	return s == "okay" || s == "ok"
}
