package transaction

import (
	"log/slog"
	"time"

	"portero/sip"
	"portero/sip/fsm"
	"portero/sip/transport"
)

// Server is a server transaction: it absorbs retransmitted requests and repeats responses.
type Server struct {
	s      *Stack
	id     uint64
	key    txKey
	table  *fsm.Table[txState, txEvent, *Server]
	state  txState
	req    *sip.Request
	flow   transport.Flow
	target transport.Target
	toTag  string // of the responses
	wire   []byte // the last response
	err    error
	ack    *sip.Request

	interval time.Duration
	trying   *Timer // sends the 100
	repeat   *Timer // G
	limit    *Timer // H, I, J, L

	share   Share // that it counts against
	charged bool

	onCancel func(*sip.Request)
	onFail   func(error)
}

// inviteServer is RFC 3261 figure 7 as corrected by RFC 6026 §8.7 (figure 8 there).
var inviteServer = fsm.New("INVITE server", []fsm.Row[txState, txEvent, *Server]{
	{State: proceeding, Event: evRequest, Next: proceeding, Does: "send response", Action: (*Server).resend,
		Section: "17.2.1"},
	{State: proceeding, Event: evTU1xx, Next: proceeding, Does: "send response", Action: (*Server).resend,
		Section: "17.2.1"},
	{State: proceeding, Event: evTransportError, Next: proceeding, Does: "inform TU", Action: (*Server).fail,
		Section: "RFC 6026 8.8"},
	{State: proceeding, Event: evTU300, Next: completed, Does: "send response, start timers G and H",
		Action: (*Server).completeInvite, Section: "17.2.1"},
	{State: proceeding, Event: evTU2xx, Next: accepted, Does: "send response, start timer L",
		Action: (*Server).accept, Section: "RFC 6026 8.7"},
	{State: completed, Event: evRequest, Next: completed, Does: "send response", Action: (*Server).resend,
		Section: "17.2.1"},
	{State: completed, Event: evTimerG, Next: completed, Does: "send response, restart timer G",
		Action: (*Server).retransmit, Section: "17.2.1"},
	{State: completed, Event: evTransportError, Next: completed, Does: "inform TU", Action: (*Server).fail,
		Section: "RFC 6026 8.8"},
	{State: completed, Event: evTimerH, Next: terminated, Does: "inform TU", Action: (*Server).timeout,
		Section: "17.2.1"},
	{State: completed, Event: evACK, Next: confirmed, Does: "start timer I", Action: (*Server).confirm,
		Section: "17.2.1"},
	{State: confirmed, Event: evTimerI, Next: terminated, Section: "17.2.1"},
	{State: accepted, Event: evRequest, Next: accepted, Section: "RFC 6026 8.7"},
	{State: accepted, Event: evACK, Next: accepted, Does: "ACK to TU", Action: (*Server).passACK,
		Section: "RFC 6026 8.7"},
	{State: accepted, Event: evTU2xx, Next: accepted, Does: "send response", Action: (*Server).resend,
		Section: "RFC 6026 8.7"},
	{State: accepted, Event: evTransportError, Next: accepted, Does: "inform TU", Action: (*Server).fail,
		Section: "RFC 6026 8.8"},
	{State: accepted, Event: evTimerL, Next: terminated, Section: "RFC 6026 8.7"},
})

// nonInviteServer is RFC 3261 figure 8.
var nonInviteServer = fsm.New("non-INVITE server", []fsm.Row[txState, txEvent, *Server]{
	{State: trying, Event: evTU1xx, Next: proceeding, Does: "send response", Action: (*Server).resend,
		Section: "17.2.2"},
	{State: trying, Event: evTUFinal, Next: completed, Does: "send response, start timer J",
		Action: (*Server).complete, Section: "17.2.2"},
	{State: proceeding, Event: evTU1xx, Next: proceeding, Does: "send response", Action: (*Server).resend,
		Section: "17.2.2"},
	{State: proceeding, Event: evRequest, Next: proceeding, Does: "send response", Action: (*Server).resend,
		Section: "17.2.2"},
	{State: proceeding, Event: evTUFinal, Next: completed, Does: "send response, start timer J",
		Action: (*Server).complete, Section: "17.2.2"},
	{State: proceeding, Event: evTransportError, Next: terminated, Does: "inform TU", Action: (*Server).fail,
		Section: "17.2.4"},
	{State: completed, Event: evRequest, Next: completed, Does: "send response", Action: (*Server).resend,
		Section: "17.2.2"},
	{State: completed, Event: evTransportError, Next: terminated, Does: "inform TU", Action: (*Server).fail,
		Section: "17.2.4"},
	{State: completed, Event: evTimerJ, Next: terminated, Section: "17.2.2"},
})

func newServer(s *Stack, key txKey, flow transport.Flow, req *sip.Request) *Server {
	s.lastID++
	tx := &Server{s: s, id: s.lastID, key: key, req: req, flow: flow,
		target: transport.ResponseTarget(flow, req.Via[0]), table: nonInviteServer, state: trying,
		interval: T1}
	if req.Method == sip.INVITE {
		tx.table, tx.state = inviteServer, proceeding
		// §17.2.1: a 100 unless the TU answers within 200 ms.
		tx.trying = s.After(200*time.Millisecond, func() {
			if tx.wire == nil {
				tx.Respond(sip.NewResponse(req, 100, ""))
			}
		})
	}
	s.servers[key] = tx
	s.byID[tx.id] = tx
	return tx
}

