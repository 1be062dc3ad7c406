package audio

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maskFor is how long a wait is deaf to the runtime's preemption signal: a usual period, and no more of a
// card that stands still, for which the collector must not wait. A longer period is woken once or twice.
const maskFor = 25 * time.Millisecond

// preemption is the kernel's signal set (64 bits) with SIGURG, which the runtime preempts with.
var preemption = [2]uint32{1 << (unix.SIGURG - 1)}

// Poll waits as the audio thread has to, with few wake-ups: for an event of fds, which may be none, or the
// timeout. It returns the number of descriptors with events; EINTR ends it early. It does not run in a
// testing/synctest bubble.
//
// The thread keeps its place among the running goroutines: a system call that gives the place up makes the
// runtime's monitor look for it every few dozen microseconds, a thousand wake-ups a second. A goroutine
// that keeps its place for 10 ms is told to make room by a signal, which would wake the thread for nothing.
// So that signal is held back for as long as a period takes.
func Poll(fds []unix.PollFd, timeout time.Duration) (int, unix.Errno) {
	n, e := ppoll(fds, min(timeout, maskFor), &preemption)
	if n == 0 && e == 0 && timeout > maskFor {
		n, e = ppoll(fds, timeout-maskFor, nil)
	}
	return n, e
}

// ppoll blocks the signals of mask while it waits, or those that the thread blocks anyway.
func ppoll(fds []unix.PollFd, timeout time.Duration, mask *[2]uint32) (int, unix.Errno) {
	ts := unix.NsecToTimespec(int64(max(timeout, 0)))
	n, _, e := unix.RawSyscall6(unix.SYS_PPOLL,
		uintptr(unsafe.Pointer(unsafe.SliceData(fds))), uintptr(len(fds)),
		uintptr(unsafe.Pointer(&ts)), uintptr(unsafe.Pointer(mask)), unsafe.Sizeof(preemption), 0)
	if e != 0 {
		return 0, e
	}
	return int(n), 0
}
