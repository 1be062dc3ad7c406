package app

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"portero/device/config"
)

// TestNoErrorIsNotTold: a line without an error has no err.
func TestNoErrorIsNotTold(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var b bytes.Buffer
		log := NewLogger(&b, config.Log{Level: "debug", Format: format})
		var none error
		log.Debug("stray response dropped", "part", "sip", "err", none)
		if got := b.String(); strings.Contains(got, "err") || strings.Contains(got, "nil") {
			t.Errorf("%s: %s", format, got)
		}
		log.Warn("card lost", "part", "sound", "err", errors.New("gone"))
		if !strings.Contains(b.String(), "gone") {
			t.Errorf("%s: %s", format, &b)
		}
	}
}
