package guard

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// What a process of this program is to be, in the environment: guard or station. Unset, it is what a person
// or systemd has started.
const (
	roleKey     = "PORTERO_ROLE"
	guardRole   = "guard"
	stationRole = "station"     // started by a guard
	logKey      = "PORTERO_LOG" // "json": the form of the guard's log
	peerFD      = 3             // its end of the socket
)

// exe is this very program, also after its file was replaced or its disk is gone.
const exe = "/proc/self/exe"

// program is the executable in memory that no pressure takes away.
type program struct {
	image    []byte // the whole file, mapped
	inMemory bool   // it was started from a memfd
}

// mapProgram maps the executable.
func mapProgram() (*program, error) {
	f, err := os.Open(exe)
	if err != nil {
		return nil, fmt.Errorf("guard: map the program: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("guard: map the program: %w", err)
	}
	image, err := unix.Mmap(int(f.Fd()), 0, int(fi.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("guard: map the program: %w", err)
	}
	name, err := os.Readlink(exe)
	return &program{image: image, inMemory: err == nil && strings.HasPrefix(name, "/memfd:")}, nil
}

// lock keeps the executable, and all that this process has touched or will touch, out of reach of reclaim and
// swap. With a limit of some MB the executable alone may be locked; the error says what is not.
func (p *program) lock() error {
	err := unix.Mlock(p.image)
	if err != nil {
		err = fmt.Errorf("the program: %w", err)
	}
	if all := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT); all != nil {
		err = errors.Join(err, fmt.Errorf("the process's memory: %w", all))
	}
	if err != nil {
		return fmt.Errorf("guard: lock: %w", err)
	}
	return nil
}

// start runs this program once more in a role, with one end of a socket; format is its log's. fromMemory:
// nothing of its file is needed.
func (p *program) start(role, format string, theirs *os.File, fromMemory bool) (*os.Process, error) {
	path, files := exe, []*os.File{os.Stdin, os.Stdout, os.Stderr, theirs}
	if fromMemory && !p.inMemory {
		memfd, err := p.memfd()
		if err != nil {
			return nil, err
		}
		defer memfd.Close()
		path, files = fmt.Sprintf("/proc/self/fd/%d", len(files)), append(files, memfd)
	}
	argv := append([]string{"portero"}, os.Args[1:]...)
	if role == guardRole {
		argv[0] = guardName
	}
	env := append(withoutRole(os.Environ()), roleKey+"="+role, logKey+"="+format)
	process, err := os.StartProcess(path, argv, &os.ProcAttr{Env: env, Files: files})
	if err != nil {
		return nil, fmt.Errorf("guard: start the %s: %w", role, err)
	}
	return process, nil
}

// memfd copies the program into a file that lies in memory alone, and seals it.
func (p *program) memfd() (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("portero", flags|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3 every memfd was executable
		fd, err = unix.MemfdCreate("portero", flags)
	}
	if err != nil {
		return nil, fmt.Errorf("guard: memfd: %w", err)
	}
	f := os.NewFile(uintptr(fd), "memfd:portero")
	_, err = f.Write(p.image)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("guard: memfd: %w", err), f.Close())
	}
	return f, nil
}

func withoutRole(env []string) []string {
	var out []string
	for _, e := range env {
		if !strings.HasPrefix(e, roleKey+"=") && !strings.HasPrefix(e, logKey+"=") {
			out = append(out, e)
		}
	}
	return out
}

// inherited takes the socket that a process was started with in its role; pid is the process that made it.
func inherited() (p *peer, pid int, err error) {
	unix.CloseOnExec(peerFD)
	unix.CloseOnExec(peerFD + 1) // the memfd, if it came from one
	cred, err := unix.GetsockoptUcred(peerFD, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return nil, 0, fmt.Errorf("guard: socket: %w", err)
	}
	p, err = newPeer(os.NewFile(peerFD, "guard"))
	return p, int(cred.Pid), err
}

// rename has ps and top tell guard and station apart, and a station from memory be called as one from its
// file.
func rename(name string) {
	_ = os.WriteFile("/proc/self/comm", []byte(name), 0)
}
