package board

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// chardev is the GPIO character device. Each line has a request, and so a descriptor, of its own.
type chardev struct {
	config  Config // ChipLabels has what was seen, too
	list    func() (chips []Chip, errs []error)
	chips   []Chip
	missing error           // why there are not all of them; nil: there are
	seen    map[string]bool // lines named by their chip's number that were held
	poll    []unix.PollFd   // [0] is the eventfd behind wake, [i] that of line lineOf[i]
	lineOf  []int
	events  [eventBuffer]lineEvent
	told    bool // that the chip pulls no outputs

	lock sync.RWMutex
	held []heldLine

	mu     sync.Mutex // wake against close
	event  int        // the eventfd
	closed bool
}

type heldLine struct {
	request
	fd  int    // < 0: dropped
	key string // the Keeper's; "": it does not keep this line
	at  node   // the chip's device file
}

// newChardev looks at the chips that list finds, and requests nothing.
func newChardev(config Config, list func() (chips []Chip, errs []error)) (*chardev, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("board: eventfd: %w", err)
	}
	c := &chardev{config: config, list: list, seen: map[string]bool{}, event: fd,
		poll: []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, lineOf: []int{-1}}
	c.look()
	return c, nil
}

func (c *chardev) look() {
	var errs []error
	c.chips, errs = c.list()
	c.missing = errors.Join(errs...)
}

// where finds a line. One that another of the configuration has by another name is not there: a lamp must not
// come by a relay's that is lost at the moment.
func (c *chardev) where(r request) (found, error) {
	at, err := find(c.chips, c.spelt(r.line))
	if err != nil && c.missing != nil {
		return at, fmt.Errorf("%w; %w", err, c.missing)
	}
	if err != nil {
		return at, err
	}
	for _, other := range c.config.requests() {
		if other.name == r.name {
			break
		}
		if its, err := find(c.chips, c.spelt(other.line)); err == nil && its.line == at.line {
			return at, fmt.Errorf("line %s is that of %s %q on %q", at, other.kind, other.name, other.line)
		}
	}
	return at, nil
}

// spelt is how a line is named now that its chip may have another number. A line that was held is never
// looked for on another chip.
func (c *chardev) spelt(line string) string {
	return relabel(c.chips, line, c.config.ChipLabels[line], c.seen[line])
}

func (c *chardev) request(r request) (int, error) {
	at, err := c.where(r)
	if err != nil {
		return 0, err
	}
	held := heldLine{request: r, at: node{at.chip.Path, at.chip.ino}}
	if c.keeps(r) {
		held.key = key(at, r)
		held.fd, err = c.requestKept(r, at, held.key)
	} else {
		held.fd, err = c.requestLine(r, at)
	}
	if err != nil {
		return 0, err
	}
	if !r.output {
		if err := unix.SetNonblock(held.fd, true); err != nil {
			unix.Close(held.fd)
			return 0, fmt.Errorf("line %s: non-blocking: %w", at, err)
		}
	}
	c.remember(r.line, at)
	c.lock.Lock()
	defer c.lock.Unlock()
	if !r.output {
		c.poll = append(c.poll, unix.PollFd{Fd: int32(held.fd), Events: unix.POLLIN})
		c.lineOf = append(c.lineOf, len(c.held))
	}
	c.held = append(c.held, held)
	return len(c.held) - 1, nil
}

// remember has a line that is named by its chip's number stay on that chip.
func (c *chardev) remember(line string, at found) {
	if !ByChipNumber(line) {
		return
	}
	if now := c.spelt(line); now != line {
		c.config.tellRelabelled(line, now)
	}
	labels := maps.Clone(c.config.ChipLabels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[line], c.seen[line] = steady(c.chips, at.chip), true
	c.config.ChipLabels = labels
}

func (c *chardev) line(i int) heldLine {
	c.lock.RLock()
	defer c.lock.RUnlock()
	return c.held[i]
}

func (c *chardev) drop(line int) {
	held := c.line(line)
	if err := c.giveBack(held); err != nil {
		c.config.logger().Warn("line of a chip that is gone not given back", "line", held.line, "err", err)
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	c.held[line].fd = -1
	if i := slices.Index(c.lineOf, line); i >= 0 {
		c.poll, c.lineOf = slices.Delete(c.poll, i, i+1), slices.Delete(c.lineOf, i, i+1)
	}
}

// gone sees it by the chip's device file: kernels before 6.2 wake nobody. One that came back has another.
func (c *chardev) gone(line int) error {
	at := c.line(line).at
	var st unix.Stat_t
	switch err := unix.Stat(at.path, &st); {
	case at.ino == 0:
		return nil
	case err != nil:
		return fmt.Errorf("chip %s: %w", at.path, err)
	case st.Ino != at.ino:
		return fmt.Errorf("chip %s: %w", at.path, unix.ENODEV)
	}
	return nil
}

// requestKept takes over the relay line that a killed station has left with the Keeper, or requests it and
// leaves a duplicate there. Without one the relay works as well, but nobody releases it when this process
// dies.
func (c *chardev) requestKept(r request, at found, key string) (int, error) {
	if fd, ok := c.takeOver(key); ok {
		return fd, nil
	}
	fd, err := c.requestLine(r, at)
	if err != nil {
		return 0, err
	}
	if err := c.config.Keeper.Keep(key, fd); err != nil {
		c.config.logger().Warn("relay line without a guard", "relay", r.name, "err", err)
	}
	return fd, nil
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
		busy := &BusyError{Line: at.String(), Remedy: remedy(at)}
		if info, err := readLine(chip, at.line.Offset); err == nil {
			busy.Consumer = info.Consumer
		}
		return 0, busy
	case errors.Is(err, unix.EINVAL): // of a strict pin controller
		return 0, fmt.Errorf("line %s: %w: a peripheral owns this pin: %s", at, err, remedy(at))
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
	c.config.logger().Warn("output line without a pull", "output", r.name, "line", at.String(),
		"loss", "nothing holds the pin while nobody drives it", "remedy", "a resistor of 10 kOhm")
}

func (c *chardev) get(line int) (bool, error) {
	v := lineValues{mask: 1}
	held := c.line(line)
	if err := ioctl(held.fd, ioctlGetValues, unsafe.Pointer(&v)); err != nil {
		return false, fmt.Errorf("line %q: %w", held.line, err)
	}
	return v.bits&1 != 0, nil
}

func (c *chardev) set(line int, active bool) error {
	held := c.line(line)
	if err := setLine(held.fd, active); err != nil {
		return fmt.Errorf("line %q: %w", held.line, err)
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
			into = append(into, edge{line: c.lineOf[i], at: c.now(), err: err})
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
		_, _ = unix.Write(c.event, []byte{1, 1, 1, 1, 1, 1, 1, 1}) // any count wakes; a full counter is awake already
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
	errs := []error{unix.Close(c.event)}
	for _, h := range c.held {
		if h.fd < 0 {
			continue
		}
		if err := c.giveBack(h); err != nil {
			errs = append(errs, fmt.Errorf("close line %q: %w", h.line, err))
		}
	}
	return errors.Join(errs...)
}
