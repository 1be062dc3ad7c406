package ua

import (
	"slices"

	"portero/sip"
	"portero/sip/fsm"
	"portero/sip/transaction"
)

// The offer/answer exchange of one dialog (RFC 3264), and the INVITE that carries it: who owes what, and what
// may not begin until then (RFC 3261 §13.2.1, §14). The rows of PRACK (RFC 3262 §5) and UPDATE (RFC 3311 §5)
// wait for these methods.
type (
	oaState string
	oaEvent string
)

// States. "Ours" and "theirs" say whose offer waits for its answer, and the message that brought it.
const (
	oaIdle oaState = "Idle" // before the first INVITE
	// their INVITE brought no offer: we make it in the 2xx, or a reliable 1xx
	oaOfferDue     oaState = "OfferDue"
	oaOurs         oaState = "Ours"         // our offer, in an INVITE
	oaTheirs       oaState = "Theirs"       // their offer, in an INVITE
	oaOurs1xx      oaState = "Ours1xx"      // our offer, in a reliable 1xx: a PRACK answers it
	oaOurs2xx      oaState = "Ours2xx"      // our offer, in a 2xx: the ACK answers it
	oaAnswered     oaState = "Answered"     // our 2xx has the answer; the ACK is awaited
	oaEarly        oaState = "Early"        // a reliable 1xx had the answer; the INVITE is still open
	oaOursPRACK    oaState = "OursPRACK"    // our offer, in a PRACK
	oaTheirsPRACK  oaState = "TheirsPRACK"  // their offer, in a PRACK
	oaOursUPDATE   oaState = "OursUPDATE"   // our offer, in an UPDATE
	oaTheirsUPDATE oaState = "TheirsUPDATE" // their offer, in an UPDATE
	oaStable       oaState = "Stable"       // nothing is open
	oaEnded        oaState = "Ended"        // the leg is over
)

// Events: what arrives, what the transaction user above (TU) wants, and the end of the dialog.
const (
	oaINVITE      oaEvent = "INVITE-offer"
	oaINVITEEmpty oaEvent = "INVITE-empty"
	oa1xx         oaEvent = "1xx" // to an INVITE of ours; an answer in it is a preview
	oa1xxReliable oaEvent = "1xx-rel-answer"
	oa2xx         oaEvent = "2xx"
	oa491         oaEvent = "491"
	oaLost        oaEvent = "lost" // 408, 481, or no response at all
	oa300         oaEvent = "300-699"
	oaCANCEL      oaEvent = "CANCEL"
	oaACK         oaEvent = "ACK"
	oaNoACK       oaEvent = "no-ACK"
	oaPRACKOffer  oaEvent = "PRACK-offer"
	oaPRACKAnswer oaEvent = "PRACK-answer"
	oa2xxPRACK    oaEvent = "2xx-PRACK"
	oaUPDATE      oaEvent = "UPDATE-offer"
	oa2xxUPDATE   oaEvent = "2xx-UPDATE"
	oa491UPDATE   oaEvent = "491-UPDATE"
	oa300UPDATE   oaEvent = "300-699-UPDATE"

	oaTUINVITE      oaEvent = "TU-INVITE"
	oaTU1xx         oaEvent = "TU-1xx"
	oaTU1xxReliable oaEvent = "TU-1xx-rel"
	oaTU2xx         oaEvent = "TU-2xx"
	oaTU300         oaEvent = "TU-300-699"
	oaTUPRACK       oaEvent = "TU-PRACK"
	oaTU2xxPRACK    oaEvent = "TU-2xx-PRACK"
	oaTUUPDATE      oaEvent = "TU-UPDATE"
	oaTU2xxUPDATE   oaEvent = "TU-2xx-UPDATE"
	oaTU300UPDATE   oaEvent = "TU-300-699-UPDATE"
	oaEnd           oaEvent = "end"
)

// turn is a leg with the message, or the wish, that moves it.
type turn struct {
	*Leg
	tx     *transaction.Server // what arrived, with req
	req    *sip.Request
	out    *attempts // what was answered by res, or failed with err
	res    *sip.Response
	err    error
	status int // what the TU answers, or offers, with body
	body   []byte
	// that go with a refusal
	warnings []sip.Warning
	lost     bool // the call is over, or another leg has it
}

