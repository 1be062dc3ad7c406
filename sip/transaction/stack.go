package transaction

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"portero/sip"
	"portero/sip/fsm"
	"portero/sip/transport"
)

// Config is what a Stack needs to know.
type Config struct {
	UserAgent string       // of the User-Agent and Server headers; "" sends none
	Log       *slog.Logger // nil: silent
	Trace     bool         // log whole messages at level debug, secrets blotted out
	// Lookup finds the servers of a URI, from any goroutine, within seconds. nil: a [transport.Resolver] of
	// the stack's own.
	Lookup func(context.Context, sip.URI) ([]transport.Target, error)
	// AnswersFrom names addresses that may speak for any far end: servers that answer from elsewhere than
	// where they are asked. nil: none.
	AnswersFrom func(netip.Addr) bool
}

// InboxSize is how many messages from the network may wait for the loop.
const InboxSize = 512

// ErrNoTransport is no failure that waiting would heal.
var ErrNoTransport = errors.New("no such transport")

// ErrEnded answers a question to a stack whose loop has ended.
var ErrEnded = errors.New("transaction: the stack has ended")

// Stack owns transactions and timers. Its loop is the only goroutine that touches them; others use Post.
type Stack struct {
	cfg        Config
	log        *slog.Logger
	core       Core
	transports map[sip.Proto]transport.Transport
	protos     []sip.Proto

	inbox chan inbound
	local *fsm.Mailbox
	ended chan struct{} // closed when the loop is over

	timers    timerHeap
	clients   map[txKey]*Client
	servers   map[txKey]*Server
	shares    map[Share]*holding // of servers
	byID      map[uint64]owner
	lastID    uint64
	elsewhere Told[netip.Addr] // responses that came from there
	fullTold  time.Time        // when it was last said that there is no room
	odd       Told[netip.Addr] // of messages that could not be read as a whole
	secret    [16]byte         // makes the To tags of stateless answers unguessable
	wire      []byte           // scratch for stateless messages
}

// owner is a transaction, which hears of what its transport could not do.
type owner interface {
	peer() transport.Target
	transportError(error)
}

// inbound is a parsed packet on its way to the loop.
type inbound struct {
	flow   transport.Flow
	req    *sip.Request
	res    *sip.Response
	bad    *sip.ParseError
	sendID uint64
	err    error
}

// NewStack makes a stack on the given transports, one for each protocol. It starts nothing.
func NewStack(cfg Config, core Core, transports ...transport.Transport) *Stack {
	log := cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	s := &Stack{
		cfg: cfg, log: log.With("part", "sip"), core: core,
		transports: map[sip.Proto]transport.Transport{},
		inbox:      make(chan inbound, InboxSize),
		local:      fsm.NewMailbox(),
		ended:      make(chan struct{}),
		timers:     newTimerHeap(),
		clients:    map[txKey]*Client{},
		servers:    map[txKey]*Server{},
		shares:     map[Share]*holding{},
		byID:       map[uint64]owner{},
		odd:        Told[netip.Addr]{Most: oddSources},
		elsewhere:  Told[netip.Addr]{Most: oddSources},
	}
	if s.cfg.Lookup == nil {
		s.cfg.Lookup = (&transport.Resolver{Log: s.log}).Lookup
	}
	rand.Read(s.secret[:])
	for _, t := range transports {
		s.transports[t.Proto()] = t
		s.protos = append(s.protos, t.Proto())
	}
	core.Bind(s)
	return s
}

