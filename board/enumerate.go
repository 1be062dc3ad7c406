package board

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/driver/driverreg"
	"periph.io/x/host/v3/gpioioctl"
)

// node is the device file of a chip. A chip that goes and comes back has another one, whatever its name.
type node struct {
	path string
	ino  uint64
}

// chipNodes lists the chips' device files in dir, each with the names of the links to it.
func chipNodes(dir string) (nodes []node, links map[string][]string) {
	paths, _ := filepath.Glob(filepath.Join(dir, "gpiochip*")) // the pattern is good
	links = map[string][]string{}
	for _, path := range paths {
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			continue // gone since, or a link into nothing
		}
		if name := filepath.Base(path); name != filepath.Base(real) {
			links[real] = append(links[real], name)
			continue
		}
		var st unix.Stat_t
		if unix.Stat(real, &st) == nil {
			nodes = append(nodes, node{real, st.Ino})
		}
	}
	return nodes, links
}

const devDir = "/dev"

// enumerate has periph list the chips that are there at the first call: it has no second time.
var enumerate = sync.OnceValue(func() map[node]*gpioioctl.GPIOChip {
	nodes, _ := chipNodes(devDir)
	_ = keepStdin(func() error {
		var err error
		quietly(func() { _, err = driverreg.Init() })
		return err // what periph cannot list is read without it
	})
	known := map[node]*gpioioctl.GPIOChip{}
	for _, c := range gpioioctl.Chips {
		for _, n := range nodes {
			if filepath.Base(n.path) == c.Name() {
				known[n] = c
			}
		}
	}
	return known
})

// quietly keeps what f says by package log, as periph does of each chip that it may not open, off the station's
// log: whoever needs the chip is told by its own error.
func quietly(f func()) {
	was := log.Writer()
	log.SetOutput(io.Discard)
	defer log.SetOutput(was)
	f()
}

// keepStdin puts descriptor 0 back if f closes it, as periph's gpioioctl does for the second of two links to
// a chip: the next open would get number 0.
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

// Chips lists the GPIO chips that are there now, those of a Raspberry Pi's header first, with the present
// state of their lines. It touches no line. No chip at all is an error.
func Chips() ([]Chip, error) {
	chips, errs := listChips()
	if len(chips) == 0 {
		return nil, errors.Join(errs...)
	}
	return chips, nil
}

// listChips is Chips, with what is wrong with those that cannot be read.
func listChips() (chips []Chip, errs []error) {
	known := enumerate()
	nodes, links := chipNodes(devDir)
	if len(nodes) == 0 {
		return nil, []error{fmt.Errorf("board: no GPIO chip: no /dev/gpiochip*: %w", fs.ErrNotExist)}
	}
	for _, n := range nodes {
		chip, err := n.chip(known[n])
		if err != nil {
			errs = append(errs, fmt.Errorf("board: %w", err)) // vanished since: the others may do
			continue
		}
		chip.links, chip.Device, chip.ino = links[n.path], chipDevice(sysDir, chip.Name), n.ino
		chips = append(chips, chip)
	}
	slices.SortStableFunc(chips, func(a, b Chip) int { return cmp.Compare(last(a), last(b)) })
	return chips, errs
}

func last(c Chip) int {
	if headerChip(c.Label) {
		return 0
	}
	return 1
}

// chip reads a chip, whose name, label and size periph may know.
func (n node) chip(known *gpioioctl.GPIOChip) (Chip, error) {
	if known != nil {
		chip := Chip{Name: known.Name(), Label: known.Label(), Path: n.path}
		return chip, chip.readLines(known.LineCount())
	}
	fd, err := openChip(n.path)
	if err != nil {
		return Chip{}, err
	}
	defer unix.Close(fd)
	var info chipInfo
	if err := ioctl(fd, ioctlChipInfo, unsafe.Pointer(&info)); err != nil {
		return Chip{}, fmt.Errorf("chip %s: %w", n.path, err)
	}
	chip := Chip{Name: cString(info.name[:]), Label: cString(info.label[:]), Path: n.path}
	return chip, chip.readLines(int(info.lines))
}

const sysDir = "/sys"

// chipDevice is what sysfs, at root, has above a chip: "platform/soc/fe200000.gpio"; "" if it does not tell.
func chipDevice(root, name string) string {
	devices, err := filepath.EvalSymlinks(filepath.Join(root, "devices"))
	if err != nil {
		return ""
	}
	path, err := filepath.EvalSymlinks(filepath.Join(root, "bus/gpio/devices", name))
	if err != nil {
		return ""
	}
	device, ok := strings.CutPrefix(filepath.Dir(path), devices+"/")
	if !ok {
		return ""
	}
	return device
}
