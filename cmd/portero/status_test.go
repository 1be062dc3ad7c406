package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"portero/device"
	station "portero/device/status"
)

// asks is a station that answers at a socket.
func asks(t *testing.T, change func(string) string) (r *running, ask func() (int, string)) {
	dir := t.TempDir()
	r = &running{t: t, config: filepath.Join(dir, "portero.toml"), socket: filepath.Join(dir, "status.sock")}
	r.write(change(strings.ReplaceAll(runConfig, "%q", `"`+dir+`"`)))
	r.start()
	r.want("station.ready")
	return r, func() (int, string) {
		t.Helper()
		code, out, errs := status(t, "status", "-socket", r.socket)
		if errs != "" {
			t.Errorf("said besides: %s", errs)
		}
		return code, out
	}
}

// TestStatus asks a station that is good, degraded, dead and repaired.
func TestStatus(t *testing.T) {
	t.Parallel()
	r, ask := asks(t, func(text string) string { return text })
	check := func(wantCode int, want ...string) {
		t.Helper()
		code, out := ask()
		for _, w := range want {
			if !regexp.MustCompile(w).MatchString(out) {
				t.Errorf("no %q in\n%s", w, out)
			}
		}
		if code != wantCode {
			t.Errorf("exit %d, want %d\n%s", code, wantCode, out)
		}
	}
	check(0, `\Aready: rings sip:kitchen@127\.0\.0\.1:9\n`, `(?m)^version   \S`, `(?m)^config    \S+portero\.toml$`, `(?m)^last      no visit`)
	if fi, err := os.Stat(r.socket); err != nil || fi.Mode().Perm() != 0o660 {
		t.Errorf("the socket: %v, %v", fi, err)
	}
	text, err := os.ReadFile(r.config)
	if err != nil {
		t.Fatal(err)
	}
	r.write(strings.Replace(string(text), "targets", "tragets", 1))
	r.signal(syscall.SIGHUP)
	r.want("config.rejected")
	check(0, `\Aready: `, `(?m)^refused   the file as it was read last: .*tragets`)
	r.end()
	check(3, `\Anot running: `)
	r.start()
	r.want("station.ready")
	check(1, `\Adegraded: the last good copy, of 20.*, without codes, door front: .*targets.* \(and 1 more\)\n`, `(?m)^because   .*tragets`, `(?m)^config    the last good copy of 20.*, because \S+ cannot be used$`)
	r.write(string(text))
	r.want("config.reloaded") // by itself
	r.want("station.ready")
	check(0, `\Aready: `)
	r.end()
}

// TestStatusOfAHungStation: a process that is stopped does not look good.
func TestStatusOfAHungStation(t *testing.T) {
	t.Parallel()
	r, ask := asks(t, func(text string) string { return text })
	for _, pid := range []int{guardOf(t, r.cmd.Process.Pid), r.cmd.Process.Pid} {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	if code, out := ask(); code != 1 || !strings.HasPrefix(out, "hangs: ") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

// TestStatusIsTold: systemd has the sentence, too, and knows what stands in for the file.
func TestStatusIsTold(t *testing.T) {
	t.Parallel()
	r, conn := startUnderSystemd(t)
	told := func(want string) {
		t.Helper()
		b := make([]byte, 1000)
		for {
			n, _, err := conn.ReadFrom(b)
			if err != nil {
				t.Fatalf("not told %q: %v", want, err)
			}
			if strings.HasPrefix(string(b[:n]), want) {
				return
			}
		}
	}
	told("STATUS=starting: ")
	told("STATUS=ready: rings sip:kitchen@127.0.0.1:9")
	text, err := os.ReadFile(r.config)
	if err != nil {
		t.Fatal(err)
	}
	r.end()
	told("STATUS=stopped")
	r.write(strings.Replace(string(text), "targets", "tragets", 1))
	r.start()
	told("STATUS=degraded: the last good copy, of ")
	r.end()
}

// TestColours are for terminals alone, and not for who does not want them.
func TestColours(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, c := range []struct {
		to            *os.File
		noColor, term string
		want          string
	}{
		{terminal, "", "xterm", "\x1b[32mgood\x1b[0m \x1b[31mbad\x1b[0m"}, {terminal, "1", "xterm", "good bad"},
		{terminal, "", "dumb", "good bad"}, {file, "", "xterm", "good bad"},
	} {
		t.Setenv("NO_COLOR", c.noColor)
		t.Setenv("TERM", c.term)
		paint := painter(c.to)
		if got := paint(true, "good") + " " + paint(false, "bad"); got != c.want {
			t.Errorf("%q on %s with NO_COLOR=%q TERM=%q", got, c.to.Name(), c.noColor, c.term)
		}
	}
}

// TestDetails names whoever is not there, since when, and why; what a stranger has written does not move the
// terminal.
func TestDetails(t *testing.T) {
	now := time.Date(2026, 11, 3, 14, 0, 0, 0, time.Local)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	d := &station.Document{File: "/etc/portero/portero.toml", Snapshot: device.Snapshot{
		About: device.About{Version: "1.2", Since: ago(time.Hour)},
		Accounts: []device.Account{{Name: "home", Registered: true, Since: ago(time.Minute)}, {Name: "new"},
			{Name: "work", Since: ago(time.Second), Reason: "403 \x1b[2JForbidden"}},
		Phones:  []device.Handset{{User: "hall"}, {User: "kitchen", Contacts: 2, Since: ago(time.Minute)}},
		Missing: []string{"bell:front"}, Card: device.Card{State: "lost", Reason: "unplugged", Since: ago(time.Minute)},
		LockOut: now.Add(time.Minute), Tamper: true,
		LastVisit: &device.Visit{Bell: "front", Peer: "kitchen", Since: ago(time.Hour), Answered: ago(time.Hour)}},
		Bells: []station.Bell{{Name: "front", Targets: []string{"kitchen"}}}}
	var out bytes.Buffer
	details(&out, d, now)
	const want = `version   1.2
since     2026-11-03 13:00:00 (1h0m0s ago)
config    /etc/portero/portero.toml
bell      front calls ["kitchen"]
account   home registered since 2026-11-03 13:59:00 (1m0s ago)
account   new not registered yet
account   work not registered since 2026-11-03 13:59:59 (1s ago): 403  [2JForbidden
user      hall has no phone here
user      kitchen has 2 phones since 2026-11-03 13:59:00 (1m0s ago)
lost      bell:front: its line cannot be had; ` + "`portero check`" + ` tells why
card      lost since 2026-11-03 13:59:00 (1m0s ago): unplugged
lock-out  after wrong codes none is taken until 14:01:00
tamper    the case was opened: codes and programs open no door for a while
last      bell front, 2026-11-03 13:00:00 (1h0m0s ago), answered by kitchen
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
