package board

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Keeper holds, in another process, duplicates of the relays' line descriptors, and releases the relays when
// this process no longer can (device/guard). A line is known by its key, which says where it is and how it is
// driven. The methods may be called by several goroutines, and must not wait for longer than Drop's second.
type Keeper interface {
	// Retain drops what a process before this one has left of lines other than these.
	Retain(keys []string)
	// Take gives the descriptor that a process before this one has left of a line; false: none. The relay is
	// released.
	Take(key string) (fd int, ok bool)
	// Keep has a duplicate of fd kept until Drop.
	Keep(key string, fd int) error
	// Drop returns when the duplicate is closed, so that the line can be requested anew, or after a second.
	Drop(key string) error
	// Lease tells how long at most the relay will be energised from now, before it moves; 0 after it is
	// released.
	Lease(key string, atMost time.Duration)
}

// Deenergize drives the output line behind a descriptor, one of a Keeper's, to its inactive level.
func Deenergize(fd int) error { return setLine(fd, false) }

func setLine(fd int, active bool) error {
	v := lineValues{mask: 1}
	if active {
		v.bits = 1
	}
	return ioctl(fd, ioctlSetValues, unsafe.Pointer(&v))
}

// keeps says whether the request's line is one for the Keeper: relays are, lamps and inputs are not.
func (c *chardev) keeps(r request) bool { return c.config.Keeper != nil && r.kind == "relay" }

// key tells the lines of a Keeper apart: the same place driven in another way is another line.
func key(at found, r request) string {
	how := "active-high"
	if r.activeLow {
		how = "active-low"
	}
	return fmt.Sprintf("%s (%s):%d %s %s", at.chip.Path, at.chip.Label, at.line.Offset, how, r.name)
}

// retain has the Keeper give up every line that is not asked for, and those of chips that are gone: they would
// be busy for ever.
func (c *chardev) retain() {
	if c.config.Keeper == nil {
		return
	}
	var keys []string
	for _, r := range c.config.requests() {
		if at, err := c.where(r); err == nil && c.keeps(r) {
			keys = append(keys, key(at, r))
		}
	}
	c.config.Keeper.Retain(keys)
}

// takeOver gives the descriptor that a killed station has left with the Keeper, if the line still answers.
func (c *chardev) takeOver(k string) (fd int, ok bool) {
	fd, ok = c.config.Keeper.Take(k)
	if !ok {
		return 0, false
	}
	if Deenergize(fd) == nil {
		return fd, true
	}
	_, _ = unix.Close(fd), c.config.Keeper.Drop(k) // its chip has gone, and perhaps come back
	return 0, false
}

// giveBack closes a line, and the Keeper's duplicate before it.
func (c *chardev) giveBack(h heldLine) error {
	var err error
	if h.key != "" {
		err = c.config.Keeper.Drop(h.key)
	}
	return errors.Join(err, unix.Close(h.fd))
}

func (c *chardev) lease(line int, atMost time.Duration) {
	if k := c.line(line).key; k != "" {
		c.config.Keeper.Lease(k, atMost)
	}
}
