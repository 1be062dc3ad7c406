// Init is the first process of the emulated board. It loads the modules, brings up the network and then does what the host asks
// for over a virtio port (package wire): it keeps services as systemd would, plays and records on the far end of snd-aloop,
// pulls the sound card out and puts it back, and powers off.
//
// It refuses to run anywhere but in the guest, whose initramfs holds /boardtest.guest: on another machine it would
// reconfigure the network.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/rpc"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"portero/scripts/support/boardtest/wire"
)

func main() {
	if _, err := os.Stat("/boardtest.guest"); os.Getpid() != 1 || err != nil {
		fmt.Fprintln(os.Stderr, "init: this is the init of an emulated board and runs nowhere else")
		os.Exit(2)
	}
	if err := serve(); err != nil {
		fmt.Println("init:", err)
	}
	unix.Sync()
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Println("init: power off:", err)
	}
	select {} // the kernel panics when its first process ends
}

func serve() error {
	if err := errors.Join(mounts(), modules(), network()); err != nil {
		return err
	}
	control, err := port("/dev/vport0p1")
	if err != nil {
		return err
	}
	if logPort, err = port("/dev/vport0p2"); err != nil {
		return err
	}
	off := make(chan struct{})
	s := rpc.NewServer()
	if err := s.RegisterName("Guest", &Guest{off: off}); err != nil {
		return err
	}
	go s.ServeConn(control)
	tell("init", "booted", "")
	<-off
	return nil
}

func mounts() error {
	var errs []error
	for _, m := range [][2]string{{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/run"}, {"tmpfs", "/tmp"}} {
		err := os.MkdirAll(m[1], 0o755)
		if err == nil {
			err = unix.Mount(m[0], m[1], m[0], 0, "")
		}
		if err != nil && !errors.Is(err, unix.EBUSY) {
			errs = append(errs, fmt.Errorf("mount %s: %w", m[1], err))
		}
	}
	return errors.Join(errs...)
}

// modules loads what /modules lists in order: "file parameters".
func modules() error {
	list, err := os.Open("/modules")
	if err != nil {
		return err
	}
	defer list.Close()
	for scan := bufio.NewScanner(list); scan.Scan(); {
		path, parameters, _ := strings.Cut(scan.Text(), " ")
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(f.Fd()), parameters, 0)
		f.Close()
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("load %s: %w", path, err)
		}
	}
	return nil
}

// port opens a virtio port as soon as its node is there.
func port(path string) (*os.File, error) {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err == nil || time.Now().After(deadline) {
			return f, err
		}
	}
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
