package board

import "time"

// edge is one change of an input as the kernel stamped it; active is the level after it, ActiveLow already
// applied.
type edge struct {
	line   int
	active bool
	at     time.Duration
}

// lines is the GPIO of a kernel: the real one (chardev) or the simulated one (simLines). A line is known by
// the number request gave. set and get may be called at any time on different lines; edges by one goroutine
// at a time.
type lines interface {
	// request takes a line; an output is driven to its inactive level in the same step.
	request(request) (int, error)
	get(line int) (active bool, err error) // inputs only: reading an output is nobody's business
	set(line int, active bool) error       // outputs only
	// lease is what Keeper.Lease is, for lines that a Keeper keeps.
	lease(line int, atMost time.Duration)
	// edges appends the queued edges in the order of their times. It waits for one, for wake or until the
	// clock shows until.
	edges(until time.Duration, into []edge) ([]edge, error)
	wake()
	now() time.Duration // the clock of the edges
	close() error
}
