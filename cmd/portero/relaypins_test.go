package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestUnsafeRelayPin: `check` and a reload that brings such a pin refuse it; a start, and a reload that
// leaves it, tell of it and the doors work.
func TestUnsafeRelayPin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "portero.toml")
	bad := strings.Replace(fmt.Sprintf(runConfig, dir), `"GPIO27"`, `"GPIO14"`, 1)
	if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := status(t, "check", "-config", path); code != 1 ||
		!strings.Contains(out, `:15: unsafe: door[0].line "GPIO14": GPIO14 moves at each boot`) ||
		!strings.Contains(out, "1 fault\n") {
		t.Errorf("check: exit %d\n%s%s", code, out, errs)
	}
	r := startWith(t, func(text string) string { return strings.Replace(text, `"GPIO27"`, `"GPIO14"`, 1) })
	if ev := r.want("door.unsafe"); ev["level"] != "ERROR" || ev["door"] != "front" ||
		!strings.Contains(fmt.Sprint(ev["reason"]), "use GPIO22 to GPIO27") {
		t.Errorf("%v", ev)
	}
	r.want("station.ready")
	text, err := os.ReadFile(r.config)
	if err != nil {
		t.Fatal(err)
	}
	reload := func(from, to, kind string) map[string]any {
		t.Helper()
		r.write(strings.Replace(string(text), from, to, 1))
		r.signal(syscall.SIGHUP)
		return r.want(kind)
	}
	reload(`ring_limit = "5s"`, `ring_limit = "6s"`, "config.reloaded") // the line stays
	r.want("door.unsafe")
	if ev := reload(`"GPIO14"`, `"GPIO15"`, "config.rejected"); !strings.Contains(fmt.Sprint(ev["reason"]),
		"GPIO15 moves at each boot") {
		t.Errorf("%v", ev)
	}
	reload(`"GPIO14"`, "\"GPIO14\"\nactive_low = true", "config.rejected")
	reload(`"GPIO14"`, `"GPIO27"`, "config.reloaded")
	reload(`"GPIO14"`, `"GPIO14"`, "config.rejected") // and now it would be new
	r.end()
}
