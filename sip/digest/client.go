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
	ErrRealm    = errors.New("digest: the challenge is for another realm")
	ErrNone     = errors.New("digest: no challenge that can be answered")
)

// Client answers the challenges of one server (one header field: WWW- or Proxy-Authenticate). It is not safe for concurrent
// use. It keeps the last challenge, so that later requests carry credentials at once, with a rising nonce count.
type Client struct {
	User, Password string
	Realm          string // pinned; "" pins the first that is seen

	now Challenge
	has bool
	nc  uint32
}

// Challenged takes the challenges of a 401 or 407; answered says whether the refused request carried credentials of this
// client. After nil, Authorize gives credentials for another attempt. A refusal of a fresh nonce is ErrRejected: asking
// again with the same password would only lock the account.
func (c *Client) Challenged(headers []string, answered bool) error {
	best, found := Challenge{}, false
	var last error
	for _, h := range headers {
		ch, err := ParseChallenge(h)
		if err != nil {
			last = err
			continue
		}
		if c.Realm != "" && ch.Realm != c.Realm {
			last = fmt.Errorf("%w: %q, pinned is %q", ErrRealm, ch.Realm, c.Realm)
			continue
		}
		// RFC 8760 §2.4 takes the topmost supported one; a downgrade to MD5 where SHA-256 is offered helps only an attacker.
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
	// A nonce other than ours with stale missing is still a new nonce to servers that never set stale.
	if answered && !best.Stale && (best.Nonce == c.now.Nonce || c.nc <= 1) {
		return ErrRejected
	}
	c.now, c.has, c.nc = best, true, 0
	c.Realm = best.Realm
	return nil
}

// Authorize returns the value of an Authorization or Proxy-Authorization header for a request, "" before any challenge.
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
	s := "Digest username=" + quote(c.User) + ", realm=" + quote(c.now.Realm) + ", nonce=" + quote(c.now.Nonce) +
		", uri=" + quote(uri) +
		`, response="` + alg.response(alg.HA1(c.User, c.now.Realm, c.Password), c.now.Nonce, nc, cnonce, qop, method, uri) + `"` +
		", algorithm=" + string(alg)
	if c.now.Opaque != "" {
		s += ", opaque=" + quote(c.now.Opaque)
	}
	if qop != "" {
		s += ", qop=auth, nc=" + nc + `, cnonce="` + cnonce + `"`
	}
	return s
}

// Forget drops the kept challenge.
func (c *Client) Forget() { c.has, c.nc, c.now = false, 0, Challenge{} }
