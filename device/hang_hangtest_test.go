//go:build hangtest

package device

import (
	"log/slog"
	"os"
	"syscall"
	"testing"
	"time"

	"portero/sip/fsm"
)

// TestHang: after SIGUSR1 a loop takes nothing more from its mailbox. In real time, as signals are; the loop
// is left behind.
func TestHang(t *testing.T) {
	s := &Station{box: fsm.NewMailbox(), log: slog.New(slog.DiscardHandler)}
	defer s.hangOnSignal()()
	taken := make(chan bool, 100)
	go func() {
		for range s.box.Wake() {
			for f := s.box.Take(); f != nil; f = s.box.Take() {
				f()
			}
		}
	}()
	poke := func() bool {
		s.box.Put(func() { taken <- true })
		select {
		case <-taken:
			return true
		case <-time.After(time.Second):
			return false
		}
	}
	if !poke() {
		t.Fatal("the loop does not run")
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); poke(); {
		if time.Now().After(deadline) {
			t.Fatal("the loop runs on")
		}
	}
}
