package registrar

import (
	"testing"
	"testing/synctest"
	"time"

	"portero/sip"
)

// talk is a call of the door's that anna has answered.
type talk struct {
	h          *testServer
	door, anna *raw
	invite     *sip.Request
	res        *sip.Response
}

func newTalk(t *testing.T) *talk {
	h, door := bellServer(t, nil)
	k := &talk{h: h, door: door, anna: h.raw("anna", "10.0.0.1:5060")}
	k.anna.come()
	k.invite = door.rings()
	got := k.anna.Request("INVITE")
	k.anna.Respond(got, serverAddr, 200, func(r *sip.Response) {
		r.To, r.RecordRoute = r.To.WithTag("anna-tag"), got.RecordRoute
		r.Contact = []sip.Address{{URI: got.URI}}
	})
	k.res = door.finalOf(k.invite)
	k.anna.seq = 100
	door.send(k.within("ACK", door, false))
	k.anna.Request("ACK")
	return k
}

// within is a request within the dialog as one end would make it, sent by whoever.
func (k *talk) within(method string, by *raw, callee bool) *sip.Request {
	req := by.request(method, k.res.Contact[0].URI.String())
	req.From, req.To = k.invite.From, k.res.To
	if callee {
		req.URI = k.invite.Contact[0].URI
		req.From, req.To = k.res.To, k.invite.From
	}
	req.CallID, req.Route, req.CSeq.Seq = k.invite.CallID, k.res.RecordRoute, k.invite.CSeq.Seq
	return req
}

// TestObserverIsNoEnd: who has seen a message of a dialog, with tags and token, is challenged and gets through
// to nobody; a user of ours that is not the dialog's is refused.
func TestObserverIsNoEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalk(t)
		eve := k.h.raw("eve", "10.0.0.66:5060")
		ben := k.h.raw("ben", "10.0.0.67:5060")
		ben.come()
		for _, callee := range []bool{false, true} {
			for _, method := range []string{"INFO", "BYE", "INVITE"} {
				if res := eve.finalOf(eve.send(k.within(method, eve, callee))); res.Status != 407 {
					t.Errorf("%s by nobody: %d", method, res.Status)
				}
				ben.wantStatus(403, k.within(method, ben, callee))
			}
			eve.send(k.within("ACK", eve, callee))
			ben.send(k.within("ACK", ben, callee))
		}
		k.anna.Silence(time.Second)
		k.door.Silence(time.Second)
	})
}

// TestEndThatHasMoved: a phone at a new address is believed once it has registered from there, or shows its
// password.
func TestEndThatHasMoved(t *testing.T) {
	for name, registers := range map[string]bool{"registers": true, "shows its password": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newTalk(t)
				moved := k.h.raw("anna", "10.0.0.50:5060")
				moved.seq = 200
				if registers {
					moved.come()
					moved.cred.Forget()
				}
				sent := make(chan *sip.Response)
				go func() { sent <- moved.final(k.within("BYE", moved, true)) }()
				k.door.Respond(k.door.Request("BYE"), serverAddr, 200, nil)
				if res := <-sent; res.Status != 200 {
					t.Errorf("BYE: %d", res.Status)
				}
			})
		})
	}
}

// TestAnswerFromElsewhere: a response with the branch of an INVITE that was forwarded, from an address that is
// not the phone's, answers and ends nothing.
func TestAnswerFromElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, bell := bellServer(t, nil)
		anna, eve := h.raw("anna", "10.0.0.1:5060"), h.raw("eve", "10.0.0.66:5060")
		anna.come()
		sent := bell.rings()
		invite := anna.Request("INVITE")
		for _, status := range []int{180, 200, 486, 603} {
			eve.answer(invite, status)
		}
		bell.Silence(100 * time.Millisecond)
		eve.Silence(100 * time.Millisecond)
		anna.answer(invite, 200)
		if res := bell.finalOf(sent); res.Status != 200 || res.Contact[0].URI.Host != "10.0.0.1" {
			t.Errorf("answered by %v, %d", res.Contact, res.Status)
		}
	})
}
