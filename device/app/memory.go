package app

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A burst of messages leaves memory behind that Go would keep until its next collection, minutes later, and in
// parts for good. All of it is locked (package guard), so that on a small board the page cache, and with it the
// programs of the system, pay for it.
const (
	memoryEvery = 15 * time.Second // how often it is looked at
	memoryBurst = 2 << 20          // what is worth a collection
)

// giveBack returns to the system what a burst has left behind, some 30 s after its end, and not while somebody
// talks: what is given back has to be fetched again.
func giveBack(ctx context.Context, idle func() bool) error {
	look := time.NewTicker(memoryEvery)
	defer look.Stop()
	least := memoryHeld() // since the start
	before := least       // at the look before
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		}
		held := memoryHeld()
		least = min(least, held)
		grown, growing := held > least+memoryBurst, held >= before+memoryBurst/2
		if grown && !growing && idle() {
			debug.FreeOSMemory()
			held = memoryHeld()
			least = held // what is left is in use
		}
		before = held
	}
}

// memoryHeld is what Go has of the system's memory.
func memoryHeld() uint64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() - samples[1].Value.Uint64()
}
