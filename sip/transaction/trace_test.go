package transaction

import (
	"strings"
	"testing"
)

// TestTraceBlotsDigits hides the digits of an INFO however its datagram begins and its lines end.
func TestTraceBlotsDigits(t *testing.T) {
	for _, before := range []string{"", "\r\n", "\r\n\r\n", "\x00", "\x00\r\n ", "\n"} {
		for _, end := range []string{"\r\n", "\n"} {
			wire := before + "INFO sip:x@y SIP/2.0" + end + "Content-Type: application/dtmf" + end + end + "7"
			if got := string(blot([]byte(wire))); !strings.HasSuffix(got, "dtmf"+end+end+"***") {
				t.Errorf("%q is shown as %q", wire, got)
			}
		}
	}
}
