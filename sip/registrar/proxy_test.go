package registrar

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"portero/sip"
	"portero/sip/siptest"
	"portero/sip/transport"
	"portero/sip/ua"
)

// household is a door and three phones of anna's, all registered.
func household(t *testing.T) (h *testServer, door *phone, annas []*phone) {
	h = newTestServer(t, nil)
	door = h.registered("door", "10.0.0.8:5060")
	for i := range 3 {
		annas = append(annas, h.registered("anna", annaAt(i)))
	}
	return h, door, annas
}

func annaAt(i int) string { return fmt.Sprintf("10.0.0.%d:5060", i+1) }

// settled waits until nothing is left of any transaction and fails the test if something is.
func settled(t *testing.T, phones ...*phone) {
	t.Helper()
	time.Sleep(2 * time.Minute)
	for _, p := range phones {
		if n, err := p.Calls(); n != 0 || err != nil {
			t.Errorf("%s: %d calls left", p.addr, n)
		}
		p.quiet()
	}
}

// finals counts the final responses to INVITE that one host sent to another, by status; repetitions count
// once.
func (h *testServer) finals(from, to string) map[string]int {
	seen, n := map[string]bool{}, map[string]int{}
	for _, m := range h.net.Log() {
		status, rest, _ := strings.Cut(strings.TrimPrefix(m.Wire, "SIP/2.0 "), " ")
		if m.From.String() == from && m.To.String() == to && strings.HasPrefix(m.Wire, "SIP/2.0 ") &&
			status >= "200" &&
			status != "407" && strings.Contains(rest, " INVITE\r\n") && !seen[m.Wire] {
			seen[m.Wire] = true
			n[status]++
		}
	}
	return n
}

func TestForkFirstAnswerWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, door, annas := household(t)
		door.call("sip:anna@" + domain)
		var legs []*ua.Leg
		for _, p := range annas {
			ev := p.want(ua.Offered)
			if ev.From.URI.User != "door" || string(ev.Body) != "v=0\r\n" {
				t.Fatalf("offered %+v", ev)
			}
			ev.Leg.Progress(180, nil)
			legs = append(legs, ev.Leg)
			if got := door.want(ua.Progress); got.Status != 180 {
				t.Fatalf("progress %d", got.Status)
			}
		}
		legs[1].Answer([]byte("v=0\r\na=answer\r\n"))
		door.want(ua.Answered)
		annas[1].want(ua.Acked)
		for _, i := range []int{0, 2} {
			if ev := annas[i].want(ua.Ended); ev.Status != 487 || !ev.ByPeer {
				t.Fatalf("loser: %+v", ev)
			}
		}
		if got := h.finals(serverAddr.String(), door.addr); len(got) != 1 || got["200"] != 1 {
			t.Fatalf("finals upstream %v", got)
		}
		// The callee hangs up: its BYE goes by Record-Route, too.
		annas[1].hangup(t, legs[1])
		if ev := door.want(ua.Ended); !ev.ByPeer {
			t.Fatal("not by the peer")
		}
		for _, m := range h.net.Log() {
			direct := m.From != serverAddr && m.To != serverAddr
			if direct {
				t.Fatalf("past the server: %s -> %s\n%s", m.From, m.To, m.Wire)
			}
			if m.From == serverAddr && m.To.String() != door.addr && strings.Contains(m.Wire,
				"Authorization: Digest") {
				t.Fatalf("credentials passed on:\n%s", m.Wire)
			}
		}
		settled(t, append(annas, door)...)
	})
}

// hangup ends the phone's incoming call.
func (p *phone) hangup(t *testing.T, l *ua.Leg) {
	t.Helper()
	p.byLeg[l].Hangup()
	p.want(ua.Ended)
}

func TestCallerHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, door, annas := household(t)
		c := door.call("sip:anna@10.0.0.9") // by the server's address
		ev := annas[0].want(ua.Offered)
		ev.Leg.Answer([]byte("v=0\r\n"))
		door.want(ua.Answered)
		annas[0].want(ua.Acked)
		c.Hangup()
		door.want(ua.Ended)
		if ev := annas[0].want(ua.Ended); !ev.ByPeer {
			t.Fatal("not by the peer")
		}
		for _, p := range annas[1:] {
			p.want(ua.Offered)
			p.want(ua.Ended)
		}
		settled(t, append(annas, door)...)
	})
}

