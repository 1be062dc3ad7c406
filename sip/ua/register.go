package ua

import (
	"log/slog"
	"math/rand/v2"
	"net/netip"
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

	table   *fsm.Table[regState, regEvent, *Registration]
	state   regState
	callID  string
	fromTag string
	seq     uint32
	expires time.Duration // to ask for; raised by a 423
	granted time.Duration
	target  transport.Target
	local   netip.AddrPort
	contact sip.Address // as registered last; zero: never
	since   time.Time   // of the last success
	fails   int
	res     *sip.Response
	err     error
	out     *attempts
	timer   *transaction.Timer
	watch   *transaction.Timer
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

// Back-off and refresh.
const (
	backoffFirst = 2 * time.Second
	backoffMost  = 2 * time.Minute
	watchEvery   = 10 * time.Second // how soon a new local address is noticed
	renewAfter   = 10 * time.Second // how old a registration must be to be doubted
	leaveWithin  = 2 * time.Second
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

// send registers or refreshes. The Request-URI has no user part (§10.2; a FRITZ!Box does not answer
// otherwise).
func (r *Registration) send() {
	r.timer.Stop()
	r.watch.Stop()
	r.acct.resolve(r.a.s, func(ts []transport.Target, err error) {
		if r.state != regRegistering && r.state != regRefreshing {
			return
		}
		if err == nil {
			r.target = ts[0]
			r.local, err = r.a.s.Local(r.target)
		}
		if err != nil {
			r.err, r.res = err, nil
			r.a.s.Post(func() { r.step(evRefused) })
			return
		}
		contact := r.acct.contact(r.target.Proto, r.local)
		old := r.contact
		r.contact = contact
		contact.Params = contact.Params.With("expires", sip.DeltaSeconds(r.expires))
		req := r.request(contact)
		if old.URI.Host != "" && !old.URI.Equal(contact.URI) {
			old.Params = old.Params.With("expires", "0")
			req.Contact = append(req.Contact, old) // our old address would still be rung
		}
		req.Expires = int(r.expires / time.Second)
		r.out = r.a.send(r.acct, req, &r.seq, r.target, r.receive)
	})
}

func (r *Registration) request(contact sip.Address) *sip.Request {
	r.seq++
	domain := r.acct.AOR
	domain.User, domain.Password = "", ""
	req := sip.NewRequest(sip.REGISTER, domain)
	req.To = sip.Address{URI: r.acct.AOR}
	req.From = sip.Address{URI: r.acct.AOR}.WithTag(r.fromTag)
	req.CallID = r.callID
	req.CSeq = sip.CSeq{Seq: r.seq, Method: sip.REGISTER}
	req.Contact = []sip.Address{contact}
	return req
}

func (r *Registration) receive(res *sip.Response, err error) {
	if res != nil && res.Status < 200 {
		return
	}
	r.res, r.err = res, err
	switch {
	case err != nil:
		r.step(evRefused)
	case res.Status < 300:
		r.step(evOK)
	case res.Status == 423:
		r.step(evBrief)
	default:
		r.step(evRefused)
	}
}

// up takes what was granted. A registrar may list other bindings too: only the own one counts (§10.2.4).
func (r *Registration) up() {
	r.fails = 0
	r.since = time.Now()
	r.acct.first, r.acct.home = r.target.Addr, r.target.Addr
	r.granted = r.expires
	if r.res.Expires >= 0 {
		r.granted = time.Duration(r.res.Expires) * time.Second
	}
	for _, c := range r.res.Contact {
		if v, ok := c.Expires(); ok && c.URI.User == r.contact.URI.User && c.URI.Host == r.contact.URI.Host &&
			c.URI.Port == r.contact.URI.Port {
			r.granted = time.Duration(v) * time.Second
		}
	}
	if r.acct.learnPublic(r.res, r.local) {
		r.a.s.Post(func() { r.step(evMoved) })
	}
	// Early enough for a retransmitted exchange, jittered so that a whole house does not come at once.
	wait := r.granted * time.Duration(80+rand.IntN(10)) / 100
	if r.granted-wait > 2*time.Minute {
		wait = r.granted - 2*time.Minute
	}
	r.timer = r.a.s.After(max(wait, time.Second), func() { r.step(evTimer) })
	r.watchAddress()
	r.notify(RegEvent{Registered: true, Expires: r.granted, Contact: r.contact})
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
			r.acct.public = r.acct.PublicAddress
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
	r.watch.Stop()
	r.acct.avoid(r.target.Addr)
	wait := backoffMost
	if r.fails < 6 {
		wait = backoffFirst << r.fails
	}
	if r.res != nil && (r.res.Status == 401 || r.res.Status == 407) {
		wait = backoffMost // a wrong password: servers lock accounts that keep trying
	}
	r.fails++
	wait = wait/2 + rand.N(wait/2+1)
	ev := RegEvent{Err: r.err, Retry: wait}
	if r.res != nil {
		ev.Status = r.res.Status
	}
	r.timer = r.a.s.After(wait, func() { r.step(evTimer) })
	r.notify(ev)
}

// leave removes the binding (§10.2.2): the own Contact, never "*".
func (r *Registration) leave() {
	r.timer.Stop()
	r.watch.Stop()
	r.timer = r.a.s.After(leaveWithin, func() { r.step(evTimer) })
	if r.contact.URI.Host == "" {
		r.a.s.Post(func() { r.step(evRefused) })
		return
	}
	contact := r.contact
	contact.Params = contact.Params.With("expires", "0")
	req := r.request(contact)
	req.Expires = 0
	if r.out != nil {
		r.out.gone = true
	}
	r.out = r.a.send(r.acct, req, &r.seq, r.target, func(res *sip.Response, err error) {
		if r.state == regLeaving {
			r.receive(res, err)
		}
	})
}

func (r *Registration) gone() {
	r.timer.Stop()
	r.watch.Stop()
	r.acct.home = netip.AddrPort{}
	delete(r.a.regs, r)
	r.notify(RegEvent{})
	r.a.rest()
}
