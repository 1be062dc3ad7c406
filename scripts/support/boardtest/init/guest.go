package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"portero/scripts/support/boardtest/wire"
)

// Guest is what the host may ask for.
type Guest struct {
	mu      sync.Mutex
	talking *talk
	held    []int // descriptors of GPIO lines
}

// Write writes a file, or a value into one of the kernel's.
func (g *Guest) Write(f wire.File, _ *bool) error {
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(f.Path, f.Data, 0o600)
}

// Read returns a file, which may be one of the kernel's.
func (g *Guest) Read(path string, data *[]byte) (err error) {
	*data, err = os.ReadFile(path)
	return err
}

// Run runs a program to its end.
func (g *Guest) Run(argv []string, r *wire.Result) error {
	began := time.Now()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	*r = wire.Result{Output: string(out), Seconds: time.Since(began).Seconds()}
	var status *exec.ExitError
	switch {
	case errors.As(err, &status):
		r.Code = status.ExitCode()
	case err != nil:
		r.Code, r.Output = -1, err.Error()
	}
	return nil
}

const cgroup = "/sys/fs/cgroup/system.slice/portero.service/"

// Processes lists the processes of the station's unit. It needs nothing of the card.
func (g *Guest) Processes(_ bool, list *[]wire.Process) error {
	raw, err := os.ReadFile(cgroup + "cgroup.procs")
	if errors.Is(err, os.ErrNotExist) { // stopped
		return nil
	}
	if err != nil {
		return err
	}
	for field := range bytes.FieldsSeq(raw) {
		pid, err := strconv.Atoi(string(field))
		if err != nil {
			return err
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // pid (comm) state ...
		open, closed := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
		if err != nil || open < 0 || closed+2 >= len(stat) {
			continue // gone meanwhile
		}
		p := wire.Process{Pid: pid, Comm: string(stat[open+1 : closed]), State: string(stat[closed+2])}
		*list = append(*list, p)
	}
	return nil
}

// Signal signals one of the unit's processes, or all.
func (g *Guest) Signal(s wire.Signal, k *wire.Killed) error {
	var list []wire.Process
	if err := g.Processes(true, &list); err != nil {
		return err
	}
	for _, p := range list {
		// The shell of ExecReload is neither.
		part := wire.Guard
		if p.Comm != wire.Guard {
			part = wire.Station
		}
		if s.To != wire.All && s.To != part || !strings.HasPrefix(p.Comm, "portero") {
			continue
		}
		*k = wire.Killed{Pid: p.Pid, Up: up()}
		if err := unix.Kill(p.Pid, unix.Signal(s.Number)); err != nil {
			return fmt.Errorf("agent: signal %d to %s %d: %w", s.Number, p.Comm, p.Pid, err)
		}
	}
	if k.Pid == 0 {
		return fmt.Errorf("agent: no %s among %v", s.To, list)
	}
	return nil
}
