package board

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// lateConfig has two of each kind.
func lateConfig() Config {
	return Config{
		Late: true,
		Inputs: []Input{
			{Name: "contact", Line: "GPIO24", ActiveLow: true, Debounce: 20 * ms, Sensor: true},
			{Name: "front", Line: "GPIO22", ActiveLow: true, Debounce: 20 * ms},
			{Name: "back", Line: "GPIO17", ActiveLow: true, Debounce: 20 * ms},
		},
		Relays: []Output{{Name: "door", Line: "GPIO27", MaxOn: 10 * time.Second},
			{Name: "gate", Line: "GPIO5", ActiveLow: true, MaxOn: 10 * time.Second}},
		Lamps: []Output{{Name: "ready", Line: "GPIO12"}, {Name: "ringing", Line: "GPIO13"}},
	}
}

// told is what a board has posted, each with the seconds since the start.
type told struct {
	sim    *Sim
	events []string
}

func (w *told) post(ev Event) {
	what := map[bool]string{true: "on", false: "off"}[ev.Active]
	switch {
	case ev.Lost != nil:
		what = "lost: " + ev.Lost.Error()
	case ev.Back:
		what = "back"
	case ev.Stuck:
		what = "stuck"
	case ev.Initial:
		what += " at first"
	}
	w.events = append(w.events, fmt.Sprintf("%v %s %s", time.Since(w.sim.start).Round(ms), ev.Line, what))
}

// take returns the events so far that begin with their time and one of the names, and forgets all.
func (w *told) take(names ...string) (out []string) {
	synctest.Wait()
	for _, e := range w.events {
		if slices.ContainsFunc(names, func(name string) bool { return strings.Contains(e, " "+name+" ") }) {
			out = append(out, e)
		}
	}
	w.events = nil
	return out
}

// watched runs a board until the test ends.
func watched(t *testing.T, s *Sim, c Config) (*Board, *told) {
	t.Helper()
	b := mustOpen(t, s, c)
	w := &told{sim: s}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx, w.post) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, ErrClosed) {
			t.Errorf("Run: %v", err)
		}
	})
	synctest.Wait()
	return b, w
}

func wantTold(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("told:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// works uses an input, relay or lamp, and says whether that did what it should.
func works(s *Sim, b *Board, w *told, r request) bool {
	switch r.kind {
	case "input":
		w.take()
		if s.Press(r.name, true) != nil {
			return false
		}
		time.Sleep(time.Second)
		_ = s.Press(r.name, false)
		time.Sleep(time.Second)
		return len(w.take(r.name)) == 2
	case "relay":
		err := b.Relay(r.name).Energize(time.Second)
		on := s.Level(r.name)
		time.Sleep(2 * time.Second)
		return err == nil && on && !s.Level(r.name)
	default:
		err := b.Lamp(r.name).Set(true)
		on := s.Level(r.name)
		return err == nil && on && b.Lamp(r.name).Set(false) == nil
	}
}

var foreign = &BusyError{Line: "gpiochip0:17", Consumer: "voicehat", Remedy: "free it"}

// TestEachLineCostsOnlyItself: whichever is refused, and for whatever, the others work at once; it is told,
// found within ten seconds of being let go, and works.
func TestEachLineCostsOnlyItself(t *testing.T) {
	for _, why := range []error{foreign, syscall.EINVAL, errors.New("no line is named so")} {
		for _, r := range lateConfig().requests() {
			t.Run(fmt.Sprintf("%s %v", r.name, why), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := NewSim()
					s.Refuse(r.line, why)
					b, w := watched(t, s, lateConfig())
					wantTold(t, w.take(r.name), "0s "+r.name+" lost: "+why.Error())
					for _, other := range lateConfig().requests() {
						if got := works(s, b, w, other); got != (other.name != r.name) {
							t.Errorf("%s works: %v", other.name, got)
						}
					}
					time.Sleep(time.Hour)
					if got := w.take(r.name); len(got) != 0 {
						t.Errorf("told again: %q", got)
					}
					s.Refuse(r.line, nil)
					freed := time.Since(s.start)
					time.Sleep(againLast)
					got := w.take(r.name)
					if len(got) == 0 || !strings.HasSuffix(got[0], r.name+" back") {
						t.Fatalf("told after it was let go at %v: %q", freed, got)
					}
					if !works(s, b, w, r) {
						t.Errorf("%s does not work", r.name)
					}
				})
			})
		}
	}
}

