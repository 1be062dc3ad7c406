package alsa

import (
	"errors"
	"testing"

	"portero/audio"
)

// The C-Media card that is sold everywhere.
func mixerCardFake() *fakeCard {
	c := usbCard(0)
	c.addElem("Speaker Playback Switch", elemBoolean, 0, 1, 0, 1)
	c.addElem("Speaker Playback Volume", elemInteger, 0, 37, 20, 2)
	c.addElem("Mic Playback Switch", elemBoolean, 0, 1, 0, 1)
	c.addElem("Mic Playback Volume", elemInteger, 0, 31, 0, 1)
	c.addElem("Mic Capture Switch", elemBoolean, 0, 1, 0, 1)
	c.addElem("Mic Capture Volume", elemInteger, -16, 19, 0, 1)
	c.addElem("Auto Gain Control", elemBoolean, 0, 1, 1, 1)
	c.addElem("Route", 3, 0, 0, 1, 1)                           // an enumeration
	c.addElem("Playback Channel Map", elemInteger, 0, 36, 1, 2) // not of the mixer
	c.elems[len(c.elems)-1].info.id.iface = 3
	c.addElem("Meter", elemInteger, 0, 100, 50, 1)
	c.elems[len(c.elems)-1].info.access = elemAccessRead
	c.addElem("Asleep Volume", elemInteger, 0, 100, 50, 1)
	c.elems[len(c.elems)-1].info.access |= elemAccessInactive
	c.addElem("Line Volume", elemInteger, 0, 100, 10, 1)
	c.addElem("Line Volume", elemInteger, 0, 100, 20, 1)
	c.elems[len(c.elems)-1].info.id.index = 1
	return c
}

func TestSetVolume(t *testing.T) {
	for _, c := range []struct {
		name    string
		percent int
		want    map[string]int // the values that change; "name,index" beyond index 0
	}{
		{"Speaker Playback", 80, map[string]int{"Speaker Playback Switch": 1, "Speaker Playback Volume": 30}},
		{"Speaker Playback Volume", 100, map[string]int{"Speaker Playback Volume": 37}},
		{"Speaker Playback", 0, map[string]int{"Speaker Playback Volume": 0}},
		{"Mic Capture", 1, map[string]int{"Mic Capture Switch": 1, "Mic Capture Volume": -16}},
		{"Mic Capture Volume", 50, map[string]int{"Mic Capture Volume": 2}},
		{"Auto Gain Control", 0, map[string]int{"Auto Gain Control": 0}},
		{"Line Volume,1", 99, map[string]int{"Line Volume,1": 99}},
		{"Line", 99, map[string]int{"Line Volume": 99, "Line Volume,1": 99}},
		{"Mic", 100, nil}, // would open the sidetone
		{"Meter", 1, nil},
		{"Asleep", 1, nil},
		{"Line,2", 1, nil},
		{"Playback Channel Map", 1, nil},
		{"", 1, nil},
	} {
		s, f := newFake(t, mixerCardFake())
		before := mixerCardFake().elems
		err := s.setVolume([]int{0}, c.name, c.percent)
		if (err != nil) != (c.want == nil) || err != nil && !errors.Is(err, errNoControl) {
			t.Errorf("%q: %v", c.name, err)
		}
		if err := s.hasControl([]int{0}, c.name); (err != nil) != (c.want == nil) {
			t.Errorf("%q: %v", c.name, err)
		}
		for i, e := range f.cards[0].elems {
			name := text(e.info.id.name[:])
			if e.info.id.index == 1 {
				name += ",1"
			}
			want, changes := c.want[name]
			if !changes {
				want = before[i].value[0]
			}
			for _, v := range e.value[:e.info.count] {
				if v != want {
					t.Errorf("%q to %d %%: %s is %d, want %d", c.name, c.percent, name, v, want)
				}
			}
		}
	}
	s, _ := newFake(t, mixerCardFake())
	for _, percent := range []int{-1, 101} {
		if s.setVolume([]int{0}, "Speaker Playback", percent) == nil {
			t.Errorf("%d %% was taken", percent)
		}
	}
}

// Open sets volumes, and opens all the same where it cannot; Check tells.
func TestOpenVolumes(t *testing.T) {
	s, f := newFake(t, mixerCardFake())
	c := Config{Volumes: map[string]int{"Speaker Playback": 100, "Master": 50}}
	mustOpen(t, s, c, audio.FullDuplex)
	if v := f.cards[0].elems[1].value[1]; v != 37 {
		t.Errorf("the volume is %d", v)
	}
	if err := s.check(c); !errors.Is(err, errNoControl) {
		t.Errorf("Check: %v", err)
	}
	delete(c.Volumes, "Master")
	if err := s.check(c); err != nil {
		t.Errorf("Check: %v", err)
	}
}
