package alsa

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stream is one direction of a PCM device. Its methods return bare errnos where the caller decides by them.
type stream struct {
	k      kernel
	path   string // /dev/snd/pcmC0D0p
	fd     int
	events int16 // POLLOUT or POLLIN

	params   *hwParams
	format   sampleFormat
	channels int
	ring     int // frames

	buf  []byte // one period of the caller's, in the hardware's format
	xfer xferi  // lives here because a local would escape on each call
	stat pcmStatus
}

func (s system) openStream(card, device int, direction int) (*stream, error) {
	t := &stream{k: s.kernel, events: unix.POLLOUT}
	suffix := "p"
	if direction == streamCapture {
		suffix, t.events = "c", unix.POLLIN
	}
	t.path = fmt.Sprintf("/dev/snd/pcmC%dD%d%s", card, device, suffix)
	var e unix.Errno
	if t.fd, e = s.open(s.root + t.path); e != 0 {
		return nil, fmt.Errorf("alsa: open %s: %w", t.path, e)
	}
	return t, nil
}

func (s *stream) frameBytes() int { return s.channels * s.format.width }

func (s *stream) control(req uintptr, arg unsafe.Pointer) error {
	for {
		switch e := s.k.ioctl(s.fd, req, arg); e {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return e
		}
	}
}

// transfer moves frames between p and the ring; it returns the bytes moved, and EAGAIN where the ring ended
// before p.
func (s *stream) transfer(req uintptr, p []byte) (int, unix.Errno) {
	s.xfer = xferi{buf: unsafe.Pointer(unsafe.SliceData(p)), frames: uint(len(p) / s.frameBytes())}
	e := s.k.ioctl(s.fd, req, unsafe.Pointer(&s.xfer))
	switch {
	case e != 0:
		return 0, e
	case s.xfer.result <= 0:
		return 0, unix.EAGAIN
	}
	return s.xfer.result * s.frameBytes(), 0
}

// status refreshes stat: the state, the frames available, and when the stream last started or stopped.
func (s *stream) status() error { return s.control(pcmGetState, unsafe.Pointer(&s.stat)) }

// queued returns the frames in the ring, as of the last status: not yet played, or not yet read.
func (s *stream) queued() int {
	if s.events == unix.POLLOUT {
		return max(0, s.ring-int(s.stat.avail))
	}
	return int(s.stat.avail)
}

// stopped returns when the stream stopped, or now where it runs, in ns of the monotonic clock.
func (s *stream) stopped() int64 {
	if s.stat.state == stateRunning {
		return s.stat.tstamp.nanos()
	}
	return s.stat.trigger.nanos()
}

func (t timespec) nanos() int64 { return int64(t.sec)*1e9 + int64(t.nsec) }
