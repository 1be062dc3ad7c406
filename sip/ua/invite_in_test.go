package ua_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/sip"
	"portero/sip/siptest"
	"portero/sip/transport"
	"portero/sip/ua"
)

// visited starts an agent and a scripted phone that may call it.
func visited(t *testing.T, n *siptest.Network) (*testAgent, *far) {
	a := startUA(t, n, "10.0.0.1:5060")
	return a, newFar(t, n, "10.0.0.2:5060", a)
}

func TestIncomingAnswered(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		record := []sip.Address{{URI: mustURI(t, "sip:10.0.0.2;lr")}, {URI: mustURI(t, "sip:10.0.0.8;lr")}}
		f.request("INVITE", func(r *sip.Request) { r.RecordRoute = record })
		h := a.want(t, ua.Offered)
		if string(h.Body) != string(offer) || h.From.URI.User != "far" || h.Flow.Remote != f.Addr ||
			h.Renewed {
			t.Errorf("told %+v", h.CallEvent)
		}
		h.Leg.Progress(180, nil)
		early := f.Response(180)
		h.Leg.Answer([]byte("a=answer\r\n"))
		res := f.Response(200)
		if res.To.Tag() == "" || res.To.Tag() != early.To.Tag() || len(res.Contact) != 1 ||
			res.Contact[0].URI.String() != "sip:door@10.0.0.1:5060" ||
			len(res.RecordRoute) != 2 || res.RecordRoute[0].String() != record[0].String() ||
			!hasToken(&res.Headers, "Allow", "INFO") ||
			string(res.Body) != "a=answer\r\n" || res.ContentType != "application/sdp" {
			t.Errorf("200 (§12.1.1, §13.3.1.4):\n%s", res)
		}
		f.joined(res)
		f.request("ACK")
		a.want(t, ua.Acked)
		h.call.Hangup()
		bye := f.Request("BYE") // by the route set in the order of the Record-Route (§12.1.1)
		if len(bye.Route) != 2 || bye.Route[0].String() != record[0].String() ||
			bye.URI.String() != "sip:far@10.0.0.2:5060" ||
			bye.From.Tag() != res.To.Tag() || bye.To.Tag() != "far-tag" {
			t.Errorf("BYE:\n%s", bye)
		}
		f.answer(bye, 200, "")
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestIncomingRefused takes each way to say no.
func TestIncomingRefused(t *testing.T) {
	each(t, map[string]int{"busy": 486, "not acceptable here": 488, "declined": 603, "unavailable": 480},
		func(t *testing.T, n *siptest.Network, status int) {
			a, f := visited(t, n)
			req, h := f.ring(a)
			h.Leg.Progress(180, nil)
			f.Response(180)
			h.Leg.Reject(status)
			f.ackRefusal(req, f.Response(status))
			if ev := a.want(t, ua.Ended); ev.Status != status || ev.ByPeer {
				t.Errorf("told %+v", ev.CallEvent)
			}
			h.Leg.Answer(offer) // too late
			f.Silence(time.Second)
			a.settled(t)
		})
	t.Run("hung up", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *siptest.Network) {
			a, f := visited(t, n)
			req, h := f.ring(a)
			h.call.Hangup()
			f.ackRefusal(req, f.Response(603))
			a.want(t, ua.Ended)
			a.settled(t)
		})
	})
}

func TestIncomingCancelled(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		req, h := f.ring(a)
		h.Leg.Progress(180, nil)
		tag := f.Response(180).To.Tag()
		f.cancel(req)
		if ok := f.Response(200); ok.CSeq.Method != "CANCEL" || ok.To.Tag() != tag {
			t.Errorf("200 to the CANCEL (§9.2):\n%s", ok)
		}
		res := f.Response(487)
		if res.To.Tag() != tag || res.CSeq.Method != "INVITE" {
			t.Errorf("487:\n%s", res)
		}
		f.ackRefusal(req, res)
		if ev := a.want(t, ua.Ended); !ev.ByPeer || ev.Status != 487 {
			t.Errorf("told %+v", ev.CallEvent)
		}
		h.Leg.Answer(offer)
		f.Silence(time.Second)
		a.settled(t)
	})
}

