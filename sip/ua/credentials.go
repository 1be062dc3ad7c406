package ua

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"portero/sip"
	"portero/sip/digest"
)

// Which challenges an account's password answers. A challenge to a call may be the far end's, handed on by the
// account's server, and whoever gets an answer can try passwords against it at leisure. So what the account's
// own server asks REGISTER for is learnt, and calls answer nothing else and nothing weaker.

// Why a challenge is not answered.
var (
	ErrRealm  = errors.New("ua: the challenge is for another realm")
	ErrWeaker = errors.New("ua: the challenge is weaker than the account's server makes them")
	errEarly  = errors.New("ua: the account's server has not challenged a registration yet")
)

// auth answers the challenges to one class of requests.
type auth struct{ www, proxy digest.Client }

// credentials are all that an account shows.
type credentials struct {
	register, calls auth
	learnt          pins                      // from REGISTER
	byCalls         struct{ www, proxy pins } // where there is none: from the first challenge of each kind
	challenger      netip.AddrPort            // who made the challenge that is looked at
}

// pins are what the account's own server asks with.
type pins struct {
	realms []string
	sha256 bool
	qop    bool
}

const mostRealms = 8

func (p *pins) learn(ch digest.Challenge) {
	if !slices.Contains(p.realms, ch.Realm) && len(p.realms) < mostRealms {
		p.realms = append(p.realms, ch.Realm)
	}
	p.sha256, p.qop = ch.Algorithm == digest.SHA256, ch.QOP
}

func (acct *Account) makeCredentials() {
	c := &acct.credentials
	c.register.www = digest.Client{User: acct.AuthUser, Password: acct.Password, Accepts: acct.acceptsRegister}
	c.register.proxy = c.register.www
	calls := func(byCalls *pins) digest.Client {
		return digest.Client{User: acct.AuthUser, Password: acct.Password,
			Accepts: func(ch digest.Challenge) error { return acct.acceptsCall(byCalls, ch) }}
	}
	c.calls = auth{calls(&c.byCalls.www), calls(&c.byCalls.proxy)}
}

// auth is what answers challenges to requests of a method.
func (acct *Account) auth(method string) *auth {
	if method == sip.REGISTER {
		return &acct.credentials.register
	}
	return &acct.credentials.calls
}

// acceptsRegister takes any realm from the server's own addresses, unless the configuration names some.
func (acct *Account) acceptsRegister(ch digest.Challenge) error {
	c := &acct.credentials
	switch {
	case len(acct.Realms) > 0:
		return inRealms(ch, acct.Realms)
	case len(c.learnt.realms) > 0 && !acct.trusts(c.challenger):
		return inRealms(ch, c.learnt.realms)
	}
	return nil
}

// acceptsCall takes what was learnt from registering; without a registration, what came first.
func (acct *Account) acceptsCall(l *pins, ch digest.Challenge) error {
	if acct.reg != nil {
		l = &acct.credentials.learnt
	}
	realms := acct.Realms
	if len(realms) == 0 {
		realms = l.realms
	}
	switch {
	case len(realms) == 0 && acct.reg != nil:
		return errEarly
	case len(realms) > 0 && !slices.Contains(realms, ch.Realm):
		return inRealms(ch, realms)
	case l.sha256 && ch.Algorithm == digest.MD5, l.qop && !ch.QOP:
		return fmt.Errorf("%w: %s, qop %v", ErrWeaker, ch.Algorithm, ch.QOP)
	}
	return nil
}

func inRealms(ch digest.Challenge, realms []string) error {
	if slices.Contains(realms, ch.Realm) {
		return nil
	}
	return fmt.Errorf("%w: %q, the account's is %q", ErrRealm, ch.Realm, realms)
}

// learn remembers a challenge that was answered.
func (acct *Account) learn(method string, status int, ch digest.Challenge) {
	c := &acct.credentials
	switch {
	case method == sip.REGISTER:
		c.learnt.learn(ch)
	case acct.reg != nil:
	case status == 407:
		c.byCalls.proxy.learn(ch)
	default:
		c.byCalls.www.learn(ch)
	}
}

// early reports whether a challenged call is to wait for the registration, from which is learnt whom to answer.
func (acct *Account) early() bool {
	return acct.reg != nil && len(acct.Realms) == 0 && len(acct.credentials.learnt.realms) == 0
}

// remedy is what to write where a challenge that was not answered is the provider's own.
func (acct *Account) remedy(err error) string {
	switch {
	case errors.Is(err, digest.ErrRejected):
		return "compare user name and password: " + lookThere
	case errors.Is(err, ErrRealm):
		return "if it is the provider's, list both: realm = [\"...\", \"...\"] below [[account]] " + strconv.Quote(acct.Name)
	case errors.Is(err, ErrWeaker):
		return "if the server was changed, restart the station; else somebody in between asks for an answer that is easier to crack"
	}
	return "see what the server offers: MD5 or SHA-256, with qop auth or without"
}
