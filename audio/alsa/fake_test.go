package alsa

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fake is a kernel with sound cards in virtual time: poll moves the clock to the next event. A card's
// microphone hears its loudspeaker in the same instant.
type fake struct {
	mu      sync.Mutex
	changed *sync.Cond
	now     int64 // ns
	cards   map[int]*fakeCard
	fds     map[int]*fakeFD
	lastFD  int
	log     []string // ioctls, where logging
	logging bool

	interrupts int // polls to answer with EINTR
	polls      int // polls answered otherwise
	// gets a value when a poll blocks for good instead of running out of virtual time
	hold chan struct{}
}

type fakeCard struct {
	info  Card
	pcms  [2]map[int]*fakeSpec // by direction and device
	elems []fakeElem
	ppm   float64 // the clock's error
	gone  bool
	stuck bool       // the interrupts have ended
	fail  unix.Errno // of every transfer
	alone bool       // refuses LINK
	busy  bool
}

type fakeElem struct {
	info  elemInfo
	value [128]int
}

type fakeSpec struct {
	rates, formats, periods []uint32 // periods nil: any
	channels                [2]uint32
	step                    int // frames by which the position moves
	maxBuffer               uint32
}

type fakeFD struct {
	card      *fakeCard
	ctl       bool
	event     int // 1 signalled
	direction int
	spec      *fakeSpec
	peer      *fakeFD
	f         *fake

	rate, channels, format uint32
	ring, availMin         int
	stopThreshold          uint
	state                  int32
	start, trigger         int64
	frozen                 int // position where not running
	appl                   int
	air                    []int16 // played, since PREPARE
}

const (
	stateOpen            = 0
	stateSuspended       = 7
	formatS16            = 2
	formatS24            = 6
	formatS32            = 10
	formatS24in3         = 32
	never          int64 = math.MaxInt64
)

func plainSpec() *fakeSpec {
	return &fakeSpec{
		rates: []uint32{8000, 16000, 44100, 48000}, formats: []uint32{formatS16}, channels: [2]uint32{1, 2},
		step: 1, maxBuffer: 1 << 16,
	}
}

func usbCard(number int) *fakeCard {
	return &fakeCard{
		info: Card{Number: number, ID: "Device", Driver: "USB-Audio", Name: "USB Audio Device",
			LongName: "C-Media USB Audio Device at usb-1.2", USB: "0d8c:0014"},
		pcms: [2]map[int]*fakeSpec{{0: plainSpec()}, {0: plainSpec()}},
	}
}

// newFake returns the system with these cards; at the end of the test every descriptor must be closed.
func newFake(t testing.TB, cards ...*fakeCard) (system, *fake) {
	f := &fake{now: int64(time.Hour), cards: map[int]*fakeCard{}, fds: map[int]*fakeFD{},
		lastFD: 2, logging: true}
	f.changed = sync.NewCond(&f.mu)
	root := t.TempDir()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(root+"/dev/snd", 0o755))
	for _, c := range cards {
		n := c.info.Number
		f.cards[n] = c
		must(os.WriteFile(fmt.Sprintf("%s/dev/snd/controlC%d", root, n), nil, 0o644))
		device := fmt.Sprintf("%s/sys/devices/bus/port%d", root, n)
		must(os.MkdirAll(device+"/interface", 0o755))
		if vendor, product, ok := strings.Cut(c.info.USB, ":"); ok {
			must(os.WriteFile(device+"/idVendor", []byte(vendor+"\n"), 0o644))
			must(os.WriteFile(device+"/idProduct", []byte(product+"\n"), 0o644))
		}
		class := fmt.Sprintf("%s/sys/class/sound/card%d", root, n)
		must(os.MkdirAll(class, 0o755))
		must(os.Symlink(device+"/interface", class+"/device"))
	}
	t.Cleanup(func() {
		if len(f.fds) != 0 {
			t.Errorf("%d descriptors left open", len(f.fds))
		}
	})
	return system{f, root}, f
}