func TestBestResponse(t *testing.T) {
	for _, c := range []struct {
		answers [3]int // 0: never a word; -1: rings until it is cancelled
		want    int
		within  time.Duration
	}{
		{[3]int{486, 486, 486}, 486, time.Second},
		{[3]int{486, 603, 486}, 603, time.Second},
		{[3]int{603, -1, -1}, 603, time.Second},
		{[3]int{603, 0, -1}, 603, cancelWait + time.Second},
		{[3]int{404, 500, 486}, 486, time.Second},
		{[3]int{500, 302, 486}, 302, time.Second},
		{[3]int{480, 415, 486}, 415, time.Second},
		{[3]int{503, 503, 503}, 500, time.Second},
		{[3]int{486, 0, 0}, 486, 33 * time.Second},
		{[3]int{0, 0, 0}, 408, 33 * time.Second},
	} {
		t.Run(fmt.Sprint(c.answers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := siptest.NewNetwork(7)
				// requests to those who never say a word
				n.Drop = func(_, to netip.AddrPort, wire []byte) bool {
					for i, status := range c.answers {
						if status == 0 && to.String() == annaAt(i) && !strings.HasPrefix(string(wire),
							"SIP/2.0") {
							return true
						}
					}
					return false
				}
				h := newTestServerOn(t, n, n.Listen(serverAddr.String()), nil)
				door := h.registered("door", "10.0.0.8:5060")
				var annas []*phone
				for i := range c.answers {
					annas = append(annas, h.registered("anna", annaAt(i)))
				}
				start := time.Now()
				door.call("sip:anna@" + domain)
				for i, status := range c.answers {
					switch status {
					case 0:
						continue
					case -1:
						annas[i].want(ua.Offered).Leg.Progress(180, nil)
					default:
						annas[i].want(ua.Offered).Leg.Reject(status)
					}
				}
				for {
					ev := door.next()
					if ev.Kind == ua.Progress {
						continue
					}
					if ev.Kind != ua.Ended || ev.Status != c.want {
						t.Fatalf("heard %s %d, want %d", ev.Kind, ev.Status, c.want)
					}
					break
				}
				if took := time.Since(start); took > c.within {
					t.Errorf("took %v", took)
				}
				time.Sleep(time.Minute)
				if got := h.finals(serverAddr.String(), door.addr); len(got) != 1 {
					t.Errorf("finals upstream %v", got)
				}
			})
		})
	}
}

func TestCancelReachesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, door, annas := household(t)
		c := door.call("sip:anna@" + domain)
		for _, p := range annas {
			p.want(ua.Offered).Leg.Progress(180, nil)
			door.want(ua.Progress)
		}
		c.Hangup()
		door.want(ua.Ended)
		for _, p := range annas {
			if ev := p.want(ua.Ended); ev.Status != 487 {
				t.Fatalf("status %d", ev.Status)
			}
		}
		time.Sleep(time.Second)
		if got := h.finals(serverAddr.String(), door.addr); got["487"] != 1 || len(got) != 1 {
			t.Fatalf("finals upstream %v", got)
		}
		settled(t, append(annas, door)...)
	})
}

func TestTimerC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestServer(t, nil)
		door, anna := h.registered("door", "10.0.0.8:5060"), h.registered("anna", "10.0.0.1:5060")
		start := time.Now()
		door.call("sip:anna@" + domain)
		leg := anna.want(ua.Offered).Leg
		leg.Progress(180, nil)
		door.want(ua.Progress)
		time.Sleep(2 * time.Minute)
		leg.Progress(180, nil) // timer C starts anew
		door.want(ua.Progress)
		if ev := door.want(ua.Ended); ev.Status != 487 {
			t.Fatalf("status %d", ev.Status)
		}
		anna.want(ua.Ended)
		if took := time.Since(start); took < 2*time.Minute+timerC || took > 2*time.Minute+timerC+time.Second {
			t.Fatalf("took %v", took)
		}
	})
}

