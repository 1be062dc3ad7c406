package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"portero/audio"
	"portero/audio/audiotest"
)

// TestMain lets the test binary be portero itself, so that exit codes and output are the real ones.
func TestMain(m *testing.M) {
	if os.Getenv("PORTERO_TEST_IS_PORTERO") != "" {
		main()
		os.Exit(0)
	}
	flag.Parse()
	// The processes wait far more than they compute: two cores are no reason to run two at a time.
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func portero(t *testing.T, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with its guard
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	t.Cleanup(func() {
		if cmd.Process != nil {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}
	})
	cmd.Env = append(os.Environ(), "PORTERO_TEST_IS_PORTERO=1", "PORTERO_DEMO_SLOW=1")
	return cmd
}

// status runs portero to its end.
func status(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := portero(t, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exited *exec.ExitError
	switch {
	case errors.As(err, &exited):
		code = exited.ExitCode()
	case err != nil:
		t.Fatal(err)
	}
	return code, out.String(), errs.String()
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, v := range verbs {
		if code, out, _ := status(t, v.name, "-h"); code != 0 || !strings.Contains(out, "usage: portero "+v.name) {
			t.Errorf("%s -h: exit %d\n%s", v.name, code, out)
		}
	}
	if code, _, errs := status(t, "dance"); code != 2 || !strings.Contains(errs, `no verb "dance"`) {
		t.Errorf("exit %d: %s", code, errs)
	}
	if code, _, errs := status(t, "version", "now"); code != 1 || !strings.Contains(errs, `unexpected argument "now"`) {
		t.Errorf("exit %d: %s", code, errs)
	}
}

const fiveFaults = `version = 1
[station]
nmae = "Front door"
[[bell]]
name = "front"
line = "GPIO17"
targets = []
[[door]]
name = "front"
line = "GPIO17"
[[code]]
who = "family"
code = "123"
doors = ["front"]
[audio]
card = "none"
codecs = ["PCMX"]
[board]
sim = true
`

func TestCheckNamesEveryFault(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "portero.toml")
	if err := os.WriteFile(file, []byte(fiveFaults), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, _ := status(t, "check", "-config", file)
	if code != 1 {
		t.Errorf("exit %d", code)
	}
	for _, want := range []string{`:3: station\.nmae`, `:7: bell\[0\]\.targets`, `:10: door\[0\]\.line`, `:13: code\[0\]\.code`, `:17: audio\.codecs`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no fault %s in\n%s", want, out)
		}
	}
	good := strings.NewReplacer("nmae", "name", `targets = []`, `targets = ["sip:kitchen@192.0.2.1"]`, "line = \"GPIO17\"\n[[code]]", "line = \"GPIO27\"\n[[code]]",
		`"123"`, `"4711"`, "PCMX", "PCMA").Replace(fiveFaults)
	if err := os.WriteFile(file, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, _ := status(t, "check", "-config", file); code != 0 || !strings.Contains(out, "is good") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

// TestCalls lets two bench phones talk: one waits, one calls, plays a file and sends digits.
func TestCalls(t *testing.T) {
	t.Parallel()
	for attempt := 1; ; attempt++ { // a machine under test may stall for a moment
		db := callOnce(t)
		switch {
		case db >= 10:
			return
		case attempt == 3:
			t.Fatalf("heard with an SNR of %.1f dB", db)
		}
	}
}

// callOnce has one bench phone call another, and returns how well that has understood it, in dB.
func callOnce(t *testing.T) float64 {
	t.Helper()
	dir := t.TempDir()
	speech, record := filepath.Join(dir, "speech.wav"), filepath.Join(dir, "record.wav")
	if err := os.WriteFile(speech, visitorSpeech, 0o600); err != nil {
		t.Fatal(err)
	}
	answer := portero(t, "call", "-answer", "-listen", "127.0.0.1:0", "-record", record, "-for", "30s")
	out, err := answer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	port := regexp.MustCompile(`at port (\d+)`).FindStringSubmatch(first)
	if err != nil || port == nil {
		t.Fatalf("%q, %v", first, err)
	}
	code, said, errs := status(t, "call", "-listen", "127.0.0.1:0", "-play", speech, "-for", "6s", "-digits", "12#", "sip:bench@127.0.0.1:"+port[1])
	if code != 0 || !strings.Contains(said, "200 OK") {
		t.Errorf("exit %d\n%s%s", code, said, errs)
	}
	rest, _ := io.ReadAll(lines)
	if err := answer.Wait(); err != nil || !strings.Contains(string(rest), "the far end hung up") {
		t.Errorf("the answering end: %v\n%s", err, rest)
	}
	heard, err := audio.LoadWAV(record)
	if err != nil {
		t.Fatal(err)
	}
	spoken, err := audio.LoadWAV(speech)
	if err == nil {
		spoken, err = spoken.Resample(heard.Rate)
	}
	if err != nil {
		t.Fatal(err)
	}
	return audiotest.UtteranceSNR(spoken, heard)
}

func TestCallIsNotAnswered(t *testing.T) {
	t.Parallel()
	code, _, errs := status(t, "call", "-within", "1s", "-listen", "127.0.0.1:0", "sip:nobody@127.0.0.1:9")
	if code != 1 || !strings.Contains(errs, "not answered") {
		t.Errorf("exit %d: %s", code, errs)
	}
}