// late lets time pass outside of Exchange.
func (f *fake) late(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now += int64(d)
}

func (f *fake) streams(direction int) (s *fakeFD) {
	for _, d := range f.fds {
		if d.card != nil && !d.ctl && d.direction == direction {
			s = d
		}
	}
	return s
}

func (f *fake) note(format string, args ...any) {
	if f.logging {
		f.log = append(f.log, fmt.Sprintf(format, args...))
	}
}

func (f *fake) open(path string) (int, unix.Errno) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var card, device int
	var dir rune
	d := &fakeFD{f: f}
	name := filepath.Base(path)
	if n, _ := fmt.Sscanf(name, "pcmC%dD%d%c", &card, &device, &dir); n == 3 {
		if dir == 'c' {
			d.direction = streamCapture
		}
		f.note("open %c", dir)
	} else if n, _ := fmt.Sscanf(name, "controlC%d", &card); n == 1 {
		d.ctl = true
	} else {
		return -1, unix.ENOENT
	}
	c := f.cards[card]
	if c == nil || c.gone {
		return -1, unix.ENODEV
	}
	if !d.ctl {
		if d.spec = c.pcms[d.direction][device]; d.spec == nil {
			return -1, unix.ENOENT
		}
		if c.busy {
			return -1, unix.EBUSY
		}
	}
	d.card = c
	f.lastFD++
	f.fds[f.lastFD] = d
	return f.lastFD, 0
}

func (f *fake) close(fd int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fds[fd] == nil {
		panic(fmt.Sprintf("close of descriptor %d, which is not open", fd))
	}
	if p := f.fds[fd].peer; p != nil {
		p.peer = nil
	}
	delete(f.fds, fd)
}

func (f *fake) event() (int, unix.Errno) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lastFD++
	f.fds[f.lastFD] = &fakeFD{f: f}
	return f.lastFD, 0
}

func (f *fake) signal(fd int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fds[fd].event = 1
	f.changed.Broadcast()
}

func (f *fake) link(fd, to int) unix.Errno {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("LINK")
	a, b := f.fds[fd], f.fds[to]
	if a.card.alone {
		return unix.ENOSYS
	}
	if a.state == stateOpen || a.state != b.state {
		return unix.EBADFD
	}
	a.peer, b.peer = b, a
	return 0
}

func (d *fakeFD) speed() float64 { return float64(d.rate) * (1 + d.card.ppm/1e6) / 1e9 } // frames per ns

// hw returns the position now.
func (d *fakeFD) hw() int {
	if d.state != stateRunning || d.card.stuck {
		return d.frozen
	}
	n := int(float64(d.f.now-d.start)*d.speed() + 1e-3)
	return n - n%d.spec.step
}

// at returns when the position reaches n.
func (d *fakeFD) at(n int) int64 {
	if d.card.stuck {
		return never
	}
	n += (d.spec.step - n%d.spec.step) % d.spec.step
	return d.start + int64(math.Ceil(float64(n)/d.speed()))
}

func (d *fakeFD) avail() int {
	if d.direction == streamPlayback {
		return d.ring - d.appl + d.hw()
	}
	return d.hw() - d.appl
}

// xrun returns when the stream will stop of itself.
func (d *fakeFD) xrun() int64 {
	if uint(d.ring) < d.stopThreshold {
		return never
	}
	if d.direction == streamPlayback {
		return d.at(d.appl)
	}
	return d.at(d.appl + d.ring)
}

func (d *fakeFD) halt(state int32, at int64) {
	for _, s := range []*fakeFD{d, d.peer} {
		if s == nil {
			continue
		}
		now := s.f.now
		s.f.now = at
		s.frozen = s.hw()
		s.f.now = now
		s.state, s.trigger = state, at
	}
}

// settle makes the xruns happen that are due.
func (f *fake) settle() {
	for {
		var first *fakeFD
		at := never
		for _, d := range f.fds {
			if d.card != nil && d.state == stateRunning {
				if x := d.xrun(); x < at {
					first, at = d, x
				}
			}
		}
		if first == nil || at > f.now {
			return
		}
		first.halt(stateXrun, at)
	}
}

