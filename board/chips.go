package board

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/driver/driverreg"
	"periph.io/x/host/v3/gpioioctl"
)

// consumer begins the name under which the kernel shows our lines (gpioinfo).
const consumer = "portero:"

// Chip is a GPIO chip.
type Chip struct {
	Name  string // "gpiochip0"; the number may change from boot to boot
	Label string // "pinctrl-bcm2711"; the number of a driver's chips apart, it does not change
	Path  string // "/dev/gpiochip0"
	Lines []Line // by offset
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

// enumerate has periph list the chips, once: it has no second time.
var enumerate = sync.OnceValue(func() error {
	return keepStdin(func() error {
		_, err := driverreg.Init()
		return err
	})
})

// keepStdin puts descriptor 0 back if f closes it, as periph's gpioioctl does for the second of two links to a chip: the next
// open would get number 0.
func keepStdin(f func() error) error {
	saved, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return f() // there was none
	}
	defer unix.Close(saved)
	ferr := f()
	if _, err := unix.FcntlInt(0, unix.F_GETFD, 0); errors.Is(err, unix.EBADF) {
		if err := unix.Dup3(saved, 0, 0); err != nil {
			return errors.Join(ferr, fmt.Errorf("restore standard input: %w", err))
		}
	}
	return ferr
}

// Chips lists the GPIO chips with the present state of their lines and touches none of them. No chip at all is an error.
func Chips() ([]Chip, error) {
	if err := enumerate(); err != nil {
		return nil, fmt.Errorf("board: list GPIO chips: %w", err)
	}
	var chips []Chip
	var errs []error
	for _, c := range gpioioctl.Chips {
		chip := Chip{Name: c.Name(), Label: c.Label(), Path: c.Path()}
		if err := chip.readLines(c.LineCount()); err != nil {
			errs = append(errs, err) // vanished since: the others may do
			continue
		}
		chips = append(chips, chip)
	}
	if len(chips) == 0 {
		return nil, errors.Join(append(errs, whyNoChips())...)
	}
	return chips, nil
}

// whyNoChips finds the reason periph keeps for itself.
func whyNoChips() error {
	paths, _ := filepath.Glob("/dev/gpiochip*")
	if len(paths) == 0 {
		return fmt.Errorf("board: no GPIO chip: no /dev/gpiochip*: %w", fs.ErrNotExist)
	}
	var errs []error
	for _, path := range paths {
		fd, err := openChip(path)
		if err != nil {
			errs = append(errs, fmt.Errorf("board: %w", err))
			continue
		}
		if _, err := readLine(fd, 0); err != nil {
			errs = append(errs, fmt.Errorf("board: chip %s: %w: GPIO uAPI v2 needs Linux 5.10", path, err))
		} else {
			errs = append(errs, fmt.Errorf("board: chip %s appeared or became accessible after the start: start again", path))
		}
		unix.Close(fd)
	}
	return errors.Join(errs...)
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

// readLines reads the lines anew: periph's copy is as old as the process, lacks directions and renames a second line of a name.
func (c *Chip) readLines(count int) error {
	fd, err := openChip(c.Path)
	if err != nil {
		return fmt.Errorf("board: %w", err)
	}
	defer unix.Close(fd)
	c.Lines = make([]Line, count)
	for i := range c.Lines {
		if c.Lines[i], err = readLine(fd, i); err != nil {
			return fmt.Errorf("board: chip %s: line %d: %w", c.Path, i, err)
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
