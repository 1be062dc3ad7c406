package device

import (
	"bytes"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/device/event"
	"portero/sip"
	"portero/sip/ua"
)

const lamps = `
[[lamp]]
name = "ready"
line = "GPIO19"
shows = "ready"
[[lamp]]
name = "ringing"
line = "GPIO20"
active_low = true
shows = "ringing"
[[lamp]]
name = "talking"
line = "GPIO21"
shows = "talking"
[[lamp]]
name = "open"
line = "GPIO18"
active_low = true
shows = "open"
`

// homeAccount is to be registered at 10.0.0.9.
const homeAccount = `
[[account]]
name = "home"
server = "10.0.0.9:5060"
user = "door"
password = "secret-of-the-account"
`

// TestLamps follow a visit, each at the moment the station changes.
func TestLamps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", inside+lamps), r.phone("10.0.0.2:5060")
		d.press("front") // at 1 s
		offered := p.want(ua.Offered)
		time.Sleep(2*time.Second - r.sip.Delay)
		m := p.answer(offered)
		d.want(event.CallAnswered)
		time.Sleep(time.Second - 2*r.sip.Delay)
		d.exit()
		time.Sleep(3900 * time.Millisecond)
		m.Session().SendDigits("4711#")
		d.want(event.DoorClosed)
		d.want(event.DoorClosed)
		offered.call.Hangup()
		d.want(event.CallEnded)
		time.Sleep(5 * time.Second)
		d.stop()
		var got []string
		for _, e := range d.sim.Edges("lamp:ready", "lamp:ringing", "lamp:talking", "lamp:open") {
			if e.Active == e.High == (e.Name == "lamp:ringing" || e.Name == "lamp:open") {
				t.Errorf("polarity: %+v", e)
			}
			s := strings.TrimPrefix(e.Name, "lamp:")
			if !e.Active {
				s = "-" + s
			}
			got = append(got, s)
		}
		if want := []string{"ready", "ringing", "-ringing", "talking", "open", "-open", "open", "-open", "-talking", "-ready"}; !slices.Equal(got, want) {
			t.Errorf("lamps went %q\nwant %q", got, want)
		}
		relay, lamp := d.edges(), d.sim.Edges("lamp:open")
		if len(relay) != 4 || len(lamp) != 4 {
			t.Fatalf("%v, %v", relay, lamp)
		}
		for i := range relay {
			if relay[i].At != lamp[i].At || relay[i].Active != lamp[i].Active {
				t.Errorf("relay %+v, lamp %+v", relay[i], lamp[i])
			}
		}
		if at := d.sim.Edges("lamp:ringing"); at[0].At != time.Second {
			t.Errorf("the lamp rings at %v, the bell was pressed at 1s", at[0].At)
		}
	})
}

// TestRingingInLamp: a caller that rings at the door is shown as well.
func TestRingingInLamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", lamps+allowKitchen), r.phone("10.0.0.2:5060")
		p.dial("sip:door@10.0.0.1:5062")
		d.want(event.CallRinging)
		synctest.Wait()
		if !d.sim.Level("lamp:ringing") {
			t.Error("dark")
		}
		d.want(event.CallEnded)
		synctest.Wait()
		if d.sim.Level("lamp:ringing") {
			t.Error("still lit")
		}
	})
}

// TestReadyLamp waits for the registration where one is wanted, and goes out with it.
func TestReadyLamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		server := r.sip.NewPeer(t, "10.0.0.9:5060")
		d := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", lamps+homeAccount)
		if d.sim.Level("lamp:ready") {
			t.Error("lit before it is registered")
		}
		answer := func(status int) {
			req := server.Request("REGISTER")
			server.Respond(req, netip.MustParseAddrPort("10.0.0.1:5062"), status, func(res *sip.Response) {
				if status == 200 {
					own := req.Contact[0]
					own.Params = own.Params.With("expires", "120")
					res.Contact = []sip.Address{own}
				}
			})
		}
		answer(200)
		d.want(event.RegistrationUp)
		synctest.Wait()
		if !d.sim.Level("lamp:ready") {
			t.Error("dark while it is registered")
		}
		for { // the refresh is refused
			req, _ := server.Within(3 * time.Minute)
			if req == nil {
				t.Fatal("no refresh")
			}
			if req.Method == "REGISTER" {
				server.Respond(req, netip.MustParseAddrPort("10.0.0.1:5062"), 403, nil)
				break
			}
		}
		d.want(event.RegistrationFailed)
		synctest.Wait()
		if d.sim.Level("lamp:ready") {
			t.Error("lit after the registration failed")
		}
	})
}

// TestReadyLampBlinks while another configuration stands in for the file's: a second for on and off. One that
// a relay switches stays dark, and what is not ready does not blink either.
func TestReadyLampBlinks(t *testing.T) {
	for name, c := range map[string]struct {
		tables string
		blinks bool
	}{
		"a lamp":         {lamps, true},
		"a relay":        {strings.Replace(lamps, `line = "GPIO19"`, "line = \"GPIO19\"\nrelay = true", 1), false},
		"not registered": {lamps + homeAccount, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.about.StandIn = &StandIn{Reason: "the file is faulty"}
				d := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", c.tables)
				time.Sleep(9100 * time.Millisecond) // it has run for 10 s
				d.stop()
				edges := d.sim.Edges("lamp:ready")
				if !c.blinks {
					if len(edges) != 0 {
						t.Errorf("not dark: %v", edges)
					}
					return
				}
				if n := len(edges); n != 22 {
					t.Fatalf("%d edges in 10.1 s, and one at the end", n)
				}
				for i, e := range edges[:21] {
					if e.Active != (i%2 == 0) || e.At != time.Duration(i)*blinkEvery {
						t.Errorf("edge %d: %+v", i, e)
					}
				}
				if edges[21].Active {
					t.Error("lit at the end")
				}
			})
		})
	}
}

// TestBrokenLamp: it is logged once, and everything else goes on; a lamp that works again shows the truth
// again.
func TestBrokenLamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var log bytes.Buffer
		r.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", inside+lamps), r.phone("10.0.0.2:5060")
		d.sim.Fail("lamp:ringing", true, 1, -1)
		d.sim.Fail("lamp:open", true, 1, -1)
		d.press("front")
		p.answer(p.want(ua.Offered))
		d.want(event.CallAnswered)
		for range 3 {
			d.exit()
			d.want(event.DoorOpened)
			d.want(event.DoorClosed)
		}
		if n := strings.Count(log.String(), `msg="lamp not switched"`); n != 2 {
			t.Errorf("%d lines, want one for each lamp:\n%s", n, log.String())
		}
		if e := d.sim.Edges("lamp:ringing", "lamp:open"); len(e) != 0 {
			t.Errorf("%v", e)
		}
		d.sim.Heal()
		d.exit()
		if !d.sim.Level("lamp:open") || !d.sim.Level("lamp:talking") {
			t.Error("dark")
		}
	})
}
