package registrar

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"portero/sip"
	"portero/sip/digest"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// User is one who may register and call.
type User struct{ Name, Password string }

// Config is what a Server needs to know.
type Config struct {
	Domains []string // names it is responsible for besides its own addresses, such as "portero.local"
	Hosts   []string // names of this machine: each is ours alone and with any domain behind it ("pi": pi.local, pi.fritz.box)
	Realm   string   // of challenges to those who name another server; "": the first domain, else "portero"
	Users   []User
	Log     *slog.Logger // nil: silent

	// How long a binding lasts: asked for less than MinExpires is refused with 423 (0: 60 s), more than
	// MaxExpires is cut to that (0: 1 h), and DefaultExpires is for those who ask for nothing (0: 10 min).
	MinExpires, MaxExpires, DefaultExpires time.Duration

	// AskEvery is about how often a phone is asked whether it is there. 0: never.
	AskEvery time.Duration

	// Bell is the user whose INVITEs wait for phones, as bell.go says, and who is no phone's. "": none.
	Bell string

	// Trusted names flows that may call without a challenge and under any name. nil: nobody.
	Trusted func(transport.Flow) bool
}

// Server is a registrar and proxy: the Core of one stack. Its methods run on the stack's loop, but for those
// that say otherwise.
type Server struct {
	cfg        Config
	log        *slog.Logger
	stack      *transaction.Stack
	domains    map[string]bool
	hosts      map[string]bool
	passwords  map[string]string
	told       transaction.Told[telling]
	digest     *digest.Server
	guard      guard
	md5Only    md5Only
	locals     locals
	location   location
	stop       stop
	bells      []*fork  // that ring
	key        [32]byte // of the Record-Route tokens
	onRegister func(user string, contacts int)
}

// New makes a server. It starts nothing: pass it to [transaction.NewStack]. The error names what is wrong
// with the configuration.
func New(cfg Config) (*Server, error) {
	cfg.MinExpires = cmp.Or(cfg.MinExpires, time.Minute)
	cfg.MaxExpires = cmp.Or(cfg.MaxExpires, time.Hour)
	cfg.DefaultExpires = cmp.Or(cfg.DefaultExpires, min(10*time.Minute, cfg.MaxExpires))
	log := cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	s := &Server{cfg: cfg, log: log.With("part", "sip"), domains: map[string]bool{}, hosts: map[string]bool{},
		passwords: map[string]string{}, told: transaction.Told[telling]{Most: mostTold},
		location: location{users: map[string][]*binding{}, left: map[string]time.Time{}}, onRegister: func(string, int) {}}
	if cfg.MinExpires < time.Second || cfg.MinExpires > cfg.DefaultExpires ||
		cfg.DefaultExpires > cfg.MaxExpires {
		return nil, fmt.Errorf("registrar: expiry of %v to %v, %v by default, is out of order",
			cfg.MinExpires, cfg.MaxExpires, cfg.DefaultExpires)
	}
	realm := cfg.Realm
	for _, d := range cfg.Domains {
		if d == "" || strings.ContainsAny(d, " :@/") {
			return nil, fmt.Errorf("registrar: domain %q is not a host name", d)
		}
		s.domains[canonicalHost(d)] = true
		realm = cmp.Or(realm, d)
	}
	for _, h := range cfg.Hosts {
		if first, _, _ := strings.Cut(canonicalHost(h), "."); first != "" {
			s.hosts[first] = true
		}
	}
	for _, u := range cfg.Users {
		switch _, twice := s.passwords[u.Name]; {
		case u.Name == "":
			return nil, errors.New("registrar: user without a name")
		case u.Password == "":
			return nil, fmt.Errorf("registrar: user %q has no password", u.Name)
		case twice:
			return nil, fmt.Errorf("registrar: user %q is there twice", u.Name)
		}
		s.passwords[u.Name] = u.Password
	}
	rand.Read(s.key[:])
	s.digest = digest.NewServer(cmp.Or(realm, "portero"), func(user string) (string, bool) {
		p, ok := s.passwords[s.userOf(user)]
		return p, ok
	})
	s.digest.Also = func(realm string) bool { return s.isNamed(realm, 0) }
	return s, nil
}

// Bind gives the server its stack; NewStack calls it.
func (s *Server) Bind(stack *transaction.Stack) {
	s.stack = stack
	s.locals.stack = stack
}

// OnRegister sets the function that hears, on the loop, how many contacts a user has once that, the contacts
// themselves or where they are reached has changed. Set it before the stack runs.
func (s *Server) OnRegister(f func(user string, contacts int)) { s.onRegister = f }

// Stray drops responses that match no transaction (RFC 6026 §8.9).
func (s *Server) Stray(flow transport.Flow, res *sip.Response) {
	s.log.Debug("stray response dropped", "call", res.CallID, "from", flow.Remote, "status", res.Status)
}
