package device

import (
	"testing"
	"testing/synctest"
	"time"

	"portero/audio/audiotest"
	"portero/device/event"
	"portero/sip"
	"portero/sip/siptest"
)

// refuse answers the next INVITE for the door with a status.
func refuse(p *siptest.Peer, d *door, status int) {
	req := p.Request(sip.INVITE)
	p.Respond(req, d.transport.Addr(), status, func(res *sip.Response) { res.To = res.To.WithTag("x") })
	p.Request(sip.ACK)
}

// TestPressAsksAgain: a press while nobody is there asks at once for those that the bell waits for, but not
// at every bounce of an impatient finger.
func TestPressAsksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, `ring_limit = "20s"`, "")
		kitchen := r.sip.NewPeer(t, "10.0.0.2:5060")
		d.press("front")
		refuse(kitchen, d, 404) // again after 5 s
		time.Sleep(2500 * time.Millisecond)
		start := time.Now()
		d.press("front")
		refuse(kitchen, d, 404)
		if since := time.Since(start); since > 200*time.Millisecond {
			t.Errorf("asked again after %v", since)
		}
		for range 3 {
			time.Sleep(300 * time.Millisecond)
			d.press("front")
		}
		kitchen.Silence(500 * time.Millisecond)
		refuse(kitchen, d, 486)
		if ev := d.want(event.CallEnded); ev.Reason != "Busy Here" {
			t.Errorf("%+v", ev)
		}
	})
}

// TestVisitorHearsRinging: while the bell waits for somebody it is ring-back that sounds, and no busy tone
// before the limit.
func TestVisitorHearsRinging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, `ring_limit = "12s"`, "")
		kitchen := r.sip.NewPeer(t, "10.0.0.2:5060")
		pressed := time.Now()
		d.press("front")
		refuse(kitchen, d, 480)
		refuse(kitchen, d, 480)
		time.Sleep(time.Until(pressed.Add(7 * time.Second)))
		d.heard.Reset()
		time.Sleep(time.Until(pressed.Add(11900 * time.Millisecond)))
		if level := audiotest.ToneLevel(d.heard.Samples(), cardRate, 425); level < -35 { // Europe's tone
			t.Errorf("the visitor hears no tone: %.0f dB", level)
		}
		ev := d.want(event.BellUnheard)
		if ev.Reason != "sip:kitchen@10.0.0.2: 480 Temporarily Unavailable" || time.Since(pressed) < 12*time.Second {
			t.Errorf("%+v after %v", ev, time.Since(pressed))
		}
	})
}
