package alsa

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"portero/audio"
)

// kernel is what the package asks of Linux. A zero Errno is success.
type kernel interface {
	open(path string) (int, unix.Errno)
	close(fd int)
	// ioctl hands arg to the driver. The pointer is to memory that lives in the caller's heap objects.
	ioctl(fd int, req uintptr, arg unsafe.Pointer) unix.Errno
	// link ties the PCM of the second descriptor to the first's.
	link(fd, to int) unix.Errno
	// poll blocks the thread until an event or the timeout; it returns the number of descriptors with events.
	poll(fds []unix.PollFd, timeout time.Duration) (int, unix.Errno)
	// event returns a descriptor that polls readable once it was signalled.
	event() (int, unix.Errno)
	signal(fd int)
}

type linux struct{}

// O_NONBLOCK makes a busy card answer EBUSY instead of blocking the open, and keeps every wait in poll, where
// Close reaches it.
func (linux) open(path string) (int, unix.Errno) {
	for {
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, errno(err)
		}
	}
}

func (linux) close(fd int) { _ = unix.Close(fd) }

func (linux) ioctl(fd int, req uintptr, arg unsafe.Pointer) unix.Errno {
	_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), req, uintptr(arg))
	return e
}

// LINK takes the descriptor itself, not a pointer to it.
func (linux) link(fd, to int) unix.Errno {
	_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), pcmLink, uintptr(to))
	return e
}

func (linux) poll(fds []unix.PollFd, timeout time.Duration) (int, unix.Errno) {
	return audio.Poll(fds, timeout)
}

func (linux) event() (int, unix.Errno) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	return fd, errno(err)
}

func (linux) signal(fd int) { _, _ = unix.Write(fd, []byte{1, 0, 0, 0, 0, 0, 0, 1}) }

func errno(err error) unix.Errno {
	if err == nil {
		return 0
	}
	if e, ok := err.(unix.Errno); ok {
		return e
	}
	return unix.EIO
}
