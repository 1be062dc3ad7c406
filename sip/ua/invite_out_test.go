package ua_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"portero/sip"
	"portero/sip/siptest"
	"portero/sip/transaction"
	"portero/sip/transport"
	"portero/sip/ua"
)

// dialled starts a call from a fresh agent to a fresh scripted peer and returns the INVITE.
func dialled(t *testing.T, n *siptest.Network) (*testAgent, *far, *ua.Call, *sip.Request) {
	t.Helper()
	a := startUA(t, n, "10.0.0.1:5060")
	f := newFar(t, n, "10.0.0.2:5060", a)
	c := a.call(t, "sip:kitchen@10.0.0.2")
	return a, f, c, f.Request("INVITE")
}

func TestInviteMessage(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f, _, req := dialled(t, n)
		via := req.Via[0]
		if req.URI.String() != "sip:kitchen@10.0.0.2" || req.To.String() != "<sip:kitchen@10.0.0.2>" ||
			req.From.Tag() == "" ||
			len(req.Contact) != 1 || req.Contact[0].URI.String() != "sip:door@10.0.0.1:5060" ||
			req.MaxForwards != 70 ||
			!via.Params.Has("rport") || len(via.Branch()) < 7+16 || req.CSeq.Seq != 1 ||
			!hasToken(&req.Headers, "Allow", "BYE") ||
			req.ContentType != "application/sdp" || string(req.Body) != string(offer) {
			t.Errorf("INVITE (§8.1.1, §12.1.2):\n%s", req)
		}
		f.answer(req, 486, "t")
		f.Request("ACK")
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

func TestAnswered(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f, c, req := dialled(t, n)
		f.answer(req, 100, "")
		if ev := a.want(t, ua.Progress); ev.Status != 100 || ev.Leg != nil {
			t.Errorf("100 told as %+v", ev)
		}
		f.answer(req, 180, "t")
		if ev := a.want(t, ua.Progress); ev.Status != 180 || ev.Leg == nil || ev.Leg.ID() != "t" {
			t.Errorf("180 told as %+v", ev)
		}
		f.answer(req, 183, "t")
		if ev := a.want(t, ua.Progress); ev.Status != 183 || string(ev.Body) != "v=0\r\na=answer\r\n" {
			t.Errorf("183 told as %+v", ev)
		}
		f.answer(req, 200, "t")
		ack := f.Request("ACK")
		if ack.URI.String() != "sip:far@10.0.0.2:5060" || ack.To.Tag() != "t" ||
			ack.CSeq != (sip.CSeq{Seq: 1, Method: "ACK"}) ||
			ack.Via[0].Branch() == req.Via[0].Branch() || ack.From.Tag() != req.From.Tag() ||
			len(ack.Via) != 1 {
			t.Errorf("ACK of a 2xx (§13.2.2.4):\n%s", ack)
		}
		if ev := a.want(t, ua.Answered); ev.Leg.ID() != "t" || ev.Status != 200 {
			t.Errorf("200 told as %+v", ev)
		}
		c.Hangup()
		bye := f.Request("BYE")
		if bye.URI.String() != "sip:far@10.0.0.2:5060" || bye.To.Tag() != "t" || bye.CSeq.Seq != 2 ||
			len(bye.Contact) != 0 {
			t.Errorf("BYE (§12.2.1.1):\n%s", bye)
		}
		f.answer(bye, 200, "")
		if ev := a.want(t, ua.Ended); ev.ByPeer {
			t.Error("own hang-up told as the peer's")
		}
		a.settled(t)
	})
}

// TestRefused ends a call with each kind of refusal; a redirection is not followed.
func TestRefused(t *testing.T) {
	for _, status := range []int{302, 404, 408, 486, 500, 503, 603} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			bubble(t, func(t *testing.T, n *siptest.Network) {
				a, f, _, req := dialled(t, n)
				f.answer(req, 180, "t")
				a.want(t, ua.Progress)
				f.answer(req, status, "t")
				f.Request("ACK")
				if ev := a.want(t, ua.Ended); ev.Status != status || !ev.ByPeer || ev.Err != nil {
					t.Errorf("%d told as %+v", status, ev)
				}
				a.settled(t)
			})
		})
	}
}

