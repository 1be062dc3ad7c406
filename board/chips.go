package board

import (
	"bytes"
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// consumer begins the name under which the kernel shows our lines (gpioinfo).
const consumer = "portero:"

// Chip is a GPIO chip.
type Chip struct {
	Name   string   // "gpiochip0"; the number may change with the kernel, and from boot to boot
	Label  string   // "pinctrl-bcm2711"; it does not change, but equal chips have the same one
	Device string   // "platform/soc/fe200000.gpio": its place below /sys/devices; "": not known
	Path   string   // "/dev/gpiochip0"
	Lines  []Line   // by offset
	links  []string // other names in /dev: "gpiochip4" on a Pi 5
	ino    uint64   // of the device file; 0: not known
}

// Line is what the kernel tells of a line without touching it.
type Line struct {
	Offset    int
	Name      string // "GPIO17"; often empty
	Consumer  string // who holds it
	Used      bool   // held by a process or the kernel
	Output    bool
	ActiveLow bool
	Bias      Bias // "": as is
}

func openChip(path string) (int, error) {
	for {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EACCES):
			return 0, fmt.Errorf("open chip %s: %w: the user must be in the group gpio", path, err)
		case err != nil:
			return 0, fmt.Errorf("open chip %s: %w", path, err)
		}
		return fd, nil
	}
}

// readLines reads the lines as they are now: periph's copy is as old as the process, lacks directions and
// renames a second line of a name.
func (c *Chip) readLines(count int) error {
	fd, err := openChip(c.Path)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	c.Lines = make([]Line, count)
	for i := range c.Lines {
		if c.Lines[i], err = readLine(fd, i); err != nil {
			return fmt.Errorf("chip %s: line %d: %w; GPIO uAPI v2 needs Linux 5.10", c.Path, i, err)
		}
	}
	return nil
}

func readLine(chip, offset int) (Line, error) {
	info := lineInfo{offset: uint32(offset)}
	if err := ioctl(chip, ioctlLineInfo, unsafe.Pointer(&info)); err != nil {
		return Line{}, err
	}
	return info.line(), nil
}

func (i *lineInfo) line() Line {
	l := Line{
		Offset:    int(i.offset),
		Name:      cString(i.name[:]),
		Consumer:  cString(i.consumer[:]),
		Used:      i.flags&flagUsed != 0,
		Output:    i.flags&flagOutput != 0,
		ActiveLow: i.flags&flagActiveLow != 0,
	}
	switch {
	case i.flags&flagBiasPullUp != 0:
		l.Bias = PullUp
	case i.flags&flagBiasPullDown != 0:
		l.Bias = PullDown
	case i.flags&flagBiasDisabled != 0:
		l.Bias = NoBias
	}
	return l
}

func cString(b []byte) string {
	if end := bytes.IndexByte(b, 0); end >= 0 {
		b = b[:end]
	}
	return string(b)
}
