package alsa

import (
	"fmt"
	"slices"
	"testing"

	"portero/audio"
)

// The rate asked for where both directions take it, else the nearest multiple, else what they share.
func TestRate(t *testing.T) {
	for _, c := range []struct {
		want, got      int
		speaker, mouth []uint32
	}{
		{16000, 16000, []uint32{8000, 16000, 48000}, []uint32{16000}},
		{16000, 48000, []uint32{44100, 48000}, []uint32{44100, 48000}},
		{16000, 48000, []uint32{16000, 48000}, []uint32{44100, 48000}},
		{16000, 32000, []uint32{32000, 48000}, []uint32{8000, 32000, 48000}},
		{16000, 44100, []uint32{44100}, []uint32{8000, 44100}},
		{16000, 8000, []uint32{8000, 11025}, []uint32{8000}},
		{48000, 44100, []uint32{16000, 44100}, []uint32{16000, 44100}},
		{8000, 16000, []uint32{16000, 44100}, []uint32{16000, 44100}},
		{20000, 20000, []uint32{20000, 48000}, []uint32{20000}},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			card := usbCard(0)
			card.pcms[streamPlayback][0].rates, card.pcms[streamCapture][0].rates = c.speaker, c.mouth
			s, _ := newFake(t, card)
			if err := s.check(Config{Rate: c.want}); err != nil {
				t.Error(err)
			}
			d := mustOpen(t, s, Config{Rate: c.want}, audio.FullDuplex)
			if d.Rate() != c.got {
				t.Fatalf("got %d Hz", d.Rate())
			}
			x := newCaller(t, d)
			x.run(10)
			if x.offset != 2*d.Period() {
				t.Errorf("offset %d", x.offset)
			}
		})
	}
}

func TestRatesOrder(t *testing.T) {
	if got, want := rates(16000), []int{16000, 32000, 48000, 64000, 96000,
		176400}; !slices.Equal(got[:5], want[:5]) {
		t.Errorf("got %v", got)
	}
	got := rates(16000)
	if !slices.Equal(got[len(got)-4:], []int{12000, 11025, 8000}) &&
		!slices.Equal(got[len(got)-3:], []int{12000, 11025, 8000}) {
		t.Errorf("got %v", got)
	}
}

// Fewest channels, the plain format first.
func TestNarrowest(t *testing.T) {
	card := usbCard(0)
	for _, m := range card.pcms {
		m[0].formats, m[0].channels = []uint32{formatS16, formatS24in3, formatS32}, [2]uint32{2, 32}
	}
	s, _ := newFake(t, card)
	d := mustOpen(t, s, Config{}, audio.FullDuplex)
	if d.play.channels != 2 || d.play.format.code != formatS16 {
		t.Errorf("%d channels of %s", d.play.channels, d.play.format.name)
	}
}

// A card that wants both directions alike gets them alike where that is possible; else each gets its own.
func TestAlike(t *testing.T) {
	for _, c := range []struct {
		formats, channels [2][]uint32 // playback, capture; channels from, to
		want              [4]int      // format and channels of playback, of capture
	}{
		{[2][]uint32{{formatS16, formatS24, formatS32}, {formatS32}}, [2][]uint32{{1, 2}, {2, 2}},
			[4]int{formatS32, 2, formatS32, 2}},
		{[2][]uint32{{formatS16, formatS32}, {formatS16, formatS32}}, [2][]uint32{{2, 2}, {1, 1}},
			[4]int{formatS16, 2, formatS16, 1}},
		{[2][]uint32{{formatS16}, {formatS24in3}}, [2][]uint32{{1, 8}, {1, 1}},
			[4]int{formatS16, 1, formatS24in3, 1}},
	} {
		card := usbCard(0)
		for i, m := range card.pcms {
			m[0].formats, m[0].channels = c.formats[i], [2]uint32{c.channels[i][0], c.channels[i][1]}
		}
		s, _ := newFake(t, card)
		d := mustOpen(t, s, Config{}, audio.FullDuplex)
		got := [4]int{int(d.play.format.code), d.play.channels,
			int(d.capture.format.code), d.capture.channels}
		if got != c.want {
			t.Errorf("%v: got %v", c, got)
		}
		x := newCaller(t, d)
		x.run(10)
		if x.offset != 320 {
			t.Errorf("%v: offset %d", c, x.offset)
		}
	}
}
