//go:build boardtest

package boardtest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"portero/scripts/support/boardtest/wire"
	"portero/scripts/support/interop"
	"portero/scripts/support/voices"
)

// rig is the board and all that it is connected to.
type rig struct {
	t     *testing.T // of the whole run
	now   *testing.T // of the running check
	note  string
	host  string // an address of this machine that the guest reaches, too
	guest *Guest
	phone *Phone        // in the kitchen
	yard  *interop.Peer // the back bell's target
	calls map[string]bool
	wired time.Time // Guest.Wired

	openings map[int]int // pulses that were asked for and came, by line

	visitor, returned, kitchen, other voices.Clip // sentences at 8 kHz
}

// newRig starts everything but the station.
func newRig(t *testing.T) *rig {
	t.Helper()
	r := bareRig(t)
	var err error
	if r.host, err = hostAddress(); err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	for _, s := range []struct {
		clip        *voices.Clip
		voice, text string
	}{
		{&r.visitor, "en", "Good morning, this is the parcel service, I have a delivery for the second floor."},
		{&r.returned, "en+m3", "Nobody is at home before six, would you try the neighbours next door?"},
		{&r.kitchen, "en+f3", "Please leave it in the hall, I am coming down in a minute."},
		{&r.other, "en", "The quick brown fox jumps over the lazy dog near the river bank."},
	} {
		if *s.clip, err = voices.Speak(work, s.voice, s.text); err != nil {
			t.Fatal(err)
		}
	}
	say := filepath.Join(work, "kitchen.wav")
	if err := r.kitchen.Repeat(40, 0.2, 0.3).WriteWAV(say); err != nil {
		t.Fatal(err)
	}
	// The kernel starts while the peers do.
	r.boot(plan{
		host: r.host, text: fmt.Sprintf(config, r.host, exchangePort, r.yard.Port), driven: []int{gateRelay},
	})
	startExchange(t, r.host, map[string]string{exchangeUser: "knocker-17", "kitchen": "kettle-on-8"})
	r.phone = startPhone(t, r.host, "kitchen", "kettle-on-8", say)
	return r
}

func bareRig(t *testing.T) *rig {
	t.Helper()
	if os.Getenv("BOARDTEST_DIR") == "" {
		t.Fatal("boardtest: BOARDTEST_DIR is not set; run scripts/boardtest")
	}
	return &rig{t: t, now: t, yard: interop.NewPeer(t), calls: map[string]bool{}, openings: map[int]int{}}
}

func (r *rig) boot(p plan) {
	r.t.Helper()
	p.dir, p.inputs = os.Getenv("BOARDTEST_DIR"), atRest
	r.guest = boot(r.t, p)
	r.wired = r.guest.Wired
	r.t.Cleanup(func() {
		if dir := os.Getenv("INTEROP_LOGS"); dir != "" && r.t.Failed() {
			whole := []byte(strings.Join(r.guest.Lines(r.wired), "\n") + "\n")
			if err := os.WriteFile(filepath.Join(dir, r.t.Name()+"-board.log"), whole, 0o600); err != nil {
				r.t.Log(err)
			}
		}
	})
}

// hostAddress is the first IPv4 address of this machine that is not 127.0.0.0/8.
func hostAddress() (string, error) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return "", err
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP.String(), nil
		}
	}
	return "", errors.New("boardtest: this machine has no address but loopback for the guest to reach; scripts/boardtest makes one")
}

// must ends the running check with an error.
func (r *rig) must(err error) {
	r.now.Helper()
	if err != nil {
		r.now.Fatal(err)
	}
}

func (r *rig) errorf(format string, args ...any) {
	r.now.Helper()
	r.now.Errorf(format, args...)
}

// since tells what was seen since then, in order of time.
func (r *rig) since(began time.Time) string {
	lines := r.guest.Lines(began)
	for _, e := range r.guest.Pins.Edges(-1, began) {
		lines = append(lines, e.String())
	}
	if r.phone != nil {
		lines = append(lines, r.phone.lines(began)...)
	}
	slices.Sort(lines)
	return strings.Join(lines[max(0, len(lines)-150):], "\n")
}

// await wants an event of the station or of systemd within the time that anything may take here.
func (r *rig) await(since time.Time, kind string, fields ...string) entry {
	r.now.Helper()
	e, err := r.guest.Await(since, outboard, kind, fields...)
	r.must(err)
	return e
}

// start starts the unit and waits until the station is registered.
func (r *rig) start() {
	r.now.Helper()
	began := time.Now()
	r.must(r.systemctl("start", unit))
	r.await(began, "registration.up")
}

// restart brings station, wires and phone back to a known state after a failed check.
func (r *rig) restart() {
	r.quiet()
	_ = r.guest.call("TalkStop", true, new(wire.Heard), outboard) // refused where nobody talks
	_ = r.guest.call("SoundCard", true, nil, outboard)            // refused where it is bound
	err := r.systemctl("stop", unit)
	for line, high := range atRest {
		err = errors.Join(err, r.guest.Pins.Set(line, high))
	}
	err = errors.Join(err, r.link(true), r.dropIn("exec.conf", ""))
	began := time.Now()
	if err = errors.Join(err, r.systemctl("start", unit)); err == nil {
		_, err = r.guest.Await(began, 2*outboard, "registration.up")
	}
	if err != nil {
		r.t.Error(err)
	}
}

// link plugs the network cable in or out.
func (r *rig) link(up bool) error {
	return r.guest.qmp.do("set_link", map[string]any{"name": "n", "up": up}, nil)
}

