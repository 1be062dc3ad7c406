package device

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio/audiotest"
	"portero/device/access"
	"portero/device/config"
	"portero/device/event"
	"portero/sip/siptest"
)

// twoDoors puts two whole stations on one network: the first one's bell calls the second, which answers by
// itself.
func twoDoors(r *rig) (a, b *door) {
	a = r.door("10.0.0.1:5062", `"sip:door@10.0.0.2:5062"`, "ring_limit = \"40s\"\ntalk_limit = \"15s\"", "")
	b = r.door("10.0.0.2:5062", `"sip:door@10.0.0.1:5062"`, "", `
[[incoming.allow]]
from = "sip:door@portero.local"
source = "10.0.0.1"
auto_answer = true
`)
	return a, b
}

// settled waits until both ends are at rest and checks that nothing is left of the visit.
func settled(t *testing.T, what string, doors ...*door) {
	t.Helper()
	time.Sleep(3 * time.Minute)
	for i, d := range doors {
		if s := d.Snapshot(); s.State != Idle {
			t.Errorf("%s: station %d is %q", what, i, s.State)
		}
		if n, err := d.phone.Agent.Calls(); n != 0 || err != nil {
			t.Errorf("%s: station %d has %d calls left, %v", what, i, n, err)
		}
		if use := d.card.Use(); use != 0 {
			t.Errorf("%s: the card of station %d is open for %v", what, i, use)
		}
		if d.sim.Level(config.DoorRelay("front")) {
			t.Errorf("%s: the door of station %d is open", what, i)
		}
	}
}

// ended lists what a station said of its calls.
func ended(d *door) (answered, over int) {
	for {
		ev, ok := d.sub.TryNext()
		if !ok {
			return answered, over
		}
		switch ev.Kind {
		case event.CallAnswered:
			answered++
		case event.CallEnded:
			over++
		}
	}
}

// TestTwoStations lets two stations call each other over networks that lose, double and reorder packets, SIP
// and RTP alike. Every call ends, at both ends alike.
func TestTwoStations(t *testing.T) {
	seeds := uint64(8)
	if testing.Short() {
		seeds = 2
	}
	for _, loss := range []float64{0, 0.1, 0.3} {
		t.Run(fmt.Sprintf("%.0f%%", 100*loss), func(t *testing.T) {
			talked := 0
			for seed := range seeds {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t)
					r.sip = siptest.NewNetwork(seed)
					r.sip.Delay, r.sip.Jitter, r.sip.Loss = 2*time.Millisecond, 40*time.Millisecond, loss
					r.sip.Duplicate = min(loss, 0.1)
					rng := rand.New(rand.NewPCG(seed, 7))
					r.rtp.Drop = func(audiotest.Packet) bool { return rng.Float64() < loss }
					a, b := twoDoors(r)
					a.press("front")
					what := fmt.Sprintf("seed %d", seed)
					settled(t, what, a, b)
					answeredA, overA := ended(a)
					answeredB, overB := ended(b)
					if overA != 1 || overB != answeredB || answeredA > answeredB {
						t.Errorf("%s: A answered %d, ended %d; B answered %d, ended %d", what, answeredA, overA, answeredB, overB)
					}
					talked += answeredA
				})
			}
			if want := int(seeds) * 3 / 4; talked < want {
				t.Errorf("%d of %d calls were answered, want at least %d", talked, seeds, want)
			}
		})
	}
}

// TestFailures repeats the visit with the n-th Send, Exchange or relay call failing: whatever fails, both
// ends come to rest and no door stays open.
func TestFailures(t *testing.T) {
	broken := errors.New("broken on purpose")
	visit := func(t *testing.T, what string, prepare func(r *rig, a, b *door)) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			a, b := twoDoors(r)
			prepare(r, a, b)
			a.press("front")
			time.AfterFunc(4*time.Second, func() { a.do(openByCode{}) })
			settled(t, what, a, b)
		})
	}
	sends := 14
	if testing.Short() {
		sends = 5
	}
	for n := 1; n <= sends; n++ {
		visit(t, fmt.Sprintf("send %d", n), func(r *rig, _, _ *door) {
			sent := 0
			r.sip.Fail = func(int) error {
				if sent++; sent == n {
					return broken
				}
				return nil
			}
		})
	}
	for _, n := range []int{1, 2, 50, 300} {
		visit(t, fmt.Sprintf("exchange %d", n), func(_ *rig, a, _ *door) {
			count, speaker := 0, a.card.Speaker
			a.card.Speaker = func(play []int16) {
				speaker(play)
				if count++; count == n {
					go func() { // the card's lock is held here
						a.card.Break(broken)
						time.Sleep(2 * time.Second)
						a.card.Break(nil)
					}()
				}
			}
		})
	}
	for _, f := range []struct {
		active bool
		times  int
	}{{true, 1}, {false, 1}, {false, 5}} {
		visit(t, fmt.Sprintf("relay %+v", f), func(_ *rig, a, _ *door) { a.sim.Fail(config.DoorRelay("front"), f.active, 1, f.times) })
	}
}

// openByCode is the right code typed in the call that goes on, if there is one.
type openByCode struct{}

func (openByCode) do(s *Station) error {
	if s.visit == nil || s.visit.talk == nil {
		return nil
	}
	for _, key := range "4711#" {
		s.digitHeard(s.visit.talk, access.ByEvents, key)
	}
	return nil
}
