package transaction

import (
	"context"
	"fmt"
	"net/netip"

	"portero/sip"
	"portero/sip/transport"
)

// Send sends a request outside of any transaction: the ACK of a 2xx, or one that a proxy forwards
// statelessly. It adds a Via of its own and returns the bytes for Resend, and a failure that it sees at once.
func (s *Stack) Send(req *sip.Request, t transport.Target) ([]byte, error) {
	if err := s.pushVia(req, t, sip.NewBranch()); err != nil {
		return nil, err
	}
	wire := req.Append(nil)
	return wire, s.send(0, t, wire)
}

// Resend sends again what Send returned.
func (s *Stack) Resend(wire []byte, t transport.Target) { _ = s.send(0, t, wire) }

// SendResponse sends a response outside of any transaction to where its topmost Via points (§18.2.2).
func (s *Stack) SendResponse(res *sip.Response) {
	if len(res.Via) == 0 {
		return
	}
	v := res.Via[0]
	addr, ok := v.Received()
	if !ok {
		a, err := netip.ParseAddr(v.Host)
		if err != nil {
			return
		}
		addr = a
	}
	flow := transport.Flow{Proto: sip.Proto(v.Transport), Remote: netip.AddrPortFrom(addr, 0)}
	s.wire = res.Append(s.wire[:0])
	s.send(0, transport.ResponseTarget(flow, v), s.wire)
}

// send gives a message to its transport and returns the failure that it sees at once. The owner of id hears
// of it from the loop later, never from within.
func (s *Stack) send(id uint64, t transport.Target, wire []byte) error {
	tr, err := s.transport(t.Proto)
	if err == nil {
		if s.cfg.Trace {
			s.trace("sent", t.Addr, wire)
		}
		err = tr.Send(id, t, wire)
	}
	if err != nil && id != 0 {
		s.failLater(id, err)
	}
	return err
}

func (s *Stack) failLater(id uint64, err error) { s.Post(func() { s.failed(id, err) }) }

// transport returns the transport of a protocol, or ErrNoTransport.
func (s *Stack) transport(p sip.Proto) (transport.Transport, error) {
	if tr := s.transports[p]; tr != nil {
		return tr, nil
	}
	return nil, fmt.Errorf("transaction: %s: %w", p, ErrNoTransport)
}

// Protos lists the protocols that the stack has a transport for.
func (s *Stack) Protos() []sip.Proto { return s.protos }

// Local returns the address that the far end of t will see.
func (s *Stack) Local(t transport.Target) (netip.AddrPort, error) {
	tr, err := s.transport(t.Proto)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return tr.Local(t)
}

// pushVia adds the topmost Via of a request that goes to t (§18.1.1), asking for rport (RFC 3581 §3).
func (s *Stack) pushVia(req *sip.Request, t transport.Target, branch string) error {
	local, err := s.Local(t)
	if err != nil {
		return err
	}
	via := sip.Via{Transport: string(t.Proto), Host: sip.HostOf(local.Addr()), Port: local.Port(),
		Params: sip.Params(";branch=" + branch + ";rport")}
	req.Via = append([]sip.Via{via}, req.Via...)
	if s.cfg.UserAgent != "" && req.Get("User-Agent") == "" && len(req.Via) == 1 {
		req.Set("User-Agent", s.cfg.UserAgent)
	}
	return nil
}

// Resolve finds the servers of a URI by Config.Lookup and calls f with at least one target or an error, on
// the loop: first those that this host has a transport and a route to. An IP address needs no look-up, and f
// is called at once.
func (s *Stack) Resolve(u sip.URI, f func([]transport.Target, error)) {
	if !u.IsSIP() {
		f(nil, fmt.Errorf("transaction: resolve %q: %w", u, transport.ErrNotSIP))
		return
	}
	if t, ok := transport.LiteralTarget(u); ok {
		f([]transport.Target{t}, nil)
		return
	}
	go func() { // ends within the time that Lookup takes at most
		targets, err := s.cfg.Lookup(context.Background(), u)
		s.Post(func() { f(s.reachable(targets), err) })
	}()
}

// reachable puts first what a message can be sent to, and keeps the order else.
func (s *Stack) reachable(targets []transport.Target) []transport.Target {
	if len(targets) < 2 {
		return targets
	}
	first := make([]transport.Target, 0, len(targets))
	var last []transport.Target
	for _, t := range targets {
		if _, err := s.Local(t); err == nil {
			first = append(first, t)
		} else {
			last = append(last, t)
		}
	}
	return append(first, last...)
}
