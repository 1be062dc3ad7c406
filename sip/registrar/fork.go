package registrar

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"portero/sip"
	"portero/sip/transaction"
	"portero/sip/transport"
)

const (
	timerC     = 185 * time.Second // §16.6 item 11: more than 3 minutes
	cancelWait = 4 * time.Second   // for branches to end after a CANCEL: four of its retransmissions
)

// fork is the response context of one request (RFC 3261 §16.7).
type fork struct {
	s        *Server
	tx       *transaction.Server
	req      *sip.Request
	invite   bool
	caller   end    // of a request that makes a dialog: where its sender is reached
	record   bool   // it makes one
	bell     string // whom a bell rings; "": an INVITE like others
	branches []*branch
	pending  int // branches without a final response

	best       *sip.Response
	answered   bool         // a 2xx went up
	failed     bool         // another final response went up
	cancelled  bool         // the caller gave up
	declined   bool         // somebody was asked, and does not want to
	why        []sip.Header // Reason, for the branches that are cancelled
	again      *transaction.Timer
	cancelWait *transaction.Timer
}

// branch is one target's client transaction.
type branch struct {
	f      *fork
	to     target
	tx     *transaction.Client
	done   bool
	status int  // that ended it
	heard  bool // a response came
	lost   bool // it could not be sent
	timerC *transaction.Timer
}

func newFork(s *Server, tx *transaction.Server, req *sip.Request) *fork {
	f := &fork{s: s, tx: tx, req: req, invite: req.Method == sip.INVITE}
	tx.OnCancel(func(req *sip.Request) { // §16.10
		f.cancelled = true
		for _, v := range req.Values("Reason") { // RFC 3326 §2
			f.why = append(f.why, sip.Header{Name: "Reason", Value: v})
		}
		f.cancel()
	})
	s.stop.add(f)
	return f
}

// add sends a copy of the request to one more target (§16.6).
func (f *fork) add(t target) {
	out := forwarded(f.req, t)
	b := f.branch(t)
	var err error
	if f.record {
		err = f.s.recordRoute(out, f.caller, end{f.callee(), t.hop})
	}
	switch {
	case f.s.locals.isSelf(t.hop.Proto, t.hop.Addr.Addr(), t.hop.Addr.Port()):
		f.s.stack.Post(func() { f.refused(b, 482) })
	case err != nil:
		f.s.stack.Post(func() { f.receive(b, nil, err) })
	default:
		b.send(out, t.hop)
	}
}

// callee is the user that is called.
func (f *fork) callee() string { return f.s.userOf(f.req.URI.Username()) }

func (f *fork) branch(to target) *branch {
	b := &branch{f: f, to: to}
	f.branches = append(f.branches, b)
	f.pending++
	return b
}

func (b *branch) send(req *sip.Request, hop transport.Target) {
	b.tx = b.f.s.stack.Request(req, hop, func(res *sip.Response, err error) { b.f.receive(b, res, err) })
	b.tx.OnlyFrom(b)
	b.watch()
}

// Answers reports whether a response may come from an address: who has seen the request is not the phone.
func (b *branch) Answers(from netip.AddrPort) bool {
	return b.f.s.speaksFrom(end{b.f.callee(), b.to.hop}, from.Addr())
}

// watch starts timer C anew (§16.7 item 2, §16.8).
func (b *branch) watch() {
	if b.f.invite {
		b.timerC.Stop()
		b.timerC = b.f.s.stack.After(timerC, func() { b.tx.Cancel() })
	}
}

// receive handles what a branch brings.
func (f *fork) receive(b *branch, res *sip.Response, err error) {
	defer f.s.stop.settle(f)
	b.heard = b.heard || err == nil
	switch {
	case errors.Is(err, transaction.ErrTimeout):
		f.refused(b, 408)
	case err != nil:
		f.s.log.Warn("forwarded request failed", "call", f.req.CallID, "err", err)
		if f.bell != "" {
			b.lost = true
			f.retryLater()
		}
		f.refused(b, 503) // §16.9
	case res.Status < 200:
		f.progress(b, res)
	case res.Status < 300:
		f.answer(b, res)
	default:
		f.refuse(b, res)
	}
}

