package transaction

import (
	"log/slog"
	"net/netip"
	"time"

	"portero/sip"
	"portero/sip/fsm"
	"portero/sip/transport"
)

// Client is a client transaction: it sends a request, repeats it over UDP, and passes responses up.
type Client struct {
	s      *Stack
	id     uint64
	key    txKey
	table  *fsm.Table[txState, txEvent, *Client]
	state  txState
	invite bool
	req    *sip.Request
	target transport.Target
	wire   []byte
	handle func(*sip.Response, error)
	only   Answerers      // nil: who knows the branch answers
	from   netip.AddrPort // of the last response

	res      *sip.Response // the one being handled
	err      error
	ack      []byte // of a final response other than 2xx
	interval time.Duration
	repeat   *Timer       // A, E
	limit    *Timer       // B, F, then D, K, M
	cancel   *Timer       // after a CANCEL
	wanted   bool         // CANCEL asked for before a provisional response allowed it
	why      []sip.Header // of the CANCEL
	sent     bool         // CANCEL sent
}

// inviteClient is RFC 3261 figure 5 as corrected by RFC 6026 §8.4.
var inviteClient = fsm.New("INVITE client", []fsm.Row[txState, txEvent, *Client]{
	{State: calling, Event: evTimerA, Next: calling, Does: "send INVITE, restart timer A",
		Action: (*Client).retransmit, Section: "17.1.1.2"},
	{State: calling, Event: evTimerB, Next: terminated, Does: "inform TU", Action: (*Client).timeout,
		Section: "17.1.1.2"},
	{State: calling, Event: evTransportError, Next: terminated, Does: "inform TU", Action: (*Client).fail,
		Section: "17.1.4"},
	{State: calling, Event: ev1xx, Next: proceeding, Does: "response to TU", Action: (*Client).inviteProceeds,
		Section: "17.1.1.2"},
	{State: calling, Event: ev2xx, Next: accepted, Does: "response to TU, start timer M",
		Action: (*Client).accept, Section: "RFC 6026 8.4"},
	{State: calling, Event: ev300, Next: completed, Does: "send ACK, response to TU, start timer D",
		Action: (*Client).complete, Section: "17.1.1.2"},
	{State: proceeding, Event: ev1xx, Next: proceeding, Does: "response to TU", Action: (*Client).pass,
		Section: "17.1.1.2"},
	{State: proceeding, Event: ev2xx, Next: accepted, Does: "response to TU, start timer M",
		Action: (*Client).accept, Section: "RFC 6026 8.4"},
	{State: proceeding, Event: ev300, Next: completed, Does: "send ACK, response to TU, start timer D",
		Action: (*Client).complete, Section: "17.1.1.2"},
	{State: proceeding, Event: evTransportError, Next: terminated, Does: "inform TU", Action: (*Client).fail,
		Section: "17.1.4"},
	{State: proceeding, Event: evCancelTimeout, Next: terminated, Does: "inform TU",
		Action: (*Client).timeout, Section: "9.1"},
	{State: completed, Event: ev300, Next: completed, Does: "send ACK", Action: (*Client).sendACK,
		Section: "17.1.1.2"},
	{State: completed, Event: evTransportError, Next: terminated, Does: "inform TU", Action: (*Client).fail,
		Section: "17.1.4"},
	{State: completed, Event: evTimerD, Next: terminated, Section: "17.1.1.2"},
	{State: accepted, Event: ev2xx, Next: accepted, Does: "response to TU", Action: (*Client).pass,
		Section: "RFC 6026 8.4"},
	{State: accepted, Event: evTimerM, Next: terminated, Section: "RFC 6026 8.4"},
})

