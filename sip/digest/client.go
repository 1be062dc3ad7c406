package digest

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
)

// Errors of Client.Challenged.
var (
	ErrRejected = errors.New("digest: the credentials were rejected")
	ErrNone     = errors.New("digest: no challenge that can be answered")
)

// Client answers the challenges of one server (one header field: WWW- or Proxy-Authenticate). It is not safe
// for concurrent use. It keeps the last challenge, so that later requests carry credentials at once, with a
// rising nonce count.
type Client struct {
	User, Password string
	// Accepts decides on each challenge before one is answered: whoever gets an answer can try passwords
	// against it at leisure. Its error is told when none is left. nil accepts all.
	Accepts func(Challenge) error

	now Challenge
	has bool
	nc  uint32
}

// Challenged takes the challenges of a 401 or 407; answered says whether an earlier challenge to this very
// request was answered already. Credentials that a request carried from the start do not count: their nonce
// may have aged, at a server that never says so, or been another request's. After nil, Authorize gives
// credentials for another attempt. A refusal of an answer is ErrRejected unless it was stale: asking again
// with the same password would only lock the account.
func (c *Client) Challenged(headers []string, answered bool) error {
	best, found := Challenge{}, false
	var last error
	var list []string
	for _, h := range headers {
		list = append(list, split(h)...)
	}
	for _, h := range list {
		ch, err := ParseChallenge(h)
		if err != nil {
			last = err
			continue
		}
		if c.Accepts != nil {
			if err := c.Accepts(ch); err != nil {
				last = err
				continue
			}
		}
		// RFC 8760 §2.4 takes the topmost supported one; a downgrade to MD5 where SHA-256 is offered helps
		// only an attacker.
		if !found || best.Algorithm == MD5 && ch.Algorithm == SHA256 {
			best, found = ch, true
		}
	}
	if !found {
		if last == nil {
			last = ErrNone
		}
		return last
	}
	if answered && !best.Stale {
		return ErrRejected
	}
	c.now, c.has, c.nc = best, true, 0
	return nil
}

// Authorize returns the value of an Authorization or Proxy-Authorization header for a request, "" before any
// challenge.
func (c *Client) Authorize(method, uri string) string {
	if !c.has {
		return ""
	}
	c.nc++
	alg := c.now.Algorithm
	nc := fmt.Sprintf("%08x", c.nc)
	var cnonce, qop string
	if c.now.QOP {
		var b [8]byte
		rand.Read(b[:])
		cnonce, qop = hex.EncodeToString(b[:]), "auth"
	}
	s := "Digest username=" + quote(c.User) + ", realm=" + quote(c.now.Realm) + ", nonce=" +
		quote(c.now.Nonce) +
		", uri=" + quote(uri) +
		`, response="` + alg.response(alg.HA1(c.User, c.now.Realm, c.Password), c.now.Nonce, nc, cnonce, qop,
		method, uri) + `"` +
		", algorithm=" + string(alg)
	if c.now.Opaque != "" {
		s += ", opaque=" + quote(c.now.Opaque)
	}
	if qop != "" {
		s += ", qop=auth, nc=" + nc + `, cnonce="` + cnonce + `"`
	}
	return s
}

// Current is the challenge that Authorize answers; false: none.
func (c *Client) Current() (Challenge, bool) { return c.now, c.has }

// Forget drops the kept challenge.
func (c *Client) Forget() { c.has, c.nc, c.now = false, 0, Challenge{} }