// ready returns whether the descriptor is, and else when it will be.
func (d *fakeFD) ready() (bool, int64) {
	switch {
	case d.card == nil:
		return d.event != 0, never
	case d.card.gone:
		return true, 0
	case d.state == stateRunning && d.avail() < d.availMin:
		if d.direction == streamPlayback {
			return false, min(d.at(d.appl-d.ring+d.availMin), d.xrun())
		}
		return false, d.at(d.appl + d.availMin)
	case d.state == statePrepared:
		return d.avail() >= d.availMin, never
	}
	return true, 0
}

func (f *fake) poll(fds []unix.PollFd, timeout time.Duration) (int, unix.Errno) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.interrupts > 0 {
		f.interrupts--
		return -1, unix.EINTR
	}
	f.polls++
	for end := f.now + int64(timeout); ; {
		f.settle()
		n, next := 0, never
		for i := range fds {
			ok, at := f.fds[int(fds[i].Fd)].ready()
			next = min(next, at)
			if fds[i].Revents = 0; ok {
				fds[i].Revents = fds[i].Events
				n++
			}
		}
		switch {
		case n > 0:
			return n, 0
		case f.hold != nil:
			f.hold <- struct{}{}
			f.changed.Wait()
		case next > end:
			f.now = end
			return 0, 0
		default:
			f.now = max(next, f.now+1)
		}
	}
}

var requestName = map[uintptr]string{
	pcmHWParams: "HW_PARAMS", pcmSWParams: "SW_PARAMS", pcmGetState: "STATUS",
	pcmPrepare: "PREPARE", pcmStart: "START",
	pcmDrop: "DROP", pcmWriteI: "WRITEI", pcmReadI: "READI",
}

func (f *fake) ioctl(fd int, req uintptr, arg unsafe.Pointer) unix.Errno {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.fds[fd]
	if d.card.gone {
		return unix.ENODEV
	}
	if d.ctl {
		return d.control(req, arg)
	}
	f.settle()
	if name, ok := requestName[req]; ok && f.logging {
		if req == pcmWriteI || req == pcmReadI {
			name = fmt.Sprintf("%s %d", name, (*xferi)(arg).frames)
		}
		f.note("%c %s", "pc"[d.direction], name)
	}
	group := []*fakeFD{d}
	if d.peer != nil {
		group = append(group, d.peer)
	}
	switch req {
	case pcmHWRefine:
		return d.spec.refine((*hwParams)(arg))
	case pcmHWParams:
		p := (*hwParams)(arg)
		if e := d.spec.refine(p); e != 0 {
			return e
		}
		d.rate, _ = p.bounds(paramRate)
		d.channels, _ = p.bounds(paramChannels)
		ring, _ := p.bounds(paramBufferSize)
		for _, format := range d.spec.formats {
			if p.masks[paramFormat][format/32]&(1<<(format%32)) != 0 {
				d.format = format
			}
		}
		d.ring, d.state = int(ring), stateSetup
	case pcmSWParams:
		p := (*swParams)(arg)
		if d.state == stateOpen {
			return unix.EBADFD
		}
		if p.availMin == 0 || p.startThreshold <= p.stopThreshold || p.tstampType != tstampMonotonic ||
			p.proto < protoTstampType {
			return unix.EINVAL
		}
		d.availMin, d.stopThreshold = int(p.availMin), p.stopThreshold
	case pcmPrepare:
		for _, s := range group {
			if s.state == stateOpen {
				return unix.EBADFD
			}
			if s.state == stateRunning {
				return unix.EBUSY
			}
			s.state, s.appl, s.frozen, s.air = statePrepared, 0, 0, s.air[:0]
		}
	case pcmStart:
		for _, s := range group {
			if s.state != statePrepared {
				return unix.EBADFD
			}
			if s.direction == streamPlayback && s.appl == 0 {
				return unix.EPIPE
			}
		}
		for _, s := range group {
			s.state, s.start, s.trigger = stateRunning, f.now, f.now
		}
	case pcmDrop:
		if d.state == stateOpen || d.state == stateSuspended { // as kernels did
			return unix.EBADFD
		}
		d.halt(stateSetup, f.now)
	case pcmGetState:
		st := (*pcmStatus)(arg)
		*st = pcmStatus{state: d.state, avail: uint(d.avail())}
		st.trigger = timespec{int(d.trigger / 1e9), int(d.trigger % 1e9)}
		st.tstamp = timespec{int(f.now / 1e9), int(f.now % 1e9)}
	case pcmWriteI, pcmReadI:
		return d.transfer((*xferi)(arg))
	default:
		return unix.ENOTTY
	}
	return 0
}

