package ua_test

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/sip"
	"portero/sip/fsm/fsmtest"
	"portero/sip/siptest"
	"portero/sip/transaction"
	"portero/sip/transport"
	"portero/sip/ua"
)

// updating is an agent that takes UPDATE, so that the table's rows for it are driven over the wire, too.
type updating struct{ *ua.Agent }

func (u updating) Admit(flow transport.Flow, req *sip.Request) transaction.Verdict {
	if l := u.Find(req); l != nil && req.Method == sip.UPDATE {
		return transaction.Verdict{Take: func(tx *transaction.Server,
			req *sip.Request) {
			l.Step("UPDATE-offer", tx, req, nil)
		}}
	}
	return u.Agent.Admit(flow, req)
}

// legDrive is one run of a leg through a row: the agent at one end, a scripted far end at the other.
type legDrive struct {
	*testing.T
	a    *testAgent
	f    *far
	log  *fsmtest.Log
	leg  *ua.Leg
	call *ua.Call
	req  *sip.Request // the INVITE that is open, of either side
	when string       // which of the rows of one event is meant
}

func newLegDrive(t *testing.T, n *siptest.Network, when string) *legDrive {
	d := &legDrive{T: t, log: fsmtest.NewLog(), when: when}
	d.a = &testAgent{addr: netip.MustParseAddrPort("10.0.0.1:5060"), events: make(chan heard, 256)}
	d.a.Agent = ua.New(ua.Config{Log: slog.New(d.log), Incoming: d.a.hear,
		Allow: func(transport.Flow, *sip.Request) int { return 0 }})
	runStack(t, transaction.NewStack(transaction.Config{Log: slog.New(d.log)}, updating{d.a.Agent},
		n.Listen(d.a.addr.String())))
	d.f = newFar(t, n, "10.0.0.2:5060", d.a)
	return d
}

// step moves the leg by what no method brings yet.
func (d *legDrive) step(event string) {
	var res *sip.Response
	if d.req != nil {
		res = sip.NewResponse(d.req, 183, "")
	}
	d.a.Stack().Post(func() { d.leg.Step(event, nil, nil, res) })
	synctest.Wait()
}

// dialled has a leg of an INVITE of ours that rings.
func (d *legDrive) dialled() {
	d.call = d.a.call(d, "sip:kitchen@10.0.0.2")
	d.req = d.f.Request("INVITE")
	d.f.answer(d.req, 180, "k")
	d.leg = d.a.want(d, ua.Progress).Leg
}

func noOffer(r *sip.Request) { r.Body = nil }

// rung has a leg of an INVITE of theirs, and the far end a tag of ours.
func (d *legDrive) rung(edits ...func(*sip.Request)) {
	d.req = d.f.request("INVITE", edits...)
	h := d.a.want(d, ua.Offered)
	d.leg, d.call = h.Leg, h.call
	d.leg.Progress(180, nil)
	d.f.joined(d.f.Response(180))
}

func (d *legDrive) connected() {
	h := d.f.connect(d.a)
	d.leg, d.call = h.Leg, h.call
}

// ours has a re-INVITE of ours open, theirs one of theirs.
func (d *legDrive) ours() {
	d.connected()
	d.leg.Reoffer(offer)
	d.req = d.f.Request("INVITE")
}

func (d *legDrive) theirs(edits ...func(*sip.Request)) {
	d.connected()
	d.req = d.f.request("INVITE", edits...)
	d.a.want(d, ua.Offered)
}

// reach brings a leg into a state, by a first INVITE or a later one as the event needs it.
func (d *legDrive) reach(state, event string) {
	later := d.when == "their INVITE" || event == "TU-INVITE" || event == "UPDATE-offer"
	invite := func(edits ...func(*sip.Request)) {
		if later {
			d.theirs(edits...)
		} else {
			d.rung(edits...)
		}
	}
	switch state {
	case "Idle":
	case "Ours":
		if event == "1xx" || event == "end" || event == "1xx-rel-answer" || d.when == "call is another's" {
			d.dialled()
		} else {
			d.ours()
		}
	case "Theirs":
		invite()
	case "OfferDue":
		invite(noOffer)
	case "Answered", "Ours2xx":
		if state == "Answered" {
			invite()
		} else {
			invite(noOffer)
		}
		d.leg.Answer(offer)
		d.f.joined(d.f.Response(200))
	case "Stable":
		d.connected()
	case "Early":
		d.reachEarly(event, invite)
	case "Ours1xx":
		d.reach("OfferDue", event)
		d.step("TU-1xx-rel")
	case "OursPRACK":
		d.ours()
		d.step("1xx-rel-answer")
		d.step("TU-PRACK")
	case "TheirsPRACK":
		invite()
		d.step("TU-1xx-rel")
		d.step("PRACK-offer")
	case "OursUPDATE", "TheirsUPDATE":
		if d.when == "" && event != "TU-300-699" && event != "CANCEL" {
			d.connected()
		} else {
			invite()
			d.step("TU-1xx-rel")
		}
		if state == "OursUPDATE" {
			d.step("TU-UPDATE")
		} else {
			d.f.request("UPDATE", func(r *sip.Request) { r.ContentType, r.Body = "application/sdp", offer })
			synctest.Wait()
		}
	case "Ended":
		if event == "2xx" {
			d.dialled()
			d.call.Hangup()
			d.f.answer(d.f.Request("CANCEL"), 200, "")
		} else {
			d.connected()
			d.call.Hangup()
			d.f.Request("BYE")
		}
	default:
		d.Fatalf("no way to %s", state)
	}
}

