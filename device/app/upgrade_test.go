package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/board"
	"portero/device/config"
	"portero/device/event"
	"portero/sip"
	"portero/sip/digest"
	"portero/sip/siptest"
)

// TestUpgrade starts this version over what version 7586035 has left on the medium when its power went: the
// configuration of a whole station, a lock-out, a tamper block, a phone at the built-in server.
func TestUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		copyFile := func(from, to string, edits ...string) {
			text, err := os.ReadFile(from)
			if err != nil {
				t.Fatal(err)
			}
			out := strings.NewReplacer(edits...).Replace(string(text))
			if err := os.WriteFile(filepath.Join(dir, to), []byte(out), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		const old = "../config/testdata/station-7586035.toml"
		copyFile(old, "portero.toml", "/var/lib/portero", dir)
		copyFile(old, "last-good.toml", "/var/lib/portero", dir)
		for _, name := range []string{"lockout.json", "tamper.json", "phones.json"} {
			copyFile("testdata/7586035/"+name, name)
		}
		sim := board.NewSim()
		s := &station{t: t, open: sim.Open, file: filepath.Join(dir, "portero.toml"), sim: sim, network: siptest.NewNetwork(1)}
		server, kitchen := s.registrations("127.0.0.1:15099", "127.0.0.1:15062"), s.phone("127.0.0.1:15070", "127.0.0.1:15060")
		garden := s.phone("127.0.0.2:15098", "127.0.0.1:15062")
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
		if ev := s.want(event.CodeLockedOut); ev.Reason != "restart during a lock-out" || ev.DurationMS != 600_000 {
			t.Errorf("%+v", ev)
		}
		if ev := s.want(event.ConfigUnsafe); !strings.Contains(ev.Reason, `audio.ring_back "sk"`) { // it was taken then
			t.Errorf("%+v", ev)
		}
		if ev := s.want(event.TamperAlarm); ev.Reason != "restart during a block" || ev.DurationMS != 3600_000 {
			t.Errorf("%+v", ev)
		}
		if left := <-server; left {
			t.Error("the account is not registered")
		}

		// The phone has not registered since.
		s.program.Press()
		invite := kitchen.Request("INVITE")
		if invite.URI.User != "kitchen" {
			t.Errorf("INVITE %v", invite.URI)
		}
		kitchen.Respond(invite, kitchen.server, 486, nil)
		s.want(event.CallEnded)

		open := func(code string) event.Event {
			t.Helper()
			if err := s.sim.Press(config.BellInput("garden"), true); err != nil {
				t.Fatal(err)
			}
			invite := garden.Request("INVITE")
			if err := s.sim.Press(config.BellInput("garden"), false); err != nil {
				t.Fatal(err)
			}
			garden.takes(invite, code)
			return s.want(event.CallEnded)
		}
		opened := func() (doors []string) {
			for _, e := range s.sim.Edges("door:front", "door:garage") {
				if e.Active {
					doors = append(doors, e.Name)
				}
			}
			return doors
		}
		open("9174#")
		time.Sleep(11 * time.Minute)
		open("9174#") // the lock-out is over, the block is not
		if moved := opened(); len(moved) != 0 {
			t.Errorf("opened: %v", moved)
		}
		time.Sleep(time.Hour)
		open("9174#")
		open("58293#")
		if moved := opened(); fmt.Sprint(moved) != "[door:front door:front door:garage]" {
			t.Errorf("opened: %v", moved)
		}
		s.end()
	})
}