func TestNobodyThere(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		start := time.Now()
		a.call(t, "sip:kitchen@10.0.0.2")
		ev := a.want(t, ua.Ended)
		if !errors.Is(ev.Err, transaction.ErrTimeout) || time.Since(start) != 32*time.Second {
			t.Errorf("told %+v after %v", ev.CallEvent, time.Since(start))
		}
		a.settled(t)
	})
}

func TestOfferFails(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		a.Invite(ua.Invite{To: mustURI(t, "sip:kitchen@10.0.0.2"),
			Offer: ua.OfferNow(func(netip.Addr, transport.Target) ([]byte, error) { return nil, errWire })},
			func(_ *ua.Call, ev ua.CallEvent) { a.events <- heard{nil, ev} })
		if ev := a.want(t, ua.Ended); !errors.Is(ev.Err, errWire) {
			t.Errorf("told %+v", ev.CallEvent)
		}
		a.settled(t)
	})
}

// TestSlowOffer: keys and candidates take their time. The INVITE leaves when the offer is there, unless the call
// was hung up meanwhile.
func TestSlowOffer(t *testing.T) {
	for _, hangUp := range []bool{false, true} {
		bubble(t, func(t *testing.T, n *siptest.Network) {
			a, p := startUA(t, n, "10.0.0.1:5060"), n.NewPeer(t, "10.0.0.2:5060")
			start := time.Now()
			c := a.Invite(ua.Invite{To: mustURI(t, "sip:kitchen@10.0.0.2"), From: mustURI(t, "sip:door@10.0.0.1"),
				Offer: func(_ netip.Addr, _ transport.Target, done func([]byte, error)) {
					time.AfterFunc(3*time.Second, func() { done(offer, nil) })
				}}, func(_ *ua.Call, ev ua.CallEvent) { a.events <- heard{nil, ev} })
			if hangUp {
				time.AfterFunc(time.Second, c.Hangup)
				a.want(t, ua.Ended)
				p.Silence(time.Minute)
				a.settled(t)
				return
			}
			invite := p.Request(sip.INVITE)
			if took := time.Since(start).Round(time.Second); took != 3*time.Second || string(invite.Body) != string(offer) {
				t.Errorf("INVITE after %v with %q", took, invite.Body)
			}
			p.Respond(invite, a.addr, 486, nil)
			p.Request(sip.ACK)
			a.want(t, ua.Ended)
			a.settled(t)
		})
	}
}

// TestNoTransport calls a URI that asks for a transport this stack has not: a clean end, and no packet.
func TestNoTransport(t *testing.T) {
	for _, to := range []string{"sip:kitchen@10.0.0.2;transport=tcp", "sips:kitchen@10.0.0.2", "tel:+4930"} {
		bubble(t, func(t *testing.T, n *siptest.Network) {
			a := startUA(t, n, "10.0.0.1:5060")
			a.call(t, to)
			if ev := a.want(t, ua.Ended); ev.Err == nil {
				t.Errorf("%s: told %+v", to, ev.CallEvent)
			}
			a.settled(t)
			if len(n.Log()) != 0 {
				t.Errorf("%s: sent %v", to, n.Log())
			}
		})
	}
}

func TestCancelWhileRinging(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f, c, req := dialled(t, n)
		f.answer(req, 180, "t")
		a.want(t, ua.Progress)
		c.Hangup()
		c.Hangup()
		a.want(t, ua.Ended)
		cancel := f.Request("CANCEL")
		if cancel.Via[0].String() != req.Via[0].String() || cancel.CSeq.Seq != req.CSeq.Seq ||
			cancel.To.Tag() != "" ||
			cancel.URI.String() != req.URI.String() || cancel.From.String() != req.From.String() {
			t.Errorf("CANCEL (§9.1):\n%s", cancel)
		}
		f.answer(cancel, 200, "t")
		f.answer(req, 487, "t")
		f.Request("ACK")
		f.Silence(time.Minute)
		a.settled(t)
	})
}

