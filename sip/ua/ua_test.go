package ua_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"portero/sip"
	"portero/sip/siptest"
	"portero/sip/transaction"
	"portero/sip/transport"
	"portero/sip/ua"
)

// testAgent is a user agent on the test network, with what it heard.
type testAgent struct {
	*ua.Agent
	addr   netip.AddrPort
	udp    *siptest.Transport // the first transport
	events chan heard
	waits  bool // its calls are Invite.Waits
}

type heard struct {
	call *ua.Call // of incoming calls
	ua.CallEvent
}

type uaOptions struct {
	quiet bool // no log: for thousands of runs
	log   slog.Handler
	allow func(transport.Flow, *sip.Request) int
	on    func(*ua.Call, ua.CallEvent) // in place of events
	cfg   transaction.Config
	proto sip.Proto
	// of ua.Config
	redirect func(*ua.Account, sip.URI) (*ua.Account, bool)
	also     []sip.Proto // further transports, each at a port of its own
}

// startUA runs a user agent until the test ends.
func startUA(t testing.TB, n *siptest.Network, addr string, options ...func(*uaOptions)) *testAgent {
	u := &testAgent{addr: netip.MustParseAddrPort(addr), events: make(chan heard, 256)}
	o := uaOptions{allow: func(transport.Flow, *sip.Request) int { return 0 }, on: u.hear, proto: sip.UDP}
	for _, f := range options {
		f(&o)
	}
	switch {
	case o.quiet:
		o.log = slog.DiscardHandler
	case o.log == nil:
		o.log = slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})
	}
	o.cfg.Log = slog.New(o.log)
	u.Agent = ua.New(ua.Config{Log: o.cfg.Log, Allow: o.allow, Incoming: o.on,
		Redirect: o.redirect})
	u.udp = n.ListenOn(o.proto, addr)
	transports := []transport.Transport{u.udp}
	for i, p := range o.also {
		at := netip.AddrPortFrom(u.addr.Addr(), u.addr.Port()+10+uint16(i))
		transports = append(transports, n.ListenOn(p, at.String()))
	}
	runStack(t, transaction.NewStack(o.cfg, u.Agent, transports...))
	return u
}

func runStack(t testing.TB, s *transaction.Stack) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("stack: %v", err)
		}
	})
}

func quiet(o *uaOptions) { o.quiet = true }

func (u *testAgent) hear(c *ua.Call, ev ua.CallEvent) { u.events <- heard{c, ev} }

func mustURI(t testing.TB, s string) sip.URI {
	t.Helper()
	uri, err := sip.ParseURI(s)
	if err != nil {
		t.Fatal(err)
	}
	return uri
}

// hasToken reports whether a field of that name lists the token.
func hasToken(h *sip.Headers, name, token string) bool {
	return slices.ContainsFunc(h.Values(name),
		func(v string) bool { return slices.Contains(slices.Collect(sip.Tokens(v)), token) })
}

// errWire is a failure of the network.
var errWire = errors.New("no route")

var offer = []byte("v=0\r\n")

// call places a call with or without an account.
func (u *testAgent) call(t testing.TB, to string, acct ...*ua.Account) *ua.Call {
	inv := ua.Invite{To: mustURI(t, to), From: sip.URI{Scheme: "sip", User: "door",
		Host: u.addr.Addr().String()}, Waits: u.waits,
		Offer: ua.OfferNow(func(netip.Addr, transport.Target) ([]byte, error) { return offer, nil })}
	if len(acct) > 0 {
		inv.Account = acct[0]
	}
	return u.Invite(inv, func(_ *ua.Call, ev ua.CallEvent) { u.hear(nil, ev) })
}

func (u *testAgent) want(t testing.TB, kind ua.CallEventKind) heard {
	t.Helper()
	select {
	case h := <-u.events:
		if h.Kind != kind {
			t.Fatalf("%s: want %s, heard %s (status %d, %q)", u.addr, kind, h.Kind, h.Status, h.Reason)
		}
		return h
	case <-time.After(2 * time.Minute):
		t.Fatalf("%s: want %s, heard nothing", u.addr, kind)
	}
	panic("unreachable")
}

// wantNothing fails if any event waits.
func (u *testAgent) wantNothing(t testing.TB) {
	t.Helper()
	synctest.Wait()
	select {
	case h := <-u.events:
		t.Fatalf("%s: want nothing, heard %s (status %d, %q)", u.addr, h.Kind, h.Status, h.Reason)
	default:
	}
}

// settled fails if two minutes later anything is left of a call: the call, a transaction, a timer, or an
// untold event.
func (u *testAgent) settled(t testing.TB) {
	t.Helper()
	time.Sleep(2 * time.Minute)
	u.wantNothing(t)
	calls := openCalls(t, u)
	if c, s, timers, _ := u.Stack().Held(); calls+c+s+timers != 0 {
		t.Fatalf("%s: left over: %d calls, %d client and %d server transactions, %d timers", u.addr, calls, c,
			s, timers)
	}
}

