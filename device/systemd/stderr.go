package systemd

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Stderr is standard error for log lines. Where it is a socket, the journal's, a line that the journal does
// not take at once is dropped; the next one that goes through tells how many were. A file or a terminal is
// written as usual.
type Stderr struct {
	file   *os.File
	socket bool

	mu      sync.Mutex
	rest    []byte // of a line that was taken in part: the journal's socket is a stream
	dropped int    // lines
}

// NewStderr looks at what standard error is.
func NewStderr() *Stderr { return newStderr(os.Stderr) }

func newStderr(f *os.File) *Stderr {
	var st unix.Stat_t
	err := unix.Fstat(int(f.Fd()), &st)
	return &Stderr{file: f, socket: err == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK}
}

// Write writes one line, or drops it. A socket never fails: whom should a log tell?
func (s *Stderr) Write(line []byte) (int, error) {
	if !s.socket {
		return s.file.Write(line)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.rest) > 0 {
		s.rest = s.rest[s.send(s.rest):]
	}
	if len(s.rest) == 0 && s.dropped > 0 {
		note := fmt.Appendf(nil, "%d log lines were dropped: the journal did not take them\n", s.dropped)
		if n := s.send(note); n > 0 {
			s.rest, s.dropped = note[n:], 0
		}
	}
	n := 0
	if len(s.rest) == 0 && s.dropped == 0 {
		n = s.send(line)
	}
	switch {
	case n == 0:
		s.dropped++
	case n < len(line):
		s.rest = append([]byte(nil), line[n:]...)
	}
	return len(line), nil
}

// send returns how many bytes the socket has taken.
func (s *Stderr) send(b []byte) int {
	for {
		n, err := unix.SendmsgN(int(s.file.Fd()), b, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		switch err {
		case nil:
			return n
		case unix.EINTR:
		default:
			return 0
		}
	}
}
