package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"portero/scripts/support/boardtest/wire"
)

// serve is the agent: it returns only with an error.
func serve() error {
	// Reserved address space is no memory yet: it is locked page by page as it is used.
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT); err != nil {
		return fmt.Errorf("agent: lock memory: %w", err)
	}
	control, err := waitFor("/dev/vport0p1")
	if err != nil {
		return err
	}
	if logPort, err = waitFor("/dev/vport0p2"); err != nil {
		return err
	}
	s := rpc.NewServer()
	if err := s.RegisterName("Guest", &Guest{}); err != nil {
		return err
	}
	ended := make(chan error, 2)
	go func() { ended <- followKernel() }()
	go func() { ended <- followStation() }()
	go func() { s.ServeConn(control); ended <- io.EOF }()
	tell("agent", "booted", "")
	err = <-ended
	tell("agent", "ended", err.Error())
	return errors.Join(errors.New("agent"), err)
}

var (
	logMu   sync.Mutex
	logPort *os.File
)

// up is the time since the kernel started, in seconds.
func up() float64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return float64(ts.Sec) + float64(ts.Nsec)/1e9
}

// tell sends one line to the host.
func tell(from, event, text string) {
	raw, err := json.Marshal(wire.Line{Up: up(), From: from, Text: text, Event: event})
	if err != nil {
		return
	}
	logMu.Lock()
	defer logMu.Unlock()
	_, _ = logPort.Write(append(raw, '\n'))
}