// TestCancelTooLate cancels an INVITE that was answered: 200 to the CANCEL, and no other effect (§9.2).
func TestCancelTooLate(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		req, h := f.ring(a)
		h.Leg.Answer(offer)
		f.joined(f.Response(200))
		f.request("ACK")
		a.want(t, ua.Acked)
		f.cancel(req)
		f.Response(200)
		a.wantNothing(t)
		f.Silence(time.Minute)
		f.request("BYE")
		f.Response(200)
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestNoSuch refuses what belongs to nothing: 481, and no state.
func TestNoSuch(t *testing.T) {
	tagged := func(r *sip.Request) { r.To = r.To.WithTag("nobody") }
	each(t, map[string]func(*far){
		"CANCEL":            func(f *far) { f.request("CANCEL") },
		"BYE":               func(f *far) { f.request("BYE", tagged) },
		"BYE without a tag": func(f *far) { f.request("BYE") },
		"re-INVITE":         func(f *far) { f.request("INVITE", tagged) },
		"INFO":              func(f *far) { f.request("INFO", tagged) },
		"UPDATE":            func(f *far) { f.request("UPDATE", tagged) },
		"PRACK":             func(f *far) { f.request("PRACK", tagged) },
		"BYE with guessed tags": func(f *far) {
			f.request("BYE", tagged,
				func(r *sip.Request) { r.From = r.From.WithTag("x") })
		},
	}, func(t *testing.T, n *siptest.Network, send func(*far)) {
		a, f := visited(t, n)
		send(f)
		f.Response(481)
		if _, servers, _, _ := a.Stack().Held(); servers != 0 {
			t.Error("state was made for it")
		}
		a.settled(t)
	})
	t.Run("ACK", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *siptest.Network) {
			a, f := visited(t, n)
			f.request("ACK", tagged)
			f.Silence(time.Minute)
			a.settled(t)
		})
	})
}

// TestForeignTagEndsNothing sends a BYE with the right Call-ID and one wrong tag into a call that is up.
func TestForeignTagEndsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		h := f.connect(a)
		f.request("BYE", func(r *sip.Request) { r.From = r.From.WithTag("other") })
		f.Response(481)
		f.request("BYE", func(r *sip.Request) { r.To = r.To.WithTag("other") })
		f.Response(481)
		a.wantNothing(t)
		h.call.Hangup()
		f.answer(f.Request("BYE"), 200, "")
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestBYEBeforeACK hangs up while the 200 is not acknowledged (§15: the caller may).
func TestBYEBeforeACK(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		_, h := f.ring(a)
		h.Leg.Answer(offer)
		f.joined(f.Response(200))
		f.request("BYE")
		f.Response(200)
		if ev := a.want(t, ua.Ended); !ev.ByPeer {
			t.Errorf("told %+v", ev.CallEvent)
		}
		f.Silence(time.Minute) // the 2xx is not repeated any more
		a.settled(t)
	})
}

// TestHangupBeforeACK hangs up at our end while the 200 is not acknowledged: the BYE waits (§15).
func TestHangupBeforeACK(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		_, h := f.ring(a)
		h.Leg.Answer(offer)
		f.joined(f.Response(200))
		h.call.Hangup()
		a.want(t, ua.Ended)
		f.Silence(499 * time.Millisecond)
		f.Response(200)
		f.request("ACK")
		f.answer(f.Request("BYE"), 200, "")
		a.settled(t)
	})
}

