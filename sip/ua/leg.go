package ua

import (
	"log/slog"
	"net/netip"

	"portero/sip"
	"portero/sip/fsm"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// Leg is one dialog of a call: early or confirmed.
type Leg struct {
	call  *Call
	d     *dialog
	phase phase
	oa    oaState
	table *fsm.Table[oaState, oaEvent, *turn]

	sent sentINVITE
	got  gotINVITE
	left netip.Addr // that the Contact may name still: see Moved
}

// newLeg adds an early dialog to a call. first is the INVITE that made it, nil when that came from the far
// end.
func (c *Call) newLeg(d *dialog, first *attempts) *Leg {
	l := &Leg{call: c, d: d, phase: early, oa: oaIdle, table: offerAnswer,
		sent: sentINVITE{first: first, open: first}}
	c.legs = append(c.legs, l)
	return l
}

// phase is where a dialog is between its first message and its last (RFC 3261 §12).
type phase string

const (
	early phase = "early" // the first INVITE has no final response
	// it never got a 2xx; one that comes late is acknowledged and ended (§13.2.2.4)
	buried    phase = "buried"
	confirmed phase = "confirmed" // by a 2xx
	ending    phase = "ending"    // hung up, while our 2xx waits for its ACK: the BYE follows that (§15)
	leaving   phase = "leaving"   // our BYE is tried, or waits for its answer
	gone      phase = "gone"
)

// up reports whether requests may go both ways.
func (p phase) up() bool { return p == confirmed || p == ending }

// over reports whether the leg has ended for its owner.
func (p phase) over() bool { return p == buried || p == leaving || p == gone }

// sentINVITE is what there is of our INVITEs in a dialog.
type sentINVITE struct {
	first *attempts // that made the leg; nil: the far end's did
	open  *attempts // that has no final response yet
	ack   acked     // what a repeated 2xx is answered with
}

// acked is the ACK of the last 2xx to an INVITE of ours.
type acked struct {
	req    *sip.Request // without Via and credentials
	invite *attempts    // that it acknowledges
	wire   []byte       // as it was sent; nil: it was not
	to     transport.Target
	copies int // of the 2xx
}

// gotINVITE is what there is of the far end's INVITEs in a dialog.
type gotINVITE struct {
	tx     *transaction.Server // that waits for our final response
	res    *sip.Response       // our 2xx, which waits for its ACK
	repeat *transaction.Timer
	giveUp *transaction.Timer
}

// ID names the leg: the far end's tag.
func (l *Leg) ID() string { return l.d.remote.Tag() }

// Remote returns who the far end says it is.
func (l *Leg) Remote() sip.Address { return l.d.remote }

// step moves the exchange of offer and answer. It is the only writer of its state.
func (l *Leg) step(ev oaEvent, t turn) {
	t.Leg = l
	from := l.oa
	row := l.table.Step(&l.oa, ev, &t)
	l.table.Log(l.call.a.log, slog.String("call", l.call.ID), from, ev, row)
}

// leave ends the leg, and what is open in it. Nothing happens to one that is over.
func (l *Leg) leave(to phase) {
	if !l.phase.over() {
		l.step(oaEnd, turn{status: 487})
		l.phase = to
	}
}

// ends is the end of the dialog while an INVITE may be open (§15.1.2).
func (t *turn) ends() {
	t.reply()
	t.stopWaiting()
}

// holds reports whether signalling is left. A branch that rang while another answered has none: nothing ends
// it but the final response.
func (l *Leg) holds() bool {
	switch l.phase {
	case early:
		return l.sent.first == nil
	case buried, gone:
		return false
	}
	return true
}
