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
code = "730158"
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
	dir := t.TempDir()
	file := selftestFile(t, dir)
	for answers, want := range map[string]struct {
		code   int
		says   string
		opened bool
	}{
		"yes\n":                                  {1, "not confirmed", false},
		"":                                       {1, "unexpected EOF", false},
		selftest.Confirmation + "\n":             {1, "unexpected EOF", false},
		selftest.Confirmation + "\ns\ny\ny\ny\n": {0, "0 faults; the report is", true},
	} {
		for _, name := range []string{"audit.jsonl", "selftest.txt"} {
			_ = os.Remove(filepath.Join(dir, name)) // perhaps it is not there
		}
		cmd := portero(t, "selftest", "-config", file)
		cmd.Stdin = strings.NewReader(answers)
		out, _ := cmd.CombinedOutput() // the status says it
		if code := cmd.ProcessState.ExitCode(); code != want.code || !strings.Contains(string(out), want.says) {
			t.Errorf("%q: exit %d\n%s", answers, code, out)
		}
		events, _, err := event.ReadAudit(filepath.Join(dir, "audit.jsonl"))
		if err != nil || (len(events) > 0) != want.opened {
			t.Errorf("%q: audit %+v, %v", answers, events, err)
		}
		report, err := os.ReadFile(filepath.Join(dir, "selftest.txt"))
		if want.opened && (err != nil || !strings.Contains(string(report), ", then released")) {
			t.Errorf("%v\n%s", err, report)
		}
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
