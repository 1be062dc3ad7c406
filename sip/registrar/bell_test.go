package registrar

import (
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"portero/sip"
	"portero/sip/siptest"
)

// bellServer is a server whose user door is a bell. The bell knows its challenge already.
func bellServer(t *testing.T, n *siptest.Network) (*testServer, *raw) {
	if n == nil {
		n = siptest.NewNetwork(7)
	}
	h := newTestServerOn(t, n, n.Listen(serverAddr.String()), func(c *Config) { c.Bell = "door" })
	bell := h.raw("door", "10.0.0.8:5060")
	bell.wantStatus(404, bell.request("INVITE", "sip:nobody@"+domain))
	return h, bell
}

// rings sends the bell's INVITE for anna and returns it.
func (r *raw) rings() *sip.Request { return r.send(r.request("INVITE", "sip:anna@"+domain)) }

// come registers a phone by the contacts, its own address if there are none.
func (r *raw) come(contacts ...string) {
	r.t.Helper()
	if len(contacts) == 0 {
		contacts = []string{"<sip:" + r.user + "@" + r.Addr.String() + ">"}
	}
	r.wantStatus(200, r.register(contacts...))
}

// answer answers a request that has come from the server.
func (r *raw) answer(req *sip.Request, status int) {
	r.Respond(req, serverAddr, status, func(res *sip.Response) {
		res.To = res.To.WithTag(fmt.Sprintf("%s-%d", r.user, r.Addr.Port()))
		if status < 300 {
			res.Contact = []sip.Address{{URI: uri(r.t, "sip:"+r.user+"@"+r.Addr.String())}}
		}
	})
}

// within returns the INVITE that must arrive within d.
func (r *raw) within(d time.Duration) *sip.Request {
	r.t.Helper()
	req, _ := r.Within(d)
	if req == nil || req.Method != sip.INVITE {
		r.t.Fatalf("%s: no INVITE within %v, but %v", r.user, d, req)
	}
	return req
}

// cancelled answers the CANCEL of an INVITE, and returns it.
func (r *raw) cancelled(invite *sip.Request) *sip.Request {
	r.t.Helper()
	cancel := r.Request("CANCEL")
	r.Respond(cancel, serverAddr, 200, nil)
	r.answer(invite, 487)
	r.Request("ACK")
	return cancel
}

const soon = 50 * time.Millisecond

// TestBellWaitsForPhone: who registers while the bell rings is rung at once.
func TestBellWaitsForPhone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, bell := bellServer(t, nil)
		sent := bell.rings()
		bell.Response(182)
		time.Sleep(1500 * time.Millisecond)
		first, second := h.raw("anna", "10.0.0.1:5060"), h.raw("anna", "10.0.0.2:5060")
		first.come()
		first.answer(first.within(soon), 180)
		bell.Response(180)
		second.come()
		invite := second.within(soon)
		second.answer(invite, 200)
		if res := bell.finalOf(sent); res.Status != 200 {
			t.Errorf("status %d", res.Status)
		}
		if got := first.Request("CANCEL").Get("Reason"); got != sip.CompletedElsewhere().Value {
			t.Errorf("Reason %q", got)
		}
		third := h.raw("anna", "10.0.0.3:5060")
		third.come()
		third.Silence(5 * time.Second)
	})
}

// TestBellRingsAPhoneOnce: a refresh of a contact that rings, or has declined, rings nothing; nor does another
// contact of the same phone.
func TestBellRingsAPhoneOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, bell := bellServer(t, nil)
		const instance = `;+sip.instance="<urn:uuid:00000000-0000-1000-8000-000a95a0e128>"`
		rung, declined := h.raw("anna", "10.0.0.1:5060"), h.raw("anna", "10.0.0.2:5060")
		rung.come("<sip:anna@10.0.0.1>" + instance)
		declined.come()
		sent := bell.rings()
		invite := rung.Request("INVITE")
		rung.answer(invite, 180)
		declined.answer(declined.Request("INVITE"), 603) // 16.7 item 5 would end the other
		declined.Request("ACK")
		for range 3 {
			rung.come("<sip:anna@10.0.0.1:5060;ob>" + instance)
			declined.come()
			declined.come("<sip:anna@10.0.0.2:5060;rinstance=1>")
			rung.Silence(2 * time.Second)
			declined.Silence(2 * time.Second)
		}
		rung.answer(invite, 486)
		if res := bell.finalOf(sent); res.Status != 603 { // all have declined
			t.Errorf("status %d", res.Status)
		}
	})
}

// TestBellAfterAVanishedPhone: one that is registered and silent is rung when it shows that it is there, at
// the same address or another, and after its INVITE has timed out.
func TestBellAfterAVanishedPhone(t *testing.T) {
	const instance = `;+sip.instance="<urn:uuid:00000000-0000-1000-8000-000a95a0e128>"`
	for name, tt := range map[string]struct {
		late  time.Duration
		at    string
		again string
	}{
		"same address":            {8 * time.Second, "10.0.0.1:5060", "<sip:anna@10.0.0.1>" + instance},
		"after a time-out":        {40 * time.Second, "10.0.0.1:5060", "<sip:anna@10.0.0.1>" + instance},
		"another address":         {1500 * time.Millisecond, "10.0.0.2:5060", "<sip:anna@10.0.0.2>" + instance},
		"another, after time-out": {40 * time.Second, "10.0.0.2:5060", "<sip:anna@10.0.0.2>" + instance},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := siptest.NewNetwork(7)
				var away atomic.Bool
				n.Drop = func(_, to netip.AddrPort, _ []byte) bool {
					return away.Load() && to == netip.MustParseAddrPort("10.0.0.1:5060")
				}
				h, bell := bellServer(t, n)
				phone := h.raw("anna", "10.0.0.1:5060")
				phone.come("<sip:anna@10.0.0.1>" + instance)
				away.Store(true)
				sent := bell.rings()
				time.Sleep(tt.late)
				away.Store(false)
				if tt.at != phone.Addr.String() {
					moved := h.raw("anna", tt.at)
					moved.id, moved.seq, moved.cred = phone.id, phone.seq, phone.cred
					phone = moved
				}
				phone.come(tt.again)
				invite := phone.within(soon)
				phone.answer(invite, 200)
				if res := bell.finalOf(sent); res.Status != 200 {
					t.Errorf("status %d", res.Status)
				}
			})
		})
	}
}

