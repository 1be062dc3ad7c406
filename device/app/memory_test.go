package app

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestMemoryIsGivenBack: what a burst took goes back to the system within a minute of its end, but not before somebody's talk is over.
func TestMemoryIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const burst, slack = 64 << 20, 8 << 20
		var talking atomic.Bool
		talking.Store(true)
		debug.FreeOSMemory() // what the tests before have left
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- giveBack(ctx, func() bool { return !talking.Load() }) }()
		defer func() {
			stop()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}()
		time.Sleep(2 * memoryEvery)
		before := memoryHeld()
		func() {
			var kept [][]byte
			for range burst >> 12 {
				page := make([]byte, 1<<12)
				page[0] = 1
				kept = append(kept, page)
			}
			time.Sleep(5 * time.Second)
			if held := memoryHeld(); held < before+burst/4*3 {
				t.Fatalf("%d bytes are held before the burst, %d in it", before, held)
			}
			runtime.KeepAlive(kept)
		}()
		time.Sleep(time.Minute)
		if held := memoryHeld(); held < before+burst/2 {
			t.Errorf("%d bytes were given back in a talk", before+burst-held)
		}
		talking.Store(false)
		time.Sleep(time.Minute)
		if held := memoryHeld(); held > before+slack {
			t.Errorf("a minute later %d bytes more are held than before, of %d", held-before, burst)
		}
	})
}
