package registrar

import (
	"slices"
	"time"

	"portero/sip"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// Bounds of what one user can make us keep.
const (
	maxBindings = 10   // of a user, and Contacts of one REGISTER
	maxContact  = 1024 // octets of a Contact, and of all Path values
)

// register handles a REGISTER of an authenticated user (RFC 3261 §10.3).
func (s *Server) register(tx *transaction.Server, req *sip.Request, user string) {
	refuse := func(status int, reason string) {
		s.log.Info("registration refused", "call", req.CallID, "user", user, "from", tx.Flow().Remote,
			"status", status, "reason", reason)
		tx.Respond(sip.NewResponse(req, status, reason))
	}
	switch { // steps 4 and 5
	case !s.ours(req.To.URI) || req.To.URI.User == "":
		s.tellForeign(tx.Flow().Remote, req, req.To.URI.Host)
		tx.Respond(sip.NewResponse(req, 404, ""))
		return
	case s.userOf(req.To.URI.Username()) != user:
		s.tellAnother(tx.Flow().Remote, req, user, req.To.URI)
		tx.Respond(sip.NewResponse(req, 403, ""))
		return
	}
	if len(req.Contact) > maxBindings {
		refuse(400, "Too Many Contacts")
		return
	}
	old := s.location.of(user)
	list, status, reason := s.bind(tx.Flow(), req, old)
	switch {
	case status == 423:
		res := sip.NewResponse(req, 423, "")
		res.Add("Min-Expires", sip.DeltaSeconds(s.cfg.MinExpires))
		tx.Respond(res)
		return
	case status != 0:
		refuse(status, reason)
		return
	}
	if len(req.Contact) > 0 {
		s.commit(user, old, list)
	}
	tx.Respond(s.registered(req, user))
}

// bind returns what becomes of the bindings by a REGISTER (§10.3 steps 6 and 7), or the status and reason
// that refuse it. Nothing is changed yet: all of it happens or none.
func (s *Server) bind(flow transport.Flow, req *sip.Request, old []*binding) (list []*binding, status int,
	reason string) {
	path, ok := parsePath(req)
	if !ok {
		return nil, 400, "Bad Path"
	}
	for _, b := range old { // what this request would undo came after it
		if b.callID == req.CallID && b.seq >= req.CSeq.Seq && touches(req, b) {
			return nil, 500, "Out of Order"
		}
	}
	if len(req.Contact) > 0 && req.Contact[0].Star {
		if req.Expires != 0 {
			return nil, 400, "Contact * Without Expires 0"
		}
		return nil, 0, ""
	}
	now := time.Now()
	list = slices.Clone(old)
	for _, c := range req.Contact {
		if reason := s.unusable(c); reason != "" {
			return nil, 400, reason
		}
		d := s.lifetime(c, req)
		if d > 0 && d < s.cfg.MinExpires {
			return nil, 423, ""
		}
		list = slices.DeleteFunc(list, func(b *binding) bool { return b.contact.URI.Equal(c.URI) })
		if d == 0 {
			continue
		}
		c.Params = c.Params.Without("expires")
		agent := req.Get("User-Agent")
		list = append(list, &binding{contact: c, hop: hopOf(flow, req, c.URI), path: path, callID: req.CallID,
			seq:       req.CSeq.Seq,
			userAgent: agent[:min(len(agent), 128)], refreshed: now, expires: now.Add(d)})
	}
	for len(list) > maxBindings {
		oldest := slices.MinFunc(list, func(a, b *binding) int { return a.refreshed.Compare(b.refreshed) })
		list = slices.DeleteFunc(list, func(b *binding) bool { return b == oldest })
	}
	return list, 0, ""
}

// touches reports whether a REGISTER names the binding.
func touches(req *sip.Request, b *binding) bool {
	return slices.ContainsFunc(req.Contact, func(c sip.Address) bool {
		return c.Star ||
			c.URI.Equal(b.contact.URI)
	})
}

func (s *Server) unusable(c sip.Address) string {
	switch {
	case c.URI.Scheme != "sip":
		return "Contact Is Not a sip URI"
	case len(c.String()) > maxContact:
		return "Contact Too Long"
	case c.URI.Headers != "":
		return "Contact With Header Components"
	}
	if addr, ok := literalHost(c.URI.Host); ok {
		if _, port := c.URI.HostPort(); s.locals.isOwn(addr, port) {
			return "Contact Is This Server"
		}
	}
	return ""
}

// lifetime is how long a binding is to last (§10.2.1.1): its own parameter, the header, our default; 0
// removes it.
func (s *Server) lifetime(c sip.Address, req *sip.Request) time.Duration {
	v, ok := c.Expires()
	if !ok {
		if v = req.Expires; v < 0 {
			return s.cfg.DefaultExpires
		}
	}
	return min(time.Duration(v)*time.Second, s.cfg.MaxExpires)
}

// parsePath reads the proxies that the bindings lie behind (RFC 3327 §5.3).
func parsePath(req *sip.Request) (path []sip.Address, ok bool) {
	size := 0
	for _, line := range req.Values("Path") {
		for v := range sip.Tokens(line) {
			a, err := sip.ParseAddress(v)
			if size += len(v); err != nil || !a.URI.IsSIP() || size > maxContact {
				return nil, false
			}
			path = append(path, a)
		}
	}
	return path, true
}

// commit puts new bindings in place of the old ones and starts their clocks.
func (s *Server) commit(user string, old, list []*binding) {
	changed := len(old) != len(list)
	var came []*binding
	for _, b := range list {
		if b.timer == nil {
			came = append(came, b)
			b.timer = s.stack.After(time.Until(b.expires), func() { s.expire(user, b) })
			s.watchOver(user, b, old)
			changed = changed || !slices.ContainsFunc(old, func(o *binding) bool {
				return o.contact.URI.Equal(b.contact.URI) && o.hop.Addr == b.hop.Addr
			})
		}
	}
	s.location.replace(user, list)
	if changed {
		s.log.Info("bindings changed", "user", user, "contacts", len(list))
		s.onRegister(user, len(list))
	}
	s.stack.Post(func() { s.ringLate(user, came) }) // after the 200
}

func (s *Server) expire(user string, b *binding) {
	old := s.location.of(user)
	s.commit(user, old, slices.DeleteFunc(slices.Clone(old), func(o *binding) bool { return o == b }))
}

// registered is the 200 with all bindings (§10.3 step 8). Its Date sets the clock of many a phone.
func (s *Server) registered(req *sip.Request, user string) *sip.Response {
	res := sip.NewResponse(req, 200, "")
	now := time.Now()
	for _, b := range s.location.of(user) {
		c := b.contact
		c.Params = c.Params.With("expires", sip.DeltaSeconds(b.expires.Sub(now)))
		res.Contact = append(res.Contact, c)
	}
	for _, v := range req.Values("Path") {
		res.Add("Path", v)
	}
	res.Add("Date", now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"))
	return res
}
