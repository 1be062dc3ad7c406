package board

import "time"

// edge is one change of an input as the kernel stamped it; active is the level after it, ActiveLow already
// applied. err is not nil for an input that says no more: its chip is gone.
type edge struct {
	line   int
	active bool
	at     time.Duration
	err    error
}

// lines is the GPIO of a kernel: the real one (chardev) or the simulated one (simLines). A line is known by
// the number request gave. set, get and lease may be called at any time on different lines; look, request,
// drop, gone and edges by one goroutine at a time.
type lines interface {
	// look takes notice of the chips that are there now.
	look()
	// request takes a line; an output is driven to its inactive level in the same step.
	request(request) (int, error)
	// drop gives a line back, whose number is not used again.
	drop(line int)
	// gone says whether the chip of an output, which has no edges, has gone.
	gone(line int) error
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