// openCalls asks an agent how many calls it has.
func openCalls(t testing.TB, a interface{ Calls() (int, error) }) int {
	t.Helper()
	n, err := a.Calls()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// far is a scripted user agent. It makes messages that fit its dialog and says nothing by itself.
type far struct {
	*siptest.Peer
	t             testing.TB
	at            netip.AddrPort // the agent under test
	callID        string
	local, remote sip.Address // From and To of its requests
	seq           uint32
	branches      int
	target        sip.URI // where its requests within the dialog go
}

func newFar(t testing.TB, n *siptest.Network, addr string, at *testAgent) *far {
	return &far{Peer: n.NewPeer(t, addr), t: t, at: at.addr}
}

func (f *far) contact() sip.Address {
	return sip.Address{URI: sip.URI{Scheme: "sip", User: "far", Host: f.Addr.Addr().String(),
		Port: f.Addr.Port()}}
}

// answer responds to a request of the agent and takes on the dialog that it makes.
func (f *far) answer(req *sip.Request, status int, tag string, edits ...func(*sip.Response)) *sip.Response {
	return f.Respond(req, f.at, status, func(res *sip.Response) {
		if tag != "" {
			res.To = res.To.WithTag(tag)
			f.callID, f.local, f.remote = req.CallID, res.To, req.From
			if len(req.Contact) > 0 {
				f.target = req.Contact[0].URI
			}
		}
		if req.Method == "INVITE" && status > 100 && status < 300 {
			res.Contact = []sip.Address{f.contact()}
			if status >= 183 {
				res.ContentType, res.Body = "application/sdp", []byte("v=0\r\na=answer\r\n")
			}
		}
		for _, edit := range edits {
			edit(res)
		}
	})
}

// request sends a request: within the dialog if there is one, else to the agent's address.
func (f *far) request(method string, edits ...func(*sip.Request)) *sip.Request {
	f.branches++
	uri := f.target
	if uri.Host == "" {
		uri = sip.URI{Scheme: "sip", User: "door", Host: f.at.Addr().String()}
	}
	req := sip.NewRequest(method, uri)
	req.Via = []sip.Via{{Transport: "UDP", Host: f.Addr.Addr().String(), Port: f.Addr.Port(),
		Params: sip.Params(fmt.Sprintf(";branch=z9hG4bK-%s-%d;rport", f.Addr.Addr(), f.branches))}}
	if f.callID == "" {
		f.callID = "call-of-" + f.Addr.Addr().String()
		f.local = sip.Address{URI: f.contact().URI}.WithTag("far-tag")
		f.remote = sip.Address{URI: uri}
	}
	if method != "ACK" && method != "CANCEL" {
		f.seq++
	}
	req.From, req.To, req.CallID, req.CSeq = f.local, f.remote, f.callID, sip.CSeq{Seq: f.seq, Method: method}
	if method == "INVITE" {
		req.Contact = []sip.Address{f.contact()}
		req.ContentType, req.Body = "application/sdp", offer
	}
	for _, edit := range edits {
		edit(req)
	}
	f.Send(f.at, req.Append(nil))
	return req
}

// joined takes on the dialog that a response of the agent made.
func (f *far) joined(res *sip.Response) {
	f.remote = res.To
	if len(res.Contact) > 0 {
		f.target = res.Contact[0].URI
	}
}

// cancel sends the CANCEL of an INVITE.
func (f *far) cancel(invite *sip.Request) {
	req := sip.NewRequest("CANCEL", invite.URI)
	req.Via, req.From, req.To, req.CallID, req.CSeq = invite.Via, invite.From, invite.To, invite.CallID,
		sip.CSeq{Seq: invite.CSeq.Seq, Method: "CANCEL"}
	f.Send(f.at, req.Append(nil))
}

// ackRefusal acknowledges a final response other than 2xx.
func (f *far) ackRefusal(invite *sip.Request, res *sip.Response) {
	req := sip.NewRequest("ACK", invite.URI)
	req.Via, req.From, req.To, req.CallID, req.CSeq = invite.Via, invite.From, res.To, invite.CallID,
		sip.CSeq{Seq: invite.CSeq.Seq, Method: "ACK"}
	f.Send(f.at, req.Append(nil))
}

// ring sends an INVITE and returns it with the offered leg of the agent.
func (f *far) ring(u *testAgent) (*sip.Request, heard) {
	f.t.Helper()
	req := f.request("INVITE")
	return req, u.want(f.t, ua.Offered)
}

// connect has the agent answer the INVITE of the peer.
func (f *far) connect(u *testAgent) heard {
	f.t.Helper()
	_, h := f.ring(u)
	h.Leg.Answer([]byte("v=0\r\na=answer\r\n"))
	f.joined(f.Response(200))
	f.request("ACK")
	u.want(f.t, ua.Acked)
	return h
}

// bubble runs f in a synctest bubble with a network of its own.
func bubble(t *testing.T, f func(t *testing.T, n *siptest.Network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, siptest.NewNetwork(1)) })
}

// each runs a bubble for each named case.
func each[C any](t *testing.T, cases map[string]C, f func(t *testing.T, n *siptest.Network, c C)) {
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { bubble(t, func(t *testing.T, n *siptest.Network) { f(t, n, c) }) })
	}
}
