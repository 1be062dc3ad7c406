package ua_test

import (
	"net/netip"
	"testing"
	"time"

	"portero/sip"
	"portero/sip/siptest"
	"portero/sip/ua"
)

// observer is somebody at another address who has seen what the far end sent, and writes like it.
func observer(t *testing.T, n *siptest.Network, f *far) *far {
	g := *f
	g.Peer = n.NewPeer(t, "10.0.0.66:5060")
	return &g
}

// TestObserverHasNoSay: who has seen a call's messages types no code, moves no sound, and acknowledges
// nothing from an address of his own. The far end's next request is in order all the same.
func TestObserverHasNoSay(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		f := newFar(t, n, "10.0.0.2:5060", a)
		invite, h := f.ring(a)
		thief := observer(t, n, f)
		thief.cancel(invite)
		thief.Response(481)
		a.wantNothing(t)
		h.Leg.Answer(offer)
		f.joined(f.Response(200))
		thief.remote, thief.seq = f.remote, f.seq
		thief.request("ACK")
		a.wantNothing(t)
		f.request("ACK")
		a.want(t, ua.Acked)
		thief.seq += 100 // newer than anything
		for _, method := range []string{"INFO", "INVITE", "OPTIONS"} {
			req := thief.request(method, func(req *sip.Request) {
				if method == "INFO" {
					req.ContentType, req.Body = "application/dtmf-relay", []byte("Signal=1\r\n")
				}
			})
			res := thief.Response(403)
			if method == "INVITE" {
				thief.ackRefusal(req, res)
			}
			a.wantNothing(t)
		}
		f.request("BYE")
		f.Response(200)
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestByeFromElsewhere: the next hop is asked whether the call goes on.
func TestByeFromElsewhere(t *testing.T) {
	cases := map[string]struct {
		next int // what the next hop says; 0: nothing
		ends bool
	}{"it goes on": {200, false}, "it is not known": {481, true}, "it is silent": {0, true}, "it understands no OPTIONS": {405, false}}
	each(t, cases, func(t *testing.T, n *siptest.Network, tt struct {
		next int
		ends bool
	}) {
		a := startUA(t, n, "10.0.0.1:5060")
		f := newFar(t, n, "10.0.0.2:5060", a)
		f.connect(a)
		thief := observer(t, n, f)
		start := time.Now()
		thief.request("BYE")
		asked := f.Request("OPTIONS")
		if tt.next != 0 {
			f.answer(asked, tt.next, "")
		}
		if !tt.ends {
			thief.Response(403)
			a.wantNothing(t)
			f.seq++
			f.request("BYE")
			f.Response(200)
			a.want(t, ua.Ended)
			return
		}
		thief.Response(200)
		if ev := a.want(t, ua.Ended); !ev.ByPeer {
			t.Errorf("%+v", ev.CallEvent)
		}
		between(t, "ended", time.Since(start), 0, 2*time.Second)
	})
}

// TestForgedAnswers: a response with the branch of an INVITE, from an address that was not asked, answers,
// ends and rings nothing; that of the far end does.
func TestForgedAnswers(t *testing.T) {
	for _, status := range []int{180, 200, 302, 401, 486, 503, 603} {
		bubble(t, func(t *testing.T, n *siptest.Network) {
			a := startUA(t, n, "10.0.0.1:5060")
			f := newFar(t, n, "10.0.0.9:5060", a)
			thief := newFar(t, n, "10.0.0.66:5060", a)
			a.call(t, hall)
			invite := f.Request("INVITE")
			thief.answer(invite, status, "forged")
			a.wantNothing(t)
			thief.Silence(100 * time.Millisecond)
			f.answer(invite, 200, "r")
			a.want(t, ua.Answered)
			f.Request("ACK")
		})
	}
}

// TestAnswersFrom: addresses that the configuration names, those that an account's name leads to, and the one
// that completed its registration may answer.
func TestAnswersFrom(t *testing.T) {
	cases := map[string]bool{"named": true, "of the account": true, "that registered it": true, "nobody's": false}
	for name, heard := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *siptest.Network) {
				var z zone
				z.set("pbx.test", "10.0.0.9:5060")
				a := startUA(t, n, "10.0.0.1:5060", z.option, func(o *uaOptions) {
					o.cfg.AnswersFrom = func(at netip.Addr) bool { return name == "named" && at == netip.MustParseAddr("10.0.0.66") }
				})
				f, other := newFar(t, n, "10.0.0.9:5060", a), newFar(t, n, "10.0.0.66:5060", a)
				acct := ua.NewAccount(ua.AccountConfig{AOR: mustURI(t, "sip:door@pbx.test"), Server: mustURI(t, "sip:pbx.test")})
				switch name {
				case "of the account":
					z.set("pbx.test", "10.0.0.9:5060", "10.0.0.66:5060")
				case "that registered it":
					a.Register(acct, func(ua.RegEvent) {})
					other.answer(f.Request("REGISTER"), 200, "r")
				}
				a.call(t, "sip:**9@pbx.test", acct)
				invite := f.Request("INVITE")
				other.answer(invite, 180, "r")
				if !heard {
					a.wantNothing(t)
					return
				}
				a.want(t, ua.Progress)
				other.answer(invite, 200, "r", func(res *sip.Response) { res.Contact[0].URI = other.contact().URI })
				a.want(t, ua.Answered)
				other.Request("ACK")
				other.request("INFO", func(req *sip.Request) {
					req.ContentType, req.Body = "application/dtmf-relay", []byte("Signal=1\r\n")
				})
				other.Response(200)
				a.want(t, ua.Info)
			})
		})
	}
}
