package siptest

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"portero/sip"
	"portero/sip/transport"
)

// Peer is a far end that says what the test tells it to, and nothing by itself.
type Peer struct {
	t    testing.TB
	tr   *Transport
	Addr netip.AddrPort
}

// NewPeer makes a peer at addr.
func (n *Network) NewPeer(t testing.TB, addr string) *Peer { return n.NewPeerOn(t, sip.UDP, addr) }

// NewPeerOn makes a peer that speaks another protocol.
func (n *Network) NewPeerOn(t testing.TB, proto sip.Proto, addr string) *Peer {
	tr := n.ListenOn(proto, addr)
	return &Peer{t: t, tr: tr, Addr: tr.at}
}

// Send sends raw bytes.
func (p *Peer) Send(to netip.AddrPort, wire []byte) {
	if err := p.tr.Send(0, transport.Target{Proto: p.tr.proto, Addr: to}, wire); err != nil {
		p.t.Errorf("peer %s: %v", p.Addr, err)
	}
}

// Respond answers req with a status; edit may change the response first.
func (p *Peer) Respond(req *sip.Request, to netip.AddrPort, status int,
	edit func(*sip.Response)) *sip.Response {
	res := sip.NewResponse(req, status, "")
	if edit != nil {
		edit(res)
	}
	p.Send(to, res.Append(nil))
	return res
}

// Within returns the next message that arrives within d, or nil, nil. That a connection has ended is no
// message, nor is a keep-alive.
func (p *Peer) Within(d time.Duration) (*sip.Request, *sip.Response) {
	p.t.Helper()
	over := time.After(d)
	for {
		select {
		case pk := <-p.tr.inbox:
			if pk.Err != nil {
				return nil, nil
			}
			req, res, err := sip.Parse(pk.Data)
			if errors.Is(err, sip.ErrKeepAlive) {
				continue
			}
			if err != nil {
				p.t.Fatalf("peer %s got a message that does not parse: %v\n%s", p.Addr, err, pk.Data)
			}
			return req, res
		case <-over:
			return nil, nil
		}
	}
}

// Request returns the next message, which must be a request of the method and arrive within 40 s.
func (p *Peer) Request(method string) *sip.Request {
	p.t.Helper()
	req, res := p.Within(40 * time.Second)
	if req == nil || req.Method != method {
		p.t.Fatalf("peer %s: want a %s, got %s", p.Addr, method, describe(req, res))
	}
	return req
}

// Response returns the next message, which must be a response of the status and arrive within 40 s.
func (p *Peer) Response(status int) *sip.Response {
	p.t.Helper()
	req, res := p.Within(40 * time.Second)
	if res == nil || res.Status != status {
		p.t.Fatalf("peer %s: want a %d, got %s", p.Addr, status, describe(req, res))
	}
	return res
}

// Silence fails the test if anything arrives within d.
func (p *Peer) Silence(d time.Duration) {
	p.t.Helper()
	if req, res := p.Within(d); req != nil || res != nil {
		p.t.Fatalf("peer %s: want silence, got %s", p.Addr, describe(req, res))
	}
}

func describe(req *sip.Request, res *sip.Response) string {
	switch {
	case req != nil:
		return fmt.Sprintf("request %s", req.Method)
	case res != nil:
		return fmt.Sprintf("response %d to %s", res.Status, res.CSeq.Method)
	}
	return "nothing"
}
