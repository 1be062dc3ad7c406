package edges

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// heavy are packages of the standard library that the binary goes without, with what they would add to it.
var heavy = map[string]string{
	"regexp":        "250 kB, and a third of a millisecond at each start",
	"text/template": "hundreds of kB: with it the linker keeps every exported method",
	"html/template": "as text/template",
}

// TestBinaryGoesWithout: what is read on a small board at each start stays small.
func TestBinaryGoesWithout(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", module+"/cmd/portero").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, module+"/device") {
		t.Fatalf("go list tells %d packages without %s/device", len(deps), module)
	}
	for _, d := range deps {
		if why := heavy[d]; why != "" {
			t.Errorf("cmd/portero depends on %s: %s", d, why)
		}
	}
}
