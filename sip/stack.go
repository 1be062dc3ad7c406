package sip

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"portero/sip/fsm"
)

// Core is the transaction user above a stack (RFC 3261 §5): a user agent, or a registrar and proxy. The stack's loop makes
// all calls; none may block.
type Core interface {
	// Bind is called once, by NewStack.
	Bind(*Stack)
	// Admit decides before any state is made for a request: 0 lets it in, a status refuses it statelessly (§8.2.7), and a
	// negative value drops it. It is what stands between strangers and the stack's memory.
	Admit(Flow, *Request) int
	// Request hands over a request: its first arrival, never a retransmission, never a CANCEL. The transaction of an ACK
	// takes no response.
	Request(*ServerTx, *Request)
	// Stray hands over a response that matches no transaction.
	Stray(Flow, *Response)
}

// Config is what a Stack needs to know.
type Config struct {
	UserAgent string       // of the User-Agent and Server headers; "" sends none
	Log       *slog.Logger // nil: silent
	Trace     bool         // log whole messages at level debug, secrets blotted out
}

const (
	inboxSize   = 512  // messages from the network that may wait for the loop
	maxServerTx = 4096 // open server transactions; more requests outside of dialogs are answered 503 statelessly
	maxUDP      = 65535
)

// errTransport is no failure that waiting would heal.
var errTransport = errors.New("no such transport")

// Stack owns transactions and timers. Its loop is the only goroutine that touches them; others use Post.
type Stack struct {
	cfg        Config
	log        *slog.Logger
	core       Core
	transports map[Proto]Transport

	inbox chan inbound
	local *fsm.Mailbox

	timers  timerHeap
	clients map[txKey]*ClientTx
	servers map[txKey]*ServerTx
	byID    map[uint64]interface{ transportError(error) }
	lastID  uint64
	secret  [16]byte // makes the To tags of stateless answers unguessable
	wire    []byte   // scratch for stateless messages
}

// inbound is a parsed packet on its way to the loop.
type inbound struct {
	flow   Flow
	req    *Request
	res    *Response
	bad    *ParseError
	sendID uint64
	err    error
}