// Flow says where the request came from.
func (tx *Server) Flow() transport.Flow { return tx.flow }

// Request returns the request that made the transaction.
func (tx *Server) Request() *sip.Request { return tx.req }

// Done reports whether a final response was sent.
func (tx *Server) Done() bool { return tx.state != trying && tx.state != proceeding }

// OnCancel sets the function that hears the CANCEL (§9.2). It must still send a final response, a 487 as a
// rule.
func (tx *Server) OnCancel(f func(*sip.Request)) { tx.onCancel = f }

// OnFail sets the function that hears of a response which could not be sent or was never acknowledged.
func (tx *Server) OnFail(f func(error)) { tx.onFail = f }

// Respond sends a response. A second final response, but for a repeated 2xx, is ignored, as is any response
// to an ACK.
func (tx *Server) Respond(res *sip.Response) {
	if tx.state == terminated {
		return
	}
	ev := evTU1xx
	invite := tx.req.Method == sip.INVITE
	switch {
	case res.Status < 200:
	case !invite:
		ev = evTUFinal
	case res.Status < 300:
		ev = evTU2xx
	default:
		ev = evTU300
	}
	if tx.Done() && (ev != evTU2xx || tx.state != accepted) {
		return
	}
	if tag := res.To.Tag(); tag != "" {
		tx.toTag = tag
	} else if res.Status > 100 {
		res.To = res.To.WithTag(tx.Tag())
	}
	tx.s.stampServer(res)
	tx.wire = res.Append(nil) // not in place: a test network may still hold the last one
	tx.step(ev)
}

// Tag returns the To tag of all responses that bring none of their own.
func (tx *Server) Tag() string {
	if tx.toTag == "" {
		tx.toTag = sip.NewTag()
	}
	return tx.toTag
}

func (tx *Server) receive(req *sip.Request) {
	if req.Method == sip.ACK {
		tx.ack = req
		tx.step(evACK)
		tx.ack = nil
		return
	}
	tx.step(evRequest)
}

func (tx *Server) cancelled(req *sip.Request) {
	if tx.state == proceeding && tx.onCancel != nil {
		tx.onCancel(req)
	}
}

func (tx *Server) peer() transport.Target { return tx.target }

func (tx *Server) transportError(err error) {
	tx.err = err
	tx.step(evTransportError)
}

// step is the only writer of the state.
func (tx *Server) step(ev txEvent) {
	from := tx.state
	row := tx.table.Step(&tx.state, ev, tx)
	tx.table.Log(tx.s.log, slog.String("call", tx.req.CallID), from, ev, row)
	if tx.state == terminated && from != terminated {
		tx.trying.Stop()
		tx.repeat.Stop()
		tx.limit.Stop()
		delete(tx.s.servers, tx.key)
		delete(tx.s.byID, tx.id)
		tx.s.settle(tx)
	}
}

// Actions, in the order of the figures.

func (tx *Server) resend() {
	if tx.wire != nil {
		tx.s.send(tx.id, tx.target, tx.wire)
	}
}

func (tx *Server) completeInvite() {
	tx.trying.Stop()
	tx.resend()
	if !tx.target.Proto.Reliable() {
		tx.repeat = tx.s.After(T1, func() { tx.step(evTimerG) })
	}
	tx.limit = tx.s.After(Lifetime, func() { tx.step(evTimerH) })
}

func (tx *Server) accept() {
	tx.trying.Stop()
	tx.resend()
	tx.s.rests(tx)
	tx.limit = tx.s.After(Lifetime, func() { tx.step(evTimerL) })
}

func (tx *Server) retransmit() {
	tx.resend()
	tx.interval = min(2*tx.interval, T2)
	tx.repeat = tx.s.After(tx.interval, func() { tx.step(evTimerG) })
}

func (tx *Server) confirm() {
	tx.s.rests(tx)
	tx.repeat.Stop()
	tx.limit.Stop()
	linger := T4
	if tx.target.Proto.Reliable() {
		linger = 0
	}
	tx.limit = tx.s.After(linger, func() { tx.step(evTimerI) })
}

func (tx *Server) complete() {
	tx.resend()
	tx.s.rests(tx)
	linger := Lifetime
	if tx.target.Proto.Reliable() {
		linger = 0
	}
	tx.limit = tx.s.After(linger, func() { tx.step(evTimerJ) })
}

// passACK hands on the ACK of a 2xx that came on the INVITE's own branch (RFC 6026 §7.1).
func (tx *Server) passACK() { tx.s.takeACK(tx.s.core.Admit(tx.flow, tx.ack), tx.flow, tx.ack) }

func (tx *Server) timeout() { tx.inform(ErrTimeout) }

func (tx *Server) fail() { tx.inform(tx.err) }

func (tx *Server) inform(err error) {
	if tx.onFail != nil {
		tx.onFail(err)
	}
}