// TestBellEndsByCancel: the bell's CANCEL ends what waits, at once and with its Reason.
func TestBellEndsByCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, bell := bellServer(t, nil)
		cancel := func(sent *sip.Request, reason string) {
			req := sent.Clone()
			req.Method, req.CSeq.Method = sip.CANCEL, sip.CANCEL
			req.Via, req.Other, req.Body, req.Contact = sent.Via, nil, nil, nil
			if reason != "" {
				req.Add("Reason", reason)
			}
			bell.Send(serverAddr, req.Append(nil))
			if res := bell.finalOf(&sip.Request{Method: sip.CANCEL, Headers: req.Headers}); res.Status != 200 {
				t.Fatalf("CANCEL: %d", res.Status)
			}
		}
		sent := bell.rings()
		bell.Response(182)
		start := time.Now()
		cancel(sent, "")
		if res := bell.finalOf(sent); res.Status != 487 || time.Since(start) > soon {
			t.Errorf("status %d after %v", res.Status, time.Since(start))
		}
		anna := h.raw("anna", "10.0.0.1:5060")
		anna.come()
		anna.Silence(5 * time.Second) // the bell has ended
		for _, reason := range []string{"", sip.CompletedElsewhere().Value} {
			bell.id += "x"
			sent := bell.rings()
			invite := anna.Request("INVITE")
			anna.answer(invite, 180)
			bell.Response(180)
			cancel(sent, reason)
			if got := anna.cancelled(invite).Get("Reason"); got != reason {
				t.Errorf("Reason %q, want %q", got, reason)
			}
			if res := bell.finalOf(sent); res.Status != 487 {
				t.Errorf("status %d", res.Status)
			}
		}
	})
}

// TestBellWithoutNetwork: where nothing could be sent the bell hears it, to make its offer anew; where another
// phone rings, it is sent again from here.
func TestBellWithoutNetwork(t *testing.T) {
	for name, two := range map[string]bool{"alone": false, "beside another": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := siptest.NewNetwork(7)
				var away atomic.Int32 // sends that fail, from the server's next but one
				sends := int32(0)
				n.Fail = func(int) error {
					if away.Load() == 0 {
						return nil
					}
					if sends++; sends > 1 && sends <= 1+away.Load() { // the INVITE up, then its copies down
						return siptest.ErrUnreachable
					}
					return nil
				}
				h, bell := bellServer(t, n)
				first, second := h.raw("anna", "10.0.0.1:5060"), h.raw("anna", "10.0.0.2:5060")
				first.come("<sip:anna@10.0.0.1>;q=1")
				if two {
					second.come("<sip:anna@10.0.0.2>;q=0.5")
				}
				away.Store(1)
				sent := bell.rings()
				if !two {
					if res := bell.finalOf(sent); res.Status != 503 {
						t.Errorf("status %d", res.Status)
					}
					return
				}
				second.answer(second.within(soon), 180)
				first.answer(first.within(2*time.Second), 200)
				if res := bell.finalOf(sent); res.Status != 200 {
					t.Errorf("status %d", res.Status)
				}
			})
		})
	}
}

// TestPushParameters: what a push service needs is kept with the contact and passed on (RFC 8599 §4.1.2).
func TestPushParameters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, bell := bellServer(t, nil)
		anna := h.raw("anna", "10.0.0.1:5060")
		const push = ";pn-provider=fcm;pn-param=1234567;pn-prid=ZH11y4ZDJlMNzODE1NgKi0K"
		res := anna.wantStatus(200, anna.register("<sip:anna@10.0.0.1:5060"+push+">"))
		if got := res.Contact[0].URI.String(); !strings.HasSuffix(got, push) {
			t.Errorf("registered as %q", got)
		}
		bell.rings()
		if got := anna.Request("INVITE").URI.String(); got != "sip:anna@10.0.0.1:5060"+push {
			t.Errorf("called as %q", got)
		}
	})
}

// TestBellIsBounded: a phone that registers under ever new contacts is not rung for ever.
func TestBellIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, bell := bellServer(t, nil)
		bell.rings()
		for i := range 50 {
			anna := h.raw("anna", fmt.Sprintf("10.0.1.%d:5060", i+1))
			anna.come()
		}
		synctest.Wait()
		rung := 0
		for _, m := range h.net.Log() {
			if m.From == serverAddr && strings.HasPrefix(m.Wire, "INVITE sip:anna@10.0.1.") {
				rung++
			}
		}
		if rung != maxBranches {
			t.Errorf("%d phones rung, want %d", rung, maxBranches)
		}
	})
}
