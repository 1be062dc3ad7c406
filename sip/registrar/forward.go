package registrar

import (
	"portero/sip"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// target is one place that a request goes to.
type target struct {
	uri      sip.URI
	path     []sip.Address
	hop      transport.Target
	instance string // of the phone, where it names one (RFC 5626 §4.1)
}

func (b *binding) target() target {
	instance, _ := b.contact.Params.Get("+sip.instance")
	return target{b.contact.URI, b.path, b.hop, instance}
}

// proxyWithin forwards a request within a dialog to the other end of it.
func (s *Server) proxyWithin(tx *transaction.Server, req *sip.Request, to end) {
	if s.looped(req) {
		tx.Respond(sip.NewResponse(req, 482, ""))
		return
	}
	s.withoutCredentials(req)
	s.forward(newFork(s, tx, req), []target{{uri: req.URI, path: req.Route, hop: to.hop}})
}

// proxyFor forwards the request of a user, who calls under no name but its own and makes no claims beyond it.
func (s *Server) proxyFor(tx *transaction.Server, req *sip.Request, user string) {
	if s.userOf(req.From.URI.Username()) != user || !s.ours(req.From.URI) {
		s.tellAnother(tx.Flow().Remote, req, user, req.From.URI)
		tx.Respond(sip.NewResponse(req, 403, ""))
		return
	}
	s.proxy(tx, req, user, withoutClaims)
}

// proxyTrusted forwards a request from a flow that may call under any name.
func (s *Server) proxyTrusted(tx *transaction.Server, req *sip.Request) {
	s.proxy(tx, req, "", func(*sip.Request) {})
}

// proxy determines the targets of a request (RFC 3261 §16.5) and forwards it to them, after clean has taken
// away what they shall not see.
func (s *Server) proxy(tx *transaction.Server, req *sip.Request, user string, clean func(*sip.Request)) {
	targets, status := s.targets(tx.Flow(), req)
	bell := user != "" && user == s.cfg.Bell && req.Method == sip.INVITE
	if s.stopping(req) {
		status, bell = 503, false
	}
	if status != 0 && (status != 480 || !bell) {
		s.refuse(tx, req, user, status)
		return
	}
	s.withoutCredentials(req)
	clean(req)
	f := newFork(s, tx, req)
	if bell {
		f.bell = f.callee()
	}
	if f.record = dialogMaking(req.Method); f.record {
		var contact sip.URI
		if len(req.Contact) > 0 {
			contact = req.Contact[0].URI
		}
		f.caller = end{user, hopOf(tx.Flow(), req, contact)}
	}
	s.forward(f, targets)
}

// refuse answers a request that goes nowhere.
func (s *Server) refuse(tx *transaction.Server, req *sip.Request, user string, status int) {
	s.log.Info("request not forwarded", "call", req.CallID, "method", req.Method, "user", user,
		"to", req.URI.String(), "from", tx.Flow().Remote, "status", status)
	tx.Respond(sip.NewResponse(req, status, ""))
}

// dialogMaking reports whether later requests must come by us, too.
func dialogMaking(method string) bool {
	return method == sip.INVITE || method == sip.SUBSCRIBE || method == sip.REFER
}

// targets are the bindings of the user that is called, else the status that says why there are none.
func (s *Server) targets(flow transport.Flow, req *sip.Request) ([]target, int) {
	switch {
	case s.looped(req):
		return nil, 482
	case len(req.Route) > 0 || !s.ours(req.URI):
		return nil, 403 // no relay to others
	}
	callee := s.userOf(req.URI.Username())
	if _, known := s.passwords[callee]; !known {
		return nil, 404
	}
	var list []target
	for _, b := range s.location.of(callee) {
		if len(b.path) == 0 && b.hop.Addr == flow.Remote {
			continue // a phone that asks for its own user does not want itself
		}
		list = append(list, b.target())
	}
	if len(list) == 0 {
		return nil, 480
	}
	return list, 0
}

// looped reports whether the request has been here before (§16.3 item 4). The topmost Via is the sender's
// own, and a private address of another network may look like ours there.
func (s *Server) looped(req *sip.Request) bool {
	for i := 1; i < len(req.Via); i++ {
		host, port := req.Via[i].HostPort()
		if addr, ok := literalHost(host); ok && s.locals.isSelf(sip.Proto(req.Via[i].Transport), addr, port) {
			return true
		}
	}
	return false
}

// forward sends a copy to each target and sees to the responses.
func (s *Server) forward(f *fork, targets []target) {
	if f.bell != "" {
		s.rings(f, true)
		if len(targets) == 0 {
			f.queue()
		}
	}
	for _, t := range targets {
		f.add(t)
	}
}

// forwarded copies a request for a target (§16.6 items 1 to 3 and 6).
func forwarded(req *sip.Request, t target) *sip.Request {
	out := req.Clone()
	out.URI = t.uri
	out.Route = t.path
	if out.MaxForwards < 0 {
		out.MaxForwards = 70
	} else {
		out.MaxForwards--
	}
	return out
}

// forwardACK passes the ACK of a 2xx on; no transaction does it (§16.11).
func (s *Server) forwardACK(req *sip.Request, hop transport.Target) {
	if s.looped(req) {
		return
	}
	s.withoutCredentials(req)
	if _, err := s.stack.Send(forwarded(req, target{uri: req.URI, path: req.Route, hop: hop}),
		hop); err != nil {
		s.log.Warn("ACK not forwarded", "call", req.CallID, "err", err)
	}
}
