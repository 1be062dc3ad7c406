package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"portero/scripts/support/boardtest/wire"
)

const notifySocket = "/run/notify"

// service keeps one program running, as systemd keeps a unit.
type service struct {
	wire.Service
	mu      sync.Mutex
	process *os.Process // nil: not running
	ending  bool
	stopped chan struct{} // closed when it is to end
	ended   chan struct{}
	pings   chan string
	notify  net.PacketConn
}

func startService(w wire.Service) (*service, error) {
	_ = os.Remove(notifySocket)
	notify, err := net.ListenPacket("unixgram", notifySocket)
	if err != nil {
		return nil, err
	}
	s := &service{Service: w, stopped: make(chan struct{}), ended: make(chan struct{}), pings: make(chan string, 16), notify: notify}
	go s.listen()
	go func() {
		defer close(s.ended)
		for s.once() {
			s.idle()
		}
	}()
	return s, nil
}

// idle lets RestartSec pass.
func (s *service) idle() {
	select {
	case <-time.After(s.RestartAfter):
	case <-s.stopped:
	}
}

// listen takes what sd_notify sends.
func (s *service) listen() {
	buf := make([]byte, 4096)
	for {
		n, _, err := s.notify.ReadFrom(buf)
		if err != nil {
			return
		}
		for word := range strings.Lines(string(buf[:n])) {
			s.pings <- strings.TrimSpace(word)
		}
	}
}

// once runs the program and its ExecStopPost once, and reports whether to go on.
func (s *service) once() bool {
	cmd := exec.Command(s.Exec[0], s.Exec[1:]...)
	cmd.Env = []string{"PATH=/", "HOME=/", "NOTIFY_SOCKET=" + notifySocket}
	if s.Watchdog > 0 {
		cmd.Env = append(cmd.Env, fmt.Sprintf("WATCHDOG_USEC=%d", s.Watchdog.Microseconds()))
	}
	read, write, err := os.Pipe()
	if err != nil {
		tell("init", "died", err.Error())
		return false
	}
	cmd.Stdout, cmd.Stderr = write, write
	s.mu.Lock()
	if s.ending {
		s.mu.Unlock()
		return false
	}
	err = cmd.Start()
	if err == nil {
		s.process = cmd.Process
	}
	s.mu.Unlock()
	write.Close()
	if err != nil {
		read.Close()
		tell("init", "died", err.Error())
		return false
	}
	tell("init", "started", fmt.Sprint(cmd.Process.Pid))
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		defer read.Close()
		copyLines("portero", read)
	}()
	gone := make(chan error, 1)
	go func() { gone <- cmd.Wait() }()
	err = s.watch(gone)
	s.mu.Lock()
	s.process = nil
	ending := s.ending
	s.mu.Unlock()
	<-copied
	tell("init", "died", fmt.Sprint(err))
	for _, argv := range s.StopPost {
		r := run(argv)
		tell("init", "released", fmt.Sprintf("code %d after %.3f s: %q %s", r.Code, r.Seconds, argv, r.Output))
	}
	return !ending
}

// watch waits for the end of the program, or ends it when it is silent for too long.
func (s *service) watch(gone <-chan error) error {
	silence := time.NewTimer(time.Hour)
	if s.Watchdog > 0 {
		silence.Reset(s.Watchdog)
	}
	defer silence.Stop()
	aborted := false
	for {
		select {
		case err := <-gone:
			return err
		case word := <-s.pings:
			if word == "READY=1" {
				tell("init", "ready", "")
			}
			if s.Watchdog > 0 && !aborted {
				silence.Reset(s.Watchdog)
			}
		case <-silence.C:
			if aborted {
				s.signal(syscall.SIGKILL)
				continue
			}
			aborted = true
			tell("init", "watchdog", fmt.Sprintf("silent for %v", s.Watchdog))
			s.signal(syscall.SIGABRT)
			s.signal(syscall.SIGCONT) // as systemd does: a stopped process does not notice SIGABRT
			silence.Reset(s.Abort)
		}
	}
}

func (s *service) signal(sig syscall.Signal) (wire.Killed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return wire.Killed{}, errors.New("the service does not run")
	}
	k := wire.Killed{Pid: s.process.Pid, Up: up()}
	return k, s.process.Signal(sig)
}

// stop is systemctl stop: SIGTERM, and SIGKILL when that takes too long.
func (s *service) stop() {
	s.mu.Lock()
	s.ending = true
	close(s.stopped)
	s.mu.Unlock()
	_, _ = s.signal(syscall.SIGTERM)
	kill := time.AfterFunc(10*time.Second, func() { _, _ = s.signal(syscall.SIGKILL) })
	<-s.ended
	kill.Stop()
	s.notify.Close()
}

func copyLines(from string, r io.Reader) {
	for b := bufio.NewReader(r); ; {
		line, err := b.ReadString('\n')
		if line = strings.TrimRight(line, "\n"); line != "" {
			tell(from, "", line)
		}
		if err != nil {
			return
		}
	}
}

func run(argv []string) wire.Result {
	began := time.Now()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	r := wire.Result{Output: string(out), Seconds: time.Since(began).Seconds()}
	var status *exec.ExitError
	switch {
	case errors.As(err, &status):
		r.Code = status.ExitCode()
	case err != nil:
		r.Code, r.Output = -1, err.Error()
	}
	return r
}
