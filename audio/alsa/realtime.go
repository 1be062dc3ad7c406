package alsa

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Below the kernel's interrupt threads (50), above whatever else wants to be on time.
const priority = 40

// Realtime locks the calling goroutine to its thread and schedules that SCHED_FIFO, at priority 40 or at most
// what RLIMIT_RTPRIO allows. Threads that the runtime clones from it are ordinary ones (SCHED_RESET_ON_FORK).
// The goroutine must end without unlocking, so that the thread ends too. On an error, as EPERM, the thread is
// locked and stays as it was: sound goes on, less sure of its time.
func Realtime() error {
	runtime.LockOSThread()
	err := setFIFO(priority)
	if err == unix.EPERM {
		var limit unix.Rlimit
		if unix.Getrlimit(unix.RLIMIT_RTPRIO, &limit) == nil && limit.Cur > 0 && limit.Cur < priority {
			err = setFIFO(uint32(limit.Cur))
		}
	}
	if err != nil {
		return fmt.Errorf("alsa: schedule the audio thread: %w", err)
	}
	return nil
}

func setFIFO(priority uint32) error {
	return unix.SchedSetAttr(0, &unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Flags: unix.SCHED_FLAG_RESET_ON_FORK,
		Priority: priority,
	}, 0)
}