// Guards, with their words in the table.
const (
	whenFirst  = "their first INVITE"
	whenTheirs = "their INVITE"
	whenLost   = "call is another's"
	whenOurs   = "our INVITE"
	whenOpen   = "INVITE is open"
	whenHung   = "hung up"
)

func (t *turn) isFirst() bool  { return t.got.tx != nil && t.phase == early }
func (t *turn) isTheirs() bool { return t.got.tx != nil }
func (t *turn) isLost() bool   { return t.lost }
func (t *turn) isOurs() bool   { return t.sent.open != nil }
func (t *turn) isOpen() bool   { return t.sent.open != nil || t.got.tx != nil }
func (t *turn) isHung() bool   { return t.phase == ending }

type oaRow = fsm.Row[oaState, oaEvent, *turn]

// offerAnswer is held against testdata/figures/offer-answer.txt. Sections without an RFC are RFC 3261's.
var offerAnswer = fsm.New("offer/answer", slices.Concat([]oaRow{
	{State: oaIdle, Event: oaTUINVITE, Next: oaOurs, Section: "13.2.1"},
	{State: oaIdle, Event: oaINVITE, Next: oaTheirs, Does: "tell TU", Action: (*turn).offered,
		Section: "13.3.1"},
	{State: oaIdle, Event: oaINVITEEmpty, Next: oaOfferDue, Does: "tell TU", Action: (*turn).offered,
		Section: "13.3.1"},
}, []oaRow{
	{State: oaOurs, Event: oa1xx, Next: oaOurs, Does: "tell TU", Action: (*turn).progressed,
		Section: "13.2.2.1"},
	{State: oaOurs, Event: oa1xxReliable, Next: oaEarly, Does: "tell TU", Action: (*turn).progressed,
		Section: "RFC 3262 5"},
}, concluded(oaOurs), contended(oaOurs, send491, send491), []oaRow{
	{State: oaOurs, Event: oaEnd, Next: oaEnded, Action: (*turn).ends, Section: "12.3"},
}, []oaRow{
	{State: oaTheirs, Event: oaTU1xx, Next: oaTheirs, Does: "send 1xx", Action: (*turn).reply,
		Section: "13.3.1.1"},
	{State: oaTheirs, Event: oaTU1xxReliable, Next: oaEarly, Does: "send 1xx with answer",
		Section: "RFC 3262 5"},
	{State: oaTheirs, Event: oaTU2xx, Next: oaAnswered, Does: "send 2xx with answer, repeat it",
		Action:  (*turn).accept,
		Section: "13.3.1.4"},
}, dropped(oaTheirs), contended(oaTheirs, send500, send500), []oaRow{
	{State: oaOfferDue, Event: oaTU1xx, Next: oaOfferDue, Does: "send 1xx", Action: (*turn).reply,
		Section: "13.3.1.1"},
	{State: oaOfferDue, Event: oaTU1xxReliable, Next: oaOurs1xx, Does: "send 1xx with offer",
		Section: "RFC 3262 5"},
	{State: oaOfferDue, Event: oaTU2xx, Next: oaOurs2xx, Does: "send 2xx with offer, repeat it",
		Action:  (*turn).accept,
		Section: "13.3.1.4"},
}, dropped(oaOfferDue), contended(oaOfferDue, send500, send500),
	acknowledged(oaAnswered), contended(oaAnswered, send500, send500),
	acknowledged(oaOurs2xx), contended(oaOurs2xx, send500, send491), []oaRow{
		{State: oaStable, Event: oaINVITE, Next: oaTheirs, Does: "tell TU", Action: (*turn).offered,
			Section: "14.2"},
		{State: oaStable, Event: oaINVITEEmpty, Next: oaOfferDue, Does: "tell TU", Action: (*turn).offered,
			Section: "14.2"},
		{State: oaStable, Event: oaTUINVITE, Next: oaOurs, Does: "send INVITE", Action: (*turn).reinvite,
			Section: "14.1"},
		{State: oaStable, Event: oaUPDATE, Next: oaTheirsUPDATE, Does: "tell TU", Section: "RFC 3311 5.2"},
		{State: oaStable, Event: oaTUUPDATE, Next: oaOursUPDATE, Does: "send UPDATE",
			Section: "RFC 3311 5.1"},
		{State: oaStable, Event: oaEnd, Next: oaEnded, Action: (*turn).ends, Section: "15.1"},
	}, []oaRow{
		{State: oaEarly, Event: oa1xx, Next: oaEarly, Does: "tell TU", Action: (*turn).progressed,
			Section: "13.2.2.1"},
		{State: oaEarly, Event: oaTU1xx, Next: oaEarly, Does: "send 1xx", Action: (*turn).reply,
			Section: "13.3.1.1"},
		{State: oaEarly, Event: oaTU2xx, Next: oaAnswered, Does: "send 2xx, repeat it",
			Action:  (*turn).accept,
			Section: "13.3.1.4"},
	}, concluded(oaEarly), dropped(oaEarly), []oaRow{
		{State: oaEarly, Event: oaINVITE, When: whenOurs, Guard: (*turn).isOurs, Next: oaEarly,
			Does:   "send 491",
			Action: (*turn).glare, Section: "14.2"},
		{State: oaEarly, Event: oaINVITE, Next: oaEarly, Does: "send 500", Action: (*turn).busy,
			Section: "14.2"},
		{State: oaEarly, Event: oaINVITEEmpty, When: whenOurs, Guard: (*turn).isOurs, Next: oaEarly,
			Does:   "send 491",
			Action: (*turn).glare, Section: "14.2"},
		{State: oaEarly, Event: oaINVITEEmpty, Next: oaEarly, Does: "send 500", Action: (*turn).busy,
			Section: "14.2"},
		{State: oaEarly, Event: oaTUINVITE, Next: oaEarly, Does: "offer again later",
			Action: (*turn).offerLater, Section: "14.1"},
		{State: oaEarly, Event: oaTUPRACK, Next: oaOursPRACK, Does: "send PRACK", Section: "RFC 3262 5"},
		{State: oaEarly, Event: oaPRACKOffer, Next: oaTheirsPRACK, Does: "tell TU", Section: "RFC 3262 5"},
		{State: oaEarly, Event: oaTUUPDATE, Next: oaOursUPDATE, Does: "send UPDATE", Section: "RFC 3311 5.1"},
		{State: oaEarly, Event: oaUPDATE, Next: oaTheirsUPDATE, Does: "tell TU", Section: "RFC 3311 5.2"},
	}, []oaRow{
		{State: oaOurs1xx, Event: oaPRACKAnswer, Next: oaEarly, Does: "tell TU", Section: "RFC 3262 5"},
	}, dropped(oaOurs1xx), contended(oaOurs1xx, send500, send491), []oaRow{
		{State: oaOursPRACK, Event: oa2xxPRACK, Next: oaEarly, Does: "tell TU", Section: "RFC 3262 5"},
		{State: oaOursPRACK, Event: oaEnd, Next: oaEnded, Action: (*turn).ends, Section: "12.3"},
	}, contended(oaOursPRACK, send491, send491), []oaRow{
		{State: oaTheirsPRACK, Event: oaTU2xxPRACK, Next: oaEarly, Does: "send 2xx with answer",
			Section: "RFC 3262 5"},
	}, dropped(oaTheirsPRACK), contended(oaTheirsPRACK, send500, send500),
	returned(oaOursUPDATE, oa2xxUPDATE, "tell TU", "RFC 3311 5.1"),
	returned(oaOursUPDATE, oa491UPDATE, "offer again later", "RFC 3311 5.3"),
	returned(oaOursUPDATE, oa300UPDATE, "tell TU", "RFC 3311 5.1"),
	dropped(oaOursUPDATE), contended(oaOursUPDATE, send491, send491),
	returned(oaTheirsUPDATE, oaTU2xxUPDATE, "send 2xx with answer", "RFC 3311 5.2"),
	returned(oaTheirsUPDATE, oaTU300UPDATE, "send response", "RFC 3311 5.2"),
	dropped(oaTheirsUPDATE), contended(oaTheirsUPDATE, send500, send500), []oaRow{
		{State: oaEnded, Event: oa2xx, Next: oaEnded, Does: "send ACK, send BYE", Action: (*turn).discard,
			Section: "13.2.2.4"},
		{State: oaEnded, Event: oaINVITE, Next: oaEnded, Does: "send 481", Action: (*turn).noDialog,
			Section: "12.2.2"},
		{State: oaEnded, Event: oaINVITEEmpty, Next: oaEnded, Does: "send 481", Action: (*turn).noDialog,
			Section: "12.2.2"},
	}))

