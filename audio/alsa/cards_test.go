package alsa

import (
	"context"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"portero/audio"
)

// A Raspberry Pi: HDMI and headphones play only, a USB card does both, a second device of it plays only.
func pi() []*fakeCard {
	usb := usbCard(2)
	usb.pcms[streamPlayback][1] = plainSpec()
	webcam := usbCard(5)
	webcam.info.ID, webcam.info.Name, webcam.info.LongName, webcam.info.USB = "C270", "C270 HD WEBCAM",
		"webcam at usb-1.4", "046d:0825"
	webcam.pcms[streamPlayback] = nil
	return []*fakeCard{
		{info: Card{Number: 0, ID: "vc4hdmi", Driver: "vc4-hdmi", Name: "Device", LongName: "vc4-hdmi"},
			pcms: [2]map[int]*fakeSpec{{0: plainSpec()}, nil}},
		{info: Card{Number: 1, ID: "Headphones", Driver: "bcm2835_headpho", Name: "bcm2835 Headphones",
			LongName: "bcm2835 Headphones, 1"},
			pcms: [2]map[int]*fakeSpec{{0: plainSpec()}, nil}},
		usb, webcam,
	}
}

func TestCards(t *testing.T) {
	s, f := newFake(t, pi()...)
	cards, err := s.cards()
	if err != nil {
		t.Fatal(err)
	}
	want := []Card{f.cards[0].info, f.cards[1].info, f.cards[2].info, f.cards[5].info}
	for i := range want {
		want[i].Playback, want[i].Capture = i != 3, i >= 2
		want[i].playback = [][]int{{0}, {0}, {0, 1}, nil}[i]
		want[i].captures = [][]int{nil, nil, {0}, {0}}[i]
	}
	if !reflect.DeepEqual(cards, want) {
		t.Errorf("got  %+v\nwant %+v", cards, want)
	}
	f.cards[1].gone = true
	cards, err = s.cards()
	if len(cards) != 3 || !errors.Is(err, unix.ENODEV) {
		t.Errorf("one card gone: %d left, %v", len(cards), err)
	}
	s.root = t.TempDir()
	if cards, err := s.cards(); len(cards) != 0 || err != nil {
		t.Errorf("without /dev/snd: %v, %v", cards, err)
	}
}

func TestRoute(t *testing.T) {
	s, _ := newFake(t, pi()...)
	none := pcm{-1, -1}
	for _, c := range []struct {
		config        Config
		play, capture pcm
	}{
		{Config{}, pcm{2, 0}, pcm{2, 0}},
		{Config{Card: "Device"}, pcm{2, 0}, pcm{2, 0}}, // the id, not the name of card 0
		{Config{Card: "usb:0D8C:0014"}, pcm{2, 0}, pcm{2, 0}},
		{Config{Card: "USB Audio Device"}, pcm{2, 0}, pcm{2, 0}},
		{Config{Card: "C-Media USB Audio Device at usb-1.2"}, pcm{2, 0}, pcm{2, 0}},
		{Config{Card: "hw:2"}, pcm{2, 0}, pcm{2, 0}},
		{Config{Card: "hw:2,0"}, pcm{2, 0}, pcm{2, 0}},
		{Config{Card: "plughw:2,0"}, pcm{2, 0}, pcm{2, 0}},
		{Config{Card: "hw:CARD=Device,DEV=0"}, pcm{2, 0}, pcm{2, 0}},
		{Config{Playback: "Device,1"}, pcm{2, 1}, pcm{2, 0}},
		{Config{Card: "Device,1"}, pcm{2, 1}, none},
		{Config{Playback: "Headphones", Capture: "usb:046d:0825"}, pcm{1, 0}, pcm{5, 0}},
		{Config{Card: "bcm2835 Headphones, 1", Capture: "C270"}, pcm{1, 0}, pcm{5, 0}}, // a comma of its own
		{Config{Playback: "hw:0"}, pcm{0, 0}, pcm{2, 0}},
		{Config{Card: "vc4hdmi"}, pcm{0, 0}, none},
		{Config{Card: "C270"}, none, none},
		{Config{Card: "hw:3"}, none, none},
		{Config{Card: "usb:"}, none, none},
		{Config{Card: "hw:2,9"}, none, none},
		{Config{Card: "Device,x"}, none, none},
		{Config{Card: ","}, none, none},
	} {
		play, _, err := s.route(c.config, audio.Playback)
		if (err != nil) != (c.play == none) || err == nil && play != c.play {
			t.Errorf("%+v: playback %v, %v, want %v", c.config, play, err, c.play)
		}
		_, capture, err := s.route(c.config, audio.FullDuplex)
		if (err != nil) != (c.capture == none) || err == nil && capture != c.capture {
			t.Errorf("%+v: capture %v, %v, want %v", c.config, capture, err, c.capture)
		}
		if err != nil && (!errors.Is(err, ErrNoCard) || !strings.Contains(err.Error(), "usb:046d:0825")) {
			t.Errorf("%+v: %v does not tell what there is", c.config, err)
		}
	}
}

