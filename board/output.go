package board

import (
	"errors"
	"fmt"
	"syscall"
)

// ErrLost is what a relay or lamp answers whose line is not held at the moment. The error goes on with why.
var ErrLost = errors.New("its line is lost")

// output is the line of a relay or lamp, whose lock guards it.
type output struct {
	line  int   // where why is nil
	why   error // it is not held
	dead  error // it is, but its chip has gone, as the kernel said
	lines lines
	doubt func() // has Run look whether the chip has gone
}

func (o *output) set(active bool) error {
	if o.why != nil {
		return o.lost()
	}
	err := o.lines.set(o.line, active)
	if errors.Is(err, syscall.ENODEV) {
		o.dead = err
		o.doubt()
	}
	return err
}

func (o *output) lost() error { return fmt.Errorf("%w: %w", ErrLost, o.why) }

func (o *output) take(line int) { o.line, o.why, o.dead = line, nil, nil }

// vanished gives up a line whose chip has gone, and returns it to be dropped.
func (o *output) vanished() (line int, err error) {
	if o.why != nil {
		return 0, nil
	}
	if o.why = o.dead; o.why == nil {
		o.why = o.lines.gone(o.line)
	}
	return o.line, o.why
}
