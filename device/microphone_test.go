package device

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio"
	"portero/audio/audiotest"
	"portero/device/event"
	"portero/sip/siptest"
	"portero/sip/ua"
)

// caller says by hand what a phone says that calls the door, and knows no more than it is told.
type caller struct {
	*siptest.Peer
	tag string // of the door, once heard
	rtp string // where it wants the sound
}

func (r *rig) caller(rtp string) *caller {
	return &caller{Peer: r.sip.NewPeer(r.t, "10.0.0.2:5060"), rtp: rtp}
}

// say sends a request; direction makes an offer of it.
func (c *caller) say(method string, seq int, direction string) {
	body, kind := "", ""
	if direction != "" {
		addr := netip.MustParseAddrPort(c.rtp)
		kind = "Content-Type: application/sdp\r\n"
		body = fmt.Sprintf("v=0\r\no=- 1 %d IN IP4 %s\r\ns=-\r\nc=IN IP4 %[2]s\r\nt=0 0\r\nm=audio %[3]d RTP/AVP 8\r\na=%[4]s\r\n", seq, addr.Addr(), addr.Port(), direction)
	}
	c.Send(netip.MustParseAddrPort("10.0.0.1:5062"), fmt.Appendf(nil, "%s sip:door@10.0.0.1:5062 SIP/2.0\r\n"+
		"Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK%[1]s%d\r\nMax-Forwards: 70\r\nFrom: <sip:kitchen@10.0.0.2>;tag=a\r\n"+
		"To: <sip:door@10.0.0.1>%s\r\nCall-ID: by-hand\r\nCSeq: %[2]d %[1]s\r\nContact: <sip:kitchen@10.0.0.2>\r\n%[4]sContent-Length: %d\r\n\r\n%s",
		method, seq, c.tag, kind, len(body), body))
}

// call places a call and acknowledges the answer.
func (c *caller) call() {
	c.say("INVITE", 1, "sendrecv")
	for c.tag == "" {
		if _, res := c.Within(time.Minute); res != nil && res.Status == 200 {
			c.tag = ";tag=" + res.To.Tag()
		}
	}
	c.say("ACK", 1, "")
}

func (c *caller) renew(seq int, direction string) {
	c.say("INVITE", seq, direction)
	c.Response(200)
	c.say("ACK", seq, "")
}

// loud counts the samples that anybody would hear.
func loud(samples []int16) (n int) {
	for _, s := range samples {
		if s > 1000 || s < -1000 {
			n++
		}
	}
	return n
}

const autoAnswer = allowKitchen + "auto_answer = true\n"

// TestForgedInviteHearsNothing: whoever forges an allowed caller's address never sees the 200, so cannot
// acknowledge it. No sound is sent to where the forged INVITE wants it, the microphone stays closed, and a
// bell that is pressed meanwhile rings.
func TestForgedInviteHearsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, hall := r.door("10.0.0.1:5062", `"sip:hall@10.0.0.3"`, "", autoAnswer), r.phone("10.0.0.3:5060")
		spy := r.rtp.Listen("10.0.0.66:4000")
		r.caller("10.0.0.66:4000").say("INVITE", 1, "sendrecv")
		d.want(event.CallAnswered)
		time.Sleep(20 * time.Second)
		d.press("front")
		hall.want(ua.Offered)
		d.do(HangUp{})
		time.Sleep(time.Minute)
		if n, _, _, _ := spy.ReadPacket(make([]byte, 1500)); n != 0 {
			t.Errorf("the spy got a packet of %d bytes", n)
		}
		for _, use := range d.card.Opens() {
			if use == audio.FullDuplex {
				t.Error("the microphone was open")
			}
		}
	})
}

// TestForgedInviteSwallowsNoPress: the bell that answers a call of nobody rings the phones two seconds later.
func TestForgedInviteSwallowsNoPress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d := r.door("10.0.0.1:5062", `"sip:hall@10.0.0.3"`, "", backDoor+allowKitchen)
		hall, attic := r.phone("10.0.0.3:5060"), r.phone("10.0.0.4:5060")
		r.caller("10.0.0.66:4000").say("INVITE", 1, "sendrecv")
		d.want(event.CallRinging)
		d.press("back")
		pressed := time.Now()
		attic.want(ua.Offered)
		if waited := time.Since(pressed).Round(time.Second); waited != ackWithin {
			t.Errorf("the phones rang after %v", waited)
		}
		hall.quiet(time.Second)
		if s := d.Snapshot(); s.State != Calling || s.Visit.Bell != "back" {
			t.Errorf("%+v", s)
		}
	})
}