// TestLostRelay refuses with the reason, closes without an error, and comes back released.
func TestLostRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSim()
		must(t, s.Pull("GPIO5", false)) // somebody drives it: an active-low relay is on
		s.Refuse("GPIO5", foreign)
		b, _ := watched(t, s, lateConfig())
		err := b.Relay("gate").Energize(time.Second)
		if !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), `energize relay "gate": its line is lost: line gpiochip0:17 is in use by "voicehat": free it`) {
			t.Errorf("Energize: %v", err)
		}
		must(t, b.Relay("gate").Release())
		time.Sleep(time.Minute)
		s.Refuse("GPIO5", nil)
		time.Sleep(againLast)
		if e := s.Edges("gate"); len(e) != 1 || e[0].Active {
			t.Errorf("edges %+v, want one, to inactive", e)
		}
		must(t, b.Relay("gate").Energize(time.Second))
		must(t, b.Close())
		s.Refuse("GPIO5", foreign)
		must(t, mustOpen(t, s, lateConfig()).Close())
	})
}

// TestHeldSinceBeforeTheLineCame: a button that is held down when its line comes rings nobody; the next press
// does.
func TestHeldSinceBeforeTheLineCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSim()
		s.Refuse("GPIO17", foreign)
		must(t, s.Pull("GPIO17", false))
		_, w := watched(t, s, lateConfig())
		time.Sleep(time.Second)
		s.Refuse("GPIO17", nil)
		time.Sleep(time.Second)
		must(t, s.Press("back", false))
		time.Sleep(time.Second)
		must(t, s.Press("back", true))
		wantTold(t, w.take("back"), "0s back lost: "+foreign.Error(), "1.75s back back", "1.75s back on at first", "2s back off", "3s back on")
	})
}

// TestOursIsWaitedFor: what a Portero holds that ends is no fault, unless it lasts. The others do not wait.
func TestOursIsWaitedFor(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		until time.Duration
		want  []string
	}{
		"let go in time":    {&BusyError{Line: "x", Consumer: "portero:back"}, 1500 * ms, []string{"1.75s back back", "1.75s back off at first"}},
		"it stays":          {&BusyError{Line: "x", Consumer: "portero:back"}, time.Hour, []string{`2s back lost: line x is in use by "portero:back"`}},
		"before udev":       {fmt.Errorf("open chip: %w", syscall.EACCES), 5 * time.Second, []string{"7.75s back back", "7.75s back off at first"}},
		"the user may not":  {syscall.EACCES, time.Hour, []string{"10s back lost: permission denied"}},
		"a foreign program": {foreign, time.Hour, []string{"0s back lost: " + foreign.Error()}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := NewSim()
				s.Refuse("GPIO17", c.err)
				b, w := watched(t, s, lateConfig())
				must(t, b.Relay("door").Energize(time.Second))
				time.Sleep(c.until)
				s.Refuse("GPIO17", nil)
				time.Sleep(max(0, 12*time.Second-c.until))
				if got := w.take("back"); c.until < time.Hour {
					wantTold(t, got, c.want...)
				} else {
					wantTold(t, got[:1], c.want...)
				}
			})
		})
	}
}

// TestLateChip: a chip that vanishes and comes back is the same as lines that are let go: relays come back
// released, what is pressed meanwhile is no press.
func TestLateChip(t *testing.T) {
	for _, away := range []time.Duration{100 * ms, 5 * time.Second, time.Hour} {
		t.Run(away.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := NewSim()
				b, w := watched(t, s, lateConfig())
				must(t, b.Relay("door").Energize(10*time.Second))
				must(t, b.Lamp("ready").Set(true))
				w.take()
				s.Unplug()
				gone := time.Since(s.start)
				time.Sleep(away)
				synctest.Wait()
				got := w.take("front", "back", "contact", "door", "gate", "ready", "ringing")
				if lost := away > blip; len(got) != map[bool]int{true: 7}[lost] {
					t.Errorf("told %q", got)
				}
				if away > blip {
					if err := b.Relay("gate").Energize(time.Second); !errors.Is(err, syscall.ENODEV) {
						t.Errorf("Energize without the chip: %v", err)
					}
				}
				s.Plug()
				back := time.Since(s.start)
				time.Sleep(againLast)
				e := s.Edges("door")
				if len(e) != 2 || e[1].Active || e[1].At > max(back, gone+heartbeat)+retryMax {
					t.Errorf("the relay that was on: %+v, the chip was back at %v", e, back)
				}
				if s.Level("ready") {
					t.Error("the lamp is lit, and nobody knows")
				}
				for _, r := range lateConfig().requests() {
					if !works(s, b, w, r) {
						t.Errorf("%s does not work", r.name)
					}
				}
				must(t, b.Close())
			})
		})
	}
}

