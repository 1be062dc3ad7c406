package registrar

import (
	"errors"
	"slices"
	"strings"
	"time"

	"portero/sip"
	"portero/sip/digest"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// Admit validates a request, preprocesses its route and challenges its sender (RFC 3261 §16.3, §16.4, §22),
// all without state. What depends on the user is left to who takes it: a refusal that was lost must be
// repeated by a transaction, since the same credentials do not pass twice.
func (s *Server) Admit(flow transport.Flow, req *sip.Request) transaction.Verdict {
	if req.URI.Scheme != "sip" { // sips needs TLS all the way, others are not ours
		return transaction.Refuse(416)
	}
	from, to, within, forged := s.preprocess(req)
	elsewhere := within && !s.speaksFrom(from, flow.Remote.Addr())
	if req.Method == sip.ACK {
		if !within || elsewhere || req.MaxForwards == 0 {
			return transaction.Verdict{} // for a response of ours that no transaction sent
		}
		return transaction.Verdict{Take: func(_ *transaction.Server, ack *sip.Request) {
			s.forwardACK(ack, to.hop)
		}}
	}
	if !within && len(req.Route) == 0 && s.ours(req.URI) {
		switch {
		case req.Method == sip.REGISTER:
			return s.authenticated(flow, req, 401, (*Server).register)
		case req.URI.User == "":
			return s.asked(flow, req)
		}
	}
	switch {
	case req.MaxForwards == 0:
		return transaction.Refuse(483)
	case s.unsupported(flow, req, "Proxy-Require", ""):
		return transaction.Verdict{}
	case elsewhere: // a user that has moved can show who it is
		return s.authenticated(flow, req, 407, func(s *Server, tx *transaction.Server, req *sip.Request, user string) {
			if user != from.user {
				s.tellAnother(tx.Flow().Remote, req, user, req.From.URI)
				tx.Respond(sip.NewResponse(req, 403, ""))
				return
			}
			s.proxyWithin(tx, req, to)
		})
	case within:
		return transaction.Verdict{Take: func(tx *transaction.Server, req *sip.Request) {
			s.proxyWithin(tx, req, to)
		},
			Share: transaction.ShareOf(flow.Remote.Addr())}
	case forged:
		return transaction.Refuse(481) // a dialog of before a restart: the phone gives it up
	case req.Method == sip.REGISTER: // §10.3 step 1
		s.tellForeign(flow.Remote, req, req.URI.Host)
		return transaction.Refuse(403)
	case s.cfg.Trusted != nil && s.cfg.Trusted(flow):
		return transaction.Verdict{Take: s.proxyTrusted, Share: transaction.ShareOf(flow.Remote.Addr())}
	}
	return s.authenticated(flow, req, 407, (*Server).proxyFor)
}

// asked answers a request to the server itself: OPTIONS (§11.2).
func (s *Server) asked(flow transport.Flow, req *sip.Request) transaction.Verdict {
	status := 200
	if req.Method != sip.OPTIONS {
		status = 405
	}
	res := sip.NewResponse(req, status, "")
	res.Add("Allow", "REGISTER, OPTIONS")
	if status == 200 {
		res.Add("Supported", "path")
	}
	s.stack.RespondStateless(flow, req, res)
	return transaction.Verdict{}
}

// unsupported refuses a request that requires more than the one extension (§16.3 item 5, §8.2.2.3).
func (s *Server) unsupported(flow transport.Flow, req *sip.Request, header, known string) bool {
	var list []string
	for _, v := range req.Values(header) {
		for t := range sip.Tokens(v) {
			if !strings.EqualFold(t, known) {
				list = append(list, t)
			}
		}
	}
	if len(list) == 0 {
		return false
	}
	res := sip.NewResponse(req, 420, "")
	res.Add("Unsupported", strings.Join(list, ", "))
	s.stack.RespondStateless(flow, req, res)
	return true
}

// authenticated checks the credentials and has take serve the user they are of; status is the challenge's:
// 401 of the registrar, 407 of the proxy.
func (s *Server) authenticated(flow transport.Flow, req *sip.Request, status int,
	take func(*Server, *transaction.Server, *sip.Request, string)) transaction.Verdict {
	if status == 401 && s.unsupported(flow, req, "Require", "path") {
		return transaction.Verdict{}
	}
	now, source := time.Now(), flow.Remote.Addr()
	if s.guard.blocked(source, now) && !s.location.reaches(flow.Remote) {
		return transaction.Refuse(403)
	}
	user, err := s.check(req, status, now)
	if err == nil {
		s.md5Only.answered(flow.Remote)
		return transaction.Verdict{Take: func(tx *transaction.Server, req *sip.Request) {
			take(s, tx, req,
				user)
		},
			Share: transaction.Share{User: user}, Reserved: s.cfg.Bell != "" && user == s.cfg.Bell}
	}
	if errors.Is(err, digest.ErrWrong) {
		s.tellWrong(flow.Remote, req, user)
		if s.guard.failed(source, now) {
			s.tellBlocked(flow.Remote, req)
		}
	}
	s.challenge(flow, req, status, err, now)
	return transaction.Verdict{}
}

// check returns whose credentials a request has. Registrar and proxy are one realm: credentials for either
// spare a phone the second challenge.
func (s *Server) check(req *sip.Request, status int, now time.Time) (user string, err error) {
	err = digest.ErrNoCredentials
	if status == 407 {
		user, err = s.digest.Check(req.Values("Proxy-Authorization"), req.Method, now)
	}
	if errors.Is(err, digest.ErrNoCredentials) {
		user, err = s.digest.Check(req.Values("Authorization"), req.Method, now)
	}
	if err == nil {
		user = s.userOf(user)
	}
	return user, err
}

// challenge asks for credentials; err says what was wrong with those that came.
func (s *Server) challenge(flow transport.Flow, req *sip.Request, status int, err error, now time.Time) {
	res := sip.NewResponse(req, status, "")
	name := "WWW-Authenticate"
	if status == 407 {
		name = "Proxy-Authenticate"
	}
	challenges := s.digest.ChallengesFor(s.realm(req), now, errors.Is(err, digest.ErrStale)) // SHA-256, MD5
	if s.md5Only.challenged(flow.Remote, req, errors.Is(err, digest.ErrNoCredentials), now) {
		challenges = challenges[1:]
	}
	for _, c := range challenges {
		res.Add(name, c)
	}
	s.stack.RespondStateless(flow, req, res)
}

// realm is the one that a phone is asked in: its own domain, as it wrote that. Phones whose owner had to fill in
// a realm have it there, and answer for no other.
func (s *Server) realm(req *sip.Request) string {
	if u := req.From.URI; len(u.Host) <= 64 && s.isNamed(u.Host, 0) {
		return u.Host
	}
	return s.digest.Realm
}

// withoutCredentials removes what was shown to us: no phone shall see it, to crack or to replay (§22.3).
func (s *Server) withoutCredentials(req *sip.Request) {
	req.Other = slices.DeleteFunc(req.Other, func(h sip.Header) bool {
		if h.Name != "Proxy-Authorization" && h.Name != "Authorization" {
			return false
		}
		return s.digest.MayBeMine(h.Value)
	})
}

// withoutClaims removes the identities that a phone would display in place of From (RFC 3325 §5).
func withoutClaims(req *sip.Request) {
	req.Other = slices.DeleteFunc(req.Other, func(h sip.Header) bool {
		return h.Name == "P-Asserted-Identity" || h.Name == "P-Preferred-Identity" ||
			h.Name == "Remote-Party-ID"
	})
}
