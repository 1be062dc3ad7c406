//go:build interop

package interop

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Process is a child in its own process group; what it writes is kept in a log.
type Process struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	ended chan struct{}
	code  int // after ended

	mu      sync.Mutex
	log     bytes.Buffer
	grown   chan struct{} // closed and replaced when log grows
	waiting int           // how far WaitLog has read
}

// patience is how long a test waits for what comes by itself: in no time on an idle machine, late on one that has other things to do.
const patience = 20 * time.Second

var (
	groupsMu sync.Mutex
	groups   = map[int]bool{} // process groups to end when the test binary runs out of time
)

// Start runs argv in dir, with env added to the environment, and ends it with the test.
func Start(t *testing.T, name, dir string, env []string, argv ...string) *Process {
	t.Helper()
	p := &Process{t: t, name: name, ended: make(chan struct{}), grown: make(chan struct{})}
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = time.Second // a grandchild that keeps the pipe open must not hold the test
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("interop: start %s: %v", name, err)
	}
	pid := p.cmd.Process.Pid
	groupsMu.Lock()
	groups[pid] = true
	groupsMu.Unlock()
	go func() {
		_ = p.cmd.Wait()
		p.code = p.cmd.ProcessState.ExitCode()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			p.keepLog()
		}
	})
	return p
}

// Write takes the child's output.
func (p *Process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log.Write(b)
	close(p.grown)
	p.grown = make(chan struct{})
	return len(b), nil
}

// Log is what the child has written so far.
func (p *Process) Log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// Pid is the process id, which is its group's too.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// WaitLog waits until a line matches, after the place where the previous WaitLog ended, and returns the submatches.
func (p *Process) WaitLog(pattern string, atMost time.Duration) []string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	deadline := time.NewTimer(atMost)
	defer deadline.Stop()
	for {
		p.mu.Lock()
		grown, rest := p.grown, p.log.String()[p.waiting:]
		at := re.FindStringSubmatchIndex(rest)
		if at != nil {
			p.waiting += at[1]
			p.mu.Unlock()
			return re.FindStringSubmatch(rest)
		}
		p.mu.Unlock()
		select {
		case <-grown:
		case <-p.ended:
			if p.settled(re) {
				continue
			}
			p.t.Fatalf("interop: %s ended with code %d, its log has no %q", p.name, p.code, pattern)
		case <-deadline.C:
			p.t.Fatalf("interop: %s: no %q within %v", p.name, pattern, atMost)
		}
	}
}

func (p *Process) settled(re *regexp.Regexp) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return re.MatchString(p.log.String()[p.waiting:])
}

// Say writes a line to the child's standard input.
func (p *Process) Say(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		p.t.Fatalf("interop: tell %s %q: %v", p.name, line, err)
	}
}

// Signal signals the child alone.
func (p *Process) Signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("interop: signal %s: %v", p.name, err)
	}
}

// Wait waits for the end of the child and returns its exit code (-1: by a signal).
func (p *Process) Wait(atMost time.Duration) int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(atMost):
		p.t.Fatalf("interop: %s still runs after %v", p.name, atMost)
	}
	return p.code
}

// Stop asks the child to end (SIGTERM), then ends its whole group.
func (p *Process) Stop() {
	pid := p.cmd.Process.Pid
	groupsMu.Lock()
	delete(groups, pid)
	groupsMu.Unlock()
	select {
	case <-p.ended:
	default:
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.ended:
		case <-time.After(4 * time.Second):
		}
	}
	_ = syscall.Kill(-pid, syscall.SIGKILL)
	<-p.ended
}

// keepLog shows the log's tail and keeps all of it under $INTEROP_LOGS, or the temporary directory.
func (p *Process) keepLog() {
	log := p.Log()
	dir := os.Getenv("INTEROP_LOGS")
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "portero-interop")
	}
	path := filepath.Join(dir, fmt.Sprintf("%s-%s-%d.log", regexp.MustCompile(`\W+`).ReplaceAllString(p.t.Name(), "_"), p.name, p.Pid()))
	if err := os.MkdirAll(dir, 0o700); err == nil {
		err = os.WriteFile(path, []byte(log), 0o600)
		if err != nil {
			path = err.Error()
		}
	}
	const tail = 6000
	p.t.Logf("--- %s (exit code %d, whole log: %s) ---\n%s", p.name, p.code, path, log[max(0, len(log)-tail):])
}

// endGroups ends all children: only TestMain calls it, shortly before the test binary would panic by its time limit.
func endGroups() {
	groupsMu.Lock()
	defer groupsMu.Unlock()
	for pid := range groups {
		_ = syscall.Kill(-pid, syscall.SIGKILL)
	}
}

// need skips the test, or fails it with CI=true, when a program is missing.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			cannotRun(t, fmt.Sprintf("%s is not installed (scripts/test installs it)", program))
		}
	}
}

func cannotRun(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("cannot run, and with CI=true nothing may be skipped: " + why)
	}
	t.Skip(why)
}
