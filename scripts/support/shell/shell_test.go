// Package shell tests what the scripts share: go.sh, which looks for a Go that is new enough, and stages.sh.
package shell

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the module's folder.
const root = "../../.."

// run runs a program in the module's folder.
func run(t *testing.T, env []string, name string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	var out, errs strings.Builder
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = root, append(os.Environ(), env...), &out, &errs
	var exited *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exited) {
		code = exited.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return code, out.String(), errs.String()
}

// fakeGo puts a Go of that version before the one that is installed.
func fakeGo(t *testing.T, version string) (path string) {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf("#!/bin/sh\necho go version %s linux/amd64\n", version)
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return "PATH=" + dir + ":" + os.Getenv("PATH")
}

// TestOldGo: Debian 12's Go gets one line with the remedy from every script, before anything else.
func TestOldGo(t *testing.T) {
	scripts, err := filepath.Glob(filepath.Join(root, "scripts", "*"))
	if err != nil {
		t.Fatal(err)
	}
	env := []string{fakeGo(t, "go1.19.8"), "CI="}
	tried := 0
	for _, path := range append(scripts, filepath.Join(root, "scripts/support/deb/test"),
		filepath.Join(root, "scripts/support/deb/package")) {
		if info, err := os.Stat(path); err != nil || info.IsDir() {
			continue
		}
		tried++
		var args []string
		if filepath.Base(path) == "package" {
			args = []string{"none", "amd64", "v1.0.0", t.TempDir()}
		}
		name, _ := filepath.Rel(root, path)
		code, out, errs := run(t, env, "./"+name, args...)
		if code != 1 || out != "" || strings.Count(errs, "\n") != 1 ||
			!strings.HasPrefix(errs, "Go 1.19.8 is too old: install Go 1.") ||
			!strings.Contains(errs, "https://go.dev/dl") {
			t.Errorf("%s: exit %d, %q, %q", name, code, out, errs)
		}
		if code, out, _ := run(t, env, "./"+name, "-h"); code != 0 || !strings.HasPrefix(out, "usage: ") {
			t.Errorf("%s -h: exit %d, %q", name, code, out)
		}
	}
	if tried < 8 {
		t.Errorf("%d scripts tried", tried)
	}
}

// TestWhichGo: from 1.21 on Go fetches the version it needs, but not where CI=true says that the one which
// is there counts.
func TestWhichGo(t *testing.T) {
	for _, c := range []struct {
		version, ci string
		code        int
		says        string // on which stream depends on code
	}{
		{"go1.20.14", "", 1, "Go 1.20.14 is too old"},
		{"go1.21.0", "", 0, "goes on, GOTOOLCHAIN=auto"},
		{"go1.22.9", "", 0, "goes on, GOTOOLCHAIN=auto"},
		{"go1.26.8", "", 0, "goes on, GOTOOLCHAIN="},
		{"go1.22.9", "true", 1, "Go 1.22.9 is too old"},
		{"go1.26rc1", "true", 1, "Go 1.26rc1 is too old"},
		{"go1.26.0", "true", 0, "goes on, GOTOOLCHAIN=local"},
		{"go1.30.1", "true", 0, "goes on, GOTOOLCHAIN=local"},
		{"devel go1.27-abcdef", "true", 0, "goes on, GOTOOLCHAIN=local"},
	} {
		env := []string{fakeGo(t, c.version), "CI=" + c.ci, "GOTOOLCHAIN="}
		code, out, errs := run(t, env, "bash", "-euo", "pipefail", "-c",
			`source scripts/support/go.sh; echo "goes on, GOTOOLCHAIN=$GOTOOLCHAIN"`)
		if code != c.code || !strings.HasPrefix(out+errs, c.says) || c.code == 0 && out != c.says+"\n" {
			t.Errorf("%s, CI=%s: exit %d, %q, %q; want %d, %q", c.version, c.ci, code, out, errs,
				c.code, c.says)
		}
	}
}

func TestNoGo(t *testing.T) {
	dir := t.TempDir()
	awk, err := exec.LookPath("awk")
	if err == nil {
		err = os.Symlink(awk, filepath.Join(dir, "awk"))
	}
	bash, bashErr := exec.LookPath("bash")
	if err := errors.Join(err, bashErr); err != nil {
		t.Fatal(err)
	}
	code, _, errs := run(t, []string{"PATH=" + dir}, bash, "-euo", "pipefail", "-c",
		"source scripts/support/go.sh")
	if code != 1 || strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "no Go here: install Go 1.") {
		t.Errorf("exit %d, %q", code, errs)
	}
}

// stages runs a script that has stages.
func stages(t *testing.T, env []string, text string) (code int, lines []string) {
	t.Helper()
	env = append([]string{"STAGES=", "LANES=", "VERBOSE=", "CI="}, env...)
	code, out, errs := run(t, env, "bash", "-euo", "pipefail", "-c", "source scripts/support/stages.sh\n"+text)
	if errs != "" {
		t.Errorf("stderr: %s", errs)
	}
	return code, strings.Split(strings.TrimSpace(out), "\n")
}

const threeStages = `
good() { echo a word of the good; }
bad() { echo a first word; false; echo never; }
stage one good
stage two bad
stage three cannot "no such thing here"
summary`

