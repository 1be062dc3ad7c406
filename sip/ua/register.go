package ua

import (
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"portero/sip"
	"portero/sip/fsm"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// RegEvent tells how an account stands at its registrar.
type RegEvent struct {
	Registered bool
	Expires    time.Duration // granted
	Contact    sip.Address
	Status     int   // of a refusal
	Err        error // of a failure without a status
	Retry      time.Duration
}

// Registration keeps one account registered (RFC 3261 §10.2) until it is stopped. The stack's loop owns it.
type Registration struct {
	a      *Agent
	acct   *Account
	notify func(RegEvent)
	log    *slog.Logger

	table    *fsm.Table[regState, regEvent, *Registration]
	state    regState
	callID   string
	fromTag  string
	seq      uint32
	expires  time.Duration // to ask for; raised by a 423
	target   transport.Target
	local    netip.AddrPort
	contact  sip.Address // as registered last; zero: never
	old      sip.Address // as registered before this round
	round    int
	queue    []transport.Target // servers that were not tried yet in this round
	tried    []netip.AddrPort
	sent     []*sending // that may decide it
	silences int
	since    time.Time // of the last success
	fails    int
	res      *sip.Response
	err      error
	proved   bool // the last answer was to one with credentials
	denied   int  // wrong passwords since the last success
	moves    moves

	timer     *transaction.Timer // refresh, or back-off
	watch     *transaction.Timer // of the own address
	quiet     *transaction.Timer // a silent server
	moveTimer *transaction.Timer
	ping      *transaction.Timer
}

type (
	regState string
	regEvent string
)

const (
	regIdle        regState = "Idle"
	regRegistering regState = "Registering"
	regRegistered  regState = "Registered"
	regRefreshing  regState = "Refreshing"
	regWaiting     regState = "Waiting"
	regLeaving     regState = "Leaving"
	regGone        regState = "Gone"

	evStart   regEvent = "start"
	evOK      regEvent = "2xx"
	evBrief   regEvent = "423"
	evRefused regEvent = "refused"
	evMoved   regEvent = "moved"
	evTimer   regEvent = "timer"
	evStop    regEvent = "stop"
)

// registration is the client's side of a binding: §10.2 with the back-off of RFC 5626 §4.5.
var registration = fsm.New("registration", []fsm.Row[regState, regEvent, *Registration]{
	{State: regIdle, Event: evStart, Next: regRegistering, Does: "send REGISTER",
		Action: (*Registration).send, Section: "10.2.1"},
	{State: regRegistering, Event: evOK, Next: regRegistered, Does: "tell up, start refresh",
		Action: (*Registration).up, Section: "10.2.4"},
	{State: regRegistering, Event: evBrief, Next: regRegistering, Does: "raise expires, send REGISTER",
		Action: (*Registration).longer, Section: "10.2.8"},
	{State: regRegistering, Event: evRefused, Next: regWaiting, Does: "tell failed, start back-off",
		Action: (*Registration).failed, Section: "RFC 5626 4.5"},
	{State: regRegistering, Event: evStop, Next: regLeaving, Does: "send un-REGISTER",
		Action: (*Registration).leave, Section: "10.2.2"},
	{State: regRegistered, Event: evTimer, Next: regRefreshing, Does: "send REGISTER",
		Action: (*Registration).send, Section: "10.2.4"},
	{State: regRegistered, Event: evMoved, Next: regRefreshing, Does: "send REGISTER",
		Action: (*Registration).send, Section: "10.2.4"},
	{State: regRegistered, Event: evStop, Next: regLeaving, Does: "send un-REGISTER",
		Action: (*Registration).leave, Section: "10.2.2"},
	{State: regRefreshing, Event: evOK, Next: regRegistered, Does: "tell up, start refresh",
		Action: (*Registration).up, Section: "10.2.4"},
	{State: regRefreshing, Event: evBrief, Next: regRefreshing, Does: "raise expires, send REGISTER",
		Action: (*Registration).longer, Section: "10.2.8"},
	{State: regRefreshing, Event: evRefused, Next: regWaiting, Does: "tell failed, start back-off",
		Action: (*Registration).failed, Section: "RFC 5626 4.5"},
	{State: regRefreshing, Event: evStop, Next: regLeaving, Does: "send un-REGISTER",
		Action: (*Registration).leave, Section: "10.2.2"},
	{State: regWaiting, Event: evTimer, Next: regRegistering, Does: "send REGISTER",
		Action: (*Registration).send, Section: "RFC 5626 4.5"},
	{State: regWaiting, Event: evStop, Next: regGone, Action: (*Registration).gone},
	{State: regLeaving, Event: evOK, Next: regGone, Action: (*Registration).gone, Section: "10.2.2"},
	{State: regLeaving, Event: evRefused, Next: regGone, Action: (*Registration).gone, Section: "10.2.2"},
	{State: regLeaving, Event: evBrief, Next: regGone, Action: (*Registration).gone, Section: "10.2.2"},
	{State: regLeaving, Event: evTimer, Next: regGone, Action: (*Registration).gone, Section: "10.2.2"},
})

var errNoServer = errors.New("ua: no server to register at")

const (
	watchEvery  = 10 * time.Second // how soon a new local address is noticed
	renewAfter  = 10 * time.Second // how old a registration must be to be doubted
	leaveWithin = 2 * time.Second
)

// Register keeps acct registered and tells notify, on the loop, how it stands. Any goroutine may call it.
func (a *Agent) Register(acct *Account, notify func(RegEvent)) *Registration {
	r := &Registration{a: a, acct: acct, notify: notify, log: a.log.With("account", acct.Name),
		table: registration, state: regIdle,
		callID: sip.NewCallID(), fromTag: sip.NewTag(), expires: acct.Expires}
	a.s.Post(func() {
		acct.reg = r
		a.regs[r] = true
		r.step(evStart)
	})
	return r
}

// Stop removes the own binding, and no other, from the registrar. Any goroutine may call it.
func (r *Registration) Stop() { r.a.s.Post(r.stop) }

func (r *Registration) stop() { r.step(evStop) }

// step is the only writer of the state.
func (r *Registration) step(ev regEvent) {
	from := r.state
	row := r.table.Step(&r.state, ev, r)
	r.table.Log(r.log, slog.String("call", r.callID), from, ev, row)
}

// sending is one REGISTER of a round: a round tries one server after the other.
type sending struct {
	target  transport.Target
	local   netip.AddrPort
	contact sip.Address
	out     *attempts
}

// send registers or refreshes.
func (r *Registration) send() {
	r.stopTimers()
	r.round++
	round := r.round
	r.queue, r.tried, r.sent, r.silences = nil, nil, nil, 0
	r.old = r.contact
	r.acct.resolve(r.a.s, func(ts []transport.Target, err error) {
		if round != r.round || r.state != regRegistering && r.state != regRefreshing {
			return
		}
		r.queue = ts
		if err == nil {
			err = r.next()
		}
		if err != nil {
			r.err, r.res = err, nil
			r.a.s.Post(func() { r.step(evRefused) })
		}
	})
}

// next sends to the next server of the round; an error says that there is none.
func (r *Registration) next() error {
	err := errNoServer
	for len(r.queue) > 0 {
		t := r.queue[0]
		r.queue = r.queue[1:]
		r.tried = append(r.tried, t.Addr)
		r.target = t
		var local netip.AddrPort
		if local, err = r.a.s.Local(t); err == nil {
			r.sendTo(t, local)
			return nil
		}
	}
	return err
}

// sendTo sends the REGISTER. The Request-URI has no user part (§10.2; a FRITZ!Box does not answer otherwise).
func (r *Registration) sendTo(t transport.Target, local netip.AddrPort) {
	contact := r.acct.contact(t.Proto, local)
	if r.acct.Instance != "" {
		contact.Params = contact.Params.With("+sip.instance", instanceOf(r.acct))
	}
	r.contact, r.local = contact, local
	s := &sending{target: t, local: local, contact: contact}
	contact.Params = contact.Params.With("expires", sip.DeltaSeconds(r.expires))
	req := r.request(contact)
	if old := r.old; old.URI.Host != "" && !old.URI.Equal(contact.URI) {
		old.Params = old.Params.With("expires", "0")
		req.Contact = append(req.Contact, old) // our old address would still be rung
	}
	req.Expires = int(r.expires / time.Second)
	r.sent = append(r.sent, s)
	s.out = r.a.send(r.acct, req, &r.seq, t, nil, func(res *sip.Response, err error) { r.receive(s, res, err) })
	r.quiet.Stop()
	r.quiet = r.a.s.After(silentAfter, func() {
		if !s.out.heard {
			r.silent()
		}
	})
}

// silent goes on beside a server that says nothing: at the next address, and where its name leads by now.
func (r *Registration) silent() {
	round := r.round
	r.acct.doubt(r.a.s, func() {
		if round != r.round || r.state != regRegistering && r.state != regRefreshing {
			return
		}
		for _, t := range r.acct.order() {
			if !slices.Contains(r.tried, t.Addr) && !slices.Contains(r.queue, t) {
				r.queue = append(r.queue, t)
			}
		}
		if !slices.ContainsFunc(r.sent, func(s *sending) bool { return s.out.heard }) && len(r.queue) > 0 {
			r.next()
		}
	})
	r.quiet.Stop()
	wait := min(silentAfter<<r.silences, mostSilent)
	r.silences++
	r.quiet = r.a.s.After(wait, r.silent)
}

func (r *Registration) request(contact sip.Address) *sip.Request {
	r.seq++
	req := newRegister(r.acct, r.callID, r.fromTag, r.seq)
	req.Contact = []sip.Address{contact}
	return req
}

// newRegister is a REGISTER without a Contact, which only asks.
func newRegister(acct *Account, callID, fromTag string, seq uint32) *sip.Request {
	domain := acct.AOR
	domain.User, domain.Password = "", ""
	req := sip.NewRequest(sip.REGISTER, domain)
	req.To = sip.Address{URI: acct.AOR}
	req.From = sip.Address{URI: acct.AOR}.WithTag(fromTag)
	req.CallID = callID
	req.CSeq = sip.CSeq{Seq: seq, Method: sip.REGISTER}
	return req
}

// receive takes what comes back to one REGISTER. The first answer decides the round; silence and failures
// only when the last server has none.
func (r *Registration) receive(s *sending, res *sip.Response, err error) {
	if res != nil && res.Status < 200 || !slices.Contains(r.sent, s) {
		return
	}
	if (err != nil || res.Status == 503) && (len(r.queue) > 0 && r.next() == nil || r.waits()) {
		return
	}
	r.sent, r.queue = nil, nil
	r.quiet.Stop()
	r.target, r.local, r.contact = s.target, s.local, s.contact
	r.res, r.err, r.proved = res, err, s.out.proved
	switch {
	case err != nil:
		r.step(evRefused)
	case res.Status < 300 && r.expires > 0 && r.granted(res, s.contact) <= 0:
		r.res, r.err = nil, errNotKept
		r.step(evRefused)
	case res.Status < 300:
		r.acct.speaker = s.out.tx.From().Addr().Unmap()
		r.step(evOK)
	case res.Status == 423:
		r.step(evBrief)
	default:
		r.step(evRefused)
	}
}

// waits reports whether another server of the round may answer still.
func (r *Registration) waits() bool {
	return slices.ContainsFunc(r.sent, func(s *sending) bool { return !s.out.done })
}

// up takes what was granted.
func (r *Registration) up() {
	r.fails, r.denied = 0, 0
	r.since = time.Now()
	r.acct.first, r.acct.home = r.target.Addr, r.target.Addr
	r.acct.serviceRoute = serviceRoute(r.res)
	granted := r.granted(r.res, r.contact)
	r.correct(seenAt(r.res, r.local))
	r.timer = r.a.s.After(refreshIn(granted), func() { r.step(evTimer) })
	r.watchAddress()
	r.stayReachable(r.target)
	r.notify(RegEvent{Registered: true, Expires: granted, Contact: r.contact})
}

func (r *Registration) stopTimers() {
	for _, t := range []*transaction.Timer{r.timer, r.watch, r.quiet, r.moveTimer} {
		t.Stop()
	}
}

// renew registers at once when a call shows that the registrar may have lost the binding, as one does that
// was restarted.
func (r *Registration) renew() {
	if r.state == regRegistered && time.Since(r.since) >= renewAfter {
		r.step(evMoved)
	}
}

// watchAddress notices that the route to the server leaves from another address now.
func (r *Registration) watchAddress() {
	r.watch = r.a.s.After(watchEvery, func() {
		moved := false
		if r.acct.Locate != nil {
			addr, err := r.acct.Locate()
			moved = err == nil && addr != r.target.Addr
		}
		if local, err := r.a.s.Local(r.target); (moved || err == nil && local != r.local) &&
			r.state == regRegistered {
			r.acct.public, r.moves = r.acct.PublicAddress, moves{at: r.moves.at}
			r.step(evMoved)
			return
		}
		r.watchAddress()
	})
}

// longer obeys Min-Expires (§10.2.8); a registrar that asks for nonsense is a failure.
func (r *Registration) longer() {
	v, err := strconv.Atoi(r.res.Get("Min-Expires"))
	least := time.Duration(v) * time.Second
	if err != nil || least <= r.expires || least > 24*time.Hour {
		r.a.s.Post(func() { r.step(evRefused) })
		return
	}
	r.expires = least
	r.send()
}

func (r *Registration) failed() {
	r.stopTimers()
	r.ping.Stop()
	r.acct.avoid(r.target.Addr)
	ev := RegEvent{Err: r.err, Retry: r.patience()}
	if r.res != nil {
		ev.Status = r.res.Status
	}
	r.timer = r.a.s.After(ev.Retry, func() { r.step(evTimer) })
	r.notify(ev)
}

// leave removes the binding (§10.2.2): the own Contact, never "*".
func (r *Registration) leave() {
	r.stopTimers()
	r.ping.Stop()
	r.timer = r.a.s.After(leaveWithin, func() { r.step(evTimer) })
	if r.contact.URI.Host == "" {
		r.a.s.Post(func() { r.step(evRefused) })
		return
	}
	contact := r.contact
	contact.Params = contact.Params.With("expires", "0")
	req := r.request(contact)
	req.Expires = 0
	for _, s := range r.sent {
		s.out.gone = true
	}
	r.sent = nil
	r.a.send(r.acct, req, &r.seq, r.target, nil, func(res *sip.Response, err error) {
		switch {
		case r.state != regLeaving || res != nil && res.Status < 200:
		case err == nil && res.Status < 300:
			r.step(evOK)
		case err == nil && res.Status == 423:
			r.step(evBrief)
		default:
			r.step(evRefused)
		}
	})
}

func (r *Registration) gone() {
	r.stopTimers()
	r.acct.home, r.acct.speaker = netip.AddrPort{}, netip.Addr{}
	delete(r.a.regs, r)
	r.notify(RegEvent{})
	r.a.rest()
}
