package digest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strconv"
	"time"
)

// Errors of Server.Check.
var (
	ErrNoCredentials = errors.New("digest: no credentials for the realm")
	ErrStale         = errors.New("digest: the nonce is stale")
	ErrWrong         = errors.New("digest: wrong user or password")
)

// Server challenges requests and checks credentials. Its nonces carry their own date and a keyed hash, so
// that a challenge costs no memory (RFC 7616 §5.4); only nonces that were answered rightly are kept, to
// refuse a repeated nonce count. It is not safe for concurrent use.
type Server struct {
	Realm    string
	Lifetime time.Duration                    // of a nonce; 0: 5 minutes
	Password func(user string) (string, bool) // false: unknown user

	key  [32]byte
	seen map[string]*nonceUse
}

type nonceUse struct {
	nc      uint64
	expires time.Time
}

// NewServer makes a server with a fresh key: nonces of an earlier process are stale.
func NewServer(realm string, password func(user string) (string, bool)) *Server {
	s := &Server{Realm: realm, Password: password, Lifetime: 5 * time.Minute, seen: map[string]*nonceUse{}}
	rand.Read(s.key[:])
	return s
}

// Challenges returns the header values of a 401 or 407: SHA-256 first, then MD5 for phones that know nothing
// better (RFC 8760 §2.3).
func (s *Server) Challenges(now time.Time, stale bool) []string {
	nonce := s.nonce(now)
	c := Challenge{Realm: s.Realm, Nonce: nonce, Algorithm: SHA256, QOP: true, Stale: stale}
	d := c
	d.Algorithm = MD5
	return []string{c.String(), d.String()}
}

// nonce is base64(time, 8 random octets, HMAC of both).
func (s *Server) nonce(now time.Time) string {
	b := make([]byte, 16, 32)
	binary.BigEndian.PutUint64(b, uint64(now.UnixNano()))
	rand.Read(b[8:16])
	return base64.RawURLEncoding.EncodeToString(append(b, s.mac(b)...))
}

func (s *Server) mac(b []byte) []byte {
	h := hmac.New(sha256.New, s.key[:])
	h.Write(b)
	return h.Sum(nil)[:16]
}

// made returns when this server made a nonce, and whether it did.
func (s *Server) made(nonce string) (at time.Time, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil || len(b) != 32 || !hmac.Equal(b[16:], s.mac(b[:16])) {
		return at, false
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(b))), true
}

func (s *Server) fresh(nonce string, now time.Time) bool {
	at, ok := s.made(nonce)
	age := now.Sub(at)
	return ok && age >= 0 && age < s.Lifetime
}

// mine reports whether credentials answer a challenge of this server: by its realm, or by its nonce, as a
// phone answers whose owner has typed another realm into it.
func (s *Server) mine(f map[string]string) bool {
	if f["realm"] == s.Realm {
		return true
	}
	_, ok := s.made(f["nonce"])
	return ok
}

// MayBeMine reports whether a header value holds credentials for this server, or what cannot be read.
func (s *Server) MayBeMine(header string) bool {
	f, err := parseFields(header)
	return err != nil || s.mine(f)
}

// Check finds the credentials for this server among the header values and verifies them for the method. uri is
// the digest's uri field as sent: SIP proxies rewrite Request-URIs, so it is not compared with the request's
// (RFC 3261 §22.4). It returns the user.
func (s *Server) Check(headers []string, method string, now time.Time) (user string, err error) {
	for _, h := range headers {
		f, perr := parseFields(h)
		if perr != nil || !s.mine(f) {
			continue
		}
		alg, ok := parseAlgorithm(f["algorithm"])
		if !ok {
			continue
		}
		user = f["username"]
		password, known := s.Password(user)
		qop, nc := f["qop"], f["nc"]
		want := alg.response(alg.HA1(user, f["realm"], password), f["nonce"], nc, f["cnonce"], qop, method,
			f["uri"])
		right := subtle.ConstantTimeCompare([]byte(want), []byte(f["response"])) == 1
		// An unknown user takes as long and says as much as a wrong password.
		if !known || !right || f["uri"] == "" {
			return user, ErrWrong
		}
		count, cerr := strconv.ParseUint(nc, 16, 32)
		switch {
		case qop == "": // a phone of RFC 2069: it counts nothing, so each nonce serves it once
			count = 1
		case qop != "auth" || cerr != nil:
			return user, ErrWrong
		}
		if !s.fresh(f["nonce"], now) || !s.use(f["nonce"], count, now) {
			return user, ErrStale
		}
		return user, nil
	}
	return "", ErrNoCredentials
}

// maxNonces bounds the memory of answered nonces; beyond it the old ones become stale.
const maxNonces = 4096

// use notes a nonce count and reports whether it is higher than all before it.
func (s *Server) use(nonce string, count uint64, now time.Time) bool {
	u := s.seen[nonce]
	if u == nil {
		if len(s.seen) >= maxNonces {
			for n, old := range s.seen {
				if now.After(old.expires) {
					delete(s.seen, n)
				}
			}
			// a new key makes every nonce given so far stale, so none can be replayed
			if len(s.seen) >= maxNonces {
				clear(s.seen)
				rand.Read(s.key[:])
			}
		}
		u = &nonceUse{expires: now.Add(s.Lifetime)}
		s.seen[nonce] = u
	}
	if count <= u.nc {
		return false
	}
	u.nc = count
	return true
}