// nonInviteClient is RFC 3261 figure 6.
var nonInviteClient = fsm.New("non-INVITE client", []fsm.Row[txState, txEvent, *Client]{
	{State: trying, Event: evTimerE, Next: trying, Does: "send request, restart timer E",
		Action: (*Client).retransmit, Section: "17.1.2.2"},
	{State: trying, Event: evTimerF, Next: terminated, Does: "inform TU", Action: (*Client).timeout,
		Section: "17.1.2.2"},
	{State: trying, Event: evTransportError, Next: terminated, Does: "inform TU", Action: (*Client).fail,
		Section: "17.1.4"},
	{State: trying, Event: ev1xx, Next: proceeding, Does: "response to TU", Action: (*Client).pass,
		Section: "17.1.2.2"},
	{State: trying, Event: evFinal, Next: completed, Does: "response to TU, start timer K",
		Action: (*Client).complete, Section: "17.1.2.2"},
	{State: proceeding, Event: evTimerE, Next: proceeding, Does: "send request, restart timer E",
		Action: (*Client).retransmit, Section: "17.1.2.2"},
	{State: proceeding, Event: evTimerF, Next: terminated, Does: "inform TU", Action: (*Client).timeout,
		Section: "17.1.2.2"},
	{State: proceeding, Event: evTransportError, Next: terminated, Does: "inform TU", Action: (*Client).fail,
		Section: "17.1.4"},
	{State: proceeding, Event: ev1xx, Next: proceeding, Does: "response to TU", Action: (*Client).pass,
		Section: "17.1.2.2"},
	{State: proceeding, Event: evFinal, Next: completed, Does: "response to TU, start timer K",
		Action: (*Client).complete, Section: "17.1.2.2"},
	{State: completed, Event: evTimerK, Next: terminated, Section: "17.1.2.2"},
})

// Request sends req to t in a new client transaction and passes responses and failures to handle, on the
// loop. Only the loop may call it. It adds the topmost Via; req belongs to the transaction afterwards. When
// it fails at once, handle is called from the loop later, never from within.
func (s *Stack) Request(req *sip.Request, t transport.Target, handle func(*sip.Response, error)) *Client {
	tx := &Client{s: s, table: nonInviteClient, state: trying, req: req, target: t, handle: handle}
	if req.Method == sip.INVITE {
		tx.table, tx.state, tx.invite = inviteClient, calling, true
	}
	tx.start(sip.NewBranch())
	return tx
}

// Answerers knows who may answer a request.
type Answerers interface {
	Answers(from netip.AddrPort) bool
}

// OnlyFrom has responses of others passed over and told: who has seen the request knows its branch, and no
// more than that makes a response match (§17.1.3).
func (tx *Client) OnlyFrom(known Answerers) { tx.only = known }

// From is where the last response came from.
func (tx *Client) From() netip.AddrPort { return tx.from }

// Request returns the request as it was sent, with its Via.
func (tx *Client) Request() *sip.Request { return tx.req }

func (tx *Client) start(branch string) {
	s, req, t := tx.s, tx.req, tx.target
	s.lastID++
	tx.id, tx.interval = s.lastID, T1
	tx.key = clientKey(branch, req.Method)
	s.clients[tx.key] = tx
	s.byID[tx.id] = tx
	if err := s.pushVia(req, t, branch); err != nil {
		s.Post(func() { tx.transportError(err) })
		return
	}
	tx.wire = req.Append(nil)
	s.send(tx.id, t, tx.wire)
	if !t.Proto.Reliable() {
		tx.repeat = s.After(T1, tx.fires(tx.timerAE()))
	}
	tx.limit = s.After(Lifetime, tx.fires(tx.timerBF()))
}

func (tx *Client) timerAE() txEvent {
	if tx.invite {
		return evTimerA
	}
	return evTimerE
}

func (tx *Client) timerBF() txEvent {
	if tx.invite {
		return evTimerB
	}
	return evTimerF
}

func (tx *Client) fires(ev txEvent) func() { return func() { tx.step(ev) } }

// step is the only writer of the state.
func (tx *Client) step(ev txEvent) {
	from := tx.state
	row := tx.table.Step(&tx.state, ev, tx)
	tx.table.Log(tx.s.log, slog.String("call", tx.req.CallID), from, ev, row)
	if tx.state == terminated && from != terminated {
		tx.repeat.Stop()
		tx.limit.Stop()
		tx.cancel.Stop()
		delete(tx.s.clients, tx.key)
		delete(tx.s.byID, tx.id)
	}
}