func TestTransportError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := siptest.NewNetwork(7)
		var failing atomic.Bool
		sends := 0 // counted under the network's lock, from when failing is set
		n.Fail = func(int) error {
			if !failing.Load() {
				return nil
			}
			if sends++; sends == 2 { // the INVITE up, its copy down
				return siptest.ErrUnreachable
			}
			return nil
		}
		h := newTestServerOn(t, n, n.Listen(serverAddr.String()), nil)
		anna, door := h.raw("anna", "10.0.0.1:5060"), h.raw("door", "10.0.0.8:5060")
		anna.wantStatus(200, anna.register("<sip:anna@10.0.0.1>"))
		door.wantStatus(404, door.request("INVITE", "sip:nobody@"+domain)) // the challenge is over
		time.Sleep(time.Minute)
		failing.Store(true)
		door.wantStatus(500, door.request("INVITE", "sip:anna@"+domain))
	})
}

func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestServer(t, nil)
		anna := h.raw("anna", "10.0.0.1:5060")
		anna.wantStatus(200, anna.register("<sip:anna@10.0.0.1>"))
		door := h.raw("door", "10.0.0.8:5060")
		for _, c := range []struct {
			name   string
			status int
			method string
			to     string
			edit   func(*sip.Request)
		}{
			{"unknown user", 404, "INVITE", "sip:nobody@" + domain, nil},
			{"not registered", 480, "INVITE", "sip:ben@" + domain, nil},
			{"not registered", 480, "MESSAGE", "sip:ben@" + domain, nil},
			{"other domain", 403, "INVITE", "sip:anna@example.com", nil},
			{"other address", 403, "INVITE", "sip:anna@10.0.0.1", nil},
			{"other port of ours", 403, "INVITE", "sip:anna@10.0.0.9:5099", nil},
			{"foreign route", 403, "INVITE", "sip:anna@" + domain, func(r *sip.Request) {
				r.Route = []sip.Address{{URI: uri(t, "sip:10.0.0.9;lr")}, {URI: uri(t, "sip:10.0.0.1;lr")}}
			}},
			{"forged caller", 403, "INVITE", "sip:anna@" + domain,
				func(r *sip.Request) { r.From.URI.User = "ben" }},
			{"forged domain", 403, "INVITE", "sip:anna@" + domain,
				func(r *sip.Request) { r.From.URI.Host = "example.com" }},
			{"hops", 483, "INVITE", "sip:anna@" + domain, func(r *sip.Request) { r.MaxForwards = 0 }},
			{"loop", 482, "INVITE", "sip:anna@" + domain, func(r *sip.Request) {
				r.Via = append(r.Via, sip.Via{Transport: "UDP", Host: "10.0.0.9", Port: 5060,
					Params: ";branch=z9hG4bKbefore"})
			}},
			{"extension", 420, "INVITE", "sip:anna@" + domain,
				func(r *sip.Request) { r.Add("Proxy-Require", "sec-agree") }},
			{"sips", 416, "INVITE", "sips:anna@" + domain, nil},
			{"tel", 416, "INVITE", "tel:+49123", nil},
			{"in no dialog of ours", 481, "BYE", "sip:anna@10.0.0.1", func(r *sip.Request) {
				r.To = r.To.WithTag("x")
				r.Route = []sip.Address{{URI: uri(t,
					"sip:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRob@10.0.0.9:5060;lr")}}
			}},
			{"to the server", 200, "OPTIONS", "sip:" + domain, nil},
			{"to the server", 405, "INVITE", "sip:10.0.0.9", nil},
		} {
			var edits []func(*sip.Request)
			if c.edit != nil {
				edits = append(edits, c.edit)
			}
			if res := door.final(door.request(c.method, c.to), edits...); res.Status != c.status {
				t.Errorf("%s: %s %s: %d %s, want %d", c.name, c.method, c.to, res.Status, res.Reason,
					c.status)
			}
		}
		anna.Silence(time.Minute)
		wrong := h.raw("door", "10.0.0.7:5060")
		wrong.cred.Password = "guess"
		wrong.wantStatus(407, wrong.request("INVITE", "sip:anna@"+domain))
	})
}

func TestMessageAndClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestServer(t, nil)
		anna, door := h.raw("anna", "10.0.0.1:5060"), h.raw("door", "10.0.0.8:5060")
		path := "<sip:anna@10.0.0.1:5070>;expires=600"
		anna.wantStatus(200, anna.register(path), func(r *sip.Request) {
			r.Add("Path",
				"<sip:edge.example.com;lr>")
		})
		door.wantStatus(404, door.request("MESSAGE", "sip:nobody@"+domain))
		msg := door.request("MESSAGE", "sip:anna@"+domain)
		msg.MaxForwards = -1
		msg.Add("P-Asserted-Identity", "<sip:police@example.com>")
		msg.Add("Proxy-Authorization",
			`Digest username="x", realm="elsewhere", nonce="n", uri="u", response="r"`)
		msg.ContentType, msg.Body = "text/plain", []byte("hello")
		sent := door.send(msg)
		got := anna.Request("MESSAGE")
		creds := got.Values("Proxy-Authorization")
		if got.URI.String() != "sip:anna@10.0.0.1:5070" || got.MaxForwards != 70 || len(got.Via) != 2 ||
			string(got.Body) != "hello" ||
			got.Get("P-Asserted-Identity") != "" || len(creds) != 1 ||
			!strings.Contains(creds[0], "elsewhere") || len(got.RecordRoute) != 0 ||
			len(got.Route) != 1 || got.Route[0].URI.Host != "edge.example.com" {
			t.Fatalf("forwarded:\n%s", got)
		}
		door.Silence(time.Second) // no 100 (RFC 4320)
		anna.Respond(got, serverAddr, 100, nil)
		door.Silence(time.Second)
		anna.Respond(got, serverAddr, 202, func(r *sip.Response) { r.To = r.To.WithTag("a") })
		if res := door.finalOf(sent); res.Status != 202 || len(res.Via) != 1 {
			t.Fatalf("response:\n%s", res)
		}
		// A phone that asks for its own user does not get its own request back, unless it lies behind a
		// proxy.
		ben := h.raw("ben", "10.0.0.2:5060")
		ben.wantStatus(200, ben.register("<sip:ben@10.0.0.2>"))
		ben.wantStatus(480, ben.request("SUBSCRIBE", "sip:ben@"+domain))
	})
}

// TestPhonesAskForNoPassword: a challenge of a phone goes up as a refusal; whoever answered it would show the
// phone what to try passwords against.
func TestPhonesAskForNoPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, door := bellServer(t, nil)
		anna := h.raw("anna", "10.0.0.1:5060")
		anna.come()
		for _, status := range []int{401, 407} {
			door.id += "x"
			sent := door.rings()
			anna.Respond(anna.Request("INVITE"), serverAddr, status, func(r *sip.Response) {
				r.Add("WWW-Authenticate", `Digest realm="portero.local", nonce="n"`)
				r.Add("Proxy-Authenticate", `Digest realm="portero.local", nonce="n"`)
			})
			anna.Request("ACK")
			if res := door.finalOf(sent); res.Status != 403 || len(res.Values("WWW-Authenticate"))+len(res.Values("Proxy-Authenticate")) > 0 {
				t.Errorf("%d:\n%v", status, res)
			}
		}
	})
}

