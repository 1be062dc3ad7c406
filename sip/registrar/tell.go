package registrar

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"portero/sip"
	"portero/sip/transaction"
)

// mostTold is how many refused log-ins are told a minute.
const mostTold = 20

// telling is a refused log-in: each is told once a minute.
type telling struct {
	why, name string
	from      netip.Addr
}

// first reports whether a refused log-in is to be told; name is what it was about.
func (s *Server) first(why, name string, from netip.AddrPort) bool {
	return s.told.First(telling{why, name, from.Addr()}, time.Now())
}

// tellWrong says why credentials were refused, and what to change at the phone. It never shows a password.
func (s *Server) tellWrong(from netip.AddrPort, req *sip.Request, user string) {
	user = transaction.Cut(user)
	if !s.first("wrong", user, from) {
		return
	}
	if s.userOf(user) != "" {
		s.log.Warn("log-in refused, the password is wrong", "call", req.CallID, "user", user, "from", from, "method", req.Method,
			"remedy", "type the password of this [[server.user]] into the phone anew")
		return
	}
	s.log.Warn("log-in refused, no user has this name", "call", req.CallID, "user", user, "from", from, "method", req.Method,
		"users", s.names(), "remedy", s.rename(user))
}

// rename says how a name that nobody has differs from those that there are.
func (s *Server) rename(user string) string {
	if user == "" {
		return "the phone shows no name: write one of the users into its user name and its authentication name"
	}
	alone, _, domain := strings.Cut(user, "@")
	if name := s.userOf(alone); domain && name != "" {
		return "the phone's authentication name is to be " + name + " alone, without the @ and what follows"
	}
	return "write the name of a [[server.user]] into the phone's user name and authentication name, or add one to the file"
}

// names are the users that there are.
func (s *Server) names() []string {
	names := make([]string, 0, len(s.cfg.Users))
	for _, u := range s.cfg.Users {
		if u.Name != s.cfg.Bell {
			names = append(names, u.Name)
		}
	}
	slices.Sort(names)
	return names
}

// tellBlocked says that a source has shown too many wrong passwords.
func (s *Server) tellBlocked(from netip.AddrPort, req *sip.Request) {
	if s.first("blocked", "", from) {
		s.log.Warn("log-ins of this address refused for a while, too many were wrong", "call", req.CallID, "from", from,
			"for", guardFor, "remedy", "correct the phone's name and password; phones that are registered go on")
	}
}

// tellForeign says that a phone registers somewhere else, but at us.
func (s *Server) tellForeign(from netip.AddrPort, req *sip.Request, domain string) {
	if user := transaction.Cut(req.To.URI.Username()); s.first("foreign", user, from) {
		s.log.Warn("log-in refused, it is for another server", "call", req.CallID, "user", user, "domain", transaction.Cut(domain),
			"from", from, "remedy", "write this machine's name or address, or "+s.digest.Realm+", into the phone's domain")
	}
}

// tellAnother says that a phone registers or calls under a name that its password is not for.
func (s *Server) tellAnother(from netip.AddrPort, req *sip.Request, user string, as sip.URI) {
	if name := transaction.Cut(as.Username()); s.first("another", name, from) {
		s.log.Warn("log-in as another user refused", "call", req.CallID, "user", user, "as", name, "domain", transaction.Cut(as.Host),
			"from", from, "method", req.Method, "remedy", "write "+user+" into the phone's user name as into its authentication name")
	}
}

// tellChallenge says that a phone wants a password of who rings it.
func (s *Server) tellChallenge(b *branch, status int) {
	if user := transaction.Cut(b.f.callee()); s.first("challenge", user, b.to.hop.Addr) {
		s.log.Warn("phone asks who rings it for a password, refused", "call", b.f.req.CallID, "user", user, "to", b.to.hop.Addr,
			"status", status, "remedy", "switch off the phone's authentication of incoming calls")
	}
}