func (tx *Client) receive(res *sip.Response) {
	tx.res = res
	switch {
	case res.Status < 200:
		tx.step(ev1xx)
	case !tx.invite:
		tx.step(evFinal)
	case res.Status < 300:
		tx.step(ev2xx)
	default:
		tx.step(ev300)
	}
	tx.res = nil
}

func (tx *Client) peer() transport.Target { return tx.target }

func (tx *Client) transportError(err error) {
	tx.err = err
	tx.step(evTransportError)
}

// Cancel asks the far end to give up a pending INVITE (§9.1). Before a provisional response it waits for one;
// after a final response it does nothing. The INVITE still ends with a final response, or with ErrTimeout
// after 64*T1. The CANCEL bears the given fields, such as a Reason (RFC 3326).
func (tx *Client) Cancel(fields ...sip.Header) {
	if !tx.invite || tx.sent || tx.wanted {
		return
	}
	tx.why = fields
	switch tx.state {
	case calling:
		tx.wanted = true
	case proceeding:
		tx.sendCancel()
	}
}

// Resend repeats a request that nobody has answered yet, for a far end that is known to be there by now.
func (tx *Client) Resend() {
	if tx.state == calling || tx.state == trying {
		tx.s.send(0, tx.target, tx.wire)
	}
}

func (tx *Client) sendCancel() {
	tx.sent = true
	req := sip.NewRequest(sip.CANCEL, tx.req.URI)
	req.From, req.To, req.CallID = tx.req.From, tx.req.To, tx.req.CallID
	req.CSeq = sip.CSeq{Seq: tx.req.CSeq.Seq, Method: sip.CANCEL}
	req.Route = tx.req.Route
	req.Other = tx.why
	c := &Client{s: tx.s, table: nonInviteClient, state: trying, req: req, target: tx.target,
		handle: func(*sip.Response, error) {}}
	c.start(tx.key.branch)
	tx.cancel = tx.s.After(Lifetime, tx.fires(evCancelTimeout))
}

// Actions, in the order of the figures.

// retransmit sends again. A copy that cannot be sent is lost like one in the network: an earlier one may have
// arrived.
func (tx *Client) retransmit() {
	tx.s.send(0, tx.target, tx.wire)
	tx.interval *= 2
	if !tx.invite && (tx.interval > T2 || tx.state == proceeding) {
		tx.interval = T2
	}
	tx.repeat = tx.s.After(tx.interval, tx.fires(tx.timerAE()))
}

func (tx *Client) timeout() { tx.handle(nil, ErrTimeout) }

func (tx *Client) fail() { tx.handle(nil, tx.err) }

func (tx *Client) pass() { tx.handle(tx.res, nil) }

func (tx *Client) inviteProceeds() {
	tx.repeat.Stop()
	tx.limit.Stop()
	if tx.wanted {
		tx.sendCancel()
	}
	tx.pass()
}

func (tx *Client) accept() {
	tx.repeat.Stop()
	tx.limit.Stop()
	tx.cancel.Stop()
	tx.limit = tx.s.After(Lifetime, tx.fires(evTimerM))
	tx.pass()
}

func (tx *Client) complete() {
	tx.repeat.Stop()
	tx.limit.Stop()
	tx.cancel.Stop()
	linger, ev := T4, evTimerK
	if tx.invite {
		linger, ev = timerD, evTimerD
		tx.sendACK()
	}
	if tx.target.Proto.Reliable() {
		linger = 0
	}
	tx.limit = tx.s.After(linger, tx.fires(ev))
	tx.pass()
}

// sendACK acknowledges a final response other than 2xx on the INVITE's own branch (§17.1.1.3).
func (tx *Client) sendACK() {
	if tx.ack == nil {
		ack := sip.NewRequest(sip.ACK, tx.req.URI)
		ack.Via = tx.req.Via[:1]
		ack.From, ack.To, ack.CallID = tx.req.From, tx.res.To, tx.req.CallID
		ack.CSeq = sip.CSeq{Seq: tx.req.CSeq.Seq, Method: sip.ACK}
		ack.Route = tx.req.Route
		tx.ack = ack.Append(nil)
	}
	tx.s.send(tx.id, tx.target, tx.ack)
}
