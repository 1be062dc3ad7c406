package device

import (
	"net/netip"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio"
	"portero/audio/audiotest"
	"portero/device/event"
	"portero/device/media"
	"portero/sip"
	"portero/sip/ua"
)

// early answers an offer with a 183 and plays a tone into it.
func (p *phone) early(ev phoneEvent, hz float64) *media.Leg {
	p.t.Helper()
	p.card.Mic = audiotest.Player(audiotest.Sine(hz, cardRate, cardRate*60, 8000), true)
	m := p.leg(nil)
	p.t.Cleanup(m.Close)
	body, err := m.Answer(ev.Body, p.addr.Addr(), ev.Flow.Remote.Addr())
	if err != nil {
		p.t.Fatal(err)
	}
	ev.Leg.Progress(183, body)
	m.Start()
	return m
}

// TestOneEarlyVoice: the first far end that sends sound is heard alone; when it refuses and another phone
// rings, the visitor hears that, and not silence.
func TestOneEarlyVoice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, a, b := r.door("10.0.0.1:5062", twoPhones, "", ""), r.phone("10.0.0.2:5060"), r.phone("10.0.0.3:5060")
		d.press("front")
		first, second := a.want(ua.Offered), b.want(ua.Offered)
		hears := func(who string, want map[float64]bool) {
			t.Helper()
			time.Sleep(time.Second)
			d.heard.Reset()
			time.Sleep(6 * time.Second) // a cycle of the ring-back
			for hz, on := range want {
				if level := audiotest.ToneLevel(d.heard.Samples(), cardRate, hz); on != (level > -35) {
					t.Errorf("%s: %.0f Hz at %.0f dBFS", who, hz, level)
				}
			}
		}
		a.early(first, 1100)
		b.early(second, 1700)
		hears("two early voices", map[float64]bool{1100: true, 1700: false, 425: false})
		if d.card.Use() != audio.Playback {
			t.Errorf("card %v", d.card.Use())
		}
		first.Leg.Reject(486)
		d.want(event.CallRefused)
		hears("the first has refused", map[float64]bool{1100: false, 1700: false, 425: true})
	})
}

// TestAnswerWithoutSDP: the answer came with the 183 and is not said again in the 200.
func TestAnswerWithoutSDP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", ""), r.phone("10.0.0.2:5060")
		d.card.Mic = audiotest.Player(audiotest.Sine(700, cardRate, cardRate*60, 8000), true)
		d.press("front")
		offered := p.want(ua.Offered)
		p.early(offered, 1100)
		time.Sleep(2 * time.Second)
		if level := audiotest.ToneLevel(p.heard.Samples(), cardRate, 700); level > -60 {
			t.Fatalf("before the answer the phone hears the door at %.0f dBFS", level)
		}
		offered.Leg.Answer(nil)
		d.want(event.CallAnswered)
		p.heard.Reset()
		time.Sleep(2 * time.Second)
		if level := audiotest.ToneLevel(p.heard.Samples(), cardRate, 700); level < -25 {
			t.Errorf("in the talk the phone hears the door at %.0f dBFS", level)
		}
	})
}

// TestRingBackWithoutATag: a 180 without a To tag makes no dialog, and still tells that it rings.
func TestRingBackWithoutATag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", ""), r.sip.NewPeer(t, "10.0.0.2:5060")
		d.press("front")
		p.Respond(p.Request("INVITE"), netip.MustParseAddrPort("10.0.0.1:5062"), 180, func(res *sip.Response) { res.To.Params = "" })
		d.want(event.CallRinging)
		time.Sleep(8 * time.Second)
		if level := audiotest.ToneLevel(d.heard.Samples(), cardRate, 425); level < -45 {
			t.Errorf("ring-back at %.0f dBFS", level)
		}
	})
}

// TestAnswerUnderAnotherTag: a server that gives its 200 another tag than its 183, and says the answer only
// there, has answered.
func TestAnswerUnderAnotherTag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", "")
		kitchen := r.sip.NewPeer(t, "10.0.0.2:5060")
		d.press("front")
		invite := kitchen.Request("INVITE")
		for _, status := range []int{183, 200} {
			kitchen.Respond(invite, d.transport.Addr(), status, func(res *sip.Response) {
				res.To = res.To.WithTag("of-the-" + strconv.Itoa(status))
				res.Contact = []sip.Address{{URI: sip.URI{Scheme: "sip", User: "kitchen", Host: "10.0.0.2"}}}
				if status == 183 {
					res.ContentType = "application/sdp"
					res.Body = []byte("v=0\r\nc=IN IP4 10.0.0.2\r\nm=audio 4000 RTP/AVP 8\r\n")
				}
			})
		}
		if ack := kitchen.Request("ACK"); ack.To.Tag() != "of-the-200" {
			t.Errorf("ACK to %v", ack.To)
		}
		d.want(event.CallAnswered, event.CallRefused)
	})
}