func (d *fakeFD) transfer(x *xferi) unix.Errno {
	switch {
	case d.card.fail != 0:
		return d.card.fail
	case d.state == stateXrun:
		return unix.EPIPE
	case d.state == stateSuspended:
		return unix.ESTRPIPE
	case d.state != stateRunning && d.state != statePrepared:
		return unix.EBADFD
	}
	n := min(int(x.frames), d.avail())
	if n <= 0 {
		return unix.EAGAIN
	}
	width := map[uint32]int{formatS16: 2, formatS24: 4, formatS32: 4, formatS24in3: 3}[d.format]
	b := unsafe.Slice((*byte)(x.buf), n*width*int(d.channels))
	speaker := d.f.streams(streamPlayback)
	for i := range n {
		frame := b[i*width*int(d.channels):][:width*int(d.channels)]
		if d.direction == streamPlayback {
			for c := 1; c < int(d.channels); c++ {
				if !slices.Equal(frame[:width], frame[c*width:][:width]) {
					panic("the channels differ")
				}
			}
			d.air = append(d.air, sampleOf(d.format, frame))
			continue
		}
		heard := speaker.soundAt(d, d.appl+i)
		putSample(d.format, frame[:width], heard)
		for c := 1; c < int(d.channels); c++ {
			putSample(d.format, frame[c*width:][:width], ^heard)
		}
	}
	d.appl += n
	x.result = n
	return 0
}

// soundAt returns what the loudspeaker played when the microphone took frame n.
func (d *fakeFD) soundAt(microphone *fakeFD, n int) int16 {
	ns := float64(n)/microphone.speed() + float64(microphone.start-d.start)
	if k := int(math.Floor(ns*d.speed() + 1e-3)); k >= 0 && k < len(d.air) {
		return d.air[k]
	}
	return 0
}

func sampleOf(format uint32, b []byte) int16 {
	switch format {
	case formatS16:
		return int16(binary.LittleEndian.Uint16(b))
	case formatS32:
		return int16(int32(binary.LittleEndian.Uint32(b)) >> 16)
	case formatS24:
		v := int32(binary.LittleEndian.Uint32(b))
		if v < -1<<23 || v >= 1<<23 {
			panic(fmt.Sprintf("S24_LE %#x", v))
		}
		return int16(v >> 8)
	}
	return int16(binary.LittleEndian.Uint16(b[1:]))
}

// putSample adds noise below 16 bits.
func putSample(format uint32, b []byte, s int16) {
	switch format {
	case formatS16:
		binary.LittleEndian.PutUint16(b, uint16(s))
	case formatS32:
		binary.LittleEndian.PutUint32(b, uint32(s)<<16|0x7abc)
	case formatS24:
		binary.LittleEndian.PutUint32(b, uint32(int32(s)<<8|0x7a))
	default:
		b[0], b[1], b[2] = 0x7a, byte(s), byte(s>>8)
	}
}

