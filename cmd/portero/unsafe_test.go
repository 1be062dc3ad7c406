package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestUnsafeFile: of a file that everybody can write, and of one with the manual's code, `check` tells each
// fault; `run` tells them as errors, and its bell rings.
func TestUnsafeFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "portero.toml")
	text := strings.Replace(fmt.Sprintf(runConfig, dir), `"4711"`, `"730158"`, 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil { // whatever the umask
		t.Fatal(err)
	}
	code, out, errs := status(t, "check", "-config", path)
	for _, want := range []string{": unsafe: every user of this machine can change it", "chmod o-rwx " + path,
		`:18: unsafe: code[0].code: the sample's own`, "\n2 faults\n"} {
		if code != 1 || !strings.Contains(out, want) {
			t.Errorf("check: exit %d, no %q in\n%s%s", code, want, out, errs)
		}
	}
	r := &running{t: t, config: path}
	r.start()
	for _, want := range []string{"every user of this machine can change it", "code[0].code"} {
		if ev := r.want("config.unsafe"); ev["level"] != "ERROR" || !strings.Contains(fmt.Sprint(ev["reason"]), want) {
			t.Errorf("%v, want %s", ev, want)
		}
	}
	r.want("station.ready")
	r.signal(syscall.SIGUSR2)
	r.want("call.started")
	r.end()
}
