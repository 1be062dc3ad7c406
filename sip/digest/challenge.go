package digest

import (
	"fmt"
	"strings"
)

// Challenge is the value of a WWW-Authenticate or Proxy-Authenticate header (RFC 7616 §3.3).
type Challenge struct {
	Realm     string
	Nonce     string
	Opaque    string
	Algorithm Algorithm
	QOP       bool // qop offered "auth"; false: RFC 2069
	Stale     bool
}

// ParseChallenge reads one challenge. An algorithm or qop that is not supported is an error.
func ParseChallenge(header string) (Challenge, error) {
	f, err := parseFields(header)
	if err != nil {
		return Challenge{}, err
	}
	alg, ok := parseAlgorithm(f["algorithm"])
	if !ok {
		return Challenge{}, fmt.Errorf("digest: algorithm %q is not supported", f["algorithm"])
	}
	c := Challenge{Realm: f["realm"], Nonce: f["nonce"], Opaque: f["opaque"], Algorithm: alg,
		Stale: strings.EqualFold(f["stale"], "true")}
	if c.Nonce == "" {
		return Challenge{}, fmt.Errorf("digest: challenge without a nonce")
	}
	if qop := f["qop"]; qop != "" {
		for _, q := range strings.Split(qop, ",") {
			if strings.EqualFold(strings.TrimSpace(q), "auth") {
				c.QOP = true
			}
		}
		if !c.QOP {
			return Challenge{}, fmt.Errorf("digest: qop %q is not supported", qop)
		}
	}
	return c, nil
}

// String writes the challenge as a header value.
func (c Challenge) String() string {
	s := "Digest realm=" + quote(c.Realm) + ", nonce=" + quote(c.Nonce)
	if c.Opaque != "" {
		s += ", opaque=" + quote(c.Opaque)
	}
	s += ", algorithm=" + string(c.Algorithm)
	if c.QOP {
		s += `, qop="auth"`
	}
	if c.Stale {
		s += ", stale=true"
	}
	return s
}
