package alsa

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrNoCard is wrapped where no card fits: not plugged in, or without the direction asked for.
var ErrNoCard = errors.New("no such sound card")

// Card is a sound card of the system.
type Card struct {
	Number             int    // of /dev/snd/controlC<Number>: changes with the order of plugging in
	ID                 string // "Device", unique among the cards present
	Driver             string // "USB-Audio"
	Name, LongName     string // "USB Audio Device"; the long one tells the port
	USB                string // "0d8c:0014", vendor and product; "" for other buses
	Playback, Capture  bool
	playback, captures []int // numbers of the PCM devices
}

// system is a kernel and the root of its file system.
type system struct {
	kernel
	root string
}

var host = system{linux{}, ""}

// Cards returns the cards present, by number. A card that cannot be asked is left out and named in the error,
// which comes with the other cards.
func Cards() ([]Card, error) { return host.cards() }

func (s system) cards() ([]Card, error) {
	entries, err := os.ReadDir(s.root + "/dev/snd")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("alsa: list cards: %w", err)
	}
	var numbers []int
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), "controlC")
		if n, err := strconv.Atoi(number); ok && err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	var cards []Card
	var errs []error
	for _, n := range numbers {
		c, err := s.card(n)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		cards = append(cards, c)
	}
	return cards, errors.Join(errs...)
}

func (s system) card(number int) (Card, error) {
	ctl, err := s.openControl(number)
	if err != nil {
		return Card{}, err
	}
	defer s.close(ctl.fd)
	info := new(cardInfo)
	if err := ctl.control(ctlCardInfo, unsafe.Pointer(info)); err != nil {
		return Card{}, fmt.Errorf("alsa: card %d: info: %w", number, err)
	}
	c := Card{
		Number: number, ID: text(info.id[:]), Driver: text(info.driver[:]),
		Name: text(info.name[:]), LongName: text(info.longname[:]), USB: s.usb(number),
	}
	device := new(int32)
	*device = -1
	for {
		if err := ctl.control(ctlPCMNextDevice, unsafe.Pointer(device)); err != nil {
			return Card{}, fmt.Errorf("alsa: card %d: next PCM device: %w", number, err)
		}
		if *device < 0 {
			break
		}
		for direction := range int32(2) {
			err := ctl.control(ctlPCMInfo,
				unsafe.Pointer(&pcmInfo{device: uint32(*device), stream: direction}))
			switch {
			case errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENXIO): // the device lacks this direction
			case err != nil:
				return Card{}, fmt.Errorf("alsa: card %d: info of PCM device %d: %w", number, *device, err)
			case direction == streamPlayback:
				c.playback = append(c.playback, int(*device))
			default:
				c.captures = append(c.captures, int(*device))
			}
		}
	}
	c.Playback, c.Capture = len(c.playback) > 0, len(c.captures) > 0
	return c, nil
}

// openControl returns the card's control device, of which only the methods control and fd are of use.
func (s system) openControl(number int) (*stream, error) {
	path := fmt.Sprintf("/dev/snd/controlC%d", number)
	fd, e := s.open(s.root + path)
	if e != 0 {
		return nil, fmt.Errorf("alsa: open %s: %w", path, e)
	}
	return &stream{k: s.kernel, path: path, fd: fd}, nil
}

// usb returns the ids of the USB device whose interface the card is. The path goes to the kernel as it is:
// ".." is of the device that the link leads to.
func (s system) usb(number int) string {
	dir := fmt.Sprintf("%s/sys/class/sound/card%d/device/../", s.root, number)
	vendor, err1 := os.ReadFile(dir + "idVendor")
	product, err2 := os.ReadFile(dir + "idProduct")
	if err1 != nil || err2 != nil {
		return ""
	}
	return strings.TrimSpace(string(vendor)) + ":" + strings.TrimSpace(string(product))
}

func text(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return strings.TrimSpace(strings.ToValidUTF8(string(b), "?"))
}

// pcm is one PCM device of a card.
type pcm struct{ card, device int }

// find returns the first card that selector means and its first device of that direction. A device with both
// directions comes before others, and so does a card with both where the selector leaves it open.
func find(cards []Card, selector string, direction int) (pcm, error) {
	name, device := parse(cards, selector)
	best := -1
	var found pcm
	for _, c := range cards {
		if name != "" && !c.is(name) {
			continue
		}
		own, other := c.playback, c.captures
		if direction == streamCapture {
			own, other = other, own
		}
		for _, d := range own {
			if device >= 0 && d != device {
				continue
			}
			score := 0
			if name == "" && c.Playback && c.Capture {
				score += 2
			}
			if name == c.ID { // an id is one card's, a name may be of several
				score += 2
			}
			if slices.Contains(other, d) {
				score++
			}
			if score > best {
				best, found = score, pcm{c.Number, d}
			}
		}
	}
	if best < 0 {
		return pcm{}, fmt.Errorf("alsa: %s card %q: %w (have %s)",
			directionName[direction], selector, ErrNoCard, summary(cards))
	}
	return found, nil
}

var directionName = [2]string{streamPlayback: "playback", streamCapture: "capture"}

// parse splits a selector into the card and the device, -1 for any. A card that is called like the whole
// selector wins over a suffix.
func parse(cards []Card, selector string) (name string, device int) {
	name = strings.TrimPrefix(selector, "plug")
	if !strings.HasPrefix(name, "hw:") {
		name = selector
	}
	if name == "" || slices.ContainsFunc(cards, func(c Card) bool { return c.is(name) }) {
		return name, -1
	}
	i := strings.LastIndexByte(name, ',')
	if i < 0 {
		return name, -1
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(name[i+1:], "DEV="), 10, 8)
	if err != nil {
		return name, -1
	}
	return name[:i], int(n)
}

// is reports whether name means the card: its id, names, "usb:" with its ids, or "hw:" with its number or id.
func (c Card) is(name string) bool {
	if usb, ok := strings.CutPrefix(name, "usb:"); ok {
		return c.USB != "" && strings.EqualFold(usb, c.USB)
	}
	if hw, ok := strings.CutPrefix(name, "hw:"); ok {
		hw = strings.TrimPrefix(hw, "CARD=")
		return hw == strconv.Itoa(c.Number) || hw == c.ID
	}
	return name == c.ID || name == c.Name || name == c.LongName
}

func summary(cards []Card) string {
	if len(cards) == 0 {
		return "none"
	}
	var s []string
	for _, c := range cards {
		d := ""
		if c.Playback {
			d += ", playback"
		}
		if c.Capture {
			d += ", capture"
		}
		if c.USB != "" {
			d += ", usb:" + c.USB
		}
		s = append(s, fmt.Sprintf("%q (hw:%d%s)", c.ID, c.Number, d))
	}
	return strings.Join(s, ", ")
}
