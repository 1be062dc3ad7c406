package device

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio"
	"portero/device/event"
	"portero/sip/ua"
)

// allowKitchen lets one caller in. %s: further keys.
const allowKitchen = `
[[incoming.allow]]
from = "sip:kitchen@10.0.0.2"
source = "10.0.0.2"
`

// TestStrangersAreRefused: neither a caller who is not listed nor one who forges a listed name from elsewhere
// gets through; the door hears nothing and the microphone stays closed.
func TestStrangersAreRefused(t *testing.T) {
	for name, tables := range map[string]string{"nobody is listed": "", "a forged name": strings.ReplaceAll(allowKitchen, `source = "10.0.0.2"`, `source = "10.0.0.99"`)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", tables+"[incoming]\nauto_answer = true\n"), r.phone("10.0.0.2:5060")
				p.dial("sip:door@10.0.0.1:5062")
				if ev := p.want(ua.Ended); ev.Status != 403 {
					t.Errorf("%+v", ev.CallEvent)
				}
				time.Sleep(time.Second)
				if n := len(d.card.Opens()); n != 0 {
					t.Errorf("the card was opened %d times", n)
				}
			})
		})
	}
}

// TestEscapedCallerIsListed: %6b is k, wherever it is written (RFC 3261 §19.1.4).
func TestEscapedCallerIsListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", strings.ReplaceAll(allowKitchen, "sip:kitchen@", "sip:%6bitchen@"))
		p := r.phone("10.0.0.2:5060")
		p.dial("sip:door@10.0.0.1:5062")
		if ev := p.want(ua.Progress); ev.Status != 180 {
			t.Errorf("%+v", ev.CallEvent)
		}
	})
}

// TestRingingIn rings at the door; a bell button answers. Digits of such a caller open nothing.
func TestRingingIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", allowKitchen), r.phone("10.0.0.2:5060")
		call, m := p.dial("sip:door@10.0.0.1:5062")
		if ev := p.want(ua.Progress); ev.Status != 180 {
			t.Fatalf("%+v", ev.CallEvent)
		}
		time.Sleep(3 * time.Second)
		if d.card.Use() != audio.Playback {
			t.Fatalf("card %v while it rings at the door", d.card.Use())
		}
		d.press("front")
		ev := p.want(ua.Answered)
		if err := m.Accept(ev.Body); err != nil {
			t.Fatal(err)
		}
		m.Start()
		time.Sleep(time.Second)
		if d.card.Use() != audio.FullDuplex {
			t.Errorf("card %v in the call", d.card.Use())
		}
		m.Session().SendDigits("4711#")
		time.Sleep(5 * time.Second)
		if e := d.edges(); len(e) != 0 {
			t.Fatalf("a caller without may_open moved the relay: %v", e)
		}
		call.Hangup()
		d.want(event.CallEnded)
		time.Sleep(5 * time.Second)
		if s := d.Snapshot(); s.State != Idle || d.card.Use() != 0 {
			t.Errorf("state %s, card %v", s.State, d.card.Use())
		}
	})
}

// TestAutoAnswer is signalled at the door, and may open where the rule says so.
func TestAutoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", allowKitchen+"auto_answer = true\nmay_open = true\n"), r.phone("10.0.0.2:5060")
		call, m := p.dial("sip:door@10.0.0.1:5062")
		ev := p.want(ua.Answered)
		if err := m.Accept(ev.Body); err != nil {
			t.Fatal(err)
		}
		m.Start()
		time.Sleep(2 * time.Second)
		loud := 0
		for _, s := range d.heard.Samples() {
			if s > 1000 || s < -1000 {
				loud++
			}
		}
		if loud < cardRate/10 {
			t.Errorf("the visitor hears no signal that somebody listens: %d loud samples", loud)
		}
		m.Session().SendDigits("4711#")
		d.want(event.DoorOpened)
		call.Hangup()
		d.want(event.CallEnded)
		p.want(ua.Ended)
		p.dial("sip:door@10.0.0.1:5062") // while the tone of the last call sounds
		p.want(ua.Answered)
		d.want(event.DoorClosed)
	})
}

// TestCallerGivesUp while it rings at the door.
func TestCallerGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", allowKitchen), r.phone("10.0.0.2:5060")
		call, _ := p.dial("sip:door@10.0.0.1:5062")
		p.want(ua.Progress)
		call.Hangup()
		d.want(event.CallEnded)
		if s := d.Snapshot(); s.State != Idle {
			t.Errorf("state %s", s.State)
		}
		p.dial("sip:door@10.0.0.1:5062")
		p.want(ua.Ended)
		p.want(ua.Progress)
		if ev := p.want(ua.Ended); ev.Status != 480 { // nobody at the door
			t.Errorf("%+v", ev.CallEvent)
		}
	})
}

// TestBusyInACall: a second caller gets 486, and the call goes on.
func TestBusyInACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, hall, kitchen := r.door("10.0.0.1:5062", `"sip:hall@10.0.0.3"`, "", allowKitchen), r.phone("10.0.0.3:5060"), r.phone("10.0.0.2:5060")
		d.press("front")
		hall.answer(hall.want(ua.Offered))
		d.want(event.CallAnswered)
		kitchen.dial("sip:door@10.0.0.1:5062")
		if ev := kitchen.want(ua.Ended); ev.Status != 486 {
			t.Errorf("%+v", ev.CallEvent)
		}
		hall.quiet(5 * time.Second)
	})
}

// TestNoCommonCodec gets 488, and the door goes back to idle.
func TestNoCommonCodec(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", allowKitchen+"auto_answer = true\n"), r.phone("10.0.0.2:5060")
		p.media.Codecs = []*audio.Codec{audio.G722}
		p.dial("sip:door@10.0.0.1:5062")
		if ev := p.want(ua.Ended); ev.Status != 488 {
			t.Errorf("%+v", ev.CallEvent)
		}
		d.want(event.CallEnded)
		time.Sleep(5 * time.Second)
		if s := d.Snapshot(); s.State != Idle {
			t.Errorf("state %s", s.State)
		}
	})
}
