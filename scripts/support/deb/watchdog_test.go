package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// others are the files beside which ours has to win: those of Debian and of two generations of Raspberry Pi OS.
var others = map[string]string{
	"etc/systemd/system.conf":                                         "[Manager]\nRuntimeWatchdogSec=off\n",
	"usr/lib/systemd/system.conf.d/40-rpi-enable-watchdog.conf":       "[Manager]\nRuntimeWatchdogSec=1m\nRebootWatchdogSec=2m\n",
	"usr/lib/systemd/system.conf.d/70-rpi-enable-watchdog.conf":       "[Manager]\nRuntimeWatchdogSec=16\nRebootWatchdogSec=1m\n",
	"usr/lib/sysctl.d/50-default.conf":                                "kernel.panic = 0\n",
	"etc/sysctl.d/10-custom.conf":                                     "kernel.panic = 0\n",
	"usr/lib/sysctl.d/90-portero.conf":                                "kernel.panic = 0\n",
	"usr/lib/systemd/system.conf.d/90-portero.conf":                   "[Manager]\nRuntimeWatchdogSec=off\n",
	"usr/lib/systemd/system.conf.d/00-a-vendor-that-comes-first.conf": "[Manager]\nRuntimeWatchdogSec=3m\n",
}

// TestWatchdogFilesWin asks systemd itself in which order it reads the files; the last assignment counts.
func TestWatchdogFilesWin(t *testing.T) {
	root := t.TempDir()
	for path, text := range others {
		lay(t, filepath.Join(root, path), text)
	}
	if got := effective(t, root, "systemd/system.conf", "RuntimeWatchdogSec"); got == "15" {
		t.Fatal("15 without our file: the test would show nothing")
	}
	if err := os.CopyFS(filepath.Join(root, "ours"), os.DirFS("watchdog")); err != nil {
		t.Fatal(err)
	}
	// The line of board/README.md.
	if out, err := exec.Command("cp", "-r", filepath.Join(root, "ours")+"/.", filepath.Join(root, "etc")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []struct{ name, key, value string }{
		{"systemd/system.conf", "RuntimeWatchdogSec", "15"},
		{"systemd/system.conf", "RebootWatchdogSec", "1m"}, // what is theirs stays theirs
		{"sysctl.d", "kernel.panic", "5"},
	} {
		if got := effective(t, root, want.name, want.key); got != want.value {
			t.Errorf("%s of %s: %q, want %q", want.key, want.name, got, want.value)
		}
	}
}

// effective is the last value of key in the files that make up name, as systemd orders them.
func effective(t *testing.T, root, name, key string) (value string) {
	t.Helper()
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("systemd-analyze is not installed")
		}
		t.Skip("systemd-analyze is not installed: nobody here knows the order of systemd's files")
	}
	out, err := exec.Command(tool, "--root="+root, "cat-config", name).Output()
	if err != nil {
		t.Fatalf("systemd-analyze cat-config %s: %v", name, err)
	}
	for line := range strings.Lines(string(out)) {
		if k, v, ok := strings.Cut(line, "="); ok && strings.TrimSpace(k) == key {
			value = strings.TrimSpace(v)
		}
	}
	return value
}

func lay(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
