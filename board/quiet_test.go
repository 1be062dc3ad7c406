package board

import (
	"bytes"
	"log"
	"testing"
)

// TestQuietly: what periph says by itself is not in the log, what others say before and after is.
func TestQuietly(t *testing.T) {
	var b bytes.Buffer
	was, flags := log.Writer(), log.Flags()
	log.SetOutput(&b)
	log.SetFlags(0)
	defer func() { log.SetOutput(was); log.SetFlags(flags) }()
	log.Print("before")
	quietly(func() { log.Print("opening gpio chip /dev/gpiochip0 failed") })
	log.Print("after")
	if got := b.String(); got != "before\nafter\n" {
		t.Errorf("%q", got)
	}
}
