package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a child in a group of its own; what it writes goes to a file.
type process struct {
	name  string
	cmd   *exec.Cmd
	log   string
	ended chan struct{}
}

func start(dir, name string, argv ...string) (*process, error) {
	p := &process{name: name, cmd: exec.Command(argv[0], argv[1:]...), log: filepath.Join(dir, name+".log"), ended: make(chan struct{})}
	f, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, f, f
	p.cmd.Env = append(os.Environ(), "HOME="+dir)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// kill ends the process and its group at once: nothing is to be said to the far end any more.
func (p *process) kill() {
	_ = syscall.Kill(-p.pid(), syscall.SIGKILL)
	<-p.ended
}

// failed is err with the end of what the process wrote.
func (p *process) failed(err error) error {
	text, _ := os.ReadFile(p.log)
	return fmt.Errorf("%s: %w\n%s", p.name, err, text[max(0, len(text)-2000):])
}

// usage is what a process and its children have used since their start.
type usage struct {
	cpu      time.Duration
	switches int // voluntary, of all threads: how often it went to sleep
}

func (u usage) since(earlier usage) usage {
	return usage{u.cpu - earlier.cpu, u.switches - earlier.switches}
}

func (p *process) usage() (usage, error) {
	var sum usage
	pids, err := family(p.pid())
	if err != nil {
		return usage{}, p.failed(err)
	}
	for _, pid := range pids {
		// The clock of another process: clock_getcpuclockid(3).
		var ts unix.Timespec
		if err := unix.ClockGettime(int32(^pid<<3|2), &ts); err != nil {
			return usage{}, p.failed(err)
		}
		sum.cpu += time.Duration(ts.Nano())
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
		if err != nil {
			return usage{}, err
		}
		for _, status := range threads {
			n, err := field(status, "voluntary_ctxt_switches")
			if err != nil {
				return usage{}, p.failed(err)
			}
			sum.switches += n
		}
	}
	return sum, nil
}

// during measures while the calling goroutine waits.
func (p *process) during(wait func()) (usage, error) {
	before, err := p.usage()
	if err != nil {
		return usage{}, err
	}
	wait()
	after, err := p.usage()
	return after.since(before), err
}

// rss is the resident memory in MB, without the executable's copy that the station holds locked (package guard): its pages are the
// program's own once more, or would not be there.
func (p *process) rss() (float64, error) {
	kb, err := field(fmt.Sprintf("/proc/%d/status", p.pid()), "VmRSS")
	if err != nil {
		return 0, err
	}
	locked, err := sharedImage(p.pid())
	return float64(kb-locked) / 1024, err
}

// sharedImage is how much, in kB, of a shared mapping of its executable a process has in memory.
func sharedImage(pid int) (kb int, err error) {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return 0, err
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		return 0, err
	}
	within := false
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		switch {
		case len(words) >= 6 && !strings.HasSuffix(words[0], ":"):
			within = words[1] == "r--s" && words[5] == exe
		case within && words[0] == "Rss:":
			n, err := strconv.Atoi(words[1])
			return n, err
		}
	}
	return 0, nil
}

// pss is the memory in MB of the process and its children, where pages that several have count once.
func (p *process) pss() (float64, error) {
	pids, err := family(p.pid())
	if err != nil {
		return 0, p.failed(err)
	}
	sum := 0
	for _, pid := range pids {
		kb, err := field(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss")
		if err != nil {
			return 0, err
		}
		sum += kb
	}
	return float64(sum) / 1024, nil
}

// field reads a number out of a status file of /proc.
func field(path, name string) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == name+":" {
			return strconv.Atoi(words[1])
		}
	}
	return 0, fmt.Errorf("%s has no %s", path, name)
}

// family is a process and all that descend from it.
func family(pid int) ([]int, error) {
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", all[i]))
		if err != nil && i == 0 {
			return nil, err // it has ended, or the kernel does not tell
		}
		for _, word := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				all = append(all, child)
			}
		}
	}
	return all, nil
}