// TestCancelWaits hangs up before any provisional response: the CANCEL waits for one (§9.1).
func TestCancelWaits(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f, c, req := dialled(t, n)
		c.Hangup()
		a.want(t, ua.Ended)
		f.Silence(499 * time.Millisecond)
		f.Request("INVITE") // still repeated
		f.answer(req, 100, "")
		f.answer(f.Request("CANCEL"), 200, "")
		f.answer(req, 487, "t")
		f.Request("ACK")
		a.settled(t)
	})
}

// TestCancelNeverNeeded hangs up on a far end that refuses before it rings: no CANCEL at all.
func TestCancelNeverNeeded(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f, c, req := dialled(t, n)
		c.Hangup()
		a.want(t, ua.Ended)
		f.answer(req, 486, "t")
		f.Request("ACK")
		f.Silence(time.Minute)
		a.settled(t)
	})
}

// TestCancelWithoutEffect hangs up on a far end that answers the CANCEL and then falls silent.
func TestCancelWithoutEffect(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f, c, req := dialled(t, n)
		f.answer(req, 180, "t")
		a.want(t, ua.Progress)
		c.Hangup()
		a.want(t, ua.Ended)
		f.answer(f.Request("CANCEL"), 200, "t")
		a.settled(t)
	})
}

// TestAnswerCrossesCancel hangs up while the 200 is on its way: acknowledge it, end it, and never tell of it.
func TestAnswerCrossesCancel(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f, c, req := dialled(t, n)
		f.answer(req, 180, "t")
		a.want(t, ua.Progress)
		c.Hangup()
		a.want(t, ua.Ended)
		cancel := f.Request("CANCEL")
		f.answer(req, 200, "t")
		f.Request("ACK")
		bye := f.Request("BYE")
		f.answer(cancel, 200, "t")
		f.answer(bye, 200, "")
		a.settled(t)
	})
}

// TestFork answers on two branches: both are acknowledged, the second is ended, one is told.
func TestFork(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f, c, req := dialled(t, n)
		f.answer(req, 180, "one")
		f.answer(req, 180, "two")
		if first, second := a.want(t, ua.Progress), a.want(t, ua.Progress); first.Leg == second.Leg {
			t.Error("two To tags, one leg")
		}
		f.answer(req, 200, "two")
		if ack := f.Request("ACK"); ack.To.Tag() != "two" {
			t.Errorf("ACK to %s", ack.To)
		}
		if ev := a.want(t, ua.Answered); ev.Leg.ID() != "two" {
			t.Errorf("answered by %s", ev.Leg.ID())
		}
		f.answer(req, 200, "one")
		if ack := f.Request("ACK"); ack.To.Tag() != "one" {
			t.Errorf("ACK to %s", ack.To)
		}
		bye := f.Request("BYE")
		if bye.To.Tag() != "one" {
			t.Errorf("BYE to %s", bye.To)
		}
		f.answer(bye, 200, "")
		a.wantNothing(t)
		if openCalls(t, a) != 1 {
			t.Fatalf("%d calls", openCalls(t, a))
		}
		c.Hangup()
		bye = f.Request("BYE")
		if bye.To.Tag() != "two" {
			t.Errorf("BYE to %s", bye.To)
		}
		f.answer(bye, 200, "")
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestForkRings has two phones ring, one answer and then hang up: the other branch leaves nothing behind.
func TestForkRings(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f, _, req := dialled(t, n)
		f.answer(req, 180, "one")
		f.answer(req, 180, "two")
		a.want(t, ua.Progress)
		a.want(t, ua.Progress)
		f.answer(req, 200, "two")
		f.Request("ACK")
		a.want(t, ua.Answered)
		f.request("BYE")
		f.Response(200)
		if ev := a.want(t, ua.Ended); !ev.ByPeer {
			t.Error("the peer's hang-up told as own")
		}
		a.settled(t)
	})
}