// TestLateRunsWithoutAnyLine: the station may be of use all the same.
func TestLateRunsWithoutAnyLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSim()
		s.Unplug()
		b, w := watched(t, s, lateConfig())
		if n := len(w.take("front", "back", "contact", "door", "gate", "ready", "ringing")); n != 7 {
			t.Errorf("%d lines were told lost, want 7", n)
		}
		must(t, b.Close())
	})
}

// TestNeverAnothersLine: a lamp that has a relay's line by another name does not get it while the relay's line
// is lost: it would open the door.
func TestNeverAnothersLine(t *testing.T) {
	c := Config{Late: true, Relays: []Output{{Name: "door", Line: "GPIO27", MaxOn: time.Second}},
		Lamps: []Output{{Name: "ready", Line: "gpiochip0:27"}}}
	dev, err := newChardev(c, func() ([]Chip, []error) { return pi4(), nil })
	must(t, err)
	defer dev.close()
	for _, r := range c.requests() {
		at, err := dev.where(r)
		if (err == nil) != (r.kind == "relay") {
			t.Errorf("%s: %v, %v", r.name, at, err)
		}
	}
}

// TestHeldLinesStayOnTheirChip: a line that is named by its chip's number is looked for on the chip that it
// was held on, and on no other that has the number now.
func TestHeldLinesStayOnTheirChip(t *testing.T) {
	c := Config{Relays: []Output{{Name: "door", Line: "gpiochip1:3", MaxOn: time.Second}}}
	usb, other := namedChip("gpiochip1", "mcp2221_gpio", make([]string, 4)...), namedChip("gpiochip1", "raspberrypi-exp-gpio", make([]string, 8)...)
	chips := []Chip{usb}
	dev, err := newChardev(c, func() ([]Chip, []error) { return chips, nil })
	must(t, err)
	defer dev.close()
	r := c.requests()[0]
	at, err := dev.where(r)
	must(t, err)
	dev.remember(r.line, at)
	chips = []Chip{other}
	dev.look()
	if at, err := dev.where(r); err == nil {
		t.Errorf("found as %v", at)
	}
	usb.Name = "gpiochip2"
	chips = []Chip{other, usb}
	dev.look()
	if at, err := dev.where(r); err != nil || at.chip.Label != "mcp2221_gpio" || at.line.Offset != 3 {
		t.Errorf("found as %v, %v", at, err)
	}
}

// TestChipsThatCannotBeRead: at boot a chip is root's for a while, and that is not taken for a wrong name.
func TestChipsThatCannotBeRead(t *testing.T) {
	c := Config{Inputs: []Input{{Name: "front", Line: "GPIO17"}}}
	dev, err := newChardev(c, func() ([]Chip, []error) {
		return []Chip{namedChip("gpiochip1", "raspberrypi-exp-gpio", make([]string, 8)...)}, []error{fmt.Errorf("open chip: %w", unix.EACCES)}
	})
	must(t, err)
	defer dev.close()
	if _, err := dev.request(c.requests()[0]); !errors.Is(err, unix.EACCES) {
		t.Errorf("request: %v", err)
	}
}

// TestRemedy names what usually owns the pin.
func TestRemedy(t *testing.T) {
	chips := append(pi4(), namedChip("gpiochip9", "mcp23017", make([]string, 16)...))
	for line, want := range map[string]string{
		"GPIO16":     "free GPIO16 in config.txt, where dtoverlay=googlevoicehat-soundcard usually takes it, or use another line",
		"GPIO15":     "free GPIO15 in config.txt, where enable_uart=1 usually takes it, or use another line",
		"GPIO22":     "free GPIO22 in config.txt, if a peripheral has it, or use another line",
		"mcp23017:2": "free it, or use another line",
	} {
		at, err := find(chips, line)
		must(t, err)
		if got := remedy(at); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	for gpio := range owners {
		if pin := headerPins[gpio]; pin.Shared == "" && pin.Driven == "" && gpio != 4 && gpio != 16 && gpio != 17 {
			t.Errorf("GPIO%d has an owner, and the header's table knows none", gpio)
		}
	}
}