// TestMicrophoneWaitsForTheSignal: as long as the card cannot play it, the caller hears nothing of the door.
func TestMicrophoneWaitsForTheSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", autoAnswer), r.phone("10.0.0.2:5060")
		d.card.Mic = audiotest.Player(audiotest.Sine(700, cardRate, cardRate*60, 8000), true)
		d.card.Break(errors.New("unplugged"))
		_, m := p.dial("sip:door@10.0.0.1:5062")
		if err := m.Accept(p.want(ua.Answered).Body); err != nil {
			t.Fatal(err)
		}
		m.Start()
		time.Sleep(30 * time.Second)
		d.card.Break(nil)
		for range 100 { // 10 s
			time.Sleep(100 * time.Millisecond)
			if d.card.Use() == audio.FullDuplex {
				break
			}
		}
		if d.card.Use() != audio.FullDuplex || loud(d.heard.Samples()) < cardRate/10 {
			t.Fatalf("card %v, and %d samples of the signal were heard before", d.card.Use(), loud(d.heard.Samples()))
		}
		p.heard.Reset()
		time.Sleep(3 * time.Second)
		if level := audiotest.ToneLevel(p.heard.Samples(), cardRate, 700); level < -25 {
			t.Errorf("after the signal the caller hears the door at %.0f dBFS", level)
		}
	})
}

// TestSignalAfterHold: a caller who takes the call back listens anew, and the door hears so before.
func TestSignalAfterHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, c := r.door("10.0.0.1:5062", `"sip:hall@10.0.0.3"`, "", autoAnswer), r.caller("10.0.0.2:4000")
		c.call()
		time.Sleep(5 * time.Second)
		if d.card.Use() != audio.FullDuplex {
			t.Fatalf("card %v in the call", d.card.Use())
		}
		for seq := 2; seq < 6; seq += 2 {
			c.renew(seq, "sendonly")
			time.Sleep(40 * time.Second)
			if d.card.Use() == audio.FullDuplex {
				t.Fatal("on hold the microphone is open")
			}
			d.heard.Reset()
			c.renew(seq+1, "sendrecv")
			time.Sleep(500 * time.Millisecond)
			if d.card.Use() == audio.FullDuplex || loud(d.heard.Samples()) == 0 {
				t.Errorf("half a second after the hold: card %v, %d samples of the signal", d.card.Use(), loud(d.heard.Samples()))
			}
			time.Sleep(4 * time.Second)
			if d.card.Use() != audio.FullDuplex {
				t.Errorf("after the signal: card %v", d.card.Use())
			}
		}
	})
}

// TestHeldCallDoesNotVanish: a phone that sends nothing at all while it holds has not gone; one that sends
// nothing in a talk has.
func TestHeldCallDoesNotVanish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, c := r.door("10.0.0.1:5062", `"sip:hall@10.0.0.3"`, "", autoAnswer), r.caller("10.0.0.2:4000")
		c.call()
		time.Sleep(5 * time.Second)
		c.renew(2, "sendonly")
		time.Sleep(5 * time.Minute)
		if s := d.Snapshot(); s.State != Talking {
			t.Fatalf("state %s after five minutes on hold", s.State)
		}
		c.renew(3, "sendrecv")
		resumed := time.Now()
		if ev := d.want(event.CallEnded); ev.Reason != vanished {
			t.Errorf("%+v", ev)
		}
		if took := time.Since(resumed).Round(time.Second); took != 19*time.Second {
			t.Errorf("it had vanished %v after the hold, which is neither asked nor answered", took)
		}
	})
}

// TestMayHear goes through every combination of the facts. The expected value is said in another way than the
// rule says it: who may not hear, and why.
func TestMayHear(t *testing.T) {
	for bits := range 1 << 6 {
		has := func(bit int) bool { return bits>>bit&1 == 1 }
		h := hearing{talks: has(0), ended: has(1), placed: has(2), acked: has(3), signalled: has(4), there: has(5)}
		why := ""
		switch {
		case h.ended:
			why = "the call is over"
		case !h.talks:
			why = "it rings, or another has the talk"
		case !h.there:
			why = "nobody may be there"
		case !h.placed && !h.acked:
			why = "the caller may have forged where it is"
		case !h.placed && !h.signalled:
			why = "those at the door do not know"
		}
		if got := h.mayHear(); got != (why == "") {
			t.Errorf("%+v: may hear %v, but %q", h, got, why)
		}
		silence := why != "" && h.talks && !h.ended && (h.placed || h.acked)
		if got := h.getsSilence(); got != silence {
			t.Errorf("%+v: gets silence %v, want %v", h, got, silence)
		}
	}
}

// TestOneRule: the microphone is switched in one place.
func TestOneRule(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if file != "microphone.go" && !strings.HasSuffix(file, "_test.go") && strings.Contains(string(text), ".Mute(") {
			t.Errorf("%s switches the microphone", file)
		}
	}
}