// turnAway is how a request is refused that meets an open offer.
type turnAway struct {
	does   string
	action func(*turn)
}

var (
	send491 = turnAway{"send 491", (*turn).glare}
	send500 = turnAway{"send 500", (*turn).busy}
)

// contended are the rows of a state that no other offer may enter.
func contended(s oaState, invite, update turnAway) []oaRow {
	return []oaRow{
		{State: s, Event: oaINVITE, Next: s, Does: invite.does, Action: invite.action, Section: "14.2"},
		{State: s, Event: oaINVITEEmpty, Next: s, Does: invite.does, Action: invite.action, Section: "14.2"},
		{State: s, Event: oaUPDATE, Next: s, Does: update.does, Action: update.action,
			Section: "RFC 3311 5.2"},
		{State: s, Event: oaTUINVITE, Next: s, Does: "offer again later", Action: (*turn).offerLater,
			Section: "14.1"},
	}
}

// concluded are the final responses to an INVITE of ours.
func concluded(s oaState) []oaRow {
	return []oaRow{
		{State: s, Event: oa2xx, When: whenLost, Guard: (*turn).isLost, Next: oaStable,
			Does:   "send ACK, send BYE",
			Action: (*turn).discard, Section: "13.2.2.4"},
		{State: s, Event: oa2xx, Next: oaStable, Does: "send ACK, tell TU", Action: (*turn).agreed,
			Section: "13.2.2.4"},
		{State: s, Event: oa491, Next: oaStable, Does: "offer again later", Action: (*turn).offerLater,
			Section: "14.1"},
		{State: s, Event: oaLost, Next: oaStable, Does: "tell TU, send BYE", Action: (*turn).farEndLost,
			Section: "14.1"},
		{State: s, Event: oa300, Next: oaStable, Does: "tell TU", Action: (*turn).refused, Section: "14.1"},
	}
}

