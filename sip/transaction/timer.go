package transaction

import (
	"container/heap"
	"time"
)

// The base timers of RFC 3261 §17.1.1.1 and table 4.
const (
	T1 = 500 * time.Millisecond // round-trip estimate
	// longest retransmission interval of requests other than INVITE, and of INVITE responses
	T2 = 4 * time.Second
	T4 = 5 * time.Second // how long a message may stay in the network
)

// Timer is a call that the stack's loop will make. Only the loop may touch it.
type Timer struct {
	at    time.Duration // since the heap was made
	seq   uint64
	f     func()
	index int // in the heap; -1 when stopped or fired
	heap  *timerHeap
}

// Stop prevents the call. Stopping a nil, stopped or fired timer does nothing.
func (t *Timer) Stop() {
	if t != nil && t.index >= 0 {
		heap.Remove(t.heap, t.index)
	}
}

// timerHeap orders timers by time, and those of one instant by age.
type timerHeap struct {
	made   time.Time
	timers []*Timer
	seq    uint64
}

func newTimerHeap() timerHeap { return timerHeap{made: time.Now()} }

func (h *timerHeap) Len() int { return len(h.timers) }
func (h *timerHeap) Less(i, j int) bool {
	a, b := h.timers[i], h.timers[j]
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}
func (h *timerHeap) Swap(i, j int) {
	h.timers[i], h.timers[j] = h.timers[j], h.timers[i]
	h.timers[i].index, h.timers[j].index = i, j
}
func (h *timerHeap) Push(x any) {
	t := x.(*Timer)
	t.index = len(h.timers)
	h.timers = append(h.timers, t)
}
func (h *timerHeap) Pop() any {
	t := h.timers[len(h.timers)-1]
	h.timers[len(h.timers)-1] = nil
	h.timers = h.timers[:len(h.timers)-1]
	t.index = -1
	return t
}

func (h *timerHeap) after(d time.Duration, f func()) *Timer {
	h.seq++
	t := &Timer{at: time.Since(h.made) + d, seq: h.seq, f: f, heap: h}
	heap.Push(h, t)
	return t
}

// next returns how long it is to the first timer, false when there is none.
func (h *timerHeap) next() (time.Duration, bool) {
	if len(h.timers) == 0 {
		return 0, false
	}
	return h.timers[0].at - time.Since(h.made), true
}

// due removes and returns the first timer if its time has come, else nil.
func (h *timerHeap) due() *Timer {
	if wait, ok := h.next(); !ok || wait > 0 {
		return nil
	}
	return heap.Pop(h).(*Timer)
}
