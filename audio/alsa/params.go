package alsa

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// anyParams returns the space of all configurations.
func anyParams() *hwParams {
	p := new(hwParams)
	for i := range p.masks {
		for j := range p.masks[i] {
			p.masks[i][j] = math.MaxUint32
		}
	}
	for i := range p.intervals {
		p.intervals[i].max = math.MaxUint32
	}
	return p
}

func (p *hwParams) only(param int, bit uint32) {
	p.masks[param] = mask{}
	p.masks[param][bit/32] = 1 << (bit % 32)
}

func (p *hwParams) limit(param int, lo, hi uint32) {
	v := interval{min: lo, max: hi}
	if lo == hi {
		v.flags = integer
	}
	p.intervals[param-firstInterval] = v
}

// bounds returns the least and the greatest value that param can still take.
func (p *hwParams) bounds(param int) (lo, hi uint32) {
	v := p.intervals[param-firstInterval]
	lo, hi = v.min, v.max
	if v.flags&openMin != 0 {
		lo++
	}
	if v.flags&openMax != 0 {
		hi--
	}
	return lo, hi
}

func (s *stream) refine(p *hwParams) error {
	p.rmask, p.cmask, p.info = math.MaxUint32, 0, math.MaxUint32
	return s.control(pcmHWRefine, unsafe.Pointer(p))
}

// span is a range of values to try and the end of it to prefer.
type span struct {
	lo, hi uint32
	low    bool
}

// below finds the value nearest to want, rather a lower one; above rather a higher one.
func below(want uint32) []span {
	return []span{{want, want, true}, {0, want, false}, {want, math.MaxUint32, true}}
}

func above(want uint32) []span {
	return []span{{want, want, true}, {want, math.MaxUint32, true}, {0, want, false}}
}

// settle fixes param to the first value of the spans that the hardware takes.
func (s *stream) settle(p *hwParams, param int, spans []span) error {
	for _, r := range spans {
		t := *p
		t.limit(param, r.lo, r.hi)
		if err := s.refine(&t); errors.Is(err, unix.EINVAL) {
			continue
		} else if err != nil {
			return err
		}
		v, hi := t.bounds(param)
		if !r.low {
			v = hi
		}
		t.limit(param, v, v)
		if err := s.refine(&t); err == nil {
			*p = t
			return nil
		} else if !errors.Is(err, unix.EINVAL) {
			return err
		}
	}
	return unix.EINVAL
}

// rates returns the rates in Hz to ask for, best first: want itself, its multiples (an integer ratio
// resamples best), higher standard rates, then lower ones.
func rates(want int) []int {
	standard := []int{
		8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000, 176400, 192000,
	}
	rank := func(r int) int {
		switch {
		case r == want:
			return 0
		case r > want && r%want == 0:
			return 1
		case r > want:
			return 2
		}
		return 3
	}
	if !slices.Contains(standard, want) {
		standard = append(standard, want)
	}
	slices.SortFunc(standard, func(a, b int) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		if a < want {
			return b - a
		}
		return a - b
	})
	return standard
}

