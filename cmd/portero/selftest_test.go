package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"portero/device/event"
	"portero/device/selftest"
)

// selftestFile is the configuration of a simulated board in dir.
func selftestFile(t *testing.T, dir string) string {
	t.Helper()
	file := filepath.Join(dir, "portero.toml")
	text := fmt.Sprintf(`version = 1
[station]
data_dir = %q
[[bell]]
name = "front"
line = "GPIO17"
targets = ["sip:127.0.0.1:5999"]
[[door]]
name = "front"
line = "GPIO27"
switch_on = "100ms"
[[code]]
who = "family"
code = "730159"
doors = ["front"]
[audio]
card = "none"
[board]
sim = true
`, dir)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestSelftestVerb walks a simulated board through the real pipes of the real program.
func TestSelftestVerb(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, answers string
		code          int
		says          string
		opened        bool
	}{
		{"not confirmed", "yes\n", 1, "not confirmed", false},
		{"no answers", "", 1, "unexpected EOF", false},
		{"confirmed, then no answers", selftest.Confirmation + "\n", 1, "unexpected EOF", false},
		{"a whole walk", selftest.Confirmation + "\ns\ny\ny\ny\n", 0, "0 faults; the report is", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cmd := portero(t, "selftest", "-config", selftestFile(t, dir))
			cmd.Stdin = strings.NewReader(c.answers)
			out, _ := cmd.CombinedOutput() // the status says it
			if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(string(out), c.says) {
				t.Errorf("exit %d, want %d and %q\n%s", code, c.code, c.says, out)
			}
			events, _, err := event.ReadAudit(filepath.Join(dir, "audit.jsonl"))
			if err != nil || (len(events) > 0) != c.opened {
				t.Errorf("audit %+v, %v", events, err)
			}
			report, err := os.ReadFile(filepath.Join(dir, "selftest.txt"))
			if c.opened && (err != nil || !strings.Contains(string(report), ", then released")) {
				t.Errorf("%v\n%s", err, report)
			}
		})
	}
}

// TestSelftestOfAnotherUser: the station could not write on in an audit that root began.
func TestSelftestOfAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("not root: no folder can be given away")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, 4711, -1); err != nil {
		t.Fatal(err)
	}
	if err := ownData(dir); err == nil || !strings.Contains(err.Error(), "sudo -u #4711 portero selftest") {
		t.Error(err)
	}
}

// TestSelftestLosesItsTerminal: the program lives on until the relays are released, and tells what it saw.
func TestSelftestLosesItsTerminal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := portero(t, "selftest", "-config", selftestFile(t, dir))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, selftest.Confirmation+"\n"); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "Inputs.") {
			if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // the status says it
	report, err := os.ReadFile(filepath.Join(dir, "selftest.txt"))
	if code := cmd.ProcessState.ExitCode(); code != 1 || err != nil || !strings.Contains(string(report), "ended early") {
		t.Errorf("exit %d, %v\n%s", code, err, report)
	}
}
