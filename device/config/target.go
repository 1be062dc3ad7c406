package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"portero/sip"
)

// LocalDomain is the built-in server's domain where the file names none.
const LocalDomain = "portero.local"

// Target is one party that a bell calls.
type Target struct {
	Text    string // as in the file
	URI     string // "sip:user@host[:port][;params]"
	Account string // the account to call through; "": directly, or through the built-in server
	Local   bool   // a user of the built-in server: User is its name
	User    string // user part, as in the URI
}

// Target reads one entry of a bell's targets: a user of the built-in server, else an extension at the bell's
// account, or a SIP URI. A URI goes through the account whose domain or server it names, else through the
// account that the bell names, else directly.
func (c *Config) Target(b *Bell, text string) (Target, error) {
	if strings.Contains(text, ":") {
		u, ok := splitURI(text)
		if !ok {
			return Target{}, fmt.Errorf("config: target %q: not a URI like sip:user@host or sip:host:port", text)
		}
		if !validHost(u.host) || u.port != "" && !validPort(u.port) {
			return Target{}, fmt.Errorf("config: target %q: bad host or port", text)
		}
		if _, err := sip.ParseURI(text); err != nil { // what the station will dial it by
			return Target{}, fmt.Errorf("config: target %q: %w", text, err)
		}
		return Target{Text: text, URI: text, User: u.user, Account: c.accountFor(b, u.host)}, nil
	}
	if c.ServerOn() {
		for _, u := range c.Server.Users {
			if u.Name == text {
				domain := c.Server.Domain
				if domain == "" {
					domain = LocalDomain
				}
				return Target{Text: text, URI: "sip:" + text + "@" + domain, User: text, Local: true}, nil
			}
		}
	}
	a := c.Account(b.Account)
	if a == nil {
		return Target{}, fmt.Errorf("config: target %q: neither a user of the built-in server nor a SIP URI", text)
	}
	if !madeOf(text, alphanum+"_.!~*'()+#-") {
		return Target{}, fmt.Errorf("config: target %q: not a number or name that can be dialled", text)
	}
	user := strings.ReplaceAll(text, "#", "%23") // RFC 3261 §25.1: '#' is no user character
	return Target{Text: text, URI: "sip:" + user + "@" + a.domain(), User: user, Account: a.Name}, nil
}

// nearlyURI finds URIs whose parts look right, but which cannot be dialled.
func nearlyURI(text string) bool {
	u, ok := splitURI(text)
	return ok && validHost(u.host) && (u.port == "" || validPort(u.port))
}

// uriMeant puts the brackets round the IPv6 address of a SIP URI that has none; "" where it is not that.
func uriMeant(text string) string {
	user, host, ok := strings.Cut(strings.TrimPrefix(text, "sip:"), "@")
	if !ok {
		user, host = "", user
	} else {
		user += "@"
	}
	if addr, err := netip.ParseAddr(host); err != nil || !addr.Is6() || addr.Zone() != "" {
		return ""
	}
	return "sip:" + user + "[" + host + "]"
}

// serverIn finds the host[:port] in a URI, whose scheme may be left out; "" where text is none.
func serverIn(text string) string {
	rest := text
	if scheme, behind, ok := strings.Cut(text, ":"); ok && madeOf(scheme, letters) {
		rest = strings.TrimPrefix(behind, "//")
	}
	if _, host, ok := strings.Cut(rest, "@"); ok {
		rest = host
	}
	if i := strings.IndexAny(rest, ";/?"); i >= 0 {
		rest = rest[:i]
	}
	if rest == text || !validServer(rest) {
		return ""
	}
	return rest
}

func (c *Config) accountFor(b *Bell, host string) string {
	for _, a := range c.Accounts {
		if strings.EqualFold(host, a.domain()) || strings.EqualFold(host, hostPart(a.Server)) {
			return a.Name
		}
	}
	return b.Account
}

// domain is the host part of the account's address of record.
func (a *Account) domain() string {
	if a.Domain != "" {
		return a.Domain
	}
	return hostPart(a.Server)
}

