package board

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// chardev is the GPIO character device. Each line has a request, and so a descriptor, of its own.
type chardev struct {
	chips  []Chip
	keeper Keeper // nil: none
	held   []heldLine
	poll   []unix.PollFd // [0] is the eventfd behind wake, [i] that of line lineOf[i]
	lineOf []int
	events [eventBuffer]lineEvent
	log    *slog.Logger
	told   bool // that the chip pulls no outputs

	mu     sync.Mutex // wake against close
	closed bool
}

type heldLine struct {
	request
	fd  int
	key string // the Keeper's; "": it does not keep this line
}

func newChardev(chips []Chip, keeper Keeper, log *slog.Logger) (*chardev, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("board: eventfd: %w", err)
	}
	return &chardev{chips: chips, keeper: keeper, log: log, poll: []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, lineOf: []int{-1}}, nil
}

func (c *chardev) request(r request) (int, error) {
	at, err := find(c.chips, r.line)
	if err != nil {
		return 0, err
	}
	if c.keeps(r) {
		return c.requestKept(r, at)
	}
	fd, err := c.requestLine(r, at)
	if err != nil {
		return 0, err
	}
	if !r.output {
		if err := unix.SetNonblock(fd, true); err != nil {
			unix.Close(fd)
			return 0, fmt.Errorf("line %s: non-blocking: %w", at, err)
		}
		c.poll = append(c.poll, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		c.lineOf = append(c.lineOf, len(c.held))
	}
	c.held = append(c.held, heldLine{request: r, fd: fd})
	return len(c.held) - 1, nil
}

// requestKept takes over the relay line that a killed station has left with the Keeper, or requests it and
// leaves a duplicate there. Without one the relay works as well, but nobody releases it when this process
// dies.
func (c *chardev) requestKept(r request, at found) (int, error) {
	held := heldLine{request: r, key: key(at, r)}
	var ok bool
	if held.fd, ok = c.takeOver(held.key); !ok {
		var err error
		if held.fd, err = c.requestLine(r, at); err != nil {
			return 0, err
		}
		if err := c.keeper.Keep(held.key, held.fd); err != nil {
			c.log.Warn("relay line without a guard", "relay", r.name, "err", err)
		}
	}
	c.held = append(c.held, held)
	return len(c.held) - 1, nil
}

// requestLine asks the kernel for a line and returns its descriptor.
func (c *chardev) requestLine(r request, at found) (int, error) {
	chip, err := openChip(at.chip.Path)
	if err != nil {
		return 0, err
	}
	defer unix.Close(chip) // the line's descriptor lives on
	req := newLineRequest(r, at.line.Offset)
	unbiased, err := biasIfPossible(&req, func() error {
		return ioctl(chip, ioctlLineRequest, unsafe.Pointer(&req))
	})
	if unbiased {
		c.tellUnbiased(r, at)
	}
	switch {
	case errors.Is(err, unix.EBUSY):
		busy := &BusyError{Line: at.String()}
		if info, err := readLine(chip, at.line.Offset); err == nil {
			busy.Consumer = info.Consumer
		}
		return 0, busy
	case err != nil:
		return 0, fmt.Errorf("line %s: %w", at, err)
	case req.fd <= 0:
		return 0, fmt.Errorf("line %s: the kernel gave descriptor %d", at, req.fd)
	}
	return int(req.fd), nil
}

// enotsupp is the kernel's own ENOTSUPP (include/linux/errno.h), which some drivers let out for a pull that
// they do not have.
const enotsupp = unix.Errno(524)

// biasIfPossible asks for an output once more without a pull where the chip has none.
func biasIfPossible(req *lineRequest, ask func() error) (unbiased bool, err error) {
	err = ask()
	if req.config.flags&flagOutput == 0 || !errors.Is(err, unix.EINVAL) && !errors.Is(err, enotsupp) {
		return false, err
	}
	req.config.flags &^= biasFlags
	err = ask()
	return err == nil, err
}

// tellUnbiased warns once: such a relay hangs in the air while nobody drives its pin.
func (c *chardev) tellUnbiased(r request, at found) {
	if c.told {
		return
	}
	c.told = true
	c.log.Warn("output line without a pull", "output", r.name, "line", at.String(),
		"loss", "nothing holds the pin while nobody drives it", "remedy", "a resistor of 10 kOhm")
}

func (c *chardev) get(line int) (bool, error) {
	v := lineValues{mask: 1}
	if err := ioctl(c.held[line].fd, ioctlGetValues, unsafe.Pointer(&v)); err != nil {
		return false, fmt.Errorf("line %q: %w", c.held[line].line, err)
	}
	return v.bits&1 != 0, nil
}

func (c *chardev) set(line int, active bool) error {
	if err := setLine(c.held[line].fd, active); err != nil {
		return fmt.Errorf("line %q: %w", c.held[line].line, err)
	}
	return nil
}

func (c *chardev) edges(until time.Duration, into []edge) ([]edge, error) {
	wait := unix.NsecToTimespec(int64(max(until-c.now(), 0)))
	switch _, err := unix.Ppoll(c.poll, &wait, nil); {
	case errors.Is(err, unix.EINTR): // a signal, the Go scheduler's among them
		return into, nil
	case err != nil:
		return into, fmt.Errorf("ppoll: %w", err)
	}
	for i, p := range c.poll {
		if p.Revents == 0 {
			continue
		}
		if i == 0 {
			var count [8]byte
			_, _ = unix.Read(int(p.Fd), count[:]) // reset; it is only here to be woken
			continue
		}
		var err error
		if into, err = c.readEdges(c.lineOf[i], p.Revents, into); err != nil {
			held := c.held[c.lineOf[i]]
			return into, fmt.Errorf("input %q on %q: %w", held.name, held.line, err)
		}
	}
	slices.SortStableFunc(into, func(a, b edge) int { return cmp.Compare(a.at, b.at) })
	return into, nil
}

// readEdges takes what the kernel holds of one line, at most its whole buffer, so that one noisy line cannot
// starve the others.
func (c *chardev) readEdges(line int, revents int16, into []edge) ([]edge, error) {
	const size = int(unsafe.Sizeof(lineEvent{}))
	n, err := unix.Read(c.held[line].fd, unsafe.Slice((*byte)(unsafe.Pointer(&c.events)), unsafe.Sizeof(c.events)))
	switch {
	case (errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR)) && revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) == 0:
		return into, nil
	case errors.Is(err, unix.EAGAIN), err == nil && n == 0:
		return into, unix.ENODEV // nothing to read, and never again: the chip is gone
	case errors.Is(err, unix.EINTR):
		return into, nil
	case err != nil:
		return into, err
	case n%size != 0:
		return into, fmt.Errorf("read %d bytes, which is no multiple of an event's %d", n, size)
	}
	for _, ev := range c.events[:n/size] {
		switch ev.id {
		case eventRisingEdge, eventFallingEdge:
			into = append(into, edge{line: line, active: ev.id == eventRisingEdge, at: time.Duration(ev.timestamp)})
		}
	}
	return into, nil
}

func (c *chardev) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		_, _ = unix.Write(int(c.poll[0].Fd), []byte{1, 1, 1, 1, 1, 1, 1, 1}) // any count wakes; a full counter is awake already
	}
}

func (c *chardev) now() time.Duration { return monotonic() }

func (c *chardev) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	errs := []error{unix.Close(int(c.poll[0].Fd))}
	for _, h := range c.held {
		if err := c.giveBack(h); err != nil {
			errs = append(errs, fmt.Errorf("close line %q: %w", h.line, err))
		}
	}
	return errors.Join(errs...)
}
