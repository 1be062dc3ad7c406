//go:build interop

package interop

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if limit, ok := flag.Lookup("test.timeout").Value.(flag.Getter).Get().(time.Duration); ok && limit > 10*time.Second {
		// A test binary that runs out of time panics without its clean-ups: its children would stay.
		time.AfterFunc(limit-2*time.Second, endGroups)
	}
	dir, err := os.MkdirTemp("", "portero-voices-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
	said.dir, said.by = dir, map[string]Voice{}
	code := m.Run()
	_ = os.RemoveAll(dir)
	if build.path != "" {
		_ = os.Remove(build.path)
	}
	os.Exit(code)
}