// TestNAT has a phone whose Contact nobody could reach, and whose token nobody else can use.
func TestNATAndTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestServer(t, nil)
		anna, door, eve := h.raw("anna", "203.0.113.1:40000"), h.raw("door", "203.0.113.2:50000"),
			h.raw("eve", "10.0.0.66:5060")
		anna.wantStatus(200, anna.register("<sip:anna@192.168.7.7:5060>"))
		if !h.At("anna", anna.Addr.Addr()) || h.At("anna", netip.MustParseAddr("192.168.7.7")) ||
			h.At("ben", anna.Addr.Addr()) {
			t.Error("the server does not know where anna registers from")
		}
		if b := h.Bindings(); b[0].Source != anna.Addr || b[0].Contact.Host != "192.168.7.7" {
			t.Fatalf("bindings %+v", b)
		}
		door.wantStatus(404, door.request("INVITE", "sip:nobody@"+domain))
		invite := door.request("INVITE", "sip:anna@"+domain)
		invite.Contact[0].URI.Host = "192.168.8.8"
		sent := door.send(invite)
		got := anna.Request("INVITE")
		if got.URI.String() != "sip:anna@192.168.7.7:5060" || len(got.RecordRoute) != 1 {
			t.Fatalf("got\n%s", got)
		}
		anna.Respond(got, serverAddr, 200, func(r *sip.Response) {
			r.To, r.RecordRoute = r.To.WithTag("anna-tag"), got.RecordRoute
			r.Contact = []sip.Address{{URI: got.URI}}
		})
		res := door.finalOf(sent)
		within := func(method string, from *raw, a, b sip.Address, to sip.URI) *sip.Request {
			req := from.request(method, to.String())
			req.From, req.To, req.CallID, req.Route = a, b, sent.CallID, res.RecordRoute
			req.CSeq.Seq = sent.CSeq.Seq
			return req
		}
		ack := within("ACK", door, sent.From, res.To, res.Contact[0].URI)
		door.send(ack)
		if got := anna.Request("ACK"); got.URI.Host != "192.168.7.7" || len(got.Route) != 0 {
			t.Fatalf("got\n%s", got)
		}
		// From the callee to the caller's own side of its NAT.
		anna.seq = 100
		info := anna.send(within("INFO", anna, res.To, sent.From, invite.Contact[0].URI))
		at := door.Request("INFO")
		if at.URI.Host != "192.168.8.8" {
			t.Fatalf("got\n%s", at)
		}
		door.Respond(at, serverAddr, 200, nil)
		if r := anna.finalOf(info); r.Status != 200 {
			t.Fatalf("INFO: %d", r.Status)
		}
		// A stranger with the token but without the tags, or with a target of its own.
		victim := h.raw("victim", "10.0.0.77:5060")
		target := uri(t, "sip:victim@10.0.0.77:5060")
		eve.wantStatus(481, within("BYE", eve, res.To.WithTag("eve"), sent.From.WithTag("adam"), target))
		other := within("BYE", eve, sent.From, res.To, target)
		other.CallID = "another-call"
		eve.wantStatus(481, other)
		eve.send(within("ACK", eve, res.To.WithTag("eve"), sent.From.WithTag("adam"), target))
		relay := within("OPTIONS", door, sent.From, res.To, target)
		relay.Route = append(relay.Route, sip.Address{URI: uri(t, "sip:10.0.0.77;lr")})
		door.send(relay)
		anna.Request("OPTIONS") // to the other end of the dialog, as ever
		victim.Silence(time.Minute)
		// A strict router's doing: our URI in front, the target at the end of the route.
		strict := within("BYE", door, sent.From, res.To, res.RecordRoute[0].URI)
		strict.Route = []sip.Address{{URI: res.Contact[0].URI}}
		drain(anna)
		door.send(strict)
		if got := anna.Request("BYE"); got.URI.Host != "192.168.7.7" || len(got.Route) != 0 {
			t.Fatalf("got\n%s", got)
		}
	})
}

func drain(r *raw) {
	for req, res := r.Within(time.Minute); req != nil || res != nil; req, res = r.Within(time.Minute) {
	}
}

// TestAsymmetricClient has a phone that listens elsewhere than it sends from and does not ask for rport.
func TestAsymmetricClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestServer(t, nil)
		r := h.raw("anna", "10.0.0.1:5060")
		r.wantStatus(200, r.register("<sip:anna@10.0.0.1:5070>"),
			func(q *sip.Request) { q.Via[0].Params = q.Via[0].Params.Without("rport") })
		if got := h.Bindings()[0].Source.String(); got != "10.0.0.1:5070" {
			t.Fatalf("source %s", got)
		}
	})
}