// dropped are the ways in which an INVITE of the far end comes to nothing: refused, taken back, or by the end
// of the dialog.
func dropped(s oaState) []oaRow {
	return []oaRow{
		{State: s, Event: oaTU300, When: whenFirst, Guard: (*turn).isFirst, Next: oaEnded,
			Does:   "send response, tell TU",
			Action: (*turn).reject, Section: "13.3.1.3"},
		{State: s, Event: oaTU300, When: whenTheirs, Guard: (*turn).isTheirs, Next: oaStable,
			Does:   "send response",
			Action: (*turn).reply, Section: "14.2"},
		{State: s, Event: oaCANCEL, When: whenFirst, Guard: (*turn).isFirst, Next: oaEnded,
			Does:   "send 487, tell TU",
			Action: (*turn).cancelled, Section: "9.2"},
		{State: s, Event: oaCANCEL, When: whenTheirs, Guard: (*turn).isTheirs, Next: oaStable,
			Does:   "send 487",
			Action: (*turn).reply, Section: "9.2"},
		{State: s, Event: oaEnd, Next: oaEnded, Does: "send 487", Action: (*turn).ends, Section: "15.1.2"},
	}
}

// acknowledged are the rows of a 2xx of ours: its ACK, or none.
func acknowledged(s oaState) []oaRow {
	return []oaRow{
		{State: s, Event: oaACK, When: whenHung, Guard: (*turn).isHung, Next: oaStable, Does: "send BYE",
			Action: (*turn).hangupNow, Section: "15"},
		{State: s, Event: oaACK, Next: oaStable, Does: "tell TU", Action: (*turn).acked, Section: "13.3.1.4"},
		{State: s, Event: oaNoACK, Next: oaStable, Does: "tell TU, send BYE", Action: (*turn).neverAcked,
			Section: "13.3.1.4"},
		{State: s, Event: oaEnd, Next: oaEnded, Action: (*turn).ends, Section: "15.1.2"},
	}
}

// returned are the rows that end an UPDATE's exchange: back to where it began.
func returned(s oaState, ev oaEvent, does, section string) []oaRow {
	return []oaRow{
		{State: s, Event: ev, When: whenOpen, Guard: (*turn).isOpen, Next: oaEarly, Does: does,
			Section: section},
		{State: s, Event: ev, Next: oaStable, Does: does, Section: section},
	}
}
