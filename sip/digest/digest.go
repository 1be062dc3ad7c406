// Package digest is HTTP Digest access authentication as SIP uses it: RFC 7616 for the scheme, RFC 8760 for
// SIP's choice of algorithm (the first that the client supports, in the server's order, SHA-256 before MD5),
// RFC 3261 §22 for the headers.
//
// [Client] answers challenges; [Server] makes and checks them. Both support MD5, SHA-256 and qop=auth; a
// server of RFC 2069 (no qop) is answered too. auth-int, userhash and the -sess variants are not: no SIP
// server at hand asks for them, and a challenge that has nothing else is an error.
//
//	RFC 7616 §3.3  challenge.go  the challenge's fields
//	               fields.go     names and values, as senders really write them
//	RFC 7616 §3.4  digest.go     response, nonce count, cnonce
//	RFC 8760 §2.4  client.go     which challenge to answer
//	RFC 7616 §3.3, §5.4  server.go  nonces: stateless, dated, bound to a secret; replays refused by count
package digest

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"
)

// Algorithm is a digest algorithm token.
type Algorithm string

// The algorithms, the stronger first.
const (
	SHA256 Algorithm = "SHA-256"
	MD5    Algorithm = "MD5"
)

func parseAlgorithm(s string) (Algorithm, bool) {
	switch {
	case s == "" || strings.EqualFold(s, string(MD5)): // RFC 7616 §3.3: absent means MD5
		return MD5, true
	case strings.EqualFold(s, string(SHA256)):
		return SHA256, true
	}
	return "", false
}

func (a Algorithm) hex(parts ...string) string {
	var h hash.Hash
	if a == SHA256 {
		h = sha256.New()
	} else {
		h = md5.New()
	}
	for i, p := range parts {
		if i > 0 {
			h.Write([]byte{':'})
		}
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// HA1 is the hash of user, realm and password: what a server may keep in place of the password.
func (a Algorithm) HA1(user, realm, password string) string { return a.hex(user, realm, password) }

// response computes the request digest (RFC 7616 §3.4.1; without qop RFC 2069's form).
func (a Algorithm) response(ha1, nonce, nc, cnonce, qop, method, uri string) string {
	ha2 := a.hex(method, uri)
	if qop == "" {
		return a.hex(ha1, nonce, ha2)
	}
	return a.hex(ha1, nonce, nc, cnonce, qop, ha2)
}

var quoter = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "", "\n", "")

func quote(s string) string { return `"` + quoter.Replace(s) + `"` }
