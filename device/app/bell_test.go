package app

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/device/event"
	"portero/sip"
	"portero/sip/siptest"
)

// ownServer are edits of stationConfig: phones of the kitchen and the hall at the built-in server.
var ownServer = []string{`enabled = "off"`, `enabled = "on"
listen = "10.0.0.1:5060"
[[server.user]]
name = "kitchen"
password = "kettle-on-8"
[[server.user]]
name = "hall"
password = "kettle-on-8"`}

// household starts a station with a built-in server, and makes its phones. targets are the bell's, and more of
// it.
func household(t *testing.T, targets string) (s *station, kitchen, hall *phone) {
	s = newStation(t, append(ownServer, `"sip:kitchen@10.0.0.9"]`, targets)...)
	kitchen, hall = s.phone("10.0.0.9:5060", "10.0.0.1:5060"), s.phone("10.0.0.10:5060", "10.0.0.1:5060")
	hall.user = "hall"
	s.mustStart()
	return s, kitchen, hall
}

// rung returns the INVITE that must come to the phone before the press is 3 s old.
func (p *phone) rung(t *testing.T, pressed time.Time) *sip.Request {
	t.Helper()
	req, _ := p.Within(time.Until(pressed.Add(3 * time.Second)))
	if req == nil || req.Method != sip.INVITE {
		t.Fatalf("%s is not rung, but got %v", p.Addr, req)
	}
	return req
}

// answer answers a request.
func (p *phone) answer(req *sip.Request, status int) {
	p.Respond(req, p.server, status, func(res *sip.Response) { res.To = res.To.WithTag(p.Addr.String()) })
}

// TestPhoneComesLate: a phone that registers after the press is rung at once; when it has declined there is
// nobody left to wait for.
func TestPhoneComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, kitchen, _ := household(t, `"kitchen"]`)
		pressed := time.Now()
		s.program.Press()
		time.Sleep(1500 * time.Millisecond)
		kitchen.register()
		invite := kitchen.rung(t, pressed)
		kitchen.answer(invite, 180)
		s.want(event.CallRinging)
		kitchen.answer(invite, 603)
		before := time.Now()
		if ev := s.want(event.CallEnded); time.Since(before) > time.Second {
			t.Errorf("%v after the phone has declined: %+v", time.Since(before), ev)
		}
		s.end()
	})
}

// TestNobodyIsThere: the bell waits until its limit, and says whom it waited for.
func TestNobodyIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, kitchen, _ := household(t, `"kitchen", "hall"]`)
		kitchen.register()
		kitchen.leave()
		at := time.Now().Format("15:04")
		time.Sleep(10 * time.Minute)
		pressed := time.Now()
		s.program.Press()
		ev := s.want(event.BellUnheard)
		if d := time.Since(pressed); d < 5*time.Second || d > 6*time.Second {
			t.Errorf("told after %v, want the limit of 5 s", d)
		}
		if want := "kitchen: not registered since " + at + "; hall: not registered (phones register here by UDP, not by TCP or TLS)"; ev.Reason != want {
			t.Errorf("%q, want %q", ev.Reason, want)
		}
		s.end()
	})
}

// TestSerialSkipsWhoIsAbsent: the next in turn is rung at once, and the absent one when it comes.
func TestSerialSkipsWhoIsAbsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, kitchen, hall := household(t, `"kitchen", "hall"]
strategy = "serial"
hunt_after = "4s"`)
		hall.register()
		pressed := time.Now()
		s.program.Press()
		invite := hall.Request("INVITE")
		if d := time.Since(pressed); d > 100*time.Millisecond {
			t.Errorf("the hall is rung after %v", d)
		}
		hall.answer(invite, 180)
		time.Sleep(time.Second)
		kitchen.register()
		kitchen.answer(kitchen.rung(t, pressed), 180)
		s.end()
	})
}

// TestLinkFlap: a network that is away for half a second when the bell is pressed costs no press.
func TestLinkFlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, kitchen, _ := household(t, `"kitchen"]`)
		kitchen.register()
		time.Sleep(time.Second)
		pressed := time.Now()
		s.network.Fail = func(int) error {
			if time.Since(pressed) < 500*time.Millisecond {
				return siptest.ErrUnreachable
			}
			return nil
		}
		s.program.Press()
		kitchen.rung(t, pressed)
		s.end()
	})
}

// TestOneDeclines: of two phones under one name, and another beside, each decides for itself.
func TestOneDeclines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, kitchen, hall := household(t, `"kitchen", "hall"]`)
		second := s.phone("10.0.0.11:5060", "10.0.0.1:5060")
		kitchen.register()
		second.register()
		hall.register()
		s.program.Press()
		for _, p := range []*phone{kitchen, second, hall} {
			invite := p.Request("INVITE")
			p.answer(invite, 180)
			if p != hall {
				p.answer(invite, 603)
				p.Request("ACK")
				continue
			}
			time.Sleep(3 * time.Second)
			s.want(event.CallRinging)
			p.answer(invite, 486)
		}
		refused := s.want(event.CallRefused)
		if refused.Status != 603 || refused.Target != "kitchen" {
			t.Errorf("%+v", refused)
		}
		before := time.Now()
		s.want(event.CallEnded)
		if d := time.Since(before); d > time.Second {
			t.Errorf("busy %v after all have declined", d)
		}
		s.end()
	})
}

// TestFritzBox: a registrar that never answers a REGISTER whose URI has a user part gets one without, and the
// press rings.
func TestFritzBox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t, "[[bell]]", `[[account]]
name = "fritzbox"
user = "door"
password = "secret-of-door"
server = "10.0.0.8"
[[bell]]`, `"sip:kitchen@10.0.0.9"]`, `"**9"]`)
		box := s.phone("10.0.0.8:5060", "10.0.0.1:5062")
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
		for req := box.Request("REGISTER"); ; req = box.Request("REGISTER") {
			if req.URI.User == "" && !strings.Contains(req.URI.String(), "@") {
				box.Respond(req, box.server, 200, func(res *sip.Response) { res.Contact = req.Contact })
				break
			}
		}
		s.want(event.RegistrationUp)
		pressed := time.Now()
		s.program.Press()
		if invite := box.rung(t, pressed); invite.URI.User != "**9" {
			t.Errorf("INVITE %v", invite.URI)
		}
		s.end()
	})
}

// TestOthersHearWhy: the phones that did not answer show no missed call.
func TestOthersHearWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, kitchen, hall := household(t, `"kitchen", "hall"]`)
		kitchen.register()
		hall.register()
		s.program.Press()
		ringing := hall.Request("INVITE")
		hall.answer(ringing, 180)
		invite := kitchen.Request("INVITE")
		kitchen.Respond(invite, kitchen.server, 200, func(res *sip.Response) {
			res.To = res.To.WithTag("k")
			res.Contact = []sip.Address{{URI: sip.URI{Scheme: "sip", User: "kitchen", Host: "10.0.0.9"}}}
			res.ContentType = "application/sdp"
			res.Body = []byte("v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n")
		})
		s.want(event.CallAnswered)
		if got := hall.Request("CANCEL").Get("Reason"); got != `SIP;cause=200;text="Call completed elsewhere"` {
			t.Errorf("Reason %q", got)
		}
		s.end()
	})
}
