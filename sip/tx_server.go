package sip

import (
	"time"

	"portero/sip/fsm"
)

// ServerTx is a server transaction: it absorbs retransmitted requests and repeats responses.
type ServerTx struct {
	s      *Stack
	id     uint64
	key    txKey
	table  *fsm.Table[txState, txEvent, *ServerTx]
	state  txState
	req    *Request
	flow   Flow
	target Target
	toTag  string // of the responses
	wire   []byte // the last response
	err    error
	ack    *Request

	interval time.Duration
	trying   *Timer // sends the 100
	repeat   *Timer // G
	limit    *Timer // H, I, J, L

	onCancel func()
	onFail   func(error)
}

// inviteServer is RFC 3261 figure 7 as corrected by RFC 6026 §8.7 (figure 8 there).
var inviteServer = fsm.New("INVITE server", []fsm.Row[txState, txEvent, *ServerTx]{
	{State: proceeding, Event: evRequest, Next: proceeding, Does: "send response", Action: (*ServerTx).resend, Section: "17.2.1"},
	{State: proceeding, Event: evTU1xx, Next: proceeding, Does: "send response", Action: (*ServerTx).resend, Section: "17.2.1"},
	{State: proceeding, Event: evTransportError, Next: proceeding, Does: "inform TU", Action: (*ServerTx).fail, Section: "RFC 6026 8.8"},
	{State: proceeding, Event: evTU300, Next: completed, Does: "send response, start timers G and H", Action: (*ServerTx).completeInvite, Section: "17.2.1"},
	{State: proceeding, Event: evTU2xx, Next: accepted, Does: "send response, start timer L", Action: (*ServerTx).accept, Section: "RFC 6026 8.7"},
	{State: completed, Event: evRequest, Next: completed, Does: "send response", Action: (*ServerTx).resend, Section: "17.2.1"},
	{State: completed, Event: evTimerG, Next: completed, Does: "send response, restart timer G", Action: (*ServerTx).retransmit, Section: "17.2.1"},
	{State: completed, Event: evTransportError, Next: completed, Does: "inform TU", Action: (*ServerTx).fail, Section: "RFC 6026 8.8"},
	{State: completed, Event: evTimerH, Next: terminated, Does: "inform TU", Action: (*ServerTx).timeout, Section: "17.2.1"},
	{State: completed, Event: evACK, Next: confirmed, Does: "start timer I", Action: (*ServerTx).confirm, Section: "17.2.1"},
	{State: confirmed, Event: evTimerI, Next: terminated, Section: "17.2.1"},
	{State: accepted, Event: evRequest, Next: accepted, Section: "RFC 6026 8.7"},
	{State: accepted, Event: evACK, Next: accepted, Does: "ACK to TU", Action: (*ServerTx).passACK, Section: "RFC 6026 8.7"},
	{State: accepted, Event: evTU2xx, Next: accepted, Does: "send response", Action: (*ServerTx).resend, Section: "RFC 6026 8.7"},
	{State: accepted, Event: evTransportError, Next: accepted, Does: "inform TU", Action: (*ServerTx).fail, Section: "RFC 6026 8.8"},
	{State: accepted, Event: evTimerL, Next: terminated, Section: "RFC 6026 8.7"},
})

// nonInviteServer is RFC 3261 figure 8.
var nonInviteServer = fsm.New("non-INVITE server", []fsm.Row[txState, txEvent, *ServerTx]{
	{State: trying, Event: evTU1xx, Next: proceeding, Does: "send response", Action: (*ServerTx).resend, Section: "17.2.2"},
	{State: trying, Event: evTUFinal, Next: completed, Does: "send response, start timer J", Action: (*ServerTx).complete, Section: "17.2.2"},
	{State: proceeding, Event: evTU1xx, Next: proceeding, Does: "send response", Action: (*ServerTx).resend, Section: "17.2.2"},
	{State: proceeding, Event: evRequest, Next: proceeding, Does: "send response", Action: (*ServerTx).resend, Section: "17.2.2"},
	{State: proceeding, Event: evTUFinal, Next: completed, Does: "send response, start timer J", Action: (*ServerTx).complete, Section: "17.2.2"},
	{State: proceeding, Event: evTransportError, Next: terminated, Does: "inform TU", Action: (*ServerTx).fail, Section: "17.2.4"},
	{State: completed, Event: evRequest, Next: completed, Does: "send response", Action: (*ServerTx).resend, Section: "17.2.2"},
	{State: completed, Event: evTransportError, Next: terminated, Does: "inform TU", Action: (*ServerTx).fail, Section: "17.2.4"},
	{State: completed, Event: evTimerJ, Next: terminated, Section: "17.2.2"},
})

