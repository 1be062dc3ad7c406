package ua

import (
	"errors"
	"net/netip"

	"portero/sip"
	"portero/sip/digest"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// attempts is one request of ours with all its attempts: a challenge starts a second client transaction.
type attempts struct {
	a      *Agent
	acct   *Account     // nil: no credentials for anybody
	req    *sip.Request // without Via and credentials
	target transport.Target
	who    answerer // nil: who knows the branch answers
	handle func(*sip.Response, error)
	seq    *uint32 // the CSeq counter that the request came from

	tx       *transaction.Client
	tries    int
	answered struct{ www, proxy bool } // which kind of challenge got an answer: a second one refuses it
	heard    bool                      // any response came: somebody is there
	done     bool                      // the last response came, or a failure
	gone     bool                      // cancelled: no further attempt
	proved   bool                      // the last one had credentials

	once       bool  // no password is shown twice, not even where the nonce was stale
	unanswered error // why the last challenge was not answered
}

// maxAttempts allows a proxy's 407 and a server's 401, each once fresh and once stale.
const maxAttempts = 4

// answerer knows who may answer what was sent to an address (see source.go).
type answerer interface {
	answers(from, asked netip.AddrPort) bool
}

func (a *Agent) send(acct *Account, req *sip.Request, seq *uint32, t transport.Target, who answerer,
	handle func(*sip.Response, error)) *attempts {
	o := &attempts{a: a, acct: acct, req: req, target: t, who: who, handle: handle, seq: seq}
	// Credentials are for our server alone: a far end that challenges our BYE would get an answer to crack.
	if acct != nil && !acct.trusts(t.Addr) {
		o.acct = nil
	}
	o.attempt()
	return o
}

func (o *attempts) attempt() {
	req := o.req.Clone()
	o.authorize(req)
	o.proved = req.Get("Authorization") != "" || req.Get("Proxy-Authorization") != ""
	o.tries++
	var tx *transaction.Client
	tx = o.a.s.Request(req, o.target, func(res *sip.Response, err error) {
		// the ACK of a 401 that could not be sent says nothing about the attempt that answers it
		if tx == o.tx {
			o.receive(res, err)
		}
	})
	o.tx = tx
	if o.who != nil {
		tx.OnlyFrom(o)
	}
}

// Answers reports whether a response may come from an address.
func (o *attempts) Answers(from netip.AddrPort) bool { return o.who.answers(from, o.target.Addr) }

// authorize adds the credentials that the account has challenges for (RFC 3261 §22.2, §22.3): those of the
// registrar are for REGISTER, since a proxy would hand them on to the far end.
func (o *attempts) authorize(req *sip.Request) {
	if o.acct == nil {
		return
	}
	uri := req.URI.String()
	auth := o.acct.auth(req.Method)
	if v := auth.www.Authorize(req.Method, uri); v != "" {
		req.Add("Authorization", v)
	}
	if v := auth.proxy.Authorize(req.Method, uri); v != "" {
		req.Add("Proxy-Authorization", v)
	}
}

// lendCredentials gives the ACK of a 2xx those of its INVITE (§22.1), but to nobody except our server: a
// phone could crack them.
func (o *attempts) lendCredentials(ack *sip.Request, t transport.Target) {
	if o.acct == nil || !o.acct.trusts(t.Addr) {
		return
	}
	for _, name := range []string{"Authorization", "Proxy-Authorization"} {
		for _, v := range o.tx.Request().Values(name) {
			ack.Add(name, v)
		}
	}
}

func (o *attempts) receive(res *sip.Response, err error) {
	o.heard = o.heard || err == nil
	if err == nil && (res.Status == 401 || res.Status == 407) && o.retry(res) {
		return
	}
	o.done = o.done || err != nil || res.Status >= 200
	o.handle(res, err)
}

// retry answers a challenge with a new transaction (§22.2: same Call-ID, From tag and To, CSeq one higher).
func (o *attempts) retry(res *sip.Response) bool {
	if o.acct == nil || o.acct.Password == "" || o.gone || o.tries >= maxAttempts {
		return false
	}
	auth := o.acct.auth(o.req.Method)
	client, name, answered := &auth.www, "WWW-Authenticate", &o.answered.www
	if res.Status == 407 {
		client, name, answered = &auth.proxy, "Proxy-Authenticate", &o.answered.proxy
	}
	o.acct.challenger = o.tx.From()
	if err := client.Challenged(res.Values(name), *answered); err != nil {
		o.unanswered = err
		o.a.log.Warn("challenge not answered", "call", o.req.CallID, "account", o.acct.Name, "status",
			res.Status, "remedy", o.acct.remedy(err), "err", err)
		if errors.Is(err, digest.ErrRejected) {
			client.Forget()
		}
		return false
	}
	if o.once && *answered {
		return false // it calls the nonce stale
	}
	*answered = true
	if ch, ok := client.Current(); ok {
		o.acct.learn(o.req.Method, res.Status, ch)
	}
	*o.seq++
	o.req.CSeq.Seq = *o.seq
	o.attempt()
	return true
}
