package device

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"portero/device/event"
	"portero/sip/transaction"
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
		}, `sip:kitchen@10.0.0.2: busy (486 Busy Here); sip:hall@10.0.0.3: rang, not answered; ` +
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
		"not registered (phones register here by UDP, not by TCP or TLS)":            {p: party{absent: true, status: 182, refusal: "Queued"}},
		"not registered since " + at.Format("15:04"):                                 {party{absent: true, status: 182, refusal: "Queued"}, at},
		"not registered there, or not to be disturbed (480 Temporarily Unavailable)": {p: party{absent: true, status: 480, refusal: "Temporarily Unavailable"}},
		"no such host":      {p: party{absent: true, refusal: "no such host"}},
		"declined (603 No)": {p: party{ended: true, status: 603, refusal: inWords(603, "No")}},
		"it takes no calls from this station (403 Forbidden)": {p: party{ended: true, status: 403, refusal: inWords(403, "Forbidden")}},
		"reached, did not ring":                               {p: party{alerts: true}},
		noResponse:                                            {p: party{absent: true, status: 408, refusal: "no response"}},
	} {
		if got := tt.p.absence(tt.since); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestReasonsInWords names what happened, and the status for those who look it up.
func TestReasonsInWords(t *testing.T) {
	for want, ev := range map[string]ua.CallEvent{
		"busy (486 Busy Here)":                                 {Status: 486, Reason: "Busy Here"},
		"declined (603 Decline)":                               {Status: 603},
		"nobody has this name or number there (404 Not Found)": {Status: 404, Reason: "Not Found"},
		"its server is in trouble (503 Service Unavailable)":   {Status: 503},
		"493 Undecipherable":                                   {Status: 493},
		noResponse:                                             {Err: fmt.Errorf("x: %w", transaction.ErrTimeout)},
		"no such host: fritz.bxo":                              {Err: fmt.Errorf("x: %w", &net.DNSError{Name: "fritz.bxo", IsNotFound: true})},
		"a cause":                                              {Err: errors.New("a cause"), Reason: "x"},
		"hung up":                                              {Reason: "hung up"},
	} {
		if got := reasonOf(ev); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
