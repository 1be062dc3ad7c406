package systemd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestStderrNeverWaits: a journal that stands still costs lines, and the first that goes through again says
// how many.
func TestStderrNeverWaits(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, journal := os.NewFile(uintptr(pair[0]), "stderr"), os.NewFile(uintptr(pair[1]), "journal")
	defer ours.Close()
	defer journal.Close()
	s := newStderr(ours)
	written := 0
	for ; s.dropped < 3; written++ {
		if written == 1_000_000 {
			t.Fatal("a million lines, and none was dropped")
		}
		line := fmt.Sprintf("line %06d %s\n", written, strings.Repeat("x", 4000))
		if n, err := s.Write([]byte(line)); n != len(line) || err != nil {
			t.Fatalf("line %d: %d, %v; want %d, nil", written, n, err, len(line))
		}
	}

	read := make(chan string)
	go func() {
		var all []byte
		for buf := make([]byte, 1<<16); !strings.Contains(string(all), "the end\n"); {
			n, err := journal.Read(buf)
			if err != nil {
				break
			}
			all = append(all, buf[:n]...)
		}
		read <- string(all)
	}()
	var all string
	for done := false; !done; { // until the reader has made room
		fmt.Fprintln(s, "the end")
		select {
		case all = <-read:
			done = true
		default:
		}
	}
	kept, lost := 0, 0
	for line := range strings.Lines(all) {
		var n int
		switch {
		case strings.HasPrefix(line, "line ") && len(line) == len("line 000000 \n")+4000:
			kept++
		case line == "the end\n":
		default:
			if _, err := fmt.Sscanf(line, "%d log lines were dropped: the journal did not take them\n", &n); err != nil {
				t.Fatalf("torn line %q", line)
			}
			lost += n
		}
	}
	if kept == 0 || lost < written-kept {
		t.Errorf("%d lines came and %d were told as dropped, of %d", kept, lost, written)
	}
}

func TestStderrWritesFilesAsTheyAre(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fmt.Fprintln(newStderr(f), "one line")
	if got, err := os.ReadFile(path); string(got) != "one line\n" || err != nil {
		t.Errorf("the file holds %q, %v", got, err)
	}
}

func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	if err := Notify("READY=1", "STATUS=2 phones"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	n, _, err := l.ReadFrom(buf)
	if got := string(buf[:n]); got != "READY=1\nSTATUS=2 phones" || err != nil {
		t.Errorf("the manager got %q, %v", got, err)
	}
	// Nobody reads any more.
	for range 100_000 {
		if err = Notify("WATCHDOG=1"); err != nil {
			break
		}
	}
	if !errors.Is(err, unix.EAGAIN) {
		t.Errorf("a manager that stands still: %v, want EAGAIN", err)
	}
	t.Setenv("NOTIFY_SOCKET", "")
	if err := Notify("READY=1"); err != nil {
		t.Errorf("without a manager: %v", err)
	}
}

func TestWatchdog(t *testing.T) {
	for _, c := range []struct {
		text string
		want time.Duration
		ok   bool
	}{{"", 0, true}, {"10000000", 10 * time.Second, true}, {"0", 0, false}, {"ten", 0, false}, {"-1", 0, false}} {
		t.Setenv("WATCHDOG_USEC", c.text)
		if got, err := Watchdog(); got != c.want || (err == nil) != c.ok {
			t.Errorf("WATCHDOG_USEC=%q: %v, %v; want %v", c.text, got, err, c.want)
		}
	}
}
