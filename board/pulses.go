package board

import (
	"sync/atomic"
	"time"
)

// shortest is what a level has to last to be no pulse.
func (in Input) shortest() time.Duration { return max(in.Debounce, in.Hold) }

// pulses counts what a line shows for less than that: bounces of its contact, and what its wire catches. Where half waves
// are the signal (AC) none are counted.
type pulses struct {
	window time.Duration
	before time.Duration // when the edge before was
	any    bool          // there was one
	short  atomic.Uint64 // read by others
}

// edge takes every edge, in the order of time: with the one before it is a pulse.
func (p *pulses) edge(at time.Duration) {
	if p.any && at-p.before < p.window {
		p.short.Add(1)
	}
	p.before, p.any = at, true
}

// ShortPulses is how often the input of that name has held a level for less than its debounce time, or its hold, since Run
// began; 0 for inputs whose contact is AC and for those with neither. Any goroutine may ask.
func (b *Board) ShortPulses(input string) uint64 {
	for _, d := range b.byLine {
		if d != nil && d.name == input {
			return d.pulses.short.Load()
		}
	}
	return 0
}