// Without a card of both directions, the first of each.
func TestRouteApart(t *testing.T) {
	cards := pi()
	s, _ := newFake(t, cards[1], cards[3])
	play, capture, err := s.route(Config{}, audio.FullDuplex)
	if err != nil || play != (pcm{1, 0}) || capture != (pcm{5, 0}) {
		t.Errorf("%v, %v, %v", play, capture, err)
	}
}

func FuzzSelector(f *testing.F) {
	for _, s := range []string{"", "Device", "hw:1,0", "plughw:CARD=Device,DEV=0", "usb:0d8c:0014,0",
		"hw:,", "plughw:", ",DEV="} {
		f.Add(s)
	}
	c := usbCard(1).info
	c.playback = []int{0}
	f.Fuzz(func(t *testing.T, selector string) {
		p, err := find([]Card{c}, selector, streamPlayback)
		if err == nil && p != (pcm{1, 0}) {
			t.Errorf("%q: %v", selector, p)
		}
		if _, err := find([]Card{c}, selector, streamCapture); err == nil {
			t.Errorf("%q: a card without capture captures", selector)
		}
	})
}

func TestHostCards(t *testing.T) {
	if _, err := os.Stat("/dev/snd"); err != nil {
		t.Skip(err)
	}
	cards, err := Cards()
	t.Log(cards, err)
}

func TestOpenRefuses(t *testing.T) {
	ctx := context.Background()
	s, f := newFake(t, usbCard(0))
	for _, c := range []Config{
		{Rate: -1}, {Rate: 3999}, {Rate: 192001}, {Period: 1}, {Period: 1e9}, {Period: -1},
		{Volumes: map[string]int{"Speaker Playback": 101}}, {Volumes: map[string]int{"Speaker Playback": -1}},
	} {
		if _, err := s.openDuplex(ctx, c, audio.FullDuplex); err == nil {
			t.Errorf("Open took %+v", c)
		}
		if s.check(c) == nil {
			t.Errorf("Check took %+v", c)
		}
	}
	if _, err := s.openDuplex(ctx, Config{}, 0); err == nil {
		t.Error("Open took no use")
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.openDuplex(cancelled, Config{}, audio.FullDuplex); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	f.cards[0].busy = true
	if _, err := s.openDuplex(ctx, Config{}, audio.FullDuplex); !errors.Is(err, unix.EBUSY) {
		t.Error(err)
	}
	if err := s.check(Config{}); err != nil {
		t.Errorf("Check of a busy card: %v", err)
	}
	f.cards[0].busy = false
	for _, harm := range []func(*fakeSpec){
		func(p *fakeSpec) { p.formats = []uint32{20} }, // mu-law
		func(p *fakeSpec) { p.rates = []uint32{5512} },
		func(p *fakeSpec) { p.maxBuffer = 400 },
	} {
		*f.cards[0].pcms[streamCapture][0] = *plainSpec()
		harm(f.cards[0].pcms[streamCapture][0])
		if _, err := s.openDuplex(ctx, Config{}, audio.FullDuplex); !errors.Is(err, unix.EINVAL) {
			t.Error(err)
		}
	}
}
