package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// kind says what a message is about.
type kind string

const (
	// From the station.
	drop  kind = "drop"  // Line: close it; the guard answers the same when it has
	lease kind = "lease" // Line, For: it will be energised for so long at most; 0: it is released
	alive kind = "alive" // the station's loop goes on
	pong  kind = "pong"
	bye   kind = "bye" // the station ends as it was told to

	// From the guard.
	ping  kind = "ping"
	begin kind = "begin" // Data: how the station before ended; everything that is kept was given

	// From either: what was kept.
	keep     kind = "keep"     // Line, with its descriptor; For: as of lease
	settings kind = "settings" // Data
)

// message is one datagram on the socket between station and guard.
type message struct {
	Kind kind          `json:"kind"`
	Line string        `json:"line,omitempty"` // board.Keeper's key
	For  time.Duration `json:"for,omitempty"`
	Data []byte        `json:"data,omitempty"`

	fd int // of keep; else -1
}

// peer is one end of the socket. Its send may be called by several goroutines, receive by one.
type peer struct {
	conn net.Conn
	raw  syscall.RawConn
}

// newPeer takes over an end of a socket pair.
func newPeer(f *os.File) (*peer, error) {
	conn, err := net.FileConn(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("guard: socket: %w", err)
	}
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("guard: socket: %w", err)
	}
	return &peer{conn, raw}, nil
}

// socketPair makes the two ends.
func socketPair() (ours *peer, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("guard: socketpair: %w", err)
	}
	theirs = os.NewFile(uintptr(fds[1]), "guard")
	if ours, err = newPeer(os.NewFile(uintptr(fds[0]), "guard")); err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return ours, theirs, nil
}

// send never waits: a message that the other does not take is an error.
func (p *peer) send(m message) error {
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("guard: send %q: %w", m.Kind, err)
	}
	var rights []byte
	if m.Kind == keep {
		rights = unix.UnixRights(m.fd)
	}
	sent := p.raw.Write(func(s uintptr) bool {
		err = unix.Sendmsg(int(s), data, rights, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		return true
	})
	if err = errors.Join(sent, err); err != nil {
		return fmt.Errorf("guard: send %q: %w", m.Kind, err)
	}
	return nil
}

// receive waits for a message; io.EOF: the other end is gone.
func (p *peer) receive() (message, error) {
	var data, rights []byte
	var err error
	waited := p.raw.Read(func(s uintptr) bool {
		data, rights, err = receiveFrom(int(s))
		return !errors.Is(err, unix.EAGAIN)
	})
	m := message{fd: -1}
	if err = errors.Join(waited, err); err != nil {
		return m, fmt.Errorf("guard: receive: %w", err)
	}
	if len(data) == 0 {
		return m, io.EOF
	}
	if len(rights) > 0 {
		if m.fd, err = oneRight(rights); err != nil {
			return m, err
		}
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("guard: receive %q: %w", data, err)
	}
	return m, nil
}

// receiveFrom reads a datagram of whatever length.
func receiveFrom(s int) (data, rights []byte, err error) {
	n, _, _, _, err := unix.Recvmsg(s, nil, nil, unix.MSG_PEEK|unix.MSG_TRUNC|unix.MSG_DONTWAIT)
	if err != nil {
		return nil, nil, err
	}
	data, rights = make([]byte, n), make([]byte, unix.CmsgSpace(4))
	n, m, _, _, err := unix.Recvmsg(s, data, rights, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return nil, nil, err
	}
	return data[:n], rights[:m], nil
}

func oneRight(rights []byte) (int, error) {
	msgs, err := unix.ParseSocketControlMessage(rights)
	if err != nil || len(msgs) != 1 {
		return -1, fmt.Errorf("guard: receive: %d control messages: %w", len(msgs), err)
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) != 1 {
		return -1, fmt.Errorf("guard: receive: %d descriptors: %w", len(fds), err)
	}
	return fds[0], nil
}

// end is one end of a live socket, and the process at the other.
type end struct {
	in    <-chan message // closed when the other end is
	send  func(message) error
	kill  func(os.Signal) error // os.ErrProcessDone: it is gone
	close func()
}

// open delivers what the peer receives until either end is closed.
func (p *peer) open(kill func(os.Signal) error) *end {
	in, closed := make(chan message, 16), make(chan struct{})
	go func() {
		defer close(in)
		for {
			m, err := p.receive()
			if err != nil {
				return
			}
			select {
			case in <- m:
			case <-closed:
				return
			}
		}
	}()
	return &end{in: in, send: p.send, kill: kill, close: sync.OnceFunc(func() { close(closed); _ = p.conn.Close() })}
}
