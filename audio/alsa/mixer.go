package alsa

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

var errNoControl = errors.New("no such control")

// setVolume sets all channels of a control to percent of its range, a switch to on by more than 0 % (see
// Config.Volumes).
func (s system) setVolume(cards []int, name string, percent int) error {
	if percent < 0 || percent > 100 {
		return fmt.Errorf("alsa: volume of %q: %d %%: not within 0 to 100", name, percent)
	}
	return s.eachNamed(cards, name, func(ctl *stream, info *elemInfo) error {
		v := &elemValue{id: info.id}
		for i := range v.value[:info.channels()] {
			v.value[i] = info.level(percent)
		}
		if err := ctl.control(ctlElemWrite, unsafe.Pointer(v)); err != nil {
			return fmt.Errorf("alsa: %s: set %q to %d %%: %w", ctl.path, name, percent, err)
		}
		return nil
	})
}

func (s system) hasControl(cards []int, name string) error {
	return s.eachNamed(cards, name, func(*stream, *elemInfo) error { return nil })
}

// eachNamed calls f with every writable control of the cards that name means.
func (s system) eachNamed(cards []int, name string, f func(*stream, *elemInfo) error) error {
	found := false
	for _, number := range cards {
		err := s.eachElem(number, func(ctl *stream, info *elemInfo) error {
			if info.access&elemAccessWrite == 0 || !info.is(name) {
				return nil
			}
			found = true
			return f(ctl, info)
		})
		if err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("alsa: control %q: %w", name, errNoControl)
	}
	return nil
}

// eachElem calls f with the active volumes and switches of the card's mixer.
func (s system) eachElem(number int, f func(*stream, *elemInfo) error) error {
	ctl, err := s.openControl(number)
	if err != nil {
		return err
	}
	defer s.close(ctl.fd)
	ids, err := ctl.elems()
	if err != nil {
		return fmt.Errorf("alsa: %s: list controls: %w", ctl.path, err)
	}
	for _, id := range ids {
		if id.iface != ifaceMixer {
			continue
		}
		info := &elemInfo{id: id}
		err := ctl.control(ctlElemInfo, unsafe.Pointer(info))
		if errors.Is(err, unix.ENOENT) { // removed since the list was made
			continue
		}
		if err != nil {
			return fmt.Errorf("alsa: %s: info of %q: %w", ctl.path, text(id.name[:]), err)
		}
		if info.typ != elemBoolean && info.typ != elemInteger ||
			info.access&elemAccessInactive != 0 || info.count == 0 {
			continue
		}
		if err := f(ctl, info); err != nil {
			return err
		}
	}
	return nil
}

func (s *stream) elems() ([]elemID, error) {
	list := new(elemList)
	if err := s.control(ctlElemList, unsafe.Pointer(list)); err != nil || list.count == 0 {
		return nil, err
	}
	ids := make([]elemID, list.count)
	*list = elemList{space: list.count, pids: unsafe.Pointer(unsafe.SliceData(ids))}
	if err := s.control(ctlElemList, unsafe.Pointer(list)); err != nil {
		return nil, err
	}
	return ids[:min(int(list.used), len(ids))], nil
}

func (e *elemInfo) is(name string) bool {
	full := text(e.id.name[:])
	if at := strings.LastIndexByte(name, ','); at >= 0 {
		if i, err := strconv.ParseUint(name[at+1:], 10, 32); err == nil {
			if uint32(i) != e.id.index {
				return false
			}
			name = name[:at]
		}
	}
	return full == name || full == name+" Volume" || full == name+" Switch"
}

func (e *elemInfo) channels() int { return min(int(e.count), len(elemValue{}.value)) }

// span returns the least and greatest value.
func (e *elemInfo) span() (int, int) {
	if e.typ == elemBoolean {
		return 0, 1
	}
	return e.min, e.max
}

func (e *elemInfo) level(percent int) int {
	lo, hi := e.span()
	if e.typ == elemBoolean {
		return min(percent, 1)
	}
	return lo + int((int64(hi-lo)*int64(percent)+50)/100)
}
