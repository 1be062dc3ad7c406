package device

import (
	"regexp"
	"testing"
)

// TestInstance is one name for each account, the same each time.
func TestInstance(t *testing.T) {
	a, b := instance("sip:door@fritz.box"), instance("sip:door@pbx.test")
	if a == "" {
		t.Skip("no machine-id here")
	}
	if !regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(a) {
		t.Errorf("instance %q", a)
	}
	if a == b || a != instance("sip:door@fritz.box") {
		t.Errorf("instances %q and %q", a, b)
	}
}