// takes answers a call that the station has placed directly, types a code half a second later, and hangs up.
func (p *phone) takes(invite *sip.Request, code string) {
	to := "<" + invite.URI.String() + ">;tag=phone"
	sdp := fmt.Appendf(nil, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 21000 RTP/AVP 8\r\n")
	p.Respond(invite, p.server, 200, func(res *sip.Response) {
		res.To.Params = res.To.Params.With("tag", "phone")
		res.Contact = []sip.Address{{URI: sip.URI{Scheme: "sip", Host: p.Addr.Addr().String(), Port: p.Addr.Port()}}}
		res.Add("Content-Type", "application/sdp")
		res.Body = sdp
	})
	p.Request("ACK")
	n := 0
	send := func(method, contentType, body string) {
		n++
		p.Send(p.server, fmt.Appendf(nil, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%d\r\nMax-Forwards: 70\r\n"+
			"From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n%sContent-Length: %d\r\n\r\n%s", method,
			invite.Contact[0].URI, p.Addr, invite.CallID, n, to, invite.From, invite.CallID, n, method, contentType, len(body), body))
		p.Response(200)
	}
	time.Sleep(500 * time.Millisecond)
	send("INFO", "Content-Type: application/dtmf-relay\r\n", "Signal="+code+"\r\nDuration=100\r\n")
	time.Sleep(3 * time.Second)
	send("BYE", "", "")
}

// TestUnsafeSecrets: a code and a phone's password that strangers know are off and told, at a start and at a
// reload; the bell rings, the other code and the other phone work.
func TestUnsafeSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t, `enabled = "off"`, `enabled = "on"
listen = "10.0.0.1:5060"
[[server.user]]
name = "kitchen"
password = "another-long-random-password"
[[server.user]]
name = "hall"
password = "kettle-on-8"`, `"sip:kitchen@10.0.0.9"`, `"kitchen", "hall"`, "[audio]", `[[code]]
who = "post"
code = "730158"
doors = ["front"]
[audio]`)
		kitchen, hall := s.phone("10.0.0.9:5060", "10.0.0.1:5060"), s.phone("10.0.0.8:5060", "10.0.0.1:5060")
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
		off := func() {
			t.Helper()
			for _, key := range []string{"server.user[0].password", "code[1].code"} {
				if ev := s.want(event.ConfigUnsafe); ev.Level().String() != "ERROR" || !strings.Contains(ev.Reason, key) {
					t.Errorf("%+v, want %s", ev, key)
				}
			}
			if got := kitchen.registers("kitchen", "another-long-random-password"); got != 401 {
				t.Errorf("the sample's password: %d", got)
			}
			if got := hall.registers("hall", "kettle-on-8"); got != 200 {
				t.Errorf("a password of one's own: %d", got)
			}
			s.program.Press()
			hall.Respond(hall.Request("INVITE"), hall.server, 486, nil)
			if ev := s.want(event.BellUnheard); !strings.HasPrefix(ev.Reason, "kitchen: not registered") || !strings.HasSuffix(ev.Reason, "; hall: busy (486 Busy Here)") {
				t.Errorf("%+v", ev)
			}
			s.want(event.CallEnded)
		}
		off()
		if codes := s.program.Config().Codes; len(codes) != 1 || codes[0].Who != "family" {
			t.Errorf("codes of %v", codes)
		}
		s.reload(`ring_limit = "5s"`, `ring_limit = "6s"`)
		s.want(event.ConfigReloaded)
		off()
		s.reload("another-long-random-password", "teapot-under-3-cosies", "730158", "58293")
		s.want(event.ConfigReloaded)
		s.want(event.StationReady)
		if got := kitchen.registers("kitchen", "teapot-under-3-cosies"); got != 200 {
			t.Errorf("another password: %d", got)
		}
		s.end()
	})
}

// registers tries a password and returns the status of the answer.
func (p *phone) registers(user, password string) int {
	send := func(auth string) {
		p.seq++
		p.Send(p.server, fmt.Appendf(nil, "REGISTER sip:portero.local SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%d\r\n"+
			"Max-Forwards: 70\r\nFrom: <sip:%s@portero.local>;tag=p\r\nTo: <sip:%s@portero.local>\r\nCall-ID: %s\r\nCSeq: %d REGISTER\r\n"+
			"Contact: <sip:%s@%s>;expires=3600\r\n%sContent-Length: 0\r\n\r\n", p.Addr, p.seq, user, user, p.Addr, p.seq, user, p.Addr, auth))
	}
	answer := func() *sip.Response {
		for {
			if req, res := p.Within(time.Minute); req == nil || req.Method != sip.ACK { // of a call before
				return res
			}
		}
	}
	send("")
	login := digest.Client{User: user, Password: password}
	if err := login.Challenged(answer().Values("WWW-Authenticate"), false); err != nil {
		panic(err)
	}
	send("Authorization: " + login.Authorize("REGISTER", "sip:portero.local") + "\r\n")
	return answer().Status
}
