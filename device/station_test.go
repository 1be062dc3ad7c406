package device

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio"
	"portero/audio/audiotest"
	"portero/device/event"
	"portero/sip/ua"
)

// TestVisit is the main job: press, ring, answer, talk, code, door, hang up.
func TestVisit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", ""), r.phone("10.0.0.2:5060")
		d.card.Mic = audiotest.Player(audiotest.Sine(700, cardRate, cardRate*60, 8000), true)
		p.card.Mic = audiotest.Player(audiotest.Sine(1100, cardRate, cardRate*60, 8000), true)
		if d.card.Use() != 0 {
			t.Fatal("the card is open while nobody is there")
		}
		d.press("front")
		offered := p.want(ua.Offered)
		if offered.From.DisplayName != "Front door" {
			t.Errorf("the phone shows %q", offered.From.DisplayName)
		}
		offered.Leg.Progress(180, nil)
		d.want(event.CallRinging)
		time.Sleep(3 * time.Second)
		if d.card.Use() != audio.Playback {
			t.Errorf("while it rings the card is open for %v: the microphone listens before anybody answered", d.card.Use())
		}
		if level := audiotest.ToneLevel(d.heard.Samples(), cardRate, 425); level < -45 {
			t.Errorf("the visitor hears no ring-back: %.0f dBFS", level)
		}
		m := p.answer(offered)
		d.want(event.CallAnswered)
		d.heard.Reset()
		p.heard.Reset()
		time.Sleep(2 * time.Second)
		for _, h := range []struct {
			who  string
			got  []int16
			tone float64
		}{{"visitor", d.heard.Samples(), 1100}, {"resident", p.heard.Samples(), 700}} {
			if level := audiotest.ToneLevel(h.got, cardRate, h.tone); level < -18 {
				t.Errorf("the %s hears the other's tone at %.0f dBFS", h.who, level)
			}
		}
		if n := len(d.edges()); n != 0 {
			t.Fatalf("%d edges of the relay before the code", n)
		}
		m.Session().SendDigits("4711#")
		if ev := d.want(event.CodeAccepted, event.CodeWrong); ev.Who != "family" {
			t.Errorf("%+v", ev)
		}
		d.want(event.DoorOpened)
		d.want(event.DoorClosed)
		if e := d.edges(); len(e) != 2 || e[1].At-e[0].At != 3*time.Second {
			t.Errorf("edges %v", e)
		}
		offered.call.Hangup()
		ended := d.want(event.CallEnded)
		if ended.RTP == nil || ended.RTP.Codec != "PCMA" || ended.RTP.Received < 100 || ended.RTP.Lost != 0 || ended.Reason != "the far end hung up" {
			t.Errorf("%+v %+v", ended, ended.RTP)
		}
		time.Sleep(5 * time.Second)
		if s := d.Snapshot(); s.State != Idle || d.card.Use() != 0 {
			t.Errorf("state %s, card %v after the visit", s.State, d.card.Use())
		}
	})
}

// probe is a command that tells that the loop runs.
type probe struct{}

func (probe) do(*Station) error { return nil }

// TestLeaveWhenIdle: a station that is to make room for another finishes its visit first, also one that
// begins at that very moment.
func TestLeaveWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", ""), r.phone("10.0.0.2:5060")
		runs := func() bool {
			err := d.Do(t.Context(), probe{})
			if err != nil && !errors.Is(err, ErrEnded) {
				t.Errorf("a command to a station that has left: %v, want %v", err, ErrEnded)
			}
			return err == nil
		}
		d.do(Press{})
		d.LeaveWhenIdle()
		offered := p.want(ua.Offered)
		p.answer(offered)
		d.want(event.CallAnswered)
		time.Sleep(10 * time.Second)
		if !runs() {
			t.Fatal("it has left its visit")
		}
		offered.call.Hangup()
		if ev := d.want(event.CallEnded); ev.Reason != "the far end hung up" {
			t.Errorf("%+v", ev)
		}
		time.Sleep(10 * time.Second)
		if runs() {
			t.Error("it is idle and has not left")
		}
	})
}

// TestReadyIsToldOnce, after the initial levels.
func TestReadyIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, told := newRig(t), 0
		r.ready = func() { told++ }
		d := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", inside)
		time.Sleep(time.Minute)
		d.press("front")
		synctest.Wait()
		if told != 1 {
			t.Errorf("told %d times", told)
		}
	})
}
