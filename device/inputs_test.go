package device

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/board"
	"portero/device/access"
	"portero/device/config"
	"portero/device/event"
	"portero/device/media"
	"portero/sip/ua"
)

// inside are a button, a door contact that is closed while the door is shut, and a tamper contact.
const inside = `
[[input]]
name = "exit"
kind = "rex"
line = "GPIO12"
door = "front"
[[input]]
name = "leaf"
kind = "contact"
line = "GPIO13"
active_low = false
door = "front"
[[input]]
name = "case"
kind = "tamper"
line = "GPIO6"
active_low = false
`

// wires writes the edges of outputs as "0.5s door:front on", counted from since.
func (d *door) wires(since time.Duration, names ...string) (out []string) {
	for _, e := range d.sim.Edges(names...) {
		if e.At >= since {
			out = append(out, fmt.Sprintf("%v %s %v", e.At-since, e.Name, map[bool]string{true: "on", false: "off"}[e.Active]))
		}
	}
	return out
}

// TestREX opens the door for switch_on once the button was pressed for its debounce, for both polarities of
// the button; held down, it opens once.
func TestREX(t *testing.T) {
	for _, activeLow := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			polarity := fmt.Sprintf("GPIO12\"\nactive_low = %v\nbias = \"none\"", activeLow)
			d := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", strings.Replace(inside, "GPIO12\"", polarity, 1))
			d.set("input:exit", true)
			if high := d.sim.Edges("input:exit")[0].High; high == activeLow {
				t.Errorf("active_low = %v: pressed is high = %v", activeLow, high)
			}
			time.Sleep(time.Hour)
			d.set("input:exit", false)
			time.Sleep(time.Minute)
			if got := d.wires(time.Second, config.DoorRelay("front")); !slices.Equal(got, []string{"30ms door:front on", "3.03s door:front off"}) {
				t.Errorf("%q", got)
			}
			d.saidOnly("input.changed front exit active", "door.opening front exit rex", "door.opened front exit rex",
				"door.closed front exit rex time over", "input.changed front exit")
			d.exit()
			d.want(event.DoorOpened)
		})
	}
}

// TestREXInEveryState opens whatever the station does, and changes nothing in it.
func TestREXInEveryState(t *testing.T) {
	opens := func(t *testing.T, d *door, in State) {
		t.Helper()
		synctest.Wait() // an event is told before the state is
		if s := d.Snapshot().State; s != in {
			t.Fatalf("state %q, want %q", s, in)
		}
		before := len(d.edges())
		d.exit()
		d.want(event.DoorOpened)
		if s := d.Snapshot().State; s != in || len(d.edges()) != before+1 {
			t.Errorf("state %q, want %q; edges %v", s, in, d.edges())
		}
		d.want(event.DoorClosed)
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", inside+allowKitchen), r.phone("10.0.0.2:5060")
		opens(t, d, Idle)
		d.press("front")
		offered := p.want(ua.Offered)
		opens(t, d, Calling)
		p.answer(offered)
		d.want(event.CallAnswered)
		opens(t, d, Talking)
		offered.call.Hangup()
		d.want(event.CallEnded)
		d.exit()
		if s := d.Snapshot().State; s != Ending || len(d.edges()) != 7 {
			t.Errorf("state %q, edges %v", s, d.edges())
		}
		time.Sleep(10 * time.Second)
		p.dial("sip:door@10.0.0.1:5062")
		d.want(event.CallRinging)
		opens(t, d, RingingIn)
	})
}

// TestREXWithoutNetwork: each Send fails, and a bell that reaches nobody keeps no door closed.
func TestREXWithoutNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.sip.Fail = func(int) error { return errors.New("the network is down") }
		d := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", inside+homeAccount)
		d.press("front")
		d.exit()
		d.want(event.DoorOpened)
		d.want(event.DoorClosed)
		time.Sleep(time.Hour)
		d.exit()
		d.want(event.DoorOpened)
		time.Sleep(time.Minute)
		if e := d.edges(); len(e) != 4 || e[1].At-e[0].At != 3*time.Second || e[3].At-e[2].At != 3*time.Second {
			t.Errorf("edges %v", e)
		}
	})
}

