package selftest

import (
	"time"

	"portero/board"
)

// briefest is the shortest time for which a person holds a contact: what is shorter is a spike on the wire.
const briefest = 10 * time.Millisecond

// contact is what the edges of one input tell.
type contact struct {
	presses  int           // times away from rest, bounces bridged
	bounces  int           // edges beyond the two of each press
	spikes   int           // times away that were shorter than briefest
	shortest time.Duration // of the presses; 0: none has ended
	longest  time.Duration
	away     bool // not back at rest
}

// analyse takes the undebounced edges of a wire of a known level at rest. A return to rest that is shorter
// than window is bouncing, and so is what an AC bell makes of one press.
func analyse(edges []board.Event, rest bool, window time.Duration) contact {
	var c contact
	var since, left time.Duration // away since, at rest since
	inside := 0                   // edges of this time away
	end := func() {
		length := left - since
		if length < briefest {
			c.spikes++
			return
		}
		c.presses++
		c.bounces += inside - 2
		c.longest = max(c.longest, length)
		if c.shortest == 0 || length < c.shortest {
			c.shortest = length
		}
	}
	for _, e := range edges {
		away := e.Active != rest
		if away == c.away { // an edge in between was lost
			continue
		}
		if away && inside > 0 && e.At-left > window {
			end()
			inside = 0
		}
		if away && inside == 0 {
			since = e.At
		}
		if !away {
			left = e.At
		}
		c.away = away
		inside++
	}
	if inside > 0 && !c.away {
		end()
	}
	return c
}
