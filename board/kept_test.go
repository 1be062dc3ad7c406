package board

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeepsOutputs(t *testing.T) {
	root := t.TempDir()
	for module, text := range map[string]string{"pinctrl_bcm2835": "Y\n", "pinctrl_rp1": "N\n"} {
		dir := filepath.Join(root, "module", module, "parameters")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "persist_gpio_outputs"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for label, want := range map[string][2]bool{"pinctrl-bcm2835": {true, true},
		"pinctrl-bcm2711": {true, true}, "pinctrl-rp1": {false, true},
		"rp1-gpio": {false, true}, "mcp2221_gpio": {false, false}} {
		chips := []Chip{namedChip("gpiochip9", "gpio-brcmstb@107d508500", ""),
			namedChip("gpiochip0", label, noNames...)}
		kept, known, where := keepsOutputs(root, chips)
		if kept != want[0] || known != want[1] || known && !strings.HasPrefix(where, root) {
			t.Errorf("%s: kept %v, known %v, %q", label, kept, known, where)
		}
		if kept, known, _ := keepsOutputs(t.TempDir(), chips); kept || known {
			t.Errorf("%s, a kernel that does not tell: kept %v, known %v", label, kept, known)
		}
	}
	path := filepath.Join(root, "module/pinctrl_rp1/parameters/persist_gpio_outputs")
	if err := os.WriteFile(path, []byte("maybe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, known, _ := keepsOutputs(root, []Chip{namedChip("gpiochip0", "pinctrl-rp1", noNames...)}); known {
		t.Error("known from nonsense")
	}
}
