package alsa

import "unsafe"

// The structures of <sound/asound.h>. Go's int and uint have the size and alignment of C's long on every
// architecture that this package is built for. Where C aligns a 64-bit member to 8 and Go on arm to 4, the
// pad is written out.

type (
	mask     [8]uint32
	interval struct{ min, max, flags uint32 }
	timespec struct{ sec, nsec int }
)

const (
	openMin = 1 << iota
	openMax
	integer
)

// hwParams is snd_pcm_hw_params: a space of configurations, narrowed by HW_REFINE and fixed by HW_PARAMS.
type hwParams struct {
	flags            uint32
	masks            [3]mask
	_                [5]mask
	intervals        [12]interval
	_                [9]interval
	rmask, cmask     uint32
	info, msbits     uint32
	rateNum, rateDen uint32
	fifoSize         uint
	_                [64]byte
}

// Indices into hwParams.masks and, less firstInterval, hwParams.intervals.
const (
	paramAccess     = 0
	paramFormat     = 1
	firstInterval   = 8
	paramChannels   = 10
	paramRate       = 11
	paramPeriodSize = 13
	paramBufferSize = 17

	accessRWInterleaved = 3
)

// swParams is snd_pcm_sw_params.
type swParams struct {
	tstampMode                    int32
	periodStep, sleepMin          uint32
	availMin, xferAlign           uint
	startThreshold, stopThreshold uint
	silenceThreshold, silenceSize uint
	boundary                      uint
	proto, tstampType             uint32
	_                             [56]byte
}

const (
	tstampEnable    = 1
	tstampMonotonic = 1
	protoTstampType = 2<<16 | 0<<8 | 12 // the version from which the kernel heeds tstamp_type
)

// pcmStatus is snd_pcm_status; on arm the variant with 32-bit time, which every kernel answers.
type pcmStatus struct {
	state            int32
	trigger, tstamp  timespec
	applPtr, hwPtr   uint
	delay            int
	avail, availMax  uint
	overrange        uint
	suspendedState   int32
	audioTstampData  uint32
	audio, driver    timespec
	audioTstampAccur uint32
	_                [52 - 2*unsafe.Sizeof(timespec{})]byte
}

// snd_pcm_state_t
const (
	stateSetup = iota + 1
	statePrepared
	stateRunning
	stateXrun
)

// xferi is snd_xferi.
type xferi struct {
	result int
	buf    unsafe.Pointer
	frames uint
}

// pcmInfo is snd_pcm_info.
type pcmInfo struct {
	device, subdevice                uint32
	stream, card                     int32
	id                               [64]byte
	name                             [80]byte
	subname                          [32]byte
	class, subclass                  int32
	subdevicesCount, subdevicesAvail uint32
	sync                             [16]byte
	_                                [64]byte
}

const (
	streamPlayback = 0
	streamCapture  = 1
)

// cardInfo is snd_ctl_card_info.
type cardInfo struct {
	card, _    int32
	id, driver [16]byte
	name       [32]byte
	longname   [80]byte
	_          [16]byte
	mixername  [80]byte
	components [128]byte
}

// elemID is snd_ctl_elem_id.
type elemID struct {
	numid             uint32
	iface             int32
	device, subdevice uint32
	name              [44]byte
	index             uint32
}

// elemList is snd_ctl_elem_list.
type elemList struct {
	offset, space, used, count uint32
	pids                       unsafe.Pointer
	_                          [50]byte
}

// elemInfo is snd_ctl_elem_info with the integer arm of its union.
type elemInfo struct {
	id             elemID
	typ            int32
	access, count  uint32
	owner          int32
	min, max, step int
	_              [128 - 3*unsafe.Sizeof(int(0))]byte
	_              [64]byte
}

const (
	ifaceMixer         = 2
	elemBoolean        = 1
	elemInteger        = 2
	elemAccessRead     = 1 << 0
	elemAccessWrite    = 1 << 1
	elemAccessInactive = 1 << 8
)

// elemValue is snd_ctl_elem_value with the integer arm of its union.
type elemValue struct {
	id       elemID
	indirect uint32
	_        uint32 // the union holds a long long
	value    [128]int
	_        [128]byte
}

const (
	dirRead  = 2 << 30
	dirWrite = 1 << 30
	pcmType  = 'A' << 8
	ctlType  = 'U' << 8
)

// The ioctl numbers: direction, size of the argument, type, number.
const (
	pcmHWRefine = dirRead | dirWrite | unsafe.Sizeof(hwParams{})<<16 | pcmType | 0x10
	pcmHWParams = dirRead | dirWrite | unsafe.Sizeof(hwParams{})<<16 | pcmType | 0x11
	pcmSWParams = dirRead | dirWrite | unsafe.Sizeof(swParams{})<<16 | pcmType | 0x13
	pcmGetState = dirRead | unsafe.Sizeof(pcmStatus{})<<16 | pcmType | 0x20
	pcmPrepare  = uintptr(pcmType | 0x40)
	pcmStart    = uintptr(pcmType | 0x42)
	pcmDrop     = uintptr(pcmType | 0x43)
	pcmWriteI   = dirWrite | unsafe.Sizeof(xferi{})<<16 | pcmType | 0x50
	pcmReadI    = dirRead | unsafe.Sizeof(xferi{})<<16 | pcmType | 0x51
	pcmLink     = dirWrite | unsafe.Sizeof(int32(0))<<16 | pcmType | 0x60

	ctlCardInfo      = dirRead | unsafe.Sizeof(cardInfo{})<<16 | ctlType | 0x01
	ctlElemList      = dirRead | dirWrite | unsafe.Sizeof(elemList{})<<16 | ctlType | 0x10
	ctlElemInfo      = dirRead | dirWrite | unsafe.Sizeof(elemInfo{})<<16 | ctlType | 0x11
	ctlElemRead      = dirRead | dirWrite | unsafe.Sizeof(elemValue{})<<16 | ctlType | 0x12
	ctlElemWrite     = dirRead | dirWrite | unsafe.Sizeof(elemValue{})<<16 | ctlType | 0x13
	ctlPCMNextDevice = dirRead | unsafe.Sizeof(int32(0))<<16 | ctlType | 0x30
	ctlPCMInfo       = dirRead | dirWrite | unsafe.Sizeof(pcmInfo{})<<16 | ctlType | 0x31
)

// A build for an architecture whose structures differ from C's stops here.
var (
	_ [sizeHWParams]byte  = [unsafe.Sizeof(hwParams{})]byte{}
	_ [sizeSWParams]byte  = [unsafe.Sizeof(swParams{})]byte{}
	_ [sizeStatus]byte    = [unsafe.Sizeof(pcmStatus{})]byte{}
	_ [sizeXferi]byte     = [unsafe.Sizeof(xferi{})]byte{}
	_ [sizePCMInfo]byte   = [unsafe.Sizeof(pcmInfo{})]byte{}
	_ [sizeCardInfo]byte  = [unsafe.Sizeof(cardInfo{})]byte{}
	_ [sizeElemID]byte    = [unsafe.Sizeof(elemID{})]byte{}
	_ [sizeElemList]byte  = [unsafe.Sizeof(elemList{})]byte{}
	_ [sizeElemInfo]byte  = [unsafe.Sizeof(elemInfo{})]byte{}
	_ [sizeElemValue]byte = [unsafe.Sizeof(elemValue{})]byte{}
)
