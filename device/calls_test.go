package device

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio"
	"portero/device/event"
	"portero/sip/ua"
)

const twoPhones = `"sip:kitchen@10.0.0.2", "sip:hall@10.0.0.3"`

// TestFirstAnswerWins rings two phones at once; the other is cancelled.
func TestFirstAnswerWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, kitchen, hall := r.door("10.0.0.1:5062", twoPhones, "", ""), r.phone("10.0.0.2:5060"), r.phone("10.0.0.3:5060")
		d.press("front")
		a, b := kitchen.want(ua.Offered), hall.want(ua.Offered)
		a.Leg.Progress(180, nil)
		b.Leg.Progress(180, nil)
		hall.answer(b)
		if ev := d.want(event.CallAnswered); ev.Target != "sip:hall@10.0.0.3" {
			t.Errorf("answered by %q", ev.Target)
		}
		if ev := kitchen.want(ua.Ended); ev.Status != 487 {
			t.Errorf("the loser's end: %+v", ev)
		}
		b.call.Hangup()
		d.want(event.CallEnded)
	})
}

// TestBothAnswerAtOnce lets two 200s cross: one talks, the other gets a BYE.
func TestBothAnswerAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, kitchen, hall := r.door("10.0.0.1:5062", twoPhones, "", ""), r.phone("10.0.0.2:5060"), r.phone("10.0.0.3:5060")
		d.press("front")
		a, b := kitchen.want(ua.Offered), hall.want(ua.Offered)
		kitchen.answer(a)
		hall.answer(b)
		d.want(event.CallAnswered)
		synctest.Wait()
		time.Sleep(time.Second)
		ends := 0
		for _, p := range []*phone{kitchen, hall} {
			select {
			case ev := <-p.events:
				if ev.Kind == ua.Ended && ev.ByPeer {
					ends++
				}
			default:
			}
		}
		if ends != 1 {
			t.Errorf("%d of two phones were told to hang up", ends)
		}
	})
}

// TestHunting rings one phone after the other: one that is busy is passed at once, one that does not answer
// after its time.
func TestHunting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d := r.door("10.0.0.1:5062", twoPhones+`, "sip:attic@10.0.0.4"`, "strategy = \"serial\"\nhunt_after = \"10s\"", "")
		kitchen, hall, attic := r.phone("10.0.0.2:5060"), r.phone("10.0.0.3:5060"), r.phone("10.0.0.4:5060")
		d.press("front")
		kitchen.want(ua.Offered).Leg.Reject(486)
		kitchen.want(ua.Ended)
		began := time.Now()
		hall.want(ua.Offered).Leg.Progress(180, nil)
		if ev := hall.want(ua.Ended); ev.Status != 487 {
			t.Errorf("%+v", ev)
		}
		if took := time.Since(began).Round(time.Second); took != 10*time.Second {
			t.Errorf("the second phone rang for %v", took)
		}
		attic.answer(attic.want(ua.Offered))
		d.want(event.CallAnswered)
	})
}

// TestNobodyAnswers ends the visit at the ring limit, and the station is ready for the next one.
func TestNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, `ring_limit = "20s"`, ""), r.phone("10.0.0.2:5060")
		d.press("front")
		p.want(ua.Offered).Leg.Progress(180, nil)
		if ev := d.want(event.CallEnded); ev.Reason != "not answered" || ev.DurationMS != 20000 {
			t.Errorf("%+v", ev)
		}
		p.want(ua.Ended)
		d.press("front") // while the busy tone sounds
		p.want(ua.Offered)
	})
}

// TestAllRefuse ends the visit at once, with the reason.
func TestAllRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, kitchen, hall := r.door("10.0.0.1:5062", twoPhones, "", ""), r.phone("10.0.0.2:5060"), r.phone("10.0.0.3:5060")
		d.press("front")
		kitchen.want(ua.Offered).Leg.Reject(486)
		if ev := d.want(event.CallRefused); ev.Status != 486 {
			t.Errorf("%+v", ev)
		}
		hall.want(ua.Offered).Leg.Reject(603)
		d.want(event.CallRefused)
		d.want(event.CallEnded)
		time.Sleep(5 * time.Second)
		if s := d.Snapshot(); s.State != Idle {
			t.Errorf("state %s", s.State)
		}
	})
}

