package ua

import (
	"errors"
	"time"

	"portero/sip"
	"portero/sip/digest"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// Answer is what a registrar says to one who only asks.
type Answer struct {
	Server   transport.Target // who was asked last
	Status   int              // 0: nobody answered
	Reason   string           // its phrase
	Contacts []sip.Address    // of a 200: where the account is registered
	Proved   bool             // what it answers had credentials
	Denied   bool             // the credentials were rejected
	Err      error            // why there is no status, or why a challenge was not answered
}

// ErrSilent is the Err of servers that say nothing.
var ErrSilent = errors.New("ua: no answer")

// How long a server that is asked may say nothing.
const (
	queryNext   = 3 * time.Second // before the next address is asked
	queryWithin = 8 * time.Second // at the last one: four repetitions of Timer E
)

// query is one question; the stack's loop owns it.
type query struct {
	a       *Agent
	acct    *Account
	done    func(Answer)
	callID  string
	tag     string
	seq     uint32
	queue   []transport.Target
	asked   transport.Target
	out     *attempts
	timer   *transaction.Timer
	settled bool
}

// Query asks the account's registrar where the account is registered, and calls done once, on the loop: a
// REGISTER without a Contact changes no binding (RFC 3261 §10.2.3). Of several addresses the first that speaks
// is the one. A password is shown once, whatever comes back: servers lock accounts that keep trying. Any
// goroutine may call it.
func (a *Agent) Query(acct *Account, done func(Answer)) {
	q := &query{a: a, acct: acct, done: done, callID: sip.NewCallID(), tag: sip.NewTag()}
	a.s.Post(func() {
		acct.resolve(a.s, func(ts []transport.Target, err error) {
			if q.queue = ts; err == nil {
				err = q.next()
			}
			if err != nil {
				q.settle(Answer{Err: err})
			}
		})
	})
}

// next asks the next address; an error says that there is none.
func (q *query) next() error {
	err := errNoServer
	for len(q.queue) > 0 {
		q.asked, q.queue = q.queue[0], q.queue[1:]
		if _, err = q.a.s.Local(q.asked); err != nil {
			continue
		}
		q.seq++
		req := newRegister(q.acct, q.callID, q.tag, q.seq)
		var out *attempts
		out = q.a.send(q.acct, req, &q.seq, q.asked, nil, func(res *sip.Response, err error) {
			if out == q.out {
				q.receive(res, err)
			}
		})
		out.once = true
		q.out = out
		q.patience()
		return nil
	}
	return err
}

func (q *query) patience() {
	wait := queryWithin
	if len(q.queue) > 0 {
		wait = queryNext
	}
	out := q.out
	q.timer.Stop()
	q.timer = q.a.s.After(wait, func() {
		if out != q.out || q.settled {
			return
		}
		if !out.heard {
			q.failed(ErrSilent)
			return
		}
		out.gone = true
		q.settle(Answer{Server: q.asked, Err: ErrSilent})
	})
}

func (q *query) receive(res *sip.Response, err error) {
	switch {
	case err != nil:
		q.failed(err)
	case res.Status >= 200:
		q.settle(Answer{Server: q.asked, Status: res.Status, Reason: res.Reason, Contacts: res.Contact, Proved: q.out.proved,
			Denied: errors.Is(q.out.unanswered, digest.ErrRejected) || res.Status == 403 && q.out.proved, Err: q.out.unanswered})
	}
}

// failed goes on to another address. What the one before says from now on is not answered.
func (q *query) failed(err error) {
	q.out.gone = true
	if q.next() != nil {
		q.settle(Answer{Server: q.asked, Err: err})
	}
}

func (q *query) settle(ans Answer) {
	if q.settled {
		return
	}
	q.settled = true
	q.timer.Stop()
	q.done(ans)
}
