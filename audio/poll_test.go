package audio

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The signal that preempts goroutines does not end the wait of a period; it does end that of a card which
// stands still.
func TestPollAndPreemption(t *testing.T) {
	for _, c := range []struct {
		timeout time.Duration
		want    unix.Errno
	}{{maskFor, 0}, {time.Hour, unix.EINTR}} {
		thread, done := make(chan int), make(chan unix.Errno)
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			thread <- unix.Gettid()
			_, e := Poll(nil, c.timeout)
			done <- e
		}()
		id := <-thread
		for got := false; !got; {
			_ = unix.Tgkill(unix.Getpid(), id, unix.SIGURG)
			select {
			case e := <-done:
				got = true
				if e != c.want {
					t.Errorf("%v: %v, want %v", c.timeout, e, c.want)
				}
			default:
			}
		}
	}
}
