package fsm

import (
	"sync"
	"testing"
)

func TestMailboxOrder(t *testing.T) {
	m := NewMailbox()
	if m.Take() != nil {
		t.Error("something in an empty mailbox")
	}
	var got []int
	for i := range 3 {
		m.Put(func() {
			got = append(got, i)
			if i == 0 {
				m.Put(func() { got = append(got, 9) }) // put by a call that runs
			}
		})
	}
	for f := m.Take(); f != nil; f = m.Take() {
		f()
	}
	if len(got) != 4 || got[0] != 0 || got[1] != 1 || got[2] != 2 || got[3] != 9 {
		t.Errorf("order %v", got)
	}
}

// TestMailboxWakes has many goroutines put while a loop takes: no call is lost, and no wake-up.
func TestMailboxWakes(t *testing.T) {
	const writers, each = 8, 500
	m := NewMailbox()
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				m.Put(func() {})
			}
		})
	}
	for n := 0; n < writers*each; {
		<-m.Wake() // would block for ever if a wake-up was lost
		for f := m.Take(); f != nil; f = m.Take() {
			n++
		}
	}
	wg.Wait()
	if m.Take() != nil {
		t.Error("more calls than were put")
	}
}
