package registrar

import (
	"math/rand/v2"
	"slices"
	"time"

	"portero/sip"
	"portero/sip/transaction"
)

// missedMost is how many questions in a row a phone may leave unanswered before it is told.
const missedMost = 3

// alive is what is known of a phone by asking. It outlives the refreshes of its binding. The loop owns it.
type alive struct {
	timer  *transaction.Timer
	missed int // questions without an answer since the last one
}

func (a *alive) stop() {
	if a != nil {
		a.timer.Stop()
	}
}

// watchOver has a new binding asked now and then whether anybody is there; one that refreshes an old one goes
// on where that was.
func (s *Server) watchOver(user string, b *binding, old []*binding) {
	if s.cfg.AskEvery == 0 {
		return
	}
	for _, o := range old {
		if o.contact.URI.Equal(b.contact.URI) && o.hop.Addr == b.hop.Addr {
			b.alive = o.alive
			return
		}
	}
	b.alive = &alive{}
	s.askLater(user, b.alive)
}

// askLater asks a phone after two to four thirds of Config.AskEvery (RFC 3261 §11), for as long as it is
// registered. Who is silent is told, and rung all the same: a phone may sleep.
func (s *Server) askLater(user string, a *alive) {
	every := s.cfg.AskEvery
	a.timer = s.stack.After(every*2/3+rand.N(every*2/3), func() { s.ask(user, a) })
}

// watched returns the binding of a phone, nil when it is not registered any more.
func (s *Server) watched(user string, a *alive) *binding {
	for _, b := range s.location.of(user) {
		if b.alive == a {
			return b
		}
	}
	return nil
}

func (s *Server) ask(user string, a *alive) {
	b := s.watched(user, a)
	if b == nil {
		return
	}
	domain := sip.URI{Scheme: "sip", Host: "portero.invalid"}
	if len(s.cfg.Domains) > 0 {
		domain.Host = s.cfg.Domains[0]
	}
	req := sip.NewRequest(sip.OPTIONS, b.contact.URI)
	req.From = sip.Address{URI: domain}.WithTag(sip.NewTag())
	req.To = sip.Address{URI: b.contact.URI}
	req.CallID, req.CSeq.Seq = sip.NewCallID(), 1
	req.Route = slices.Clone(b.path)
	s.stack.Request(req, b.hop, func(res *sip.Response, err error) {
		if res != nil && res.Status < 200 {
			return
		}
		if b := s.watched(user, a); b != nil {
			s.answered(user, b, err)
			s.askLater(user, a)
		}
	})
}

// answered counts: any final response, a refusal too, is a phone that is there.
func (s *Server) answered(user string, b *binding, err error) {
	a := b.alive
	if err == nil {
		if a.missed >= missedMost {
			s.log.Info("phone answers again", "user", user, "contact", b.contact.URI, "to", b.hop.Addr)
		}
		a.missed = 0
		return
	}
	if a.missed++; a.missed == missedMost {
		s.log.Warn("phone is registered and does not answer; it is rung all the same", "user", user,
			"contact", b.contact.URI, "to", b.hop.Addr,
			"registered", b.refreshed.Format(time.TimeOnly), "until", b.expires.Format(time.TimeOnly))
	}
}