// Run reads the transports and runs the loop until ctx ends or a transport fails. It returns after all it
// started has ended.
func (s *Stack) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, t := range s.transports {
		g.Go(func() error {
			err := t.Run(ctx, s.deliver)
			if err != nil && ctx.Err() == nil {
				return fmt.Errorf("transaction: %s transport: %w", t.Proto(), err)
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
func (s *Stack) deliver(p transport.Packet) bool {
	in := inbound{flow: p.Flow, sendID: p.SendID, err: p.Err}
	if p.Err == nil {
		var err error
		in.req, in.res, err = sip.Parse(p.Data)
		if errors.Is(err, sip.ErrKeepAlive) {
			return true
		}
		in.bad, _ = errors.AsType[*sip.ParseError](err) // Parse has no others
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

// Post runs f on the loop, ahead of anything that waits from the network. It never blocks. Once the loop has
// ended, f never runs.
func (s *Stack) Post(f func()) { s.local.Put(f) }

// After runs f on the loop after d. Only the loop may call it.
func (s *Stack) After(d time.Duration, f func()) *Timer { return s.timers.after(d, f) }

// Ask runs f on the loop and waits until it is done. It fails with ErrEnded when the loop has ended, or ends
// first. The loop itself must not ask: it would wait for ever.
func (s *Stack) Ask(f func()) error {
	done := make(chan struct{})
	s.Post(func() {
		f()
		close(done)
	})
	select {
	case <-done:
		return nil
	case <-s.ended:
	}
	select {
	case <-done: // it was the last thing that the loop did
		return nil
	default:
		return ErrEnded
	}
}

// Held counts what the stack keeps: client and server transactions, and timers. Any goroutine but the loop
// may ask.
func (s *Stack) Held() (clients, servers, timers int, err error) {
	err = s.Ask(func() { clients, servers, timers = len(s.clients), len(s.servers), s.timers.Len() })
	return clients, servers, timers, err
}

func (s *Stack) loop(ctx context.Context) error {
	defer close(s.ended)
	wake := time.NewTimer(time.Hour)
	defer wake.Stop()
	for {
		for f := s.local.Take(); f != nil; f = s.local.Take() {
			f()
		}
		if t := s.timers.due(); t != nil {
			t.f()
			continue
		}
		if wait, ok := s.timers.next(); ok {
			wake.Reset(wait)
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

// receive sorts one arrival: the outcome of a Send, the end of a connection, a response, a request, or
// something malformed.
func (s *Stack) receive(in inbound) {
	switch {
	case in.err != nil && in.sendID != 0:
		s.failed(in.sendID, in.err)
	case in.err != nil:
		s.closed(in.flow, in.err)
	case in.bad != nil:
		s.tellMalformed(in.flow.Remote, in.bad)
		// An ACK is never answered (§17.2.1), and a malformed response is dropped (§18.1.2).
		if in.req != nil && in.req.Method != sip.ACK && len(in.req.Via) > 0 {
			transport.FillVia(&in.req.Via[0], in.flow)
			s.respondStateless(in.flow, in.req, in.bad.Status, in.bad.Reason)
		}
	case in.res != nil:
		s.tellOdd(in.flow.Remote, in.res.CallID, in.res.Odd)
		s.receiveResponse(in.flow, in.res)
	case in.req != nil:
		s.tellOdd(in.flow.Remote, in.req.CallID, in.req.Odd)
		transport.FillVia(&in.req.Via[0], in.flow)
		s.receiveRequest(in.flow, in.req)
	}
}

// failed tells the owner of a Send that it failed.
func (s *Stack) failed(id uint64, err error) {
	if tx := s.byID[id]; tx != nil {
		tx.transportError(err)
	}
}

// closed tells the owners of all transactions on a connection that has ended (§17.1.4, §18.4), the oldest
// first. Datagrams have no connection.
func (s *Stack) closed(flow transport.Flow, err error) {
	var ids []uint64
	for id, tx := range s.byID {
		if tx.peer().Uses(flow) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		s.failed(id, err) // one that an earlier one has ended is gone
	}
}

func (s *Stack) receiveResponse(flow transport.Flow, res *sip.Response) {
	if tx := s.clients[clientKey(res.Via[0].Branch(), res.CSeq.Method)]; tx != nil {
		if tx.only != nil && !tx.only.Answers(flow.Remote) && !s.AnswersFrom(flow.Remote.Addr()) {
			s.tellElsewhere(flow.Remote, tx, res)
			return
		}
		tx.from = flow.Remote
		tx.receive(res)
		return
	}
	s.core.Stray(flow, res)
}

// AnswersFrom reports whether an address may speak for any far end (Config.AnswersFrom).
func (s *Stack) AnswersFrom(addr netip.Addr) bool {
	return s.cfg.AnswersFrom != nil && s.cfg.AnswersFrom(addr.Unmap())
}

func (s *Stack) receiveRequest(flow transport.Flow, req *sip.Request) {
	key := serverKey(req)
	if tx := s.servers[key]; tx != nil {
		tx.receive(req)
		return
	}
	if req.Method == sip.CANCEL {
		s.receiveCancel(flow, req)
		return
	}
	switch v := s.core.Admit(flow, req); {
	case req.Method == sip.ACK:
		s.takeACK(v, flow, req)
	case v.Take == nil:
		if v.Status != 0 {
			s.respondStateless(flow, req, v.Status, "")
		}
	case !s.room(v, req):
		s.full(flow, req, v.Share)
	default:
		tx := newServer(s, key, flow, req)
		s.charge(tx, v.Share)
		v.Take(tx, req)
	}
}

// takeACK hands over the ACK of a 2xx, which no transaction answers.
func (s *Stack) takeACK(v Verdict, flow transport.Flow, ack *sip.Request) {
	if v.Take != nil {
		v.Take(&Server{s: s, flow: flow, req: ack, state: terminated}, ack)
	}
}

// full refuses a request for which there is no room, and tells of it once in a minute.
func (s *Stack) full(flow transport.Flow, req *sip.Request, share Share) {
	s.respondStateless(flow, req, 503, "")
	if now := time.Now(); now.Sub(s.fullTold) >= time.Minute {
		s.fullTold = now
		s.log.Warn("request refused, all server transactions are in use", "call", req.CallID, "transactions",
			len(s.servers),
			"share", share)
	}
}

// receiveCancel answers a CANCEL and tells the INVITE's owner (§9.2).
func (s *Stack) receiveCancel(flow transport.Flow, req *sip.Request) {
	invite := s.servers[cancelledKey(req)]
	if invite == nil || invite.flow.Remote.Addr() != flow.Remote.Addr() { // who has seen the INVITE knows its branch
		s.respondStateless(flow, req, 481, "")
		return
	}
	tx := newServer(s, serverKey(req), flow, req)
	res := sip.NewResponse(req, 200, "")
	if invite.toTag != "" {
		res.To = res.To.WithTag(invite.toTag) // §9.2: the tag of the response to the INVITE
	} else {
		res.To = res.To.WithTag(s.statelessTag(req))
	}
	tx.Respond(res)
	invite.cancelled(req)
}

// respondStateless answers without a transaction (§8.2.7): the same request gets the same To tag.
func (s *Stack) respondStateless(flow transport.Flow, req *sip.Request, status int, reason string) {
	s.RespondStateless(flow, req, sip.NewResponse(req, status, reason))
}

// RespondStateless answers a request that Admit keeps out, with headers of the core's own (a challenge).
func (s *Stack) RespondStateless(flow transport.Flow, req *sip.Request, res *sip.Response) {
	if res.To.Tag() == "" {
		res.To = res.To.WithTag(s.statelessTag(req))
	}
	s.stampServer(res)
	s.wire = res.Append(s.wire[:0])
	s.send(0, transport.ResponseTarget(flow, req.Via[0]), s.wire)
}

func (s *Stack) statelessTag(req *sip.Request) string {
	h := sha256.New()
	h.Write(s.secret[:])
	fmt.Fprintf(h, "%s\x00%s\x00%s\x00%d", req.CallID, req.From.Tag(), req.Via[0].Branch(), req.CSeq.Seq)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func (s *Stack) stampServer(res *sip.Response) {
	if s.cfg.UserAgent != "" && res.Get("Server") == "" {
		res.Set("Server", s.cfg.UserAgent)
	}
}