// TestPressAgain: the same bell places no second call, at any time of the visit.
func TestPressAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", ""), r.phone("10.0.0.2:5060")
		d.press("front")
		ev := p.want(ua.Offered)
		time.Sleep(time.Second)
		d.press("front")
		d.want(event.BellIgnored)
		p.quiet(2 * time.Second)
		p.answer(ev)
		d.want(event.CallAnswered)
		d.press("front")
		d.want(event.BellIgnored)
		p.quiet(2 * time.Second)
	})
}

const backDoor = `
[[bell]]
name = "back"
line = "GPIO22"
targets = ["sip:attic@10.0.0.4"]
`

// TestOtherBell while busy: ignored, or the visit is replaced.
func TestOtherBell(t *testing.T) {
	for _, replace := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			more := backDoor
			if replace {
				more += "when_busy = \"replace\"\n"
			}
			d, kitchen, attic := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", more), r.phone("10.0.0.2:5060"), r.phone("10.0.0.4:5060")
			d.press("front")
			kitchen.answer(kitchen.want(ua.Offered))
			d.want(event.CallAnswered)
			d.press("back")
			if !replace {
				d.want(event.BellIgnored)
				attic.quiet(5 * time.Second)
				kitchen.quiet(time.Second)
				return
			}
			attic.want(ua.Offered)
			if ev := kitchen.want(ua.Ended); !ev.ByPeer {
				t.Errorf("%+v", ev)
			}
		})
	}
}

// TestTalkLimit ends a talk that goes on for ever.
func TestTalkLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, `talk_limit = "10s"`, ""), r.phone("10.0.0.2:5060")
		d.press("front")
		p.answer(p.want(ua.Offered))
		if ev := d.want(event.CallEnded); ev.Reason != "talk limit" {
			t.Errorf("%+v", ev)
		}
		p.want(ua.Ended)
	})
}

// TestWrongCodes locks out after five, and even the right code opens nothing then.
func TestWrongCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", ""), r.phone("10.0.0.2:5060")
		d.press("front")
		m := p.answer(p.want(ua.Offered))
		d.want(event.CallAnswered)
		for range 5 {
			m.Session().SendDigits("1234#")
			d.want(event.CodeWrong, event.DoorOpening)
		}
		d.want(event.CodeLockedOut)
		m.Session().SendDigits("4711#")
		time.Sleep(10 * time.Second)
		if e := d.edges(); len(e) != 0 {
			t.Fatalf("the relay moved: %v", e)
		}
	})
}

// TestINFODigits opens by SIP INFO, and counts a key once when the phone sends it both ways.
func TestINFODigits(t *testing.T) {
	for name, both := range map[string]bool{"INFO": false, "INFO and RTP": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", ""), r.phone("10.0.0.2:5060")
				d.press("front")
				offered := p.want(ua.Offered)
				m := p.answer(offered)
				d.want(event.CallAnswered)
				for _, key := range "4711#" {
					if both {
						m.Session().SendDigits(string(key))
					}
					offered.Leg.Info("application/dtmf-relay", []byte("Signal="+string(key)+"\r\nDuration=100\r\n"))
					time.Sleep(300 * time.Millisecond)
				}
				d.want(event.CodeAccepted, event.CodeWrong)
				d.want(event.DoorClosed)
				if e := d.edges(); len(e) != 2 {
					t.Errorf("edges %v", e)
				}
			})
		})
	}
}

// TestHold: the phone holds and takes the call back; the microphone is closed meanwhile.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", ""), r.phone("10.0.0.2:5060")
		d.press("front")
		offered := p.want(ua.Offered)
		m := p.answer(offered)
		d.want(event.CallAnswered)
		time.Sleep(time.Second)
		if d.card.Use() != audio.FullDuplex {
			t.Fatalf("card %v in a call", d.card.Use())
		}
		for _, step := range []struct {
			direction string
			mic       bool
		}{{"inactive", false}, {"sendrecv", true}, {"sendonly", false}, {"sendrecv", true}} {
			offered.Leg.Reoffer(fmt.Appendf(nil, "v=0\r\no=- 1 2 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio %d RTP/AVP 8\r\na=%s\r\n",
				m.Addr().Port(), step.direction))
			if ev := p.want(ua.Answered); !ev.Renewed {
				t.Errorf("%+v", ev)
			}
			time.Sleep(time.Second)
			if open := d.card.Use() == audio.FullDuplex; open != step.mic {
				t.Errorf("%s: the microphone is open: %v", step.direction, open)
			}
		}
	})
}