// NewStack makes a stack on the given transports, one for each protocol. It starts nothing.
func NewStack(cfg Config, core Core, transports ...Transport) *Stack {
	s := &Stack{
		cfg: cfg, log: cfg.Log, core: core,
		transports: map[Proto]Transport{},
		inbox:      make(chan inbound, inboxSize),
		local:      fsm.NewMailbox(),
		clients:    map[txKey]*ClientTx{},
		servers:    map[txKey]*ServerTx{},
		byID:       map[uint64]interface{ transportError(error) }{},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	rand.Read(s.secret[:])
	for _, t := range transports {
		s.transports[t.Proto()] = t
	}
	core.Bind(s)
	return s
}

// Run reads the transports and runs the loop until ctx ends or a transport fails. It returns after all it started has ended.
func (s *Stack) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, t := range s.transports {
		g.Go(func() error {
			err := t.Run(ctx, s.deliver)
			if err != nil && ctx.Err() == nil {
				return fmt.Errorf("sip: %s transport: %w", t.Proto(), err)
			}
			return ctx.Err()
		})
	}
	g.Go(func() error { return s.loop(ctx) })
	if err := g.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// deliver parses on the transport's goroutine, so that the loop never waits for a parser.
func (s *Stack) deliver(p Packet) bool {
	in := inbound{flow: p.Flow, sendID: p.SendID, err: p.Err}
	if p.Err == nil {
		var err error
		in.req, in.res, err = Parse(p.Data)
		if errors.Is(err, ErrKeepAlive) {
			return true
		}
		if err != nil && !errors.As(err, &in.bad) {
			in.bad = &ParseError{Status: 400, Err: err}
		}
		if s.cfg.Trace {
			s.trace("received", p.Flow.Remote, p.Data)
		}
	}
	select {
	case s.inbox <- in:
		return true
	default:
		return false
	}
}

// Post runs f on the loop, ahead of anything that waits from the network. It never blocks.
func (s *Stack) Post(f func()) { s.local.Put(f) }

// After runs f on the loop after d. Only the loop may call it.
func (s *Stack) After(d time.Duration, f func()) *Timer { return s.timers.after(d, f) }

// Log returns the stack's logger.
func (s *Stack) Log() *slog.Logger { return s.log }

func (s *Stack) loop(ctx context.Context) error {
	wake := time.NewTimer(time.Hour)
	defer wake.Stop()
	for {
		for f := s.local.Take(); f != nil; f = s.local.Take() {
			f()
		}
		if t := s.timers.due(time.Now()); t != nil {
			t.f()
			continue
		}
		if at, ok := s.timers.next(); ok {
			wake.Reset(time.Until(at))
		} else {
			wake.Stop()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.local.Wake():
		case <-wake.C:
		case in := <-s.inbox:
			s.receive(in)
		}
	}
}

// receive sorts one arrival: the outcome of a Send, a response, a request, or something malformed.
func (s *Stack) receive(in inbound) {
	switch {
	case in.err != nil:
		s.failed(in.sendID, in.err)
	case in.bad != nil:
		s.log.Debug("sip malformed", "from", in.flow.Remote, "err", in.bad)
		// An ACK is never answered (§17.2.1), and a malformed response is dropped (§18.1.2).
		if in.req != nil && in.req.Method != ACK && len(in.req.Via) > 0 {
			fillVia(&in.req.Via[0], in.flow)
			s.respondStateless(in.flow, in.req, in.bad.Status, in.bad.Reason)
		}
	case in.res != nil:
		s.receiveResponse(in.flow, in.res)
	case in.req != nil:
		fillVia(&in.req.Via[0], in.flow)
		s.receiveRequest(in.flow, in.req)
	}
}

// failed tells the owner of a Send that it failed.
func (s *Stack) failed(id uint64, err error) {
	if tx := s.byID[id]; tx != nil {
		tx.transportError(err)
	}
}

func (s *Stack) receiveResponse(flow Flow, res *Response) {
	if tx := s.clients[clientKey(res.Via[0].Branch(), res.CSeq.Method)]; tx != nil {
		tx.receive(res)
		return
	}
	s.core.Stray(flow, res)
}

func (s *Stack) receiveRequest(flow Flow, req *Request) {
	key := serverKey(req)
	if tx := s.servers[key]; tx != nil {
		tx.receive(req)
		return
	}
	if req.Method == CANCEL {
		s.receiveCancel(flow, req)
		return
	}
	if status := s.core.Admit(flow, req); status != 0 {
		if status > 0 && req.Method != ACK {
			s.respondStateless(flow, req, status, "")
		}
		return
	}
	if req.Method == ACK {
		s.core.Request(&ServerTx{s: s, flow: flow, req: req, state: terminated}, req)
		return
	}
	// What Admit lets into a dialog is not refused: the BYE of a call must reach it, however many strangers there are.
	if len(s.servers) >= maxServerTx && req.To.Tag() == "" {
		s.respondStateless(flow, req, 503, "")
		return
	}
	tx := newServerTx(s, key, flow, req)
	s.core.Request(tx, req)
}

// receiveCancel answers a CANCEL and tells the INVITE's owner (§9.2).
func (s *Stack) receiveCancel(flow Flow, req *Request) {
	invite := s.servers[cancelledKey(req)]
	if invite == nil {
		s.respondStateless(flow, req, 481, "")
		return
	}
	tx := newServerTx(s, serverKey(req), flow, req)
	res := NewResponse(req, 200, "")
	if invite.toTag != "" {
		res.To = res.To.WithTag(invite.toTag) // §9.2: the tag of the response to the INVITE
	} else {
		res.To = res.To.WithTag(s.statelessTag(req))
	}
	tx.Respond(res)
	invite.cancelled()
}

// respondStateless answers without a transaction (§8.2.7): the same request gets the same To tag.
func (s *Stack) respondStateless(flow Flow, req *Request, status int, reason string) {
	s.RespondStateless(flow, req, NewResponse(req, status, reason))
}

// RespondStateless answers a request that Admit keeps out, with headers of the core's own (a challenge).
func (s *Stack) RespondStateless(flow Flow, req *Request, res *Response) {
	if res.To.Tag() == "" {
		res.To = res.To.WithTag(s.statelessTag(req))
	}
	s.stampServer(res)
	s.wire = res.Append(s.wire[:0])
	s.send(0, responseTarget(flow, req.Via[0]), s.wire)
}

func (s *Stack) statelessTag(req *Request) string {
	h := sha256.New()
	h.Write(s.secret[:])
	fmt.Fprintf(h, "%s\x00%s\x00%s\x00%d", req.CallID, req.From.Tag(), req.Via[0].Branch(), req.CSeq.Seq)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func (s *Stack) stampServer(res *Response) {
	if s.cfg.UserAgent != "" && res.Get("Server") == "" {
		res.Set("Server", s.cfg.UserAgent)
	}
}

// Send sends a request outside of any transaction: the ACK of a 2xx, or one that a proxy forwards statelessly. It adds a
// Via of its own and returns the bytes for Resend.
func (s *Stack) Send(req *Request, t Target) ([]byte, error) {
	if err := s.pushVia(req, t, newBranch()); err != nil {
		return nil, err
	}
	wire := req.Append(nil)
	s.send(0, t, wire)
	return wire, nil
}

// Resend sends again what Send returned.
func (s *Stack) Resend(wire []byte, t Target) { s.send(0, t, wire) }

// SendResponse sends a response outside of any transaction to where its topmost Via points (§18.2.2).
func (s *Stack) SendResponse(res *Response) {
	if len(res.Via) == 0 {
		return
	}
	v := res.Via[0]
	addr, ok := v.Received()
	if !ok {
		a, err := netip.ParseAddr(v.Host)
		if err != nil {
			return
		}
		addr = a
	}
	flow := Flow{Proto: Proto(v.Transport), Remote: netip.AddrPortFrom(addr, 0)}
	s.wire = res.Append(s.wire[:0])
	s.send(0, responseTarget(flow, v), s.wire)
}

func (s *Stack) send(id uint64, t Target, wire []byte) {
	tr := s.transports[t.Proto]
	if tr == nil {
		s.Post(func() { s.failed(id, fmt.Errorf("sip: %s: %w", t.Proto, errTransport)) })
		return
	}
	if s.cfg.Trace {
		s.trace("sent", t.Addr, wire)
	}
	tr.Send(id, t, wire)
}

// Local returns the address that the far end of t will see.
func (s *Stack) Local(t Target) (netip.AddrPort, error) {
	tr := s.transports[t.Proto]
	if tr == nil {
		return netip.AddrPort{}, fmt.Errorf("sip: %s: %w", t.Proto, errTransport)
	}
	return tr.Local(t)
}

// pushVia adds the topmost Via of a request that goes to t (§18.1.1), asking for rport (RFC 3581 §3).
func (s *Stack) pushVia(req *Request, t Target, branch string) error {
	local, err := s.Local(t)
	if err != nil {
		return err
	}
	via := Via{Transport: string(t.Proto), Host: hostOf(local.Addr()), Port: local.Port(),
		Params: Params(";branch=" + branch + ";rport")}
	req.Via = append([]Via{via}, req.Via...)
	if s.cfg.UserAgent != "" && req.Get("User-Agent") == "" && len(req.Via) == 1 {
		req.Set("User-Agent", s.cfg.UserAgent)
	}
	return nil
}

// hostOf writes an address as a SIP host: IPv6 in brackets, without a zone.
func hostOf(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}