// TestEarlyBye has one of two ringing phones send a BYE: its early dialog ends, the other phone rings on and
// answers.
func TestEarlyBye(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f, c, req := dialled(t, n)
		f.answer(req, 180, "one")
		f.answer(req, 180, "two")
		a.want(t, ua.Progress)
		a.want(t, ua.Progress)
		f.request("BYE") // of "two"
		f.Response(200)
		f.answer(req, 183, "two")
		a.wantNothing(t)
		f.Silence(10 * time.Second) // no CANCEL
		f.answer(req, 200, "one")
		f.Request("ACK")
		if ev := a.want(t, ua.Answered); ev.Leg.ID() != "one" {
			t.Errorf("answered by %s", ev.Leg.ID())
		}
		c.Hangup()
		f.answer(f.Request("BYE"), 200, "")
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestLateAnswer brings a 200 of another branch after the call is over.
func TestLateAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f, _, req := dialled(t, n)
		f.answer(req, 200, "one")
		f.Request("ACK")
		a.want(t, ua.Answered)
		f.request("BYE")
		f.Response(200)
		a.want(t, ua.Ended)
		time.Sleep(10 * time.Second)
		f.answer(req, 200, "two")
		if ack := f.Request("ACK"); ack.To.Tag() != "two" {
			t.Errorf("ACK to %s", ack.To)
		}
		bye := f.Request("BYE")
		f.request("BYE") // the late phone hangs up at the same moment: it is known
		f.Response(200)
		f.answer(bye, 200, "")
		a.settled(t)
	})
}

