package transaction

import (
	"strings"
	"testing"
)

// TestTraceBlotsDigits hides the digits of an INFO however its datagram begins and its lines end.
func TestTraceBlotsDigits(t *testing.T) {
	for _, before := range []string{"", "\r\n", "\r\n\r\n", "\x00", "\x00\r\n ", "\n", "\r\n\uFEFF"} {
		for _, end := range []string{"\r\n", "\n"} {
			wire := before + "INFO sip:x@y SIP/2.0" + end + "Content-Type: application/dtmf" + end + end + "7"
			if got := string(blot([]byte(wire))); !strings.HasSuffix(got, "dtmf"+end+end+"***") {
				t.Errorf("%q is shown as %q", wire, got)
			}
		}
	}
}

// TestTraceBlots hides the values that a digest is made of, and nothing else.
func TestTraceBlots(t *testing.T) {
	for wire, want := range map[string]string{
		`Digest nonce="a,b", cnonce=c, response="d",opaque=""` + "\r\nuri=x": `Digest nonce="***,b", cnonce=***, ` +
			`response="***",opaque="***"` + "\r\nuri=x",
		"nextnonce=\"a\", NONCE=b=c\r\n": "nextnonce=\"***\", NONCE=***\r\n",
		"Signal = 5\r\nDuration=160":     "Signal = ***\r\nDuration=160",
		"signal\r\n=\r\n*=#":             "signal\r\n=\r\n***",
		"nonces=a;=;Signals=5":           "nonces=a;=;Signals=5",
		"INFOX sip:x\r\n\r\n7":           "INFOX sip:x\r\n\r\n7",
		"INFO sip:x\r\nVia: y\r\n":       "INFO sip:x\r\nVia: y\r\n",
		"INFO sip:x\r\n\r\n":             "INFO sip:x\r\n\r\n***",
	} {
		if got := string(blot([]byte(wire))); got != want {
			t.Errorf("%q is shown as %q, want %q", wire, got, want)
		}
	}
}