// twoFaced is a server that the phones of its own host see at another address than those outside, as a
// wildcard socket is.
type twoFaced struct{ inside, outside *siptest.Transport }

func (f twoFaced) face(t transport.Target) *siptest.Transport {
	if t.Addr.Addr().IsLoopback() {
		return f.inside
	}
	return f.outside
}
func (f twoFaced) Proto() sip.Proto                                 { return sip.UDP }
func (f twoFaced) Local(t transport.Target) (netip.AddrPort, error) { return f.face(t).Local(t) }
func (f twoFaced) Send(id uint64, t transport.Target, wire []byte) error {
	return f.face(t).Send(id, t, wire)
}
func (f twoFaced) Run(ctx context.Context, deliver func(transport.Packet) bool) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return f.inside.Run(ctx, deliver) })
	g.Go(func() error { return f.outside.Run(ctx, deliver) })
	return g.Wait()
}

// TestTwoFaces is the door station on the server's own host, and a phone on the network: two Record-Routes
// (RFC 5658).
func TestTwoFaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := siptest.NewNetwork(3)
		n.Delay = time.Millisecond
		h := newTestServerOn(t, n, twoFaced{n.Listen("127.0.0.1:5060"), n.Listen(serverAddr.String())}, nil)
		door, anna := h.registered("door", "127.0.0.1:5070"), h.registered("anna", "10.0.0.1:5060")
		ben := h.registered("ben", "127.0.0.1:5071") // the demo: on the same host, too
		for _, end := range []struct {
			to    *phone
			user  string
			local string
		}{{anna, "anna", "10.0.0.9:5060"}, {ben, "ben", "127.0.0.1:5060"}} {
			door.call("sip:" + end.user + "@" + domain)
			ev := end.to.want(ua.Offered)
			ev.Leg.Answer([]byte("v=0\r\n"))
			door.want(ua.Answered)
			end.to.want(ua.Acked)
			end.to.hangup(t, ev.Leg)
			door.want(ua.Ended)
		}
		for _, m := range n.Log() {
			if m.From != serverAddr && m.To != serverAddr &&
				m.From.Addr().IsLoopback() != m.To.Addr().IsLoopback() {
				t.Fatalf("%s -> %s\n%s", m.From, m.To, m.Wire)
			}
		}
		settled(t, door, anna, ben)
	})
}

func TestTrustedFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestServer(t, func(c *Config) {
			c.Trusted = func(f transport.Flow) bool { return f.Remote.String() == "10.0.0.8:5060" }
		})
		anna := h.registered("anna", "10.0.0.1:5060")
		door := h.raw("gate", "10.0.0.8:5060")
		sent := door.send(door.request("INVITE", "sip:anna@"+domain))
		anna.want(ua.Offered).Leg.Reject(486)
		if res := door.finalOf(sent); res.Status != 486 {
			t.Fatalf("status %d", res.Status)
		}
		door.wantStatus(403, door.request("INVITE", "sip:anna@example.com"))
	})
}

// TestLossyNetwork: at 20 % loss and duplication a call is established and ended, whatever the chances.
func TestLossyNetwork(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			n := siptest.NewNetwork(seed)
			n.Delay, n.Jitter = 5*time.Millisecond, 20*time.Millisecond
			n.Loss, n.Duplicate = 0.2, 0.2
			h := newTestServerOn(t, n, n.Listen(serverAddr.String()), nil)
			door := h.registered("door", "10.0.0.8:5060")
			annas := []*phone{h.registered("anna", "10.0.0.1:5060"), h.registered("anna", "10.0.0.2:5060")}
			c := door.call("sip:anna@" + domain)
			leg := annas[0].want(ua.Offered).Leg
			leg.Progress(180, nil)
			leg.Answer([]byte("v=0\r\n"))
			for ev := door.next(); ev.Kind != ua.Answered; ev = door.next() {
				if ev.Kind != ua.Progress {
					t.Fatalf("seed %d: door heard %s %d %v", seed, ev.Kind, ev.Status, ev.Err)
				}
			}
			annas[0].want(ua.Acked)
			time.Sleep(10 * time.Second)
			c.Hangup()
			door.want(ua.Ended)
			annas[0].want(ua.Ended)
			if n := h.finals(serverAddr.String(), door.addr)["200"]; n != 1 {
				t.Errorf("seed %d: %d answers upstream", seed, n)
			}
			time.Sleep(3 * time.Minute)
			a, err := door.Calls()
			if err != nil {
				t.Fatal(err)
			}
			if b, err := annas[0].Calls(); a != 0 || b != 0 || err != nil {
				t.Errorf("seed %d: calls left: %d and %d", seed, a, b)
			}
		})
	}
}

