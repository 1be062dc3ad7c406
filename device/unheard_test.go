package device

import (
	"testing"
	"testing/synctest"
	"time"

	"portero/device/event"
	"portero/sip/ua"
)

// TestBellUnheard: when nobody has come, one sentence says whom the bell has called and why each did not.
func TestBellUnheard(t *testing.T) {
	for name, tt := range map[string]struct {
		bell   string
		phones func(kitchen, hall *phone) // attic is switched off
		want   string
	}{
		"parallel": {`ring_limit = "20s"`, func(kitchen, hall *phone) {
			kitchen.want(ua.Offered).Leg.Reject(486)
			hall.want(ua.Offered).Leg.Progress(180, nil)
		}, `sip:kitchen@10.0.0.2: 486 Busy Here; sip:hall@10.0.0.3: rang, not answered; ` +
			`sip:attic@10.0.0.4: no response: is it switched on, and on the network?`},
		"serial": {"ring_limit = \"18s\"\nstrategy = \"serial\"\nhunt_after = \"10s\"", func(kitchen, hall *phone) {
			kitchen.want(ua.Offered).Leg.Progress(180, nil)
			hall.want(ua.Offered).Leg.Progress(183, nil)
		}, `sip:kitchen@10.0.0.2: rang, not answered; sip:hall@10.0.0.3: rang, not answered; ` +
			`sip:attic@10.0.0.4: not tried, as the time was over`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				d := r.door("10.0.0.1:5062", twoPhones+`, "sip:attic@10.0.0.4"`, tt.bell, "")
				kitchen, hall := r.phone("10.0.0.2:5060"), r.phone("10.0.0.3:5060")
				d.press("front")
				tt.phones(kitchen, hall)
				if ev := d.want(event.BellUnheard); ev.Bell != "front" || ev.Reason != tt.want {
					t.Errorf("%+v, want %q", ev, tt.want)
				}
				d.want(event.CallEnded)
			})
		})
	}
}

// TestHeardBellIsNotUnheard: a bell that somebody has answered is none.
func TestHeardBellIsNotUnheard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", ""), r.phone("10.0.0.2:5060")
		d.press("front")
		p.answer(p.want(ua.Offered))
		d.want(event.CallAnswered, event.BellUnheard)
		time.Sleep(time.Second)
		d.do(HangUp{})
		d.want(event.CallEnded, event.BellUnheard)
	})
}

func TestAbsence(t *testing.T) {
	at := time.Now().Add(-2 * time.Hour)
	for want, tt := range map[string]struct {
		p     party
		since time.Time
	}{
		"not registered (phones register here by UDP, not by TCP or TLS)": {p: party{absent: true, status: 182, refusal: "Queued"}},
		"not registered since " + at.Format("15:04"):                      {party{absent: true, status: 182, refusal: "Queued"}, at},
		"480 Temporarily Unavailable":                                     {p: party{absent: true, status: 480, refusal: "Temporarily Unavailable"}},
		"no such host":                                                    {p: party{absent: true, refusal: "no such host"}},
		"603 Decline":                                                     {p: party{ended: true, status: 603, refusal: "Decline"}},
		"403 Forbidden":                                                   {p: party{ended: true, status: 403, refusal: "Forbidden"}},
		"reached, did not ring":                                           {p: party{alerts: true}},
		"no response: is it switched on, and on the network?":             {p: party{absent: true, status: 408, refusal: "no response"}},
	} {
		if got := tt.p.absence(tt.since); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