// quiet ends the phone's calls.
func (r *rig) quiet() {
	for range 2 {
		_ = r.phone.Command("hangup", "")
	}
}

// train is what a poor button does in 20 ms: an even number of changes, each lasting that long.
var train = []time.Duration{2 * time.Millisecond, time.Millisecond, 3 * time.Millisecond, time.Millisecond, 4 * time.Millisecond,
	2 * time.Millisecond, time.Millisecond, 5 * time.Millisecond}

// drive changes an input line, with a train of bounces first or not, and returns when its first edge was.
func (r *rig) drive(line int, high, bouncing bool) (at time.Time) {
	r.now.Helper()
	at = time.Now()
	if bouncing {
		level := high
		for _, d := range train {
			r.must(r.guest.Pins.Set(line, level))
			level = !level
			time.Sleep(d)
		}
	}
	r.must(r.guest.Pins.Set(line, high))
	return at
}

// ring presses the front bell and lets the kitchen answer.
func (r *rig) ring(bouncing bool) (pressed time.Time) {
	r.now.Helper()
	pressed = r.drive(frontBell, true, bouncing)
	time.Sleep(150 * time.Millisecond) // a finger
	r.drive(frontBell, false, bouncing)
	_, err := r.phone.Await(pressed, outboard, "CALL_INCOMING")
	r.must(err)
	r.must(r.phone.Command("accept", ""))
	r.await(pressed, "call.answered")
	_, err = r.phone.Await(pressed, outboard, "CALL_ESTABLISHED")
	r.must(err)
	return pressed
}

// talking wants the kitchen in a call, and rings where a failed check has ended it.
func (r *rig) talking() {
	r.now.Helper()
	if len(r.phone.Find(r.wired, "CALL_ESTABLISHED")) == len(r.phone.Find(r.wired, "CALL_CLOSED")) {
		r.ring(false)
	}
}

// hangUp lets the kitchen hang up.
func (r *rig) hangUp() {
	r.now.Helper()
	began := time.Now()
	r.must(r.phone.Command("hangup", ""))
	r.await(began, "call.ended")
	_, err := r.phone.Await(began, outboard, "CALL_CLOSED")
	r.must(err)
}

// open types a code and waits for the edge that energises the relay.
func (r *rig) open(code string, line int, energised bool) Edge {
	r.now.Helper()
	began := time.Now()
	r.must(r.phone.Command("sndcode", code))
	e, err := r.guest.Pins.Await(line, energised, began, outboard)
	r.must(err)
	r.openings[line]++
	return e
}

// released wants the relay's next edge, and none after it, and returns how long it was energised.
func (r *rig) released(from Edge, atMost time.Duration) time.Duration {
	r.now.Helper()
	e, err := r.guest.Pins.Await(from.Line, !from.High, from.At, atMost)
	r.must(err)
	return e.At.Sub(from.At)
}

// unmoved fails the check when a relay has moved since then.
func (r *rig) unmoved(since time.Time) {
	r.now.Helper()
	if edges := r.guest.Pins.Edges(-1, since); len(edges) > 0 {
		r.errorf("%d relay edges, want none: %v", len(edges), edges)
	}
}

// signal signals the station's process alone.
func (r *rig) signal(s syscall.Signal) time.Time {
	r.now.Helper()
	return r.signalTo(wire.Station, s)
}

func (r *rig) signalTo(part string, s syscall.Signal) time.Time {
	r.now.Helper()
	at := time.Now()
	r.must(r.guest.call("Signal", wire.Signal{To: part, Number: int(s)}, new(wire.Killed), outboard))
	return at
}

// invited returns the next INVITE at the yard that begins a call, and refuses it with 486.
func (r *rig) invited(atMost time.Duration) (time.Time, bool) {
	for deadline := time.Now().Add(atMost); ; {
		m, ok := r.yard.Try(time.Until(deadline), func(m interop.Message) bool { return m.Method() == "INVITE" })
		at := time.Now()
		if !ok {
			return at, false
		}
		r.yard.Send(m.From, interop.Reply(m, "486 Busy Here", "yard", ""))
		if id := m.Get("Call-ID"); !r.calls[id] {
			r.calls[id] = true
			return at, true
		}
	}
}

// speak puts somebody in front of the board.
func (r *rig) speak(says voices.Clip) {
	r.now.Helper()
	wide := says.At(cardRate)
	pcm := make([]int16, len(wide.Samples))
	for i, s := range wide.Samples {
		pcm[i] = int16(max(-1, min(s, 1)) * 32767)
	}
	r.must(r.guest.call("TalkStart", wire.Talk{Rate: cardRate, Says: pcm}, nil, outboard))
}

// listened ends that, and returns what was heard in front of the board.
func (r *rig) listened() (wire.Heard, voices.Clip) {
	r.now.Helper()
	var h wire.Heard
	r.must(r.guest.call("TalkStop", true, &h, 2*outboard))
	clip := voices.Clip{Rate: h.Rate, Samples: make([]float64, len(h.Samples))}
	for i, s := range h.Samples {
		clip.Samples[i] = float64(s) / 32768
	}
	return h, clip
}

// keep leaves a recording behind for people, where scripts/boardtest keeps its working directory.
func (r *rig) keep(name string, c voices.Clip) {
	if err := c.WriteWAV(filepath.Join(os.Getenv("BOARDTEST_DIR"), name)); err != nil {
		r.now.Log(err)
	}
}