// TestTwoAnswersAndLateOnes: every 2xx of an INVITE goes up, be it the second or later than the end; ACKs
// find their phone.
func TestTwoAnswersAndLateOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestServer(t, nil)
		door := h.raw("door", "10.0.0.8:5060")
		var annas []*raw
		for i := range 2 {
			a := h.raw("anna", annaAt(i))
			a.wantStatus(200, a.register("<sip:anna@"+a.Addr.String()+">"))
			annas = append(annas, a)
		}
		door.wantStatus(404, door.request("INVITE", "sip:nobody@"+domain))
		answer := func(a *raw, invite *sip.Request, tag string) {
			a.Respond(invite, serverAddr, 200, func(r *sip.Response) {
				r.To, r.RecordRoute, r.Contact = r.To.WithTag(tag), invite.RecordRoute,
					[]sip.Address{{URI: invite.URI}}
			})
		}
		sent := door.send(door.request("INVITE", "sip:anna@"+domain))
		i0, i1 := annas[0].Request("INVITE"), annas[1].Request("INVITE")
		answer(annas[0], i0, "one")
		answer(annas[1], i1, "two")
		for n, tag := range []string{"one", "two"} {
			res := door.finalOf(sent)
			if res.Status != 200 || res.To.Tag() != tag {
				t.Fatalf("answer\n%s", res)
			}
			ack := door.request("ACK", res.Contact[0].URI.String())
			ack.To, ack.Route, ack.CSeq = res.To, res.RecordRoute, sip.CSeq{Seq: sent.CSeq.Seq, Method: "ACK"}
			door.send(ack, func(r *sip.Request) {
				if n == 1 {
					r.Via = sent.Via // as clients of RFC 2543 do: on the INVITE's own branch
				}
				r.Other = nil
			})
			if got := annas[n].Request("ACK"); got.To.Tag() != tag {
				t.Fatalf("ACK\n%s", got)
			}
		}
		// of no dialog
		door.send(door.request("ACK", "sip:anna@10.0.0.1"), func(r *sip.Request) { r.Via = sent.Via })
		annas[0].Silence(time.Minute)

		// Nobody says a word before the CANCEL, and one answers after all is over.
		sent = door.send(door.request("INVITE", "sip:anna@"+domain))
		i0 = annas[0].Request("INVITE")
		cancel := sent.Clone()
		cancel.Method, cancel.CSeq.Method = sip.CANCEL, sip.CANCEL
		start := time.Now()
		door.Send(serverAddr, cancel.Append(nil))
		if res := door.finalOf(sent); res.Status != 487 {
			t.Fatalf("status %d", res.Status)
		}
		if took := time.Since(start); took > cancelWait+time.Second {
			t.Fatalf("took %v", took)
		}
		answer(annas[0], i0, "late")
		if res := door.finalOf(sent); res.Status != 200 || res.To.Tag() != "late" || len(res.Via) != 1 {
			t.Fatalf("late answer\n%s", res)
		}
	})
}

// TestHairpin has a binding that leads back to the server, which no REGISTER can make.
func TestHairpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestServer(t, nil)
		h.onLoop(func() {
			h.location.replace("anna", []*binding{{contact: sip.Address{URI: uri(t, "sip:ben@10.0.0.9")},
				hop: transport.Target{Proto: sip.UDP, Addr: serverAddr}}})
		})
		door := h.raw("door", "10.0.0.8:5060")
		door.wantStatus(482, door.request("INVITE", "sip:anna@"+domain))
	})
}