func newServerTx(s *Stack, key txKey, flow Flow, req *Request) *ServerTx {
	s.lastID++
	tx := &ServerTx{s: s, id: s.lastID, key: key, req: req, flow: flow,
		target: responseTarget(flow, req.Via[0]), table: nonInviteServer, state: trying, interval: T1}
	if req.Method == INVITE {
		tx.table, tx.state = inviteServer, proceeding
		// §17.2.1: a 100 unless the TU answers within 200 ms.
		tx.trying = s.After(200*time.Millisecond, func() {
			if tx.wire == nil {
				tx.Respond(NewResponse(req, 100, ""))
			}
		})
	}
	s.servers[key] = tx
	s.byID[tx.id] = tx
	return tx
}

// Flow says where the request came from.
func (tx *ServerTx) Flow() Flow { return tx.flow }

// Done reports whether a final response was sent.
func (tx *ServerTx) Done() bool { return tx.state != trying && tx.state != proceeding }

// OnCancel sets the function that hears of a CANCEL (§9.2). It must still send a final response, a 487 as a rule.
func (tx *ServerTx) OnCancel(f func()) { tx.onCancel = f }

// OnFail sets the function that hears of a response which could not be sent or was never acknowledged.
func (tx *ServerTx) OnFail(f func(error)) { tx.onFail = f }

// Respond sends a response. A second final response, but for a repeated 2xx, is ignored, as is any response to an ACK.
func (tx *ServerTx) Respond(res *Response) {
	if tx.state == terminated {
		return
	}
	ev := evTU1xx
	invite := tx.req.Method == INVITE
	switch {
	case res.Status < 200:
	case !invite:
		ev = evTUFinal
	case res.Status < 300:
		ev = evTU2xx
	default:
		ev = evTU300
	}
	if res.Status < 200 && tx.Done() || ev == evTU300 && tx.Done() || ev == evTU2xx && tx.Done() && tx.state != accepted ||
		ev == evTUFinal && tx.Done() {
		return
	}
	if tag := res.To.Tag(); tag != "" {
		tx.toTag = tag
	} else if res.Status > 100 {
		res.To = res.To.WithTag(tx.tag())
	}
	tx.s.stampServer(res)
	tx.wire = res.Append(nil) // not in place: a test network may still hold the last one
	tx.step(ev)
}

// tag returns the To tag of all responses that bring none of their own.
func (tx *ServerTx) tag() string {
	if tx.toTag == "" {
		tx.toTag = NewTag()
	}
	return tx.toTag
}

func (tx *ServerTx) receive(req *Request) {
	if req.Method == ACK {
		tx.ack = req
		tx.step(evACK)
		tx.ack = nil
		return
	}
	tx.step(evRequest)
}

func (tx *ServerTx) cancelled() {
	if tx.state == proceeding && tx.onCancel != nil {
		tx.onCancel()
	}
}

func (tx *ServerTx) transportError(err error) {
	tx.err = err
	tx.step(evTransportError)
}

// step is the only writer of the state.
func (tx *ServerTx) step(ev txEvent) {
	from := tx.state
	row := tx.table.Step(&tx.state, ev, tx)
	logStep(tx.s.log, tx.table, tx.req.CallID, from, ev, row)
	if tx.state == terminated && from != terminated {
		tx.trying.Stop()
		tx.repeat.Stop()
		tx.limit.Stop()
		delete(tx.s.servers, tx.key)
		delete(tx.s.byID, tx.id)
	}
}

// Actions, in the order of the figures.

func (tx *ServerTx) resend() {
	if tx.wire != nil {
		tx.s.send(tx.id, tx.target, tx.wire)
	}
}

func (tx *ServerTx) completeInvite() {
	tx.trying.Stop()
	tx.resend()
	if !tx.target.Proto.Reliable() {
		tx.repeat = tx.s.After(T1, func() { tx.step(evTimerG) })
	}
	tx.limit = tx.s.After(lifetime, func() { tx.step(evTimerH) })
}

func (tx *ServerTx) accept() {
	tx.trying.Stop()
	tx.resend()
	tx.limit = tx.s.After(lifetime, func() { tx.step(evTimerL) })
}

func (tx *ServerTx) retransmit() {
	tx.resend()
	tx.interval = min(2*tx.interval, T2)
	tx.repeat = tx.s.After(tx.interval, func() { tx.step(evTimerG) })
}

func (tx *ServerTx) confirm() {
	tx.repeat.Stop()
	tx.limit.Stop()
	linger := T4
	if tx.target.Proto.Reliable() {
		linger = 0
	}
	tx.limit = tx.s.After(linger, func() { tx.step(evTimerI) })
}

func (tx *ServerTx) complete() {
	tx.resend()
	linger := lifetime
	if tx.target.Proto.Reliable() {
		linger = 0
	}
	tx.limit = tx.s.After(linger, func() { tx.step(evTimerJ) })
}

func (tx *ServerTx) passACK() {
	tx.s.core.Request(&ServerTx{s: tx.s, flow: tx.flow, req: tx.ack, state: terminated, table: nonInviteServer}, tx.ack)
}

func (tx *ServerTx) timeout() { tx.inform(ErrTimeout) }

func (tx *ServerTx) fail() { tx.inform(tx.err) }

func (tx *ServerTx) inform(err error) {
	if tx.onFail != nil {
		tx.onFail(err)
	}
}