// TestREXDuringLockOut: five wrong codes close the door to codes, not to those who leave. The lock-out is on
// the medium at once.
func TestREXDuringLockOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", inside), r.phone("10.0.0.2:5060")
		d.press("front")
		m := p.answer(p.want(ua.Offered))
		d.want(event.CallAnswered)
		for range 5 {
			m.Session().SendDigits("1234#")
			d.want(event.CodeWrong)
		}
		d.want(event.CodeLockedOut)
		synctest.Wait()
		if state, err := os.ReadFile(filepath.Join(d.cfg.Station.DataDir, "lockout.json")); err != nil || !strings.Contains(string(state), `"locked":true`) {
			t.Errorf("a power cut would end the lock-out: %s, %v", state, err)
		}
		m.Session().SendDigits("4711#")
		time.Sleep(5 * time.Second)
		if e := d.edges(); len(e) != 0 {
			t.Fatalf("edges %v", e)
		}
		d.exit()
		if ev := d.want(event.DoorOpened); ev.How != event.ByREX || ev.Who != "exit" {
			t.Errorf("%+v", ev)
		}
	})
}

// TestREXOfADoorWithoutCodes opens that door alone.
func TestREXOfADoorWithoutCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", strings.Replace(inside, `door = "front"`, `door = "yard"`, 1)+`
[[door]]
name = "yard"
line = "GPIO26"
switch_on = "1s"
`)
		d.exit()
		time.Sleep(time.Minute)
		if got := d.wires(time.Second, "door:front", "door:yard"); !slices.Equal(got, []string{"30ms door:yard on", "1.03s door:yard off"}) {
			t.Errorf("%q", got)
		}
	})
}

// TestHeldSinceBeforeTheStart: a button that is pressed while the station starts opens nothing until it is
// pressed anew; so after a restart while somebody leans on it. No wire of a relay or lamp moves at start or
// stop, but for the lamp that shows both.
func TestHeldSinceBeforeTheStart(t *testing.T) {
	for _, activeLow := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r, sim, dir := newRig(t), board.NewSim(), t.TempDir()
			if err := sim.Pull("GPIO12", !activeLow); err != nil {
				t.Fatal(err)
			}
			tables := strings.Replace(inside, "GPIO12\"", fmt.Sprintf("GPIO12\"\nactive_low = %v", activeLow), 1) + lamps
			for life := range 3 {
				d := r.doorOn(sim, dir, fmt.Sprintf("10.0.0.1:%d", 5062+life), `"sip:kitchen@10.0.0.2"`, "", tables)
				time.Sleep(time.Hour)
				d.stop()
			}
			outputs := []string{"door:front", "lamp:ready", "lamp:ringing", "lamp:talking", "lamp:open"}
			for _, e := range sim.Edges(outputs...) {
				if e.Name != "lamp:ready" {
					t.Errorf("moved: %+v", e)
				}
			}
			if n := len(sim.Edges("lamp:ready")); n != 6 {
				t.Errorf("%d edges of the lamp, want on and off in each of three lives", n)
			}
			d := r.doorOn(sim, dir, "10.0.0.1:5070", `"sip:kitchen@10.0.0.2"`, "", tables)
			d.set("input:exit", false)
			time.Sleep(time.Second)
			if e := d.edges(); len(e) != 0 {
				t.Errorf("letting go opens: %v", e)
			}
			d.exit()
			d.want(event.DoorOpened)
		})
	}
}

// TestForced: a door that moves without having been opened by the station, or too long after.
func TestForced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", inside)
		open := func(wait time.Duration, forced bool) {
			t.Helper()
			time.Sleep(wait)
			d.said()
			d.set("input:leaf", true)
			time.Sleep(100 * time.Millisecond)
			want := []string{"input.changed front leaf active"}
			if forced {
				want = append(want, "door.forced front leaf")
			}
			if got := d.said(); !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
			time.Sleep(900 * time.Millisecond)
			d.set("input:leaf", false)
			time.Sleep(30 * time.Millisecond)
			if got := d.said(event.DoorClosed); !slices.Equal(got, []string{"input.changed front leaf"}) {
				t.Errorf("%q", got)
			}
		}
		open(0, true)
		d.exit()
		open(time.Second, false)          // while the relay is energised
		open(500*time.Millisecond, false) // and once more
		time.Sleep(time.Minute)
		d.exit()
		open(12900*time.Millisecond, false)
		time.Sleep(time.Minute)
		d.exit()
		open(13*time.Second, true)
	})
}

func TestHeldOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", inside)
		d.exit()
		d.set("input:leaf", true)
		time.Sleep(29 * time.Second)
		d.set("input:leaf", false)
		time.Sleep(time.Minute)
		if got := d.said(); slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "door.held_open") }) {
			t.Errorf("%q", got)
		}
		d.exit()
		d.set("input:leaf", true)
		began := time.Now()
		if ev := d.want(event.DoorHeldOpen, event.DoorForced); ev.DurationMS != 30000 || ev.Door != "front" || ev.Input != "leaf" || time.Since(began) != 30*time.Second {
			t.Errorf("%+v after %v", ev, time.Since(began))
		}
		time.Sleep(time.Hour)
		d.set("input:leaf", false)
		time.Sleep(30 * time.Millisecond)
		d.saidOnly("input.changed front leaf") // told once
	})
}

// TestOpenAtTheStart: nobody knows how such a door came to be open, but it is told when it stays so.
func TestOpenAtTheStart(t *testing.T) {
	for _, after := range []string{"30s", "0s"} {
		synctest.Test(t, func(t *testing.T) {
			r, sim := newRig(t), board.NewSim()
			if err := sim.Pull("GPIO13", true); err != nil {
				t.Fatal(err)
			}
			tables := strings.Replace(inside, `line = "GPIO13"`, "line = \"GPIO13\"\nheld_open_after = \""+after+"\"", 1)
			d := r.doorOn(sim, t.TempDir(), "10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", tables)
			time.Sleep(time.Hour)
			want := []string{"input.changed front leaf active", "door.held_open front leaf"}
			if after == "0s" {
				want = want[:1]
			}
			d.saidOnly(want...)
		})
	}
}

// TestTamper: an alarm in mid-pulse closes a door that a code has opened; no code opens one then, in this
// life or the next. The inside button opens it all the while.
func TestTamper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, sim, dir := newRig(t), board.NewSim(), t.TempDir()
		d, p := r.doorOn(sim, dir, "10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", inside), r.phone("10.0.0.2:5060")
		d.press("front")
		m := p.answer(p.want(ua.Offered))
		d.want(event.CallAnswered)
		m.Session().SendDigits("4711#")
		d.want(event.DoorOpened)
		time.Sleep(800 * time.Millisecond)
		d.said()
		d.set("input:case", true)
		time.Sleep(199 * time.Millisecond)
		if d.saidOnly(); len(d.edges()) != 1 {
			t.Fatalf("edges %v", d.edges())
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if e := d.edges(); len(e) != 2 || e[1].Active || e[1].At-e[0].At != time.Second {
			t.Fatalf("edges %v", e)
		}
		d.saidOnly("input.changed case active", "tamper.alarm case the case was opened",
			"door.closed front family code tamper")
		d.set("input:case", false)
		m.Session().SendDigits("4711#")
		if ev := d.want(event.DoorFailed, event.DoorOpening); ev.How != event.ByCode ||
			!strings.Contains(ev.Reason, "tamper") {
			t.Errorf("%+v", ev)
		}
		d.exit()
		if ev := d.want(event.DoorOpened); ev.How != event.ByREX {
			t.Errorf("%+v", ev)
		}
		d.want(event.DoorClosed)
		synctest.Wait()
		if state, err := os.ReadFile(filepath.Join(dir, "tamper.json")); err != nil || string(state) != "{\"blocked\":true}\n" {
			t.Errorf("a power cut would end the block: %s, %v", state, err)
		}
		d.stop()
		m.Close() // nobody is to send and play sound for the half hours to come

		d = r.doorOn(sim, dir, "10.0.0.1:5063", `"sip:kitchen@10.0.0.2"`, "", inside)
		time.Sleep(29 * time.Minute)
		m = d.talk(p)
		m.Session().SendDigits("4711#")
		d.want(event.DoorFailed, event.DoorOpening)
		m.Close()
		d.want(event.TamperOver)
		d.stop()
		if e := d.edges(); len(e) != 4 {
			t.Fatalf("edges %v", e)
		}

		d = r.doorOn(sim, dir, "10.0.0.1:5064", `"sip:kitchen@10.0.0.2"`, "", inside)
		d.talk(p).Session().SendDigits("4711#")
		d.want(event.DoorOpened, event.TamperAlarm)
	})
}

// talk rings and lets the phone answer.
func (d *door) talk(p *phone) *media.Leg {
	d.t.Helper()
	for len(p.events) > 0 { // of the call before
		<-p.events
	}
	d.press("front")
	m := p.answer(p.want(ua.Offered))
	d.want(event.CallAnswered)
	return m
}

// TestTamperLeavesTheButtonsOpening: who is leaving as the alarm comes gets out.
func TestTamperLeavesTheButtonsOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", inside)
		d.exit()
		d.set("input:case", true)
		d.want(event.TamperAlarm)
		if ev := d.want(event.DoorClosed); ev.OnMS != 3000 || ev.Reason != "time over" {
			t.Errorf("%+v", ev)
		}
	})
}

// TestSpikesOnContacts: what the strike's coil or a stroke of lightning leaves on the wires is no alarm, and
// closes no door.
func TestSpikesOnContacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", inside)
		for _, spike := range []time.Duration{time.Microsecond, 2 * time.Millisecond, 5 * time.Millisecond,
			20 * time.Millisecond, 99 * time.Millisecond} {
			for _, input := range []string{"input:case", "input:leaf"} {
				for range 5 {
					d.set(input, true)
					time.Sleep(spike)
					d.set(input, false)
					time.Sleep(spike)
				}
			}
			time.Sleep(time.Minute)
		}
		d.saidOnly()
		d.set("input:leaf", true)
		d.want(event.DoorForced)
		d.set("input:case", true)
		d.want(event.TamperAlarm)
		d.said()
		for range 5 { // nor is one that ends for an instant another one
			for _, input := range []string{"input:case", "input:leaf"} {
				d.set(input, false)
				time.Sleep(5 * time.Millisecond)
				d.set(input, true)
			}
			time.Sleep(time.Second)
		}
		d.saidOnly()
	})
}

// TestHeldBell: a bell with hold rings for a finger and for AC, and not for a spike.
func TestHeldBell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "hold = \"50ms\"\nac = true", "")
		bell := config.BellInput("front")
		for _, spike := range []time.Duration{2, 5, 10, 20} {
			d.set(bell, true)
			time.Sleep(spike * time.Millisecond)
			d.set(bell, false)
			time.Sleep(time.Minute)
		}
		d.saidOnly()
		for range 10 {
			d.set(bell, true)
			time.Sleep(8 * time.Millisecond)
			d.set(bell, false)
			time.Sleep(12 * time.Millisecond)
		}
		d.want(event.BellPressed)
		d.want(event.CallStarted)
		time.Sleep(time.Second)
		for _, s := range d.said() {
			if strings.HasPrefix(s, "bell.") {
				t.Errorf("one press, and: %s", s)
			}
		}
	})
}

// otherProgram holds a line.
var otherProgram = &board.BusyError{Line: "gpiochip0:6", Consumer: "voicehat", Remedy: "free it"}

// TestMissingLines are told with who has them; a missing tamper contact blocks nothing, and what has its line
// works. Each works once it is let go.
func TestMissingLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, sim := newRig(t), board.NewSim()
		for _, line := range []string{"GPIO6", "GPIO13", "GPIO19"} {
			sim.Refuse(line, otherProgram)
		}
		lamp := "[[lamp]]\nname = \"talk\"\nline = \"GPIO19\"\nshows = \"talking\"\n"
		d, p := r.doorOn(sim, t.TempDir(), "10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", inside+lamp), r.phone("10.0.0.2:5060")
		const why = `: line gpiochip0:6 is in use by "voicehat": free it`
		if want := []string{"line.lost front leaf nobody watches whether the door is open" + why,
			"line.lost case nobody watches the case, and no door is blocked" + why, "line.lost talk it stays dark" + why}; !slices.Equal(d.early, want) {
			t.Errorf("%q, want %q", d.early, want)
		}
		d.early = nil
		if got, want := d.Snapshot().Missing, []string{"input:leaf", "input:case", "lamp:talk"}; !slices.Equal(got, want) {
			t.Errorf("missing %q, want %q", got, want)
		}
		d.exit()
		d.want(event.DoorOpened)
		d.want(event.DoorClosed)
		d.talk(p).Session().SendDigits("4711#")
		d.want(event.DoorOpened, event.TamperAlarm)
		d.want(event.DoorClosed)
		for _, line := range []string{"GPIO6", "GPIO13", "GPIO19"} {
			sim.Refuse(line, nil)
		}
		time.Sleep(12 * time.Second)
		if got := d.said(event.CardOpened, event.CardClosed); !slices.Equal(got, []string{"line.back front leaf", "line.back case", "line.back talk"}) {
			t.Errorf("%q", got)
		}
		if missing := d.Snapshot().Missing; len(missing) != 0 || !sim.Level("lamp:talk") {
			t.Errorf("missing %q, the lamp of the talk is lit: %v", missing, sim.Level("lamp:talk"))
		}
		d.set("input:leaf", true)
		d.want(event.DoorForced)
		d.set("input:case", true)
		d.want(event.TamperAlarm)
	})
}

// TestMissingBellAndDoor: the other bell rings and the other ways work; what asks for the door is told why it
// stays shut. Both work once they are let go.
func TestMissingBellAndDoor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, sim := newRig(t), board.NewSim()
		sim.Refuse("GPIO17", otherProgram)
		sim.Refuse("GPIO27", otherProgram)
		other := "[[bell]]\nname = \"back\"\nline = \"GPIO22\"\ntargets = [\"sip:kitchen@10.0.0.2\"]\n"
		d := r.doorOn(sim, t.TempDir(), "10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", inside+other)
		p := r.phone("10.0.0.2:5060")
		if len(d.early) != 2 || !strings.HasPrefix(d.early[0], "line.lost its button rings nobody: ") ||
			!strings.HasPrefix(d.early[1], "line.lost front nothing opens the door: ") {
			t.Errorf("%q", d.early)
		}
		d.press("back")
		p.want(ua.Offered).call.Hangup()
		p.want(ua.Ended)
		d.want(event.CallEnded)
		d.exit()
		if ev := d.want(event.DoorFailed, event.DoorOpened); ev.Door != "front" || ev.How != event.ByREX ||
			!strings.HasSuffix(ev.Reason, `its line is lost: line gpiochip0:6 is in use by "voicehat": free it`) {
			t.Errorf("%+v", ev)
		}
		sim.Refuse("GPIO17", nil)
		sim.Refuse("GPIO27", nil)
		if ev := d.want(event.LineBack); ev.Bell != "front" {
			t.Errorf("%+v", ev)
		}
		if ev := d.want(event.LineBack); ev.Door != "front" {
			t.Errorf("%+v", ev)
		}
		if e := d.edges(); len(e) != 0 {
			t.Errorf("the relay moved unasked: %v", e)
		}
		d.exit()
		d.want(event.DoorOpened)
		d.want(event.DoorClosed)
		d.press("front")
		p.want(ua.Offered)
	})
}

// TestChipLostWhileOpen: the station lives on, the door is released when the chip is back, and everything
// works again. What an input was meanwhile is told.
func TestChipLostWhileOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", inside), r.phone("10.0.0.2:5060")
		d.set("input:leaf", true)
		d.exit()
		d.want(event.DoorOpened)
		d.sim.Unplug()
		d.want(event.LineLost)
		d.want(event.DoorFailed)
		time.Sleep(time.Minute)
		d.sim.Plug()
		time.Sleep(12 * time.Second)
		said := d.said()
		for _, want := range []string{"line.back", "line.back front exit", "line.back front", "line.back front leaf", "line.back case",
			"input.changed front leaf active", "input.changed front exit", "door.closed front exit rex time over"} {
			if !slices.Contains(said, want) {
				t.Errorf("no %q in %q", want, said)
			}
		}
		if e := d.edges(); len(e) != 2 || e[1].Active || d.doors.State("front") != access.Closed {
			t.Errorf("edges %v, the door is %s", e, d.doors.State("front"))
		}
		d.exit()
		d.want(event.DoorOpened)
		d.press("front")
		p.want(ua.Offered)
	})
}

// TestREXOfAMissingDoor: who wants to leave hears that the button does not help, and it is told.
func TestREXOfAMissingDoor(t *testing.T) {
	for name, lose := range map[string]func(r *rig){
		"no such door": func(r *rig) { r.edit = func(c *config.Config) { c.Doors, c.Codes = nil, nil } },
		"no relay":     func(r *rig) { r.wires = func(bc *board.Config) { bc.Relays = nil } },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				lose(r)
				d := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", inside)
				d.exit()
				if ev := d.want(event.DoorFailed); ev.Door != "front" || ev.How != event.ByREX ||
					ev.Who != "exit" || ev.Reason == "" {
					t.Errorf("%+v", ev)
				}
				time.Sleep(2 * time.Second)
				if loud(d.heard.Samples()) < cardRate/10 {
					t.Error("nothing is heard")
				}
			})
		})
	}
}

// TestHalfACodeOverAnAlarm: digits from before an alarm, and from during the block, are no part of a code
// after it.
func TestHalfACodeOverAnAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.edit = func(c *config.Config) {
			c.Access.TamperBlock, c.Access.DigitPause = 10*time.Second,
				time.Minute
		}
		d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", inside), r.phone("10.0.0.2:5060")
		m := d.talk(p)
		m.Session().SendDigits("47")
		time.Sleep(2 * time.Second)
		d.set("input:case", true)
		d.want(event.TamperAlarm)
		m.Session().SendDigits("11#")
		d.want(event.CodeWrong, event.CodeAccepted)
		m.Session().SendDigits("47")
		d.want(event.TamperOver)
		m.Session().SendDigits("11#")
		d.want(event.CodeWrong, event.CodeAccepted)
		m.Session().SendDigits("4711#")
		d.want(event.DoorOpened)
	})
}

// TestTamperSurvivesAKill: the process dies in mid-pulse of an alarm's making; what it wrote blocks the next
// life.
func TestTamperSurvivesAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, sim, dir := newRig(t), board.NewSim(), t.TempDir()
		d := r.doorOn(sim, dir, "10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", inside)
		d.set("input:case", true)
		time.Sleep(200 * time.Millisecond)
		d.set("input:case", false)
		time.Sleep(time.Second)
		state, err := os.ReadFile(filepath.Join(dir, "tamper.json")) // as it is when the power goes
		if err != nil {
			t.Fatal(err)
		}
		d.stop()
		dir = t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "tamper.json"), state, 0o600); err != nil {
			t.Fatal(err)
		}
		d, p := r.doorOn(sim, dir, "10.0.0.1:5063", `"sip:kitchen@10.0.0.2"`, "",
			inside), r.phone("10.0.0.2:5060")
		d.talk(p).Session().SendDigits("4711#")
		d.want(event.DoorFailed, event.DoorOpening)
	})
}

// TestCaseOpenAtTheStart is an alarm; a case that stays open does not block for ever.
func TestCaseOpenAtTheStart(t *testing.T) {
	for _, activeLow := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r, sim := newRig(t), board.NewSim()
			if err := sim.Pull("GPIO6", !activeLow); err != nil {
				t.Fatal(err)
			}
			d := r.doorOn(sim, t.TempDir(), "10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "",
				strings.Replace(inside, "GPIO6\"\nactive_low = false", fmt.Sprintf("GPIO6\"\nactive_low = %v", activeLow), 1))
			d.saidOnly("input.changed case active", "tamper.alarm case the case was open at the start")
			p := r.phone("10.0.0.2:5060")
			m := d.talk(p)
			m.Session().SendDigits("4711#")
			d.want(event.DoorFailed, event.DoorOpening)
			m.Close()
			time.Sleep(29 * time.Minute)
			d.want(event.TamperOver)
			d.talk(p).Session().SendDigits("4711#")
			d.want(event.DoorOpened)
		})
	}
}

// TestREXIgnoresSpikes: what a motor's switch or a stroke of lightning leaves on the wire opens nothing,
// alone or in trains.
func TestREXIgnoresSpikes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", inside)
		for _, spike := range []time.Duration{time.Microsecond, time.Millisecond, 29 * time.Millisecond} {
			for range 50 {
				d.set("input:exit", true)
				time.Sleep(spike)
				d.set("input:exit", false)
				time.Sleep(spike)
			}
			time.Sleep(time.Minute)
		}
		d.saidOnly()
		if e := d.edges(); len(e) != 0 {
			t.Errorf("edges %v", e)
		}
		d.set("input:exit", true)
		time.Sleep(31 * time.Millisecond)
		d.set("input:exit", false)
		d.want(event.DoorOpened)
	})
}

// TestREXOfAnotherDoor: one who leaves by the yard ends no talk at the front; the talk's own opening does.
func TestREXOfAnotherDoor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", strings.Replace(inside, `door = "front"`, `door = "yard"`, 1)+`
[[door]]
name = "yard"
line = "GPIO26"
hang_up_after = "2s"
[[code]]
who = "gardener"
code = "9055"
doors = ["yard"]
`)
		p := r.phone("10.0.0.2:5060")
		d.press("front")
		m := p.answer(p.want(ua.Offered))
		d.want(event.CallAnswered)
		d.exit()
		d.want(event.DoorClosed)
		p.quiet(10 * time.Second)
		m.Session().SendDigits("9055#")
		d.want(event.DoorOpened)
		if ev := d.want(event.CallEnded); ev.Reason != "the door was opened" {
			t.Errorf("%+v", ev)
		}
	})
}

// TestContactOnTheLastGoodFile: a station that has no doors, because its file is faulty, cannot tell force
// from a key.
func TestContactOnTheLastGoodFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.edit = func(c *config.Config) { c.Doors, c.Codes = nil, nil } // as config.LoadLastGood does
		d := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", strings.Replace(inside, `kind = "rex"`, `kind = "contact"`, 1))
		d.set("input:leaf", true)
		time.Sleep(40 * time.Second)
		d.saidOnly("input.changed front leaf active", "door.held_open front leaf")
	})
}
