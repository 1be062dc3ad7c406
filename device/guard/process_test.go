package guard

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The processes of these tests are this very test binary: the station is a program that opens a relay when it
// is told to, and the relay is a file that holds 1 while it is energised.
const relayKey = "GUARDTEST_RELAY"

// lateKey is set for a station whose relay's line cannot be had until it is to be energised.
const lateKey = "GUARDTEST_LATE"

func TestMain(m *testing.M) {
	relay := os.Getenv(relayKey)
	var err error
	switch {
	case IsGuard():
		err = guardMain(deenergize)
	case relay != "":
		err = stationMain(relay)
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "guardtest:", err)
		os.Exit(1)
	}
}

func deenergize(fd int) error { return writeLevel(fd, '0') }

func writeLevel(fd int, level byte) error {
	_, err := unix.Pwrite(fd, []byte{level}, 0)
	return err
}

// stationMain energises the relay for ten seconds on SIGUSR1, and ends as told on SIGTERM. It writes "started
// PID GUARD-SAID" to standard error, and its later life: "energised".
func stationMain(relay string) error {
	s, err := newStation(deenergize, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	fd, ok := s.Take("relay")
	have := func() (err error) {
		if fd, err = unix.Open(relay, unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
			return err
		}
		return s.Keep("relay", fd)
	}
	late := !ok && os.Getenv(lateKey) != ""
	if !ok && !late {
		if err := have(); err != nil {
			return err
		}
	}
	signals := notify()
	s.Save([]byte("saved"))
	s.Ready()
	fmt.Fprintf(os.Stderr, "started %d taken=%v settings=%q before=%q\n", os.Getpid(), ok, s.Settings(), s.Before())
	for sig := range signals {
		if sig == syscall.SIGTERM {
			stop()
			return <-ran
		}
		if late {
			late = false
			if err := have(); err != nil {
				return err
			}
		}
		s.Lease("relay", 10*time.Second)
		if err := writeLevel(fd, '1'); err != nil {
			return err
		}
		fmt.Fprintln(os.Stderr, "energised")
	}
	return nil
}

// unit is a station with its guard, whose processes share a session of their own, so that none is left
// behind.
type unit struct {
	t     *testing.T
	relay string
	lines chan string
	first int // the first station's pid
}

func startUnit(t *testing.T, environment ...string) *unit {
	u := &unit{t: t, relay: filepath.Join(t.TempDir(), "relay"), lines: make(chan string, 1000)}
	if err := os.WriteFile(u.relay, []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	cmd.Env = append(append(os.Environ(), relayKey+"="+u.relay), environment...)
	cmd.Stderr = write
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	ended := make(chan struct{})
	go func() {
		defer close(ended) // the pipe ends with the last process
		for s := bufio.NewScanner(read); s.Scan(); {
			u.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		<-ended
	})
	u.first = u.started()
	return u
}

// want waits for a line with the text.
func (u *unit) want(text string) string {
	u.t.Helper()
	late := time.After(30 * time.Second)
	var seen []string
	for {
		select {
		case l := <-u.lines:
			if strings.Contains(l, text) {
				return l
			}
			seen = append(seen, l)
		case <-late:
			u.t.Fatalf("no line with %q; seen:\n%s", text, strings.Join(seen, "\n"))
		}
	}
}

func (u *unit) started() (pid int) {
	u.t.Helper()
	if _, err := fmt.Sscanf(u.want("started "), "started %d", &pid); err != nil {
		u.t.Fatal(err)
	}
	return pid
}

// guard is the process of this unit's session that is a guard, other than those named.
func (u *unit) guard(not ...int) int {
	u.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		found, _ := filepath.Glob("/proc/[0-9]*/comm")
	next:
		for _, path := range found {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			comm, _ := os.ReadFile(path)
			session, _ := unix.Getsid(pid)
			for _, n := range not {
				if n == pid {
					continue next
				}
			}
			if string(comm) == guardName+"\n" && session == u.first {
				return pid
			}
		}
	}
	u.t.Fatal("no guard")
	return 0
}

func (u *unit) energise(pid int) {
	u.t.Helper()
	u.kill(pid, syscall.SIGUSR1)
	u.want("energised")
	if level := u.level(); level != "1" {
		u.t.Fatalf("the relay's level is %q, want 1", level)
	}
}

func (u *unit) level() string {
	data, err := os.ReadFile(u.relay)
	if err != nil {
		u.t.Fatal(err)
	}
	return string(data)
}

// wantReleased polls, for nobody tells when a file has changed.
func (u *unit) wantReleased() time.Duration {
	u.t.Helper()
	began := time.Now()
	for u.level() != "0" {
		if time.Since(began) > 9*time.Second {
			u.t.Fatal("the relay is energised for 9 s")
		}
	}
	return time.Since(began)
}

func (u *unit) kill(pid int, sig syscall.Signal) {
	u.t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		u.t.Fatalf("signal %v to %d: %v", sig, pid, err)
	}
}

func TestProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes and real seconds")
	}
	for _, c := range []struct {
		name    string
		station bool // the signal is the station's, else the guard's
		signal  syscall.Signal
	}{
		{"station killed", true, syscall.SIGKILL},
		{"station stopped", true, syscall.SIGSTOP},
		{"guard killed", false, syscall.SIGKILL},
		{"guard stopped", false, syscall.SIGSTOP},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			u := startUnit(t)
			guard := u.guard()
			u.energise(u.first)
			began := time.Now()
			if c.station {
				u.kill(u.first, c.signal)
			} else {
				u.kill(guard, c.signal)
			}
			released := u.wantReleased()
			station := u.first
			if c.station {
				line := u.want("started ")
				if !strings.Contains(line, `taken=true settings="saved"`) || !strings.Contains(line, "released relay") && c.signal == syscall.SIGKILL {
					t.Errorf("another station: %s", line)
				}
				_, _ = fmt.Sscanf(line, "started %d", &station)
			} else {
				guard = u.guard(guard)
			}
			t.Logf("released after %v, replaced after %v", released, time.Since(began))
			// The pair that stands now does the same again, from memory.
			u.energise(station)
			u.kill(station, syscall.SIGKILL)
			u.wantReleased()
			last := u.started()
			u.kill(last, syscall.SIGTERM)
			gone(t, guard)
		})
	}
}

// TestLateLine: the guard stands already when the relay's line is had. It is handed over like the others: the
// guard releases it when the station is killed, and gives it to the next.
func TestLateLine(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes and real seconds")
	}
	t.Parallel()
	u := startUnit(t, lateKey+"=1")
	guard := u.guard()
	u.energise(u.first)
	u.kill(u.first, syscall.SIGKILL)
	t.Logf("released after %v", u.wantReleased())
	line := u.want("started ")
	if !strings.Contains(line, "taken=true") || !strings.Contains(line, "released relay") {
		t.Errorf("another station: %s", line)
	}
	var station int
	if _, err := fmt.Sscanf(line, "started %d", &station); err != nil {
		t.Fatal(err)
	}
	u.kill(station, syscall.SIGTERM)
	gone(t, guard)
}

// gone waits for a process that is not ours to wait for.
func gone(t *testing.T, pid int) {
	t.Helper()
	for began := time.Now(); syscall.Kill(pid, 0) == nil; {
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Since(began) > 10*time.Second {
			t.Fatalf("process %d lives on", pid)
		}
	}
}

func notify() <-chan os.Signal {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGTERM)
	return signals
}

// TestGuardComesLate: the station has died before its guard was there to read. What was said lies in the
// socket all the same: the relay is released, and another station is given line and settings.
func TestGuardComesLate(t *testing.T) {
	relay, err := os.OpenFile(filepath.Join(t.TempDir(), "relay"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()
	dying := newStationEnd(deenergize, slog.New(slog.DiscardHandler))
	if err := dying.Keep("relay", int(relay.Fd())); err != nil {
		t.Fatal(err)
	}
	dying.Save([]byte("saved"))
	ours, theirs, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	dead := ours.open(func(os.Signal) error { return os.ErrProcessDone })
	if err := dying.handOver(dead); err != nil {
		t.Fatal(err)
	}
	dying.Lease("relay", time.Minute)
	if err := writeLevel(int(relay.Fd()), '1'); err != nil {
		t.Fatal(err)
	}
	dead.close()

	p, err := newPeer(theirs)
	if err != nil {
		t.Fatal(err)
	}
	g := newGuard(deenergize, slog.New(slog.DiscardHandler))
	g.station = watched(p.open(func(os.Signal) error { return os.ErrProcessDone }), time.Now())
	var given []message
	over := make(chan os.Signal, 1)
	g.start = func() (*station, error) {
		in := make(chan message)
		close(in) // it dies, too, and the test is over
		over <- syscall.SIGTERM
		return watched(&end{in: in, send: func(m message) error { given = append(given, m); return nil },
			kill: func(os.Signal) error { return os.ErrProcessDone }, close: func() {}}, time.Now()), nil
	}
	if err := g.run(over); err != nil {
		t.Fatal(err)
	}
	level := make([]byte, 1)
	if _, err := relay.ReadAt(level, 0); err != nil || string(level) != "0" {
		t.Errorf("the relay's level is %q, %v; want 0", level, err)
	}
	if len(given) < 3 || given[0].Kind != keep || given[0].Line != "relay" || string(given[1].Data) != "saved" ||
		string(given[2].Data) != "it ended, released relay" {
		t.Errorf("the next station was given %+v", given)
	}
}
