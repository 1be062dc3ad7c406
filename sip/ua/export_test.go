package ua

import (
	"portero/sip"
	"portero/sip/fsm/fsmtest"
	"portero/sip/transaction"
)

// Registering is the table of a registration.
var Registering = fsmtest.Of(registration)

// OfferAnswer is the table of a leg's offers and answers.
var OfferAnswer = fsmtest.Of(offerAnswer)

// Step moves a leg by an event that no method brings yet: tx and req are what arrived, res what came back.
// Only the loop may call it.
func (l *Leg) Step(event string, tx *transaction.Server, req *sip.Request, res *sip.Response) {
	l.step(oaEvent(event), turn{tx: tx, req: req, res: res})
}

// Find returns the leg that a request belongs to, nil without one.
func (a *Agent) Find(req *sip.Request) *Leg {
	if c := a.find(req); c != nil {
		return c.leg(req.From.Tag())
	}
	return nil
}