// TestRepeatedAnswer loses the ACK: each repeated 2xx gets the identical ACK again (§13.2.2.4).
func TestRepeatedAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f, c, req := dialled(t, n)
		f.answer(req, 200, "t")
		first := f.Request("ACK")
		a.want(t, ua.Answered)
		for range 3 {
			time.Sleep(time.Second)
			f.answer(req, 200, "t")
			if again := f.Request("ACK"); again.String() != first.String() {
				t.Fatalf("ACK differs:\n%s\n%s", again, first)
			}
		}
		a.wantNothing(t)
		c.Hangup()
		f.answer(f.Request("BYE"), 200, "")
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestBYENeverAnswered ends a call with a far end that is gone.
func TestBYENeverAnswered(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f, c, req := dialled(t, n)
		f.answer(req, 200, "t")
		f.Request("ACK")
		a.want(t, ua.Answered)
		c.Hangup()
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestPeerReoffers is a re-INVITE within a call of ours: hold, resume, and a new Contact that the BYE must go
// to.
func TestPeerReoffers(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f, c, req := dialled(t, n)
		f.answer(req, 200, "t")
		f.Request("ACK")
		a.want(t, ua.Answered)
		moved := newFar(t, n, "10.0.0.7:5060", a)
		for i, body := range []string{"a=sendonly\r\n", "a=sendrecv\r\n"} {
			f.request("INVITE", func(r *sip.Request) {
				r.Body = []byte(body)
				if i == 1 {
					r.Contact = []sip.Address{moved.contact()}
				}
			})
			ev := a.want(t, ua.Offered)
			if !ev.Renewed || string(ev.Body) != body {
				t.Fatalf("re-INVITE told as %+v", ev.CallEvent)
			}
			ev.Leg.Answer([]byte("a=ok\r\n"))
			res := f.Response(200)
			if res.To.Tag() != req.From.Tag() || res.From.Tag() != "t" || string(res.Body) != "a=ok\r\n" ||
				len(res.Contact) != 1 {
				t.Errorf("200 to a re-INVITE:\n%s", res)
			}
			f.request("ACK")
			a.want(t, ua.Acked)
		}
		c.Hangup()
		bye := moved.Request("BYE")
		if bye.URI.String() != "sip:far@10.0.0.7:5060" {
			t.Errorf("BYE to %s", bye.URI)
		}
		moved.answer(bye, 200, "")
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestRoutes shows where ACK and BYE go, and with what Request-URI and Route (§12.1.2, §12.2.1.1).
func TestRoutes(t *testing.T) {
	type routes struct {
		record []string // as in the 200
		hop    string   // where ACK and BYE must arrive
		uri    string
		route  []string
	}
	const target = "sip:far@10.0.0.2:5060"
	each(t, map[string]routes{
		"none": {nil, "10.0.0.2:5060", target, nil},
		"loose": {[]string{"<sip:10.0.0.8;lr>"}, "10.0.0.8:5060", target,
			[]string{"<sip:10.0.0.8;lr>"}},
		"order": {[]string{"<sip:10.0.0.9;lr>", "<sip:10.0.0.8:5070;lr>"}, "10.0.0.8:5070", target,
			[]string{"<sip:10.0.0.8:5070;lr>", "<sip:10.0.0.9;lr>"}},
		"strict": {[]string{"<sip:10.0.0.9;lr>", "<sip:10.0.0.8>"}, "10.0.0.8:5060", "sip:10.0.0.8",
			[]string{"<sip:10.0.0.9;lr>", "<" + target + ">"}},
		"loose, strict": {[]string{"<sip:10.0.0.9>", "<sip:10.0.0.8;lr>"}, "10.0.0.8:5060", target,
			[]string{"<sip:10.0.0.8;lr>", "<sip:10.0.0.9>"}},
	}, func(t *testing.T, n *siptest.Network, r routes) {
		a, f, c, req := dialled(t, n)
		hop := f
		if r.hop != "10.0.0.2:5060" {
			hop = newFar(t, n, r.hop, a)
		}
		f.answer(req, 200, "t", func(res *sip.Response) {
			for _, s := range r.record {
				addr, err := sip.ParseAddress(s)
				if err != nil {
					t.Fatal(err)
				}
				res.RecordRoute = append(res.RecordRoute, addr)
			}
		})
		a.want(t, ua.Answered)
		check := func(req *sip.Request) {
			var route []string
			for _, a := range req.Route {
				route = append(route, a.String())
			}
			if req.URI.String() != r.uri || !slices.Equal(route, r.route) {
				t.Errorf("%s %s with Route %q, want %s with %q", req.Method, req.URI, route, r.uri, r.route)
			}
		}
		check(hop.Request("ACK"))
		c.Hangup()
		bye := hop.Request("BYE")
		check(bye)
		hop.answer(bye, 200, "")
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestEarlyRouteReplaced shows that the 2xx has the last word on target and route (§13.2.2.4).
func TestEarlyRouteReplaced(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f, c, req := dialled(t, n)
		f.answer(req, 180, "t", func(res *sip.Response) {
			res.Contact = []sip.Address{{URI: sip.URI{Scheme: "sip", Host: "10.9.9.9"}}}
			res.RecordRoute = []sip.Address{{URI: sip.URI{Scheme: "sip", Host: "10.9.9.8", Params: ";lr"}}}
		})
		f.answer(req, 200, "t")
		f.Request("ACK")
		c.Hangup()
		f.answer(f.Request("BYE"), 200, "")
		a.want(t, ua.Progress)
		a.want(t, ua.Answered)
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestSendFails runs a whole call with the n-th Send of the network failing: it must end cleanly at both
// ends, a BYE that could not be sent included.
func TestSendFails(t *testing.T) {
	for nth := 1; nth <= 20; nth++ {
		for _, hangsUp := range []string{"caller", "callee"} {
			t.Run(fmt.Sprintf("%d/%s", nth, hangsUp), func(t *testing.T) {
				bubble(t, func(t *testing.T, n *siptest.Network) {
					n.Delay = time.Millisecond
					n.Fail = func(i int) error {
						if i == nth {
							return errWire
						}
						return nil
					}
					b := startUA(t, n, "10.0.0.2:5060", func(o *uaOptions) {
						o.on = func(c *ua.Call, ev ua.CallEvent) {
							switch ev.Kind {
							case ua.Offered:
								ev.Leg.Progress(180, nil)
								time.AfterFunc(3*time.Second, func() { ev.Leg.Answer(offer) })
								if hangsUp == "callee" {
									time.AfterFunc(10*time.Second, c.Hangup)
								}
							}
						}
					})
					a := startUA(t, n, "10.0.0.1:5060")
					c := a.call(t, "sip:kitchen@10.0.0.2")
					if hangsUp == "caller" {
						time.AfterFunc(10*time.Second, c.Hangup)
					}
					time.Sleep(2 * time.Minute)
					ended := 0
					for len(a.events) > 0 {
						if h := <-a.events; h.Kind == ua.Ended {
							ended++
						} else if ended > 0 {
							t.Errorf("%s after the end", h.Kind)
						}
					}
					if ended != 1 {
						t.Errorf("ended %d times", ended)
					}
					a.settled(t)
					b.settled(t)
				})
			})
		}
	}
}
