package ua

import (
	"cmp"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"portero/sip"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// Config is what a user agent needs to know.
type Config struct {
	Log *slog.Logger
	// Allow decides on a request outside of any dialog that would start a call: 0 lets it in, a status
	// refuses it before any state is made for it. nil refuses all with 403.
	Allow func(transport.Flow, *sip.Request) int
	// Redirect decides on a call that was redirected to a URI: through which account to follow it (nil:
	// directly), or not at all. acct is the account that the call went through. It runs on the loop and must
	// not block. nil follows nothing.
	Redirect func(acct *Account, to sip.URI) (*Account, bool)
	// Incoming hears the events of calls that others place; the first is Offered. It runs on the stack's loop
	// and must not block.
	Incoming func(*Call, CallEvent)
}

// Agent is a user agent (RFC 3261 §8, §12 to §15): the Core that places and takes calls and registers
// accounts.
type Agent struct {
	cfg   Config
	log   *slog.Logger
	s     *transaction.Stack
	calls map[string]*Call // by Call-ID and local tag
	regs  map[*Registration]bool
	// when INVITEs were sent again, by target
	repeats map[string][]time.Time
	// who has spoken in a call that is not theirs
	strangers transaction.Told[netip.Addr]

	closing func() // set by Shutdown; runs when nothing is left
}

// New makes a user agent. It starts nothing.
func New(cfg Config) *Agent {
	log := cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	return &Agent{cfg: cfg, log: log.With("part", "sip"), calls: map[string]*Call{}, regs: map[*Registration]bool{},
		repeats: map[string][]time.Time{}, strangers: transaction.Told[netip.Addr]{Most: mostStrangers}}
}

// Bind gives the agent its stack.
func (a *Agent) Bind(s *transaction.Stack) { a.s = s }

// Stack returns the stack that the agent lives on.
func (a *Agent) Stack() *transaction.Stack { return a.s }

// Admit keeps strangers out before any state is made for them.
func (a *Agent) Admit(flow transport.Flow, req *sip.Request) transaction.Verdict {
	if c := a.find(req); c != nil {
		return transaction.Verdict{Take: c.request,
			Share: transaction.ShareOf(flow.Remote.Addr())}
	}
	switch req.Method {
	case sip.INVITE:
		if status := a.refused(flow, req); status != 0 {
			return transaction.Refuse(status)
		}
		return transaction.Verdict{Take: a.incoming,
			Share: transaction.ShareOf(flow.Remote.Addr())}
	case sip.ACK:
		return transaction.Verdict{} // for a call that is gone, or one that was refused statelessly
	case sip.OPTIONS: // no state: a flood of them must leave room for the calls that go on
		res := refusal(req)
		if res == nil {
			res = capabilities(req)
		}
		a.s.RespondStateless(flow, req, res)
		return transaction.Verdict{}
	case sip.BYE, sip.CANCEL, sip.INFO, sip.PRACK, sip.UPDATE:
		return transaction.Refuse(481)
	}
	res := sip.NewResponse(req, 405, "")
	res.Set("Allow", allowed) // §8.2.1
	a.s.RespondStateless(flow, req, res)
	return transaction.Verdict{}
}

// refused returns the status that keeps a stranger's INVITE out, 0 for one that may call.
func (a *Agent) refused(flow transport.Flow, req *sip.Request) int {
	switch {
	case req.To.Tag() != "":
		return 481
	case !req.URI.IsSIP() && req.URI.Scheme != "tel": // some gateways leave the number as they have it
		return 416
	case a.closing != nil:
		return 503
	case a.cfg.Allow == nil:
		return 403
	}
	return a.cfg.Allow(flow, req)
}

// turnedAway refuses a request that needs extensions, or has a body, that the agent does not understand.
func turnedAway(tx *transaction.Server, req *sip.Request) bool {
	if req.Method == sip.ACK {
		return false
	}
	res := refusal(req)
	if res == nil {
		return false
	}
	tx.Respond(res)
	return true
}

// Stray drops responses that match no transaction (RFC 6026 §8.9): passing them on was a way to smuggle calls
// in.
func (a *Agent) Stray(flow transport.Flow, res *sip.Response) {
	a.log.Debug("stray response dropped", "call", res.CallID, "from", flow.Remote, "status", res.Status)
}

// refusal answers a request that needs extensions which are not understood (§8.2.2.3) or has a body that
// cannot be read (§8.2.3); nil: neither.
func refusal(req *sip.Request) *sip.Response {
	var unsupported []string
	for _, v := range req.Values("Require") {
		for t := range sip.Tokens(v) {
			unsupported = append(unsupported, t)
		}
	}
	if len(unsupported) > 0 {
		res := sip.NewResponse(req, 420, "")
		res.Set("Unsupported", strings.Join(unsupported, ", "))
		return res
	}
	if enc := req.Get("Content-Encoding"); len(req.Body) > 0 && enc != "" &&
		!strings.EqualFold(enc, "identity") {
		res := sip.NewResponse(req, 415, "")
		res.Set("Accept-Encoding", "identity")
		return res
	}
	if req.Method != sip.INVITE {
		return nil
	}
	if _, err := req.SDP(req.Body); err != nil {
		res := sip.NewResponse(req, 415, "")
		res.Set("Accept", sip.AcceptedBodies)
		return res
	}
	return nil
}

// find returns the call that a request belongs to.
func (a *Agent) find(req *sip.Request) *Call {
	tag := req.To.Tag()
	if tag == "" {
		return nil
	}
	c := a.calls[callKey(req.CallID, tag)]
	if c == nil || c.leg(req.From.Tag()) == nil {
		return nil
	}
	return c
}

func callKey(callID, localTag string) string { return callID + "\x00" + localTag }

// Calls returns how many calls have signalling left to do. It asks the loop, and fails with
// transaction.ErrEnded after its end.
func (a *Agent) Calls() (n int, err error) {
	err = a.s.Ask(func() { n = len(a.calls) })
	return n, err
}

// Trusts reports whether addr is the server of the account. Only the loop may call it (Allow does).
func (a *Agent) Trusts(acct *Account, addr netip.AddrPort) bool { return acct.trusts(addr) }

// Shutdown ends all calls and registrations, then calls done on the loop. New calls are refused meanwhile.
// Bound it with a deadline: servers may be gone.
func (a *Agent) Shutdown(done func()) {
	a.s.Post(func() {
		a.closing = done
		for _, c := range a.calls {
			c.hangup()
		}
		for r := range a.regs {
			r.stop()
		}
		a.rest()
	})
}

// rest runs closing when nothing is left.
func (a *Agent) rest() {
	if a.closing != nil && len(a.calls) == 0 && len(a.regs) == 0 {
		done := a.closing
		a.closing = func() {}
		done()
	}
}
