package board

import (
	"os"
	"path/filepath"
	"strings"
)

// keeps is where a kernel tells whether its driver of the header's chip keeps a freed output as it was.
var keeps = map[string]string{
	"pinctrl-bcm2835": "pinctrl_bcm2835",
	"pinctrl-bcm2711": "pinctrl_bcm2835",
	"pinctrl-rp1":     "pinctrl_rp1",
	"rp1-gpio":        "pinctrl_rp1",
}

// KeepsOutputs tells what the kernel does with an output of the header whose process is gone: it keeps
// driving it (the default of Raspberry Pi's kernels), or makes it an input (mainline kernels, and
// dtparam=strict_gpiod). It is read from the driver's parameter persist_gpio_outputs, as the direction in a
// line's info is one that the kernel remembers, not the pin's. known is false where no header is or the
// driver has no such parameter; where names the parameter.
func KeepsOutputs(chips []Chip) (kept, known bool, where string) {
	return keepsOutputs(sysDir, chips)
}

func keepsOutputs(root string, chips []Chip) (kept, known bool, where string) {
	header := headerChips(chips)
	if len(header) == 0 {
		return false, false, ""
	}
	where = filepath.Join(root, "module", keeps[header[0].Label], "parameters/persist_gpio_outputs")
	text, err := os.ReadFile(where)
	if err != nil {
		return false, false, where
	}
	switch strings.TrimSpace(string(text)) { // kernel's param_get_bool
	case "Y":
		return true, true, where
	case "N":
		return false, true, where
	}
	return false, false, where
}