// TestBYEsCross has both ends hang up at once: each BYE is answered 200.
func TestBYEsCross(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		h := f.connect(a)
		h.call.Hangup()
		bye := f.Request("BYE")
		f.request("BYE")
		f.Response(200)
		f.answer(bye, 200, "")
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestBYEWhileRinging ends an INVITE that waits by a BYE of the caller: it gets its 487 (§15.1.2).
func TestBYEWhileRinging(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		req, h := f.ring(a)
		h.Leg.Progress(180, nil)
		f.joined(f.Response(180))
		f.request("BYE")
		f.Response(200)
		f.ackRefusal(req, f.Response(487))
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestOfferless is an INVITE without an offer: it is in the 200, and the answer in the ACK (§13.2.1).
func TestOfferless(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		f.request("INVITE", func(r *sip.Request) { r.ContentType, r.Body = "", nil })
		h := a.want(t, ua.Offered)
		if len(h.Body) != 0 {
			t.Errorf("offer %q", h.Body)
		}
		h.Leg.Answer([]byte("a=our offer\r\n"))
		res := f.Response(200)
		if string(res.Body) != "a=our offer\r\n" {
			t.Errorf("200 with %q", res.Body)
		}
		f.joined(res)
		f.request("ACK", func(r *sip.Request) {
			r.ContentType, r.Body = "application/sdp",
				[]byte("a=their answer\r\n")
		})
		if ev := a.want(t, ua.Acked); string(ev.Body) != "a=their answer\r\n" {
			t.Errorf("ACK told as %+v", ev.CallEvent)
		}
		f.request("BYE")
		f.Response(200)
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestReinvite holds, resumes and moves the far end: requests go to its new Contact (§12.2.2).
func TestReinvite(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		h := f.connect(a)
		moved := newFar(t, n, "10.0.0.7:5060", a)
		for i, body := range []string{"a=sendonly\r\n", "a=sendrecv\r\n"} {
			f.request("INVITE", func(r *sip.Request) {
				r.Body = []byte(body)
				if i == 1 {
					r.Contact = []sip.Address{moved.contact()}
				}
			})
			ev := a.want(t, ua.Offered)
			if !ev.Renewed || string(ev.Body) != body || ev.Leg != h.Leg {
				t.Fatalf("re-INVITE told as %+v", ev.CallEvent)
			}
			ev.Leg.Answer([]byte("a=ok\r\n"))
			f.Response(200)
			f.request("ACK")
			a.want(t, ua.Acked)
		}
		h.call.Hangup()
		moved.answer(moved.Request("BYE"), 200, "")
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestReinviteRefused leaves the call as it was (§14.2).
func TestReinviteRefused(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		f.connect(a)
		req := f.request("INVITE")
		ev := a.want(t, ua.Offered)
		ev.Leg.Reject(488)
		f.ackRefusal(req, f.Response(488))
		a.wantNothing(t)
		if openCalls(t, a) != 1 {
			t.Fatal("the call is gone")
		}
		f.request("BYE")
		f.Response(200)
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestReinviteCancelled takes a re-INVITE back: the call goes on.
func TestReinviteCancelled(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		f.connect(a)
		req := f.request("INVITE")
		a.want(t, ua.Offered)
		f.cancel(req)
		f.Response(200)
		f.ackRefusal(req, f.Response(487))
		a.wantNothing(t)
		f.request("BYE")
		f.Response(200)
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestReinviteOverlaps sends one while an earlier one waits for its answer, and one while a 2xx waits for its
// ACK (§14.2).
func TestReinviteOverlaps(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		f.connect(a)
		refused := func() {
			t.Helper()
			req := f.request("INVITE")
			res := f.Response(500)
			if after := res.Get("Retry-After"); after == "" {
				t.Error("500 without Retry-After")
			}
			f.ackRefusal(req, res)
			a.wantNothing(t)
		}
		f.request("INVITE")
		first := f.seq
		ev := a.want(t, ua.Offered)
		refused()
		ev.Leg.Answer(offer)
		f.Response(200)
		refused()
		f.request("ACK", func(r *sip.Request) { r.CSeq.Seq = first })
		a.want(t, ua.Acked)
		f.request("BYE")
		f.Response(200)
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestBYEDuringReinvite ends a call whose re-INVITE waits for an answer, from either side.
func TestBYEDuringReinvite(t *testing.T) {
	each(t, map[string]bool{"ours": true, "theirs": false}, func(t *testing.T, n *siptest.Network,
		ours bool) {
		a, f := visited(t, n)
		h := f.connect(a)
		req := f.request("INVITE")
		a.want(t, ua.Offered)
		if ours {
			h.call.Hangup()
			f.ackRefusal(req, f.Response(487))
			f.answer(f.Request("BYE"), 200, "")
		} else {
			f.request("BYE")
			f.Response(200)
			f.ackRefusal(req, f.Response(487))
		}
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestOutOfOrder refuses a request whose CSeq is not higher than the last one's (§12.2.2).
func TestOutOfOrder(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		f.connect(a)
		f.seq = 100
		f.request("INFO", func(r *sip.Request) { r.ContentType, r.Body = "application/dtmf", []byte("5") })
		f.Response(200)
		a.want(t, ua.Info)
		for _, seq := range []uint32{50, 101} {
			f.request("INFO", func(r *sip.Request) {
				r.CSeq.Seq, r.ContentType, r.Body = seq, "application/dtmf", []byte("6")
			})
			f.Response(500)
		}
		a.wantNothing(t)
		f.seq = 101
		f.request("BYE")
		f.Response(200)
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestMerged sends one INVITE by two paths (§8.2.2.2).
func TestMerged(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		req, h := f.ring(a)
		second := f.request("INVITE", func(r *sip.Request) { r.CSeq = req.CSeq })
		f.ackRefusal(second, f.Response(482))
		a.wantNothing(t)
		h.Leg.Reject(486)
		f.ackRefusal(req, f.Response(486))
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestUnacceptable refuses what the agent could not do right.
func TestUnacceptable(t *testing.T) {
	type refusal struct {
		method        string
		edit          func(*sip.Request)
		status        int
		header, value string
	}
	each(t, map[string]refusal{
		"extension": {"INVITE", func(r *sip.Request) { r.Add("Require", "foo, 100rel") }, 420,
			"Unsupported", "foo, 100rel"},
		"extension of OPTIONS": {"OPTIONS", func(r *sip.Request) { r.Add("Require", "foo") }, 420,
			"Unsupported", "foo"},
		"body": {"INVITE", func(r *sip.Request) { r.ContentType = "text/plain" }, 415,
			"Accept", sip.AcceptedBodies},
		"encoding": {"INVITE", func(r *sip.Request) { r.Add("Content-Encoding", "gzip") }, 415,
			"Accept-Encoding", "identity"},
		"no Contact": {"INVITE", func(r *sip.Request) { r.Contact = nil }, 400, "", ""},
		"URI scheme": {"INVITE", func(r *sip.Request) {
			r.URI = sip.URI{Scheme: "urn",
				Opaque: "service:sos"}
		}, 416, "", ""},
		"method": {"SUBSCRIBE", func(*sip.Request) {}, 405, "Allow",
			"INVITE, ACK, CANCEL, BYE, OPTIONS, INFO"},
		"unheard-of method": {"OPENTHEDOOR", func(*sip.Request) {}, 405, "Allow",
			"INVITE, ACK, CANCEL, BYE, OPTIONS, INFO"},
	}, func(t *testing.T, n *siptest.Network, r refusal) {
		a, f := visited(t, n)
		req := f.request(r.method, r.edit)
		res := f.Response(r.status)
		if r.header != "" && res.Get(r.header) != r.value {
			t.Errorf("%s: %q, want %q", r.header, res.Get(r.header), r.value)
		}
		if r.method == "INVITE" {
			f.ackRefusal(req, res)
		}
		a.wantNothing(t)
		a.settled(t)
	})
}

// TestStranger refuses a caller that Allow does not know: no event, no state, and the same To tag each time
// (§8.2.7).
func TestStranger(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060", func(o *uaOptions) {
			o.allow = func(transport.Flow,
				*sip.Request) int {
				return 403
			}
		})
		f := newFar(t, n, "10.0.0.2:5060", a)
		req := f.request("INVITE")
		res := f.Response(403)
		if res.To.Tag() == "" {
			t.Error("403 without a To tag")
		}
		for range 3 {
			f.Send(f.at, req.Append(nil))
			if again := f.Response(403); again.String() != res.String() {
				t.Errorf("403 differs:\n%s\n%s", again, res)
			}
		}
		f.request("INVITE")
		if other := f.Response(403); other.To.Tag() == res.To.Tag() {
			t.Error("another INVITE has the same To tag")
		}
		f.ackRefusal(req, res)
		f.Silence(time.Minute) // nothing is repeated
		if c, s, timers, _ := a.Stack().Held(); c+s+timers != 0 {
			t.Errorf("state was made: %d, %d, %d", c, s, timers)
		}
		a.settled(t)
	})
}

func TestInfo(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		h := f.connect(a)
		for _, c := range []struct {
			contentType, body string
			status            int
		}{
			{"application/dtmf-relay", "Signal=1\r\nDuration=160\r\n", 200},
			{"Application/DTMF-Relay; charset=x", "Signal=#\r\n", 200},
			{"application/dtmf", "5", 200},
			{"", "", 200}, // a keep-alive of the time before RFC 6086
			{"application/media_control+xml", "<x/>", 415},
		} {
			f.request("INFO", func(r *sip.Request) { r.ContentType, r.Body = c.contentType, []byte(c.body) })
			res := f.Response(c.status)
			if c.status != 200 {
				if !strings.Contains(res.Get("Accept"), "application/dtmf-relay") {
					t.Errorf("415 with Accept %q", res.Get("Accept"))
				}
				a.wantNothing(t)
			} else if ev := a.want(t, ua.Info); ev.ContentType != c.contentType ||
				string(ev.Body) != c.body || ev.Leg != h.Leg || ev.Flow.Remote != f.Addr {
				t.Errorf("told %+v", ev.CallEvent)
			}
		}
		f.request("BYE")
		f.Response(200)
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestInfoRepeated loses the 200 to an INFO: the digit counts once.
func TestInfoRepeated(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		f.connect(a)
		req := f.request("INFO", func(r *sip.Request) {
			r.ContentType, r.Body = "application/dtmf",
				[]byte("1")
		})
		first := f.Response(200)
		f.Send(f.at, req.Append(nil))
		if again := f.Response(200); again.String() != first.String() {
			t.Error("the repeated INFO got another answer")
		}
		a.want(t, ua.Info)
		a.wantNothing(t)
		f.request("BYE")
		f.Response(200)
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestInfoBeforeAnswer shows that a caller who only rings cannot send digits.
func TestInfoBeforeAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		req, h := f.ring(a)
		h.Leg.Progress(180, nil)
		f.joined(f.Response(180))
		f.request("INFO", func(r *sip.Request) { r.ContentType, r.Body = "application/dtmf", []byte("1") })
		if _, res := f.Within(time.Second); res == nil {
			t.Error("INFO not answered")
		}
		a.wantNothing(t)
		h.Leg.Reject(486)
		f.ackRefusal(req, f.Response(486))
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

func TestOptions(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		check := func(res *sip.Response) {
			t.Helper()
			if !hasToken(&res.Headers, "Allow", "INVITE") || res.Get("Accept") != sip.AcceptedBodies ||
				res.To.Tag() == "" {
				t.Errorf("200 to OPTIONS (§11.2):\n%s", res)
			}
		}
		f.request("OPTIONS")
		check(f.Response(200))
		f.callID = ""
		f.connect(a)
		f.request("OPTIONS")
		check(f.Response(200))
		a.wantNothing(t)
		f.request("MESSAGE")
		if res := f.Response(405); !hasToken(&res.Headers, "Allow", "BYE") {
			t.Errorf("405 within the call: Allow %q", res.Get("Allow"))
		}
		f.request("BYE")
		f.Response(200)
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestResponsePath shows where responses go: by rport to the source, without it to the port of the Via
// (§18.2.2, RFC 3581).
func TestResponsePath(t *testing.T) {
	each(t, map[string]struct{ via, at, received string }{
		"rport": {"SIP/2.0/UDP 192.168.9.9:7777;branch=z9hG4bK1;rport", "10.0.0.2:5060",
			"10.0.0.2"},
		"no rport":          {"SIP/2.0/UDP 10.0.0.2:7777;branch=z9hG4bK1", "10.0.0.2:7777", ""},
		"no rport, no port": {"SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1", "10.0.0.2:5060", ""},
		"behind a NAT":      {"SIP/2.0/UDP phone.local:7777;branch=z9hG4bK1", "10.0.0.2:7777", "10.0.0.2"},
	}, func(t *testing.T, n *siptest.Network, c struct{ via, at, received string }) {
		a, f := visited(t, n)
		at := f
		if c.at != "10.0.0.2:5060" {
			at = newFar(t, n, c.at, a)
		}
		v, err := sip.ParseVia(c.via)
		if err != nil {
			t.Fatal(err)
		}
		f.request("OPTIONS", func(r *sip.Request) { r.Via = []sip.Via{v} })
		res := at.Response(200)
		if got, _ := res.Via[0].Params.Get("received"); got != c.received {
			t.Errorf("received=%q, want %q", got, c.received)
		}
		synctest.Wait()
		a.settled(t)
	})
}

// TestOldPeer is a phone of RFC 2543: no magic cookie in its branch. Its retransmissions are still known
// (§17.2.3).
func TestOldPeer(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		old := func(r *sip.Request) { r.Via[0].Params = ";branch=1;rport" }
		req := f.request("INVITE", old)
		h := a.want(t, ua.Offered)
		h.Leg.Progress(180, nil)
		f.Response(180)
		f.Send(f.at, req.Append(nil))
		f.Response(180)
		a.wantNothing(t)
		f.cancel(req)
		f.Response(200)
		res := f.Response(487)
		f.ackRefusal(req, res)
		a.want(t, ua.Ended)
		f.Silence(4 * time.Second) // the ACK was matched
		a.settled(t)
	})
}

// TestTwoCallers keeps two calls apart, down to their events.
func TestTwoCallers(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		var calls []heard
		var peers []*far
		for i := range 2 {
			f := newFar(t, n, fmt.Sprintf("10.0.0.%d:5060", i+2), a)
			peers = append(peers, f)
			calls = append(calls, f.connect(a))
		}
		calls[1].call.Hangup()
		peers[1].answer(peers[1].Request("BYE"), 200, "")
		a.want(t, ua.Ended)
		peers[0].Silence(time.Second)
		if openCalls(t, a) != 1 {
			t.Fatalf("%d calls", openCalls(t, a))
		}
		peers[0].request("BYE")
		peers[0].Response(200)
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestSeveralContacts: of more than the one Contact that an INVITE shall have, the first counts.
func TestSeveralContacts(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060")
		f := newFar(t, n, "10.0.0.2:5060", a)
		f.request("INVITE", func(req *sip.Request) {
			req.Contact = append(req.Contact, sip.Address{URI: mustURI(t, "sip:far@10.0.0.3")})
		})
		h := a.want(t, ua.Offered)
		h.Leg.Answer(offer)
		f.joined(f.Response(200))
		f.request("ACK")
		a.want(t, ua.Acked)
		h.call.Hangup()
		f.Request("BYE") // at the first
	})
}