// refine is HW_REFINE: it narrows p to what the specification holds, EINVAL if nothing is left.
func (s *fakeSpec) refine(p *hwParams) unix.Errno {
	var formats mask
	for _, f := range s.formats {
		formats[f/32] |= 1 << (f % 32)
	}
	left := uint32(0)
	for i := range formats {
		p.masks[paramFormat][i] &= formats[i]
		left |= p.masks[paramFormat][i]
	}
	if left == 0 || p.masks[paramAccess][0]&(1<<accessRWInterleaved) == 0 {
		return unix.EINVAL
	}
	among := func(param int, values []uint32) bool {
		lo, hi := p.bounds(param)
		var in []uint32
		for _, v := range values {
			if v >= lo && v <= hi {
				in = append(in, v)
			}
		}
		if len(in) == 0 {
			return false
		}
		p.limit(param, slices.Min(in), slices.Max(in))
		return true
	}
	within := func(param int, least, most uint32) bool {
		lo, hi := p.bounds(param)
		lo, hi = max(lo, least), min(hi, most)
		p.limit(param, lo, hi)
		return lo <= hi
	}
	ok := among(paramRate, s.rates) && within(paramChannels, s.channels[0], s.channels[1])
	if s.periods != nil {
		ok = ok && among(paramPeriodSize, s.periods)
	} else {
		ok = ok && within(paramPeriodSize, 16, s.maxBuffer/2)
	}
	lo, _ := p.bounds(paramPeriodSize)
	if ok = ok && within(paramBufferSize, 2*lo, s.maxBuffer); !ok {
		return unix.EINVAL
	}
	return 0
}

func (d *fakeFD) control(req uintptr, arg unsafe.Pointer) unix.Errno {
	c := d.card
	switch req {
	case ctlCardInfo:
		i := (*cardInfo)(arg)
		i.card = int32(c.info.Number)
		copy(i.id[:], c.info.ID)
		copy(i.driver[:], c.info.Driver)
		copy(i.name[:], c.info.Name)
		copy(i.longname[:], c.info.LongName)
	case ctlPCMNextDevice:
		n := (*int32)(arg)
		next := int32(-1)
		for _, m := range c.pcms {
			for dev := range m {
				if int32(dev) > *n && (next < 0 || int32(dev) < next) {
					next = int32(dev)
				}
			}
		}
		*n = next
	case ctlPCMInfo:
		i := (*pcmInfo)(arg)
		if c.pcms[i.stream][int(i.device)] == nil {
			return unix.ENOENT
		}
	case ctlElemList:
		l := (*elemList)(arg)
		l.count = uint32(len(c.elems))
		l.used = min(l.space, l.count)
		for i, id := range unsafe.Slice((*elemID)(l.pids), l.used) {
			id = c.elems[i].info.id
			unsafe.Slice((*elemID)(l.pids), l.used)[i] = id
		}
	case ctlElemInfo:
		i := (*elemInfo)(arg)
		if e := c.elem(i.id); e != nil {
			*i = e.info
			return 0
		}
		return unix.ENOENT
	case ctlElemRead:
		v := (*elemValue)(arg)
		v.value = c.elem(v.id).value
	case ctlElemWrite:
		v := (*elemValue)(arg)
		e := c.elem(v.id)
		for i := range int(e.info.count) {
			if lo, hi := e.info.span(); v.value[i] < lo || v.value[i] > hi {
				return unix.EINVAL
			}
			e.value[i] = v.value[i]
		}
	default:
		return unix.ENOTTY
	}
	return 0
}

func (c *fakeCard) elem(id elemID) *fakeElem {
	for i := range c.elems {
		if c.elems[i].info.id == id {
			return &c.elems[i]
		}
	}
	return nil
}

func (c *fakeCard) addElem(name string, typ int32, min, most, value int, count uint32) {
	e := fakeElem{info: elemInfo{typ: typ, access: elemAccessRead | elemAccessWrite,
		count: count, min: min, max: most}}
	e.info.id = elemID{numid: uint32(len(c.elems) + 1), iface: ifaceMixer}
	copy(e.info.id.name[:], name)
	for i := range int(count) {
		e.value[i] = value
	}
	c.elems = append(c.elems, e)
}