func TestStages(t *testing.T) {
	code, lines := stages(t, nil, threeStages)
	if code != 1 {
		t.Errorf("exit %d, want 1", code)
	}
	text := strings.Join(lines, "\n")
	for _, want := range []string{`(?m)^one +passed  \d+\.\d s$`,
		`(?m)^two +failed  \d+\.\d s  \(exit code 1\)\n    a first word$`,
		`(?m)^three +skipped  \d+\.\d s  \(no such thing here\)$`, `(?m)^failed: two$`,
		`\n\d+\.\d CPU-minutes\n1 passed, 1 failed, 1 skipped$`} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if strings.Contains(text, "never") || strings.Contains(text, "a word of the good") {
		t.Errorf("said too much:\n%s", text)
	}
	_, lines = stages(t, []string{"VERBOSE=1"}, threeStages)
	if !slices.Contains(lines, "    a word of the good") {
		t.Errorf("-v hides a stage that passed:\n%s", strings.Join(lines, "\n"))
	}
	_, lines = stages(t, []string{"CI=true"}, threeStages)
	if lines[len(lines)-1] != "1 passed, 2 failed, 0 skipped" {
		t.Errorf("with CI=true: %q", lines[len(lines)-1])
	}
	code, lines = stages(t, nil, "stage one true; summary")
	if code != 0 || lines[len(lines)-1] != "1 passed, 0 failed, 0 skipped" {
		t.Errorf("exit %d, %q", code, lines)
	}
}

// TestLanes: two lanes run at the same time, for each waits for the other; what a stage says stays in one
// piece; scripts within scripts count; what ends without a word is counted as failed.
func TestLanes(t *testing.T) {
	dir := t.TempDir()
	code, lines := stages(t, []string{"MEET=" + dir}, `
mkfifo "$MEET/there" "$MEET/back"
first() { echo to >"$MEET/there"; read -r word <"$MEET/back"; echo first word; echo "$word"; false; }
second() { read -r word <"$MEET/there"; echo back >"$MEET/back"; echo second word; echo "$word"; false; }
inner() {
	bash -euo pipefail -c 'source scripts/support/stages.sh
		stage "inner good" true; stage "inner bad" false; summary'
}
a() { stage "first" first; script "inner" inner; }
b() { stage "second" second; script "mute" bash -c 'exit 1'; return 5; }
lanes a b
stage "after" true
summary`)
	text := strings.Join(lines, "\n")
	for _, want := range []string{`first +failed .*\n    first word\n    back\n`, `second +failed .*\n    second word\n    to\n`,
		`inner bad +failed`, `mute itself +failed`, `a lane itself +failed`, `after +passed`} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if code != 1 || lines[len(lines)-1] != "2 passed, 5 failed, 0 skipped" ||
		strings.Contains(text, "inner itself") {
		t.Errorf("exit %d\n%s", code, text)
	}
}

// TestFailedLast: of what tests side by side have printed, the failed ones' lines are shown, and at the very end what they hold
// against the program, for that is where a log is not cut.
func TestFailedLast(t *testing.T) {
	const printed = `=== RUN   TestGood
=== PAUSE TestGood
=== RUN   TestBad
=== PAUSE TestBad
=== CONT  TestGood
=== CONT  TestBad
=== NAME  TestGood
    a_test.go:7: the visitor: 100 % heard
=== NAME  TestBad
    a_test.go:9: the kitchen: 100 % heard
    a_test.go:10: not heard: 12 %
        of 19 pieces
=== NAME  TestGood
    process.go:12: --- portero (exit code 0) ---
        chatter of the good one
--- PASS: TestGood (1.00s)
=== NAME  TestBad
    process.go:12: --- portero (exit code 1) ---
        chatter of the bad one
        see peer_test.go:3: not a log line of its own
--- FAIL: TestBad (2.00s)
=== RUN   TestParent/sub
    a_test.go:30: of the part
    --- FAIL: TestParent/sub (0.00s)
--- FAIL: TestParent (0.00s)
FAIL
`
	show := func(log string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, []byte(log), 0o600); err != nil {
			t.Fatal(err)
		}
		_, out, errs := run(t, nil, "awk", "-f", "scripts/support/interop/failed.awk", path)
		if errs != "" {
			t.Fatal(errs)
		}
		return out
	}
	const want = `--- all that TestBad logged ---
    a_test.go:9: the kitchen: 100 % heard
    a_test.go:10: not heard: 12 %
        of 19 pieces
    process.go:12: --- portero (exit code 1) ---
        chatter of the bad one
        see peer_test.go:3: not a log line of its own
--- all that TestParent/sub logged ---
    a_test.go:30: of the part
FAIL
--- what failed ---
TestBad:    a_test.go:9: the kitchen: 100 % heard
TestBad:    a_test.go:10: not heard: 12 %
TestBad:        of 19 pieces
TestParent/sub:    a_test.go:30: of the part
--- FAIL: TestBad
--- FAIL: TestParent/sub
--- FAIL: TestParent
`
	if got := show(printed); got != want {
		t.Errorf("shown:\n%s\nwant:\n%s", got, want)
	}
	if got := show("=== RUN   TestX\n    a_test.go:1: before\npanic: test timed out\n"); !strings.HasSuffix(got, "before\npanic: test timed out\n") {
		t.Errorf("of a run that panicked: %q", got)
	}
}