// progress passes a 1xx on, but for a 100, and those that a request other than INVITE must not have (RFC 4320
// §4.1).
func (f *fork) progress(b *branch, res *sip.Response) {
	if res.Status == 100 || !f.invite || b.done {
		return
	}
	b.watch()
	if !f.answered && !f.failed {
		f.pass(res)
	}
}

// answer passes a 2xx on at once, each 2xx of an INVITE and each of its repetitions (§16.7 item 5), and ends
// the others.
func (f *fork) answer(b *branch, res *sip.Response) {
	b.end()
	if f.failed && f.invite {
		// It crossed our CANCEL and came after the wait for it: the transaction takes no 2xx any more.
		res.Via = f.req.Via
		f.s.stack.SendResponse(res)
		return
	}
	if f.failed || f.answered && !f.invite {
		return
	}
	first := !f.answered
	f.answered = true
	f.pass(res)
	if first {
		f.rest()
		f.why = []sip.Header{sip.CompletedElsewhere()}
		f.cancelOthers()
	}
}

// refused is refuse with a response of our own.
func (f *fork) refused(b *branch, status int) {
	defer f.s.stop.settle(f)
	res := sip.NewResponse(f.req, status, "")
	f.refuse(b, res)
}

// refuse collects a final response and concludes after the last; a 6xx ends the other branches (§16.7 items 3
// to 6, 10).
func (f *fork) refuse(b *branch, res *sip.Response) {
	if b.done {
		return
	}
	b.end()
	b.status = res.Status
	f.declined = f.declined || !absent(res.Status)
	if res.Status == 401 || res.Status == 407 { // no phone asks for a password that is ours to ask for
		f.s.tellChallenge(b, res.Status)
		res = sip.NewResponse(f.req, 403, "")
	}
	if f.best == nil || rank(res.Status) < rank(f.best.Status) {
		f.best = res
	}
	switch {
	case f.answered || f.failed:
	case f.pending == 0 && f.waits():
		f.queue()
	case f.pending == 0:
		f.conclude()
	case res.Status >= 600 && f.bell == "":
		f.cancel()
	}
}

func (b *branch) end() {
	if !b.done {
		b.done = true
		b.f.pending--
	}
	b.timerC.Stop()
}

// cancel ends all branches, and waits for them only so long: a phone that is switched off says nothing for 32
// s.
func (f *fork) cancel() {
	f.cancelOthers()
	switch {
	case f.answered || f.failed:
	case f.pending == 0:
		f.conclude()
	default:
		f.cancelWait.Stop()
		f.cancelWait = f.s.stack.After(cancelWait, f.conclude)
	}
}

func (f *fork) cancelOthers() {
	if !f.invite {
		return
	}
	for _, b := range f.branches {
		if !b.done && b.tx != nil {
			b.tx.Cancel(f.why...)
		}
	}
}

// conclude sends the best response up (§16.7 items 6 and 7).
func (f *fork) conclude() {
	if f.answered || f.failed {
		return
	}
	defer f.s.stop.settle(f)
	f.rest()
	f.failed = true
	res := f.best
	switch {
	case f.s.stopping(f.req) && !f.cancelled && (res == nil || res.Status == 487): // the caller did not give up
		res = sip.NewResponse(f.req, 503, "")
	case f.bell != "" && !f.heard() && !f.cancelled: // nothing left this host
		res = sip.NewResponse(f.req, 503, "")
	case res == nil || f.cancelled && res.Status == 408:
		res = sip.NewResponse(f.req, 487, "")
	case res.Status == 503: // one phone's trouble is not the server's
		res = sip.NewResponse(f.req, 500, "")
	}
	f.pass(res)
}

// rest ends what waits for the end of the request.
func (f *fork) rest() {
	f.cancelWait.Stop()
	f.again.Stop()
	f.s.rings(f, false)
}

// pass sends a response up, by the Vias that the request came with.
func (f *fork) pass(res *sip.Response) {
	res.Via = slices.Clone(f.req.Via)
	f.tx.Respond(res)
}

// rank orders final responses, the best first (§16.7 item 6): 6xx, the lowest class, what helps the caller to
// try again, what a person chose, and silence last.
func rank(status int) int {
	switch status {
	case 415, 420, 484:
		return 400
	case 486:
		return 401
	case 480, 487:
		return 403
	case 408:
		return 404
	case 503:
		return 600
	}
	switch {
	case status >= 600:
		return 0
	case status >= 400 && status < 500:
		return 402
	}
	return status / 100 * 100
}
