package registrar

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"portero/sip"
	"portero/sip/digest"
	"portero/sip/siptest"
	"portero/sip/transaction"
	"portero/sip/transport"
	"portero/sip/ua"
)

var serverAddr = netip.MustParseAddrPort("10.0.0.9:5060")

const domain = "portero.local"

// testServer is a server on a test network.
type testServer struct {
	t   *testing.T
	net *siptest.Network
	*Server
	requests int                 // that were taken, and so cost a transaction
	shares   []transaction.Share // of those
	changes  []string
}

// counting is the server with a count of the requests that Admit let in.
type counting struct {
	*Server
	h *testServer
}

func (c counting) Admit(flow transport.Flow, req *sip.Request) transaction.Verdict {
	v := c.Server.Admit(flow, req)
	if take := v.Take; take != nil {
		v.Take = func(tx *transaction.Server, req *sip.Request) {
			c.h.requests++
			c.h.shares = append(c.h.shares, v.Share)
			take(tx, req)
		}
	}
	return v
}

func testLog(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

func newTestServer(t *testing.T, edit func(*Config)) *testServer {
	n := siptest.NewNetwork(7)
	n.Delay = 2 * time.Millisecond
	return newTestServerOn(t, n, n.Listen(serverAddr.String()), edit)
}

func newTestServerOn(t *testing.T, n *siptest.Network, tr transport.Transport, edit func(*Config),
	more ...transport.Transport) *testServer {
	cfg := Config{Domains: []string{domain}, Log: testLog(t)}
	for _, u := range []string{"door", "anna", "ben", "cleo", "dora"} {
		cfg.Users = append(cfg.Users, User{u, "secret of " + u})
	}
	if edit != nil {
		edit(&cfg)
	}
	srv, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h := &testServer{t: t, net: n, Server: srv}
	srv.OnRegister(func(user string, contacts int) {
		h.changes = append(h.changes,
			fmt.Sprintf("%s %d", user, contacts))
	})
	run(t, transaction.NewStack(transaction.Config{Log: testLog(t)}, counting{srv, h}, append(more, tr)...))
	return h
}

func run(t *testing.T, s *transaction.Stack) {
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

// onLoop runs f on the server's loop.
func (h *testServer) onLoop(f func()) {
	done := make(chan struct{})
	h.stack.Post(func() { f(); close(done) })
	<-done
}

func uri(t testing.TB, s string) sip.URI {
	u, err := sip.ParseURI(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// phone is a user agent with what it heard.
type phone struct {
	t *testing.T
	*ua.Agent
	acct   *ua.Account
	reg    *ua.Registration
	addr   string
	events chan heard
	regs   chan ua.RegEvent
	byLeg  map[*ua.Leg]*ua.Call // of incoming calls that were heard
}

type heard struct {
	call *ua.Call
	ua.CallEvent
}

// phone starts a user agent of the user at addr; it is not registered yet.
func (h *testServer) phone(user, addr string) *phone {
	p := &phone{t: h.t, addr: addr, events: make(chan heard, 256), regs: make(chan ua.RegEvent, 256),
		byLeg: map[*ua.Leg]*ua.Call{}}
	p.Agent = ua.New(ua.Config{
		Allow:    func(transport.Flow, *sip.Request) int { return 0 },
		Incoming: func(c *ua.Call, ev ua.CallEvent) { p.events <- heard{c, ev} },
	})
	run(h.t, transaction.NewStack(transaction.Config{}, p.Agent, h.net.Listen(addr)))
	server := serverAddr
	if netip.MustParseAddrPort(addr).Addr().IsLoopback() {
		server = netip.MustParseAddrPort("127.0.0.1:5060")
	}
	p.acct = ua.NewAccount(ua.AccountConfig{Name: user, AOR: uri(h.t, "sip:"+user+"@"+domain),
		Server: uri(h.t, "sip:"+server.String()), Password: "secret of " + user})
	return p
}

// registered starts a phone and waits for its registration.
func (h *testServer) registered(user, addr string) *phone {
	h.t.Helper()
	p := h.phone(user, addr)
	p.reg = p.Register(p.acct, func(ev ua.RegEvent) { p.regs <- ev })
	if ev := p.regEvent(); !ev.Registered {
		h.t.Fatalf("%s is not registered: %+v", user, ev)
	}
	return p
}

func (p *phone) regEvent() ua.RegEvent {
	p.t.Helper()
	select {
	case ev := <-p.regs:
		return ev
	case <-time.After(20 * time.Minute):
		p.t.Fatalf("%s: no registration event", p.addr)
	}
	panic("unreachable")
}

func (p *phone) call(to string) *ua.Call {
	return p.Invite(ua.Invite{Account: p.acct, To: uri(p.t, to),
		Offer: ua.OfferNow(func(netip.Addr, transport.Target) ([]byte, error) { return []byte("v=0\r\n"), nil })},
		func(_ *ua.Call, ev ua.CallEvent) { p.events <- heard{nil, ev} })
}

func (p *phone) next() heard {
	p.t.Helper()
	select {
	case ev := <-p.events:
		if ev.call != nil {
			p.byLeg[ev.Leg] = ev.call
		}
		return ev
	case <-time.After(5 * time.Minute):
		p.t.Fatalf("%s: heard nothing", p.addr)
	}
	panic("unreachable")
}

func (p *phone) want(kind ua.CallEventKind) heard {
	p.t.Helper()
	ev := p.next()
	if ev.Kind != kind {
		p.t.Fatalf("%s: want %s, heard %s (status %d, %q)", p.addr, kind, ev.Kind, ev.Status, ev.Reason)
	}
	return ev
}

// quiet fails the test if the phone has heard anything more.
func (p *phone) quiet() {
	p.t.Helper()
	select {
	case ev := <-p.events:
		p.t.Fatalf("%s: heard %s (status %d, %q)", p.addr, ev.Kind, ev.Status, ev.Reason)
	default:
	}
}

// raw is a scripted client.
type raw struct {
	*siptest.Peer
	t    *testing.T
	user string
	cred digest.Client
	md5  bool // knows MD5 alone
	id   string
	seq  uint32
}

func (h *testServer) raw(user, addr string) *raw {
	return &raw{Peer: h.net.NewPeer(h.t, addr), t: h.t, user: user, id: user + "@" + addr,
		cred: digest.Client{User: user, Password: "secret of " + user}}
}

// request makes a request of the client's user, as yet without Via, CSeq number and credentials.
func (r *raw) request(method, to string) *sip.Request {
	u := uri(r.t, to)
	req := sip.NewRequest(method, u)
	req.From = sip.Address{URI: uri(r.t, "sip:"+r.user+"@"+domain)}.WithTag("from-" + r.user)
	req.To = sip.Address{URI: u}
	req.CallID = r.id
	req.Contact = []sip.Address{{URI: uri(r.t, "sip:"+r.user+"@"+r.Addr.String())}}
	return req
}

func (r *raw) register(contacts ...string) *sip.Request {
	req := r.request("REGISTER", "sip:"+domain)
	req.To.URI = req.From.URI
	req.Contact = nil
	for _, c := range contacts {
		a, err := sip.ParseAddress(c)
		if err != nil {
			r.t.Fatal(err)
		}
		req.Contact = append(req.Contact, a)
	}
	return req
}

// send sends a copy of req with the next CSeq and the credentials that the client has.
func (r *raw) send(req *sip.Request, edit ...func(*sip.Request)) *sip.Request {
	out := req.Clone()
	if req.Method != sip.ACK {
		r.seq++
		out.CSeq.Seq = r.seq
	}
	via := sip.Via{Transport: "UDP", Host: r.Addr.Addr().String(), Port: r.Addr.Port(),
		Params: sip.Params(fmt.Sprintf(";branch=z9hG4bK-%s-%s-%d;rport", r.user, out.Method, r.seq))}
	out.Via = append([]sip.Via{via}, out.Via...)
	name := "Proxy-Authorization"
	if req.Method == sip.REGISTER {
		name = "Authorization"
	}
	if v := r.cred.Authorize(out.Method, out.URI.String()); v != "" {
		out.Add(name, v)
	}
	for _, f := range edit {
		f(out)
	}
	r.Send(serverAddr, out.Append(nil))
	return out
}

// final sends a request, answers a challenge once, acknowledges, and returns the final response.
func (r *raw) final(req *sip.Request, edit ...func(*sip.Request)) *sip.Response {
	r.t.Helper()
	for try := 0; ; try++ {
		had := r.cred.Authorize("", "") != ""
		sent := r.send(req, edit...)
		res := r.finalOf(sent)
		if try > 0 || res.Status != 401 && res.Status != 407 {
			return res
		}
		name := "WWW-Authenticate"
		if res.Status == 407 {
			name = "Proxy-Authenticate"
		}
		offers := res.Values(name)
		if r.md5 {
			offers = []string{offers[1]}
			if !strings.Contains(offers[0], "algorithm=MD5") {
				r.t.Fatalf("second challenge %q", offers[0])
			}
		}
		if err := r.cred.Challenged(offers, had); err != nil {
			return res
		}
	}
}

func (r *raw) finalOf(sent *sip.Request) *sip.Response {
	r.t.Helper()
	for {
		req, res := r.Within(4 * time.Minute)
		switch {
		case res == nil:
			r.t.Fatalf("%s: no final response to %s, but %v", r.user, sent.Method, req)
		case res.Status < 200 || res.CSeq != sent.CSeq:
			continue
		}
		if sent.Method == sip.INVITE && res.Status >= 300 {
			ack := sent.Clone()
			ack.Method, ack.CSeq.Method, ack.To = sip.ACK, sip.ACK, res.To
			r.Send(serverAddr, ack.Append(nil))
		}
		return res
	}
}

func (r *raw) wantStatus(want int, req *sip.Request, edit ...func(*sip.Request)) *sip.Response {
	r.t.Helper()
	res := r.final(req, edit...)
	if res.Status != want {
		r.t.Fatalf("%s to %s: status %d %s, want %d", req.Method, req.URI, res.Status, res.Reason, want)
	}
	return res
}