// negotiate finds one rate for all streams, one format and number of channels where it can, and narrows the
// streams' spaces to them.
func negotiate(want int, streams ...*stream) (int, error) {
	for _, s := range streams {
		s.params = anyParams()
		s.params.only(paramAccess, accessRWInterleaved)
		if err := s.refine(s.params); err != nil {
			return 0, fmt.Errorf("alsa: %s: refine access RW_INTERLEAVED: %w", s.path, err)
		}
	}
	rate, err := common(paramRate, rates(want), streams)
	if err != nil {
		return 0, fmt.Errorf("alsa: %s: rate near %d Hz: %w", streams[0].path, want, err)
	}
	// Many I2S cards want the format and channels of both directions alike, and say so only at HW_PARAMS.
	shared := streams[0].params.masks[paramFormat]
	for _, s := range streams {
		for i := range shared {
			shared[i] &= s.params.masks[paramFormat][i]
		}
	}
	alike, sharedErr := pickFormat(shared)
	for _, s := range streams {
		if s.format = alike; sharedErr != nil {
			if s.format, err = pickFormat(s.params.masks[paramFormat]); err != nil {
				return 0, fmt.Errorf("alsa: %s: no format of S16_LE, S32_LE, S24_LE, S24_3LE: %w",
					s.path, err)
			}
		}
		s.params.only(paramFormat, s.format.code)
		if err := s.refine(s.params); err != nil {
			return 0, fmt.Errorf("alsa: %s: refine format %s: %w", s.path, s.format.name, err)
		}
	}
	_, channelsErr := common(paramChannels, []int{1, 2, 4, 6, 8}, streams)
	if channelsErr != nil && !errors.Is(channelsErr, unix.EINVAL) {
		return 0, fmt.Errorf("alsa: %s: refine channels: %w", streams[0].path, channelsErr)
	}
	for _, s := range streams {
		if channelsErr != nil {
			if err := s.settle(s.params, paramChannels, above(1)); err != nil {
				return 0, fmt.Errorf("alsa: %s: refine channels: %w", s.path, err)
			}
		}
		n, _ := s.params.bounds(paramChannels)
		s.channels = int(n)
	}
	return rate, nil
}

// common fixes param to the first value that all streams take; EINVAL, and nothing is fixed, if there is
// none.
func common(param int, values []int, streams []*stream) (int, error) {
next:
	for _, v := range values {
		narrowed := make([]hwParams, len(streams))
		for i, s := range streams {
			narrowed[i] = *s.params
			narrowed[i].limit(param, uint32(v), uint32(v))
			if err := s.refine(&narrowed[i]); errors.Is(err, unix.EINVAL) {
				continue next
			} else if err != nil {
				return 0, err
			}
		}
		for i, s := range streams {
			*s.params = narrowed[i]
		}
		return v, nil
	}
	return 0, unix.EINVAL
}

// choosePeriod fixes the hardware's period near frames, at most frames if it can, and returns it.
func (s *stream) choosePeriod(frames int) (int, error) {
	if err := s.settle(s.params, paramPeriodSize, below(uint32(frames))); err != nil {
		return 0, fmt.Errorf("alsa: %s: refine period of %d frames: %w", s.path, frames, err)
	}
	h, _ := s.params.bounds(paramPeriodSize)
	return int(h), nil
}

// install takes a ring of at least the given frames and leaves the stream in SETUP.
func (s *stream) install(rate, ring int) error {
	p := s.params
	if err := s.settle(p, paramBufferSize, above(uint32(ring))); err != nil {
		return fmt.Errorf("alsa: %s: refine buffer of %d frames: %w", s.path, ring, err)
	}
	p.rmask, p.cmask, p.info = math.MaxUint32, 0, math.MaxUint32
	if err := s.control(pcmHWParams, unsafe.Pointer(p)); err != nil {
		return fmt.Errorf("alsa: %s: set hardware parameters: %w", s.path, err)
	}
	if r, _ := p.bounds(paramRate); int(r) != rate {
		return fmt.Errorf("alsa: %s: asked for %d Hz, the driver took %d Hz: %w",
			s.path, rate, r, unix.EINVAL)
	}
	b, _ := p.bounds(paramBufferSize)
	if int(b) < ring {
		return fmt.Errorf("alsa: %s: buffer of %d frames, need %d: %w", s.path, b, ring, unix.EINVAL)
	}
	s.ring = int(b)
	return nil
}

// watch sets when poll wakes (availMin frames), forbids the stream to start of itself, and stops it on an
// xrun.
func (s *stream) watch(availMin int) error {
	p := &swParams{
		tstampMode: tstampEnable, tstampType: tstampMonotonic, proto: protoTstampType,
		periodStep: 1, xferAlign: 1,
		availMin:       uint(availMin),
		startThreshold: math.MaxInt32,
		stopThreshold:  uint(s.ring),
	}
	if err := s.control(pcmSWParams, unsafe.Pointer(p)); err != nil {
		return fmt.Errorf("alsa: %s: set software parameters: %w", s.path, err)
	}
	return nil
}
