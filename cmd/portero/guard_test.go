package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestKilledStationComesBack: a killed station is started again with the settings it had, though neither its
// file nor the last good copy is there any more, and systemd learns which process it is now.
func TestKilledStationComesBack(t *testing.T) {
	t.Parallel()
	r, systemd := startUnderSystemd(t)
	told := func(want string) (pid int) {
		t.Helper()
		for b := make([]byte, 200); ; {
			n, _, err := systemd.ReadFrom(b)
			if err != nil {
				t.Fatalf("waiting for %q: %v", want, err)
			}
			if strings.Contains(string(b[:n]), want) {
				_, _ = fmt.Sscanf(string(b[:n]), "READY=1\nMAINPID=%d", &pid)
				return pid
			}
		}
	}
	told("READY=1")
	guard := guardOf(t, r.cmd.Process.Pid)
	if err := os.Remove(r.config); err != nil { // a last good copy comes later
		t.Fatal(err)
	}
	station := r.cmd.Process.Pid
	for range 2 {
		if err := syscall.Kill(station, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if ev := r.want("station.started"); !strings.HasSuffix(fmt.Sprint(ev["reason"]), "; the station before: it ended") {
			t.Errorf("started: %v", ev["reason"])
		}
		if ev := r.want("config.rejected"); !strings.Contains(fmt.Sprint(ev["reason"]), "no such file") {
			t.Errorf("rejected for %v", ev["reason"])
		}
		r.want("station.ready")
		station = told("MAINPID=")
		if err := syscall.Kill(station, syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
		r.want("call.started")
	}
	if err := syscall.Kill(station, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	r.want("station.stopping")
	for began := time.Now(); alive(guard); {
		if time.Since(began) > time.Minute {
			t.Fatal("the guard goes on without a station")
		}
	}
}

// guardOf waits for the guard in a process group.
func guardOf(t *testing.T, group int) int {
	t.Helper()
	for began := time.Now(); time.Since(began) < time.Minute; {
		names, _ := filepath.Glob("/proc/[0-9]*/comm")
		for _, name := range names {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			of, _ := syscall.Getpgid(pid)
			if comm, _ := os.ReadFile(name); of == group && string(comm) == "portero-guard\n" {
				return pid
			}
		}
	}
	t.Fatal("no guard")
	return 0
}

// alive says whether a process of somebody else's runs.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
