package main

import (
	"strings"
	"testing"
)

func TestKeptOutputs(t *testing.T) {
	for _, c := range []struct {
		kept, known bool
		where, want string
	}{
		{true, true, "/sys/x",
			"stays on until Portero or `portero release` lets it go; dtparam=strict_gpiod"},
		{false, true, "/sys/x", "an input at once"},
		{false, false, "/sys/x", "does not tell whether it keeps outputs (/sys/x): count on a relay"},
		{false, false, "", "no Raspberry Pi header"},
	} {
		if got := keptOutputs(c.kept, c.known, c.where); !strings.HasPrefix(got, "info: ") ||
			!strings.Contains(got, c.want) {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
