package board

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The structs of linux/gpio.h, uAPI v2. Every 64-bit field lies on an 8-byte offset by the header's own
// padding, so that Go lays them out alike on 32-bit ARM, where it would align uint64 to 4; the array types
// below break the build if that ever ends.

const (
	gpioMaxName  = 32
	gpioMaxLines = 64
	gpioMaxAttrs = 10

	flagUsed         uint64 = 1 << 0
	flagActiveLow    uint64 = 1 << 1
	flagInput        uint64 = 1 << 2
	flagOutput       uint64 = 1 << 3
	flagEdgeRising   uint64 = 1 << 4 // inactive to active: ACTIVE_LOW is applied before
	flagEdgeFalling  uint64 = 1 << 5
	flagBiasPullUp   uint64 = 1 << 8
	flagBiasPullDown uint64 = 1 << 9
	flagBiasDisabled uint64 = 1 << 10

	attrOutputValues uint32 = 2

	eventRisingEdge  uint32 = 1
	eventFallingEdge uint32 = 2
)

type chipInfo struct {
	name  [gpioMaxName]byte
	label [gpioMaxName]byte
	lines uint32
}

type lineAttribute struct {
	id      uint32
	padding uint32
	value   uint64 // a union: flags, output values, or the debounce time in its first 4 bytes
}

type lineConfigAttribute struct {
	attr lineAttribute
	mask uint64
}

type lineConfig struct {
	flags    uint64
	numAttrs uint32
	padding  [5]uint32
	attrs    [gpioMaxAttrs]lineConfigAttribute
}

type lineRequest struct {
	offsets         [gpioMaxLines]uint32
	consumer        [gpioMaxName]byte
	config          lineConfig
	numLines        uint32
	eventBufferSize uint32
	padding         [5]uint32
	fd              int32
}

type lineValues struct {
	bits uint64 // logical: 1 is active
	mask uint64
}

type lineInfo struct {
	name     [gpioMaxName]byte
	consumer [gpioMaxName]byte
	offset   uint32
	numAttrs uint32
	flags    uint64
	attrs    [gpioMaxAttrs]lineAttribute
	padding  [4]uint32
}

type lineEvent struct {
	timestamp uint64 // ns, CLOCK_MONOTONIC
	id        uint32
	offset    uint32
	seqno     uint32
	lineSeqno uint32
	padding   [6]uint32
}

var (
	_ [68]byte  = [unsafe.Sizeof(chipInfo{})]byte{}
	_ [592]byte = [unsafe.Sizeof(lineRequest{})]byte{}
	_ [272]byte = [unsafe.Sizeof(lineConfig{})]byte{}
	_ [256]byte = [unsafe.Sizeof(lineInfo{})]byte{}
	_ [48]byte  = [unsafe.Sizeof(lineEvent{})]byte{}
	_ [16]byte  = [unsafe.Sizeof(lineValues{})]byte{}
)

// _IOWR(0xB4, nr, size) and _IOR of asm-generic/ioctl.h.
const (
	ioctlChipInfo = 2<<30 | 0xB4<<8 | 0x01 | unsafe.Sizeof(chipInfo{})<<16

	iowr = (1|2)<<30 | 0xB4<<8

	ioctlLineInfo    = iowr | 0x05 | unsafe.Sizeof(lineInfo{})<<16
	ioctlLineRequest = iowr | 0x07 | unsafe.Sizeof(lineRequest{})<<16
	ioctlGetValues   = iowr | 0x0E | unsafe.Sizeof(lineValues{})<<16
	ioctlSetValues   = iowr | 0x0F | unsafe.Sizeof(lineValues{})<<16
)

func ioctl(fd int, number uintptr, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), number, uintptr(arg))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}

// eventBuffer is how many edges of a line the kernel keeps; of more it drops the oldest.
const eventBuffer = 64

// biasFlags are those that pull a line.
const biasFlags = flagBiasPullUp | flagBiasPullDown | flagBiasDisabled

// newLineRequest asks for one line. An output carries its level, inactive, in the request itself: set later
// it would pass through low. It also asks for the pull to that level, which holds the pin when nobody drives
// it: after a warm reboot, and where the kernel makes freed outputs inputs.
func newLineRequest(r request, offset int) lineRequest {
	var req lineRequest
	req.offsets[0] = uint32(offset)
	req.numLines = 1
	copy(req.consumer[:gpioMaxName-1], consumer+r.name)
	if r.activeLow {
		req.config.flags |= flagActiveLow
	}
	if r.output {
		req.config.flags |= flagOutput | flagBiasPullDown
		if r.activeLow {
			req.config.flags ^= flagBiasPullDown | flagBiasPullUp
		}
		req.config.numAttrs = 1
		req.config.attrs[0] = lineConfigAttribute{attr: lineAttribute{id: attrOutputValues, value: 0}, mask: 1}
		return req
	}
	req.config.flags |= flagInput | flagEdgeRising | flagEdgeFalling
	req.eventBufferSize = eventBuffer
	switch r.bias {
	case PullUp:
		req.config.flags |= flagBiasPullUp
	case PullDown:
		req.config.flags |= flagBiasPullDown
	case NoBias:
		req.config.flags |= flagBiasDisabled
	}
	return req
}

// monotonic is CLOCK_MONOTONIC, which stamps the edges.
func monotonic() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic("board: no CLOCK_MONOTONIC: " + err.Error()) // every Linux has it
	}
	return time.Duration(ts.Nano())
}
