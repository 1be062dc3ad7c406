package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SoundCard unbinds the loopback card from its driver, or binds it again. Unbinding returns once every
// program has closed the card.
func (g *Guest) SoundCard(present bool, _ *bool) error {
	return bound("/sys/bus/platform/drivers/snd_aloop", "snd_aloop.0", present)
}

// Chip takes the GPIO chip away from its driver, or gives it back. Requested lines die with it.
func (g *Guest) Chip(present bool, _ *bool) error {
	return bound("/sys/bus/amba/drivers/pl061_gpio", "9030000.pl061", present)
}

// bound writes to a driver's bind or unbind.
func bound(driver, device string, present bool) error {
	verb := "unbind"
	if present {
		verb = "bind"
	}
	return os.WriteFile(filepath.Join(driver, verb), []byte(device), 0)
}

// Pull takes the card away for good. What waits for a request of its block device is answered with an error.
func (g *Guest) Pull(bool, *bool) error {
	const driver = "/sys/bus/virtio/drivers/virtio_blk"
	devices, err := filepath.Glob(driver + "/virtio*")
	if err != nil || len(devices) != 1 {
		return fmt.Errorf("agent: %d cards, want one (%v)", len(devices), err)
	}
	return bound(driver, filepath.Base(devices[0]), false)
}

// Evict drops every clean page of a file that no process has mapped, and all cached names.
func (g *Guest) Evict(bool, *bool) error {
	return os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0)
}

// Reclaim takes memory from a control group ("": from the whole board), mapped pages of files included, until
// nothing more can be had.
func (g *Guest) Reclaim(group string, _ *bool) error {
	const step = 1 << 20
	dir := filepath.Join("/sys/fs/cgroup", group)
	for {
		left, err := reclaimable(dir)
		if err != nil || left < step {
			return err
		}
		// EAGAIN: less than asked for could be had (Documentation/admin-guide/cgroup-v2.rst).
		err = os.WriteFile(filepath.Join(dir, "memory.reclaim"), []byte(strconv.Itoa(step)), 0)
		if errors.Is(err, unix.EAGAIN) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("agent: reclaim %q: %w", group, err)
		}
	}
}

// reclaimable is what a control group has on the lists that the kernel reclaims from, in bytes: locked
// memory is not there.
func reclaimable(dir string) (sum int, err error) {
	raw, err := os.ReadFile(filepath.Join(dir, "memory.stat"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name {
		case "inactive_anon", "active_anon", "inactive_file", "active_file":
			n, err := strconv.Atoi(value)
			if err != nil {
				return 0, fmt.Errorf("agent: memory.stat of %q: %w", dir, err)
			}
			sum += n
		}
	}
	return sum, nil
}

// Swap makes a file on the card and swaps to it.
func (g *Guest) Swap(path string, _ *bool) error {
	const size = 64 << 20
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	// Every block must be there: a swap file has no holes.
	if _, err := f.Write(make([]byte, size)); err != nil {
		return err
	}
	page := os.Getpagesize()
	// union swap_header (linux/swap.h): version and last page; "SWAPSPACE2" ends the page.
	header := make([]byte, page)
	*(*uint32)(unsafe.Pointer(&header[1024])) = 1
	*(*uint32)(unsafe.Pointer(&header[1028])) = uint32(size/page - 1)
	copy(header[page-10:], "SWAPSPACE2")
	if _, err := f.WriteAt(header, 0); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	name, err := unix.BytePtrFromString(path)
	if err != nil {
		return err
	}
	if _, _, e := unix.Syscall(unix.SYS_SWAPON, uintptr(unsafe.Pointer(name)), 0, 0); e != 0 {
		return fmt.Errorf("agent: swap on %q: %w", path, e)
	}
	return nil
}

// FillLog writes to the standard error of one of the unit's processes, a socket to journald, until it
// takes no more, and returns how many bytes that were.
func (g *Guest) FillLog(pid int, filled *int) error {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("agent: process %d: %w", pid, err)
	}
	defer unix.Close(process)
	socket, err := unix.PidfdGetfd(process, 2, 0)
	if err != nil {
		return fmt.Errorf("agent: standard error of %d: %w", pid, err)
	}
	defer unix.Close(socket)
	for line := []byte(strings.Repeat("x", 4095) + "\n"); len(line) > 0; {
		// Not by O_NONBLOCK, which the process would share.
		n, err := unix.SendmsgN(socket, line, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		switch {
		case errors.Is(err, unix.EAGAIN):
			line = line[:len(line)/2] // to the last byte
		case err != nil:
			return fmt.Errorf("agent: fill the log of %d: %w", pid, err)
		}
		*filled += n
	}
	return nil
}

// Hold takes a line of the GPIO chip as another program would, until Drop. The chip is the one with a node.
func (g *Guest) Hold(offset uint32, _ *bool) error {
	chips, err := filepath.Glob("/dev/gpiochip*")
	if err != nil || len(chips) != 1 {
		return fmt.Errorf("agent: %d GPIO chips, want one (%v)", len(chips), err)
	}
	chip, err := unix.Open(chips[0], unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(chip)
	// struct gpio_v2_line_request (linux/gpio.h)
	request := struct {
		offsets   [64]uint32
		consumer  [32]byte
		flags     uint64
		numAttrs  uint32
		_         [5]uint32
		attrs     [10 * 24]byte
		numLines  uint32
		eventSize uint32
		_         [5]uint32
		fd        int32
	}{flags: 1 << 2, numLines: 1} // GPIO_V2_LINE_FLAG_INPUT
	request.offsets[0] = offset
	copy(request.consumer[:], "another program")
	const getLine = 0xc250b407 // GPIO_V2_GET_LINE_IOCTL
	_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(chip), getLine, uintptr(unsafe.Pointer(&request)))
	if e != 0 {
		return fmt.Errorf("agent: hold line %d: %w", offset, e)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = append(g.held, int(request.fd))
	return nil
}

// Drop gives all held lines back.
func (g *Guest) Drop(bool, *bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, fd := range g.held {
		unix.Close(fd)
	}
	g.held = nil
	return nil
}