// hostPart is the host of host[:port] as a URI has it, an IPv6 address in its brackets.
func hostPart(server string) string {
	host, _ := SplitHostPort(server, 0)
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// AOR is the account's address of record, "sip:user@domain".
func (a *Account) AOR() string { return "sip:" + a.User + "@" + a.domain() }

// Source is where an incoming call has to come from. One of the three is set.
type Source struct {
	Account string       // through the server of this account
	Server  bool         // from an authenticated user of the built-in server
	Net     netip.Prefix // from an address in it
}

// ParseSource reads "account:NAME", "server", an IP address or a network in CIDR notation.
func ParseSource(text string) (Source, error) {
	if name, ok := strings.CutPrefix(text, "account:"); ok && name != "" {
		return Source{Account: name}, nil
	}
	if text == "server" {
		return Source{Server: true}, nil
	}
	if net, ok := parseNet(text); ok {
		return Source{Net: net}, nil
	}
	return Source{}, fmt.Errorf(`config: source %q: not "account:NAME", "server", an IP address or a network like 192.168.1.0/24`, text)
}

// parseNet reads an IP address or a network.
func parseNet(text string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	net, err := netip.ParsePrefix(text)
	return net.Masked(), err == nil
}

// Admits reports whether AnswersFrom names an address.
func (s SIP) Admits(addr netip.Addr) bool {
	return slices.ContainsFunc(s.AnswersFrom, func(text string) bool {
		net, ok := parseNet(text)
		return ok && net.Contains(addr.Unmap().WithZone(""))
	})
}

// Ports returns the first (even) and last (odd) UDP port for RTP and RTCP.
func (s SIP) Ports() (first, last uint16, err error) {
	a, b, ok := strings.Cut(s.RTPPorts, "-")
	lo, err1 := strconv.ParseUint(strings.TrimSpace(a), 10, 16)
	hi, err2 := strconv.ParseUint(strings.TrimSpace(b), 10, 16)
	switch {
	case !ok || err1 != nil || err2 != nil:
		return 0, 0, fmt.Errorf("config: rtp_ports %q: not a range of ports like 10000-10199", s.RTPPorts)
	case lo < 1024:
		return 0, 0, fmt.Errorf("config: rtp_ports %q: ports below 1024 are for the system", s.RTPPorts)
	case lo%2 != 0 || hi%2 != 1:
		return 0, 0, fmt.Errorf("config: rtp_ports %q: the first port must be even and the last odd: RTP and RTCP use pairs", s.RTPPorts)
	case hi < lo+minRTPPorts-1:
		return 0, 0, fmt.Errorf("config: rtp_ports %q: fewer than %d ports", s.RTPPorts, minRTPPorts)
	}
	return uint16(lo), uint16(hi), nil
}

const minRTPPorts = 16 // a bell that calls several phones needs a pair for each

// SplitHostPort reads host[:port], with an IPv6 host in brackets; without a port it returns defaultPort.
func SplitHostPort(text string, defaultPort uint16) (host string, port uint16) {
	host, p, err := net.SplitHostPort(text)
	if err != nil {
		return strings.Trim(text, "[]"), defaultPort
	}
	n, _ := strconv.ParseUint(p, 10, 16)
	return host, uint16(n)
}

// validHost accepts a host name, an IPv4 address and an IPv6 address in brackets.
func validHost(host string) bool {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		return ok && err == nil && addr.Is6() && addr.Zone() == "" // §25.1: a URI has no room for a zone
	}
	if strings.Trim(host, "0123456789.") == "" { // digits and dots only: an address, or a slip
		addr, err := netip.ParseAddr(host)
		return err == nil && addr.Is4()
	}
	return len(host) <= 253 && hostName(host)
}

func validPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0
}

// validServer accepts host[:port].
func validServer(text string) bool {
	host, port := text, "5060"
	if i := strings.LastIndexByte(text, ':'); i > strings.LastIndexByte(text, ']') {
		host, port = text[:i], text[i+1:]
	}
	return validHost(host) && validPort(port)
}

// splitListen reads "[host]:port" with an empty host, an IP address or "localhost".
func splitListen(text string) (host string, port uint16, ok bool) {
	host, p, err := net.SplitHostPort(text)
	n, err2 := strconv.ParseUint(p, 10, 16)
	if err != nil || err2 != nil {
		return "", 0, false
	}
	if host == "" || host == "localhost" {
		return host, uint16(n), true
	}
	_, err = netip.ParseAddr(host)
	return host, uint16(n), err == nil
}