// reachEarly has an INVITE open that a reliable 1xx has answered: one of ours for what answers it, one of
// theirs otherwise.
func (d *legDrive) reachEarly(event string, invite func(...func(*sip.Request))) {
	switch {
	case event == "1xx" || d.when == "call is another's":
		d.dialled()
		d.step("1xx-rel-answer")
	case event == "2xx" || event == "491" || event == "lost" || event == "300-699" || d.when == "our INVITE":
		d.ours()
		d.step("1xx-rel-answer")
	default:
		invite()
		d.step("TU-1xx-rel")
	}
}

// fire makes the event happen.
func (d *legDrive) fire(state, event string) {
	switch event {
	case "INVITE-offer":
		d.fireINVITE(state)
	case "INVITE-empty":
		d.fireINVITE(state, noOffer)
	case "TU-INVITE":
		if state == "Idle" {
			d.dialled()
		} else {
			d.leg.Reoffer(offer)
		}
	case "1xx":
		d.f.answer(d.req, 183, "k")
	case "2xx":
		if d.when == "call is another's" {
			d.f.answer(d.req, 200, "another")
			d.f.Request("ACK")
		}
		d.f.answer(d.req, 200, "k")
	case "491":
		d.f.answer(d.req, 491, "")
	case "lost":
		d.f.answer(d.req, 481, "")
	case "300-699":
		d.f.answer(d.req, 488, "")
	case "CANCEL":
		d.f.cancel(d.req)
		d.f.Response(200)
	case "ACK":
		if d.when == "hung up" {
			d.call.Hangup()
			synctest.Wait()
		}
		d.f.request("ACK")
	case "no-ACK":
		time.Sleep(32 * time.Second)
	case "TU-1xx":
		d.leg.Progress(180, nil)
	case "TU-2xx":
		d.leg.Answer(offer)
	case "TU-300-699":
		d.leg.Reject(486)
	case "UPDATE-offer":
		d.f.request("UPDATE", func(r *sip.Request) { r.ContentType, r.Body = "application/sdp", offer })
	case "end":
		if state == "Ours" {
			d.f.answer(d.req, 486, "k")
		} else {
			d.f.request("BYE")
			d.f.Response(200)
		}
	default:
		d.step(event)
	}
	synctest.Wait()
}

func (d *legDrive) fireINVITE(state string, edits ...func(*sip.Request)) {
	if state == "Idle" {
		d.rung(edits...)
		return
	}
	d.f.request("INVITE", edits...)
}

// sees fails unless the far end is sent the response that the row's words have, among others.
func (d *legDrive) sees(row string) {
	_, does, _ := strings.Cut(row, ": ")
	want := map[string]int{"send 491": 491, "send 500": 500, "send 481": 481, "send 487": 487,
		"send response": 486,
		"send 1xx":      180, "send 2xx": 200}
	for words, status := range want {
		if !strings.HasPrefix(does, words) || strings.Contains(row, "TU-1xx-rel ") || strings.Contains(row,
			"PRACK") ||
			strings.Contains(row, "TU-2xx-UPDATE") || strings.Contains(row, "TU-300-699-UPDATE") ||
			strings.Contains(row, "OursUPDATE  end") || strings.Contains(row, "TheirsUPDATE  end") {
			continue
		}
		for {
			req, res := d.f.Within(100 * time.Millisecond)
			if req == nil && res == nil {
				d.Fatalf("no %d was sent", status)
			}
			if res != nil && res.Status == status {
				return
			}
		}
	}
}

// TestOfferAnswer drives a leg through every row of its table. What PRACK and UPDATE will bring is brought by
// hand, but for what arrives in an UPDATE.
func TestOfferAnswer(t *testing.T) {
	f := ua.OfferAnswer
	rows := f.Check(t, "testdata/figures/offer-answer.txt")
	if len(rows) != len(f.Steps) {
		t.Fatalf("%d rows in the file, %d in the table", len(rows), len(f.Steps))
	}
	for i, row := range rows {
		t.Run(row, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *siptest.Network) {
				_, when, _ := strings.Cut(row, "[")
				when, _, ok := strings.Cut(when, "]")
				if !ok {
					when = ""
				}
				d := newLegDrive(t, n, when)
				d.reach(f.Steps[i].From, f.Steps[i].Event)
				before := d.log.Taken(f.Steps[i])
				d.fire(f.Steps[i].From, f.Steps[i].Event)
				if d.log.Taken(f.Steps[i]) == before {
					t.Errorf("the machine did not take %+v", f.Steps[i])
				}
				d.sees(row)
			})
		})
	}
}
