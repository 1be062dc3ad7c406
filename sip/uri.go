package sip

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// URI is a SIP, SIPS or other URI (RFC 3261 §19.1). Its strings are as on the wire: still escaped, and
// comparable only by Equal. The zero URI is invalid.
type URI struct {
	Scheme   string // "sip", "sips", "tel", ... in lower case
	User     string // escaped; "" with no user part
	Password string
	Host     string // name, IPv4, or IPv6 in brackets
	Port     uint16 // 0: none given
	Params   Params
	Headers  string // after '?', without it
	Opaque   string // all after the colon, for schemes other than sip and sips
}

// ParseURI parses an addr-spec: a URI without angle brackets or space around it. Of schemes other than sip
// and sips only the characters are checked.
func ParseURI(s string) (URI, error) {
	var u URI
	err := u.parse(s)
	if err == nil {
		err = u.strict(s)
	}
	if err != nil {
		return URI{}, fmt.Errorf("sip: parse URI %q: %w", s, err)
	}
	return u, nil
}

var (
	errScheme    = errors.New("no valid scheme")
	errOpaque    = errors.New("invalid character or nothing after the scheme")
	errUser      = errors.New("invalid user part")
	errHost      = errors.New("invalid host")
	errPort      = errors.New("invalid port")
	errURIParam  = errors.New("invalid URI parameter")
	errURIHeader = errors.New("invalid URI header")
)

// strict refuses what is read in a message that came, but is a mistake where somebody here has written it.
func (u *URI) strict(s string) error {
	if !strings.Contains(s, u.Host) {
		return errHost
	}
	if u.User == "" && u.IsSIP() && strings.IndexByte(s, '@') >= 0 {
		return errUser
	}
	for i := 0; i < len(u.User); i++ {
		c := u.User[i]
		if c == '%' && spanEscaped(u.User[i:], 0, 0) == 0 || c != '%' && c != '#' && !isUserChar(c) {
			return errUser
		}
	}
	return nil
}

// isUserChar reports whether c may stand unescaped in a user part (§25.1, user).
func isUserChar(c byte) bool { return chars[c]&charPass != 0 || c == ';' || c == '?' || c == '/' }

// parse fills u, which must be zero; after an error u is undefined.
func (u *URI) parse(s string) error {
	switch {
	case strings.HasPrefix(s, "sip:"):
		u.Scheme, s = "sip", s[4:]
	case strings.HasPrefix(s, "sips:"):
		u.Scheme, s = "sips", s[5:]
	default:
		scheme, rest, ok := strings.Cut(s, ":")
		if !ok || !isScheme(scheme) {
			return errScheme
		}
		u.Scheme, s = strings.ToLower(scheme), rest
	}
	if !u.IsSIP() {
		if s == "" || span(s, 0, charOpaque) != len(s) {
			return errOpaque
		}
		u.Opaque = s
		return nil
	}
	// Only the user part may hold ';' and '?', and nothing after it may hold '@': so '@' is looked for first.
	if at := strings.IndexByte(s, '@'); at >= 0 {
		end := spanEscaped(s[:at], 0, charUser)
		for end < at && s[end] == '%' { // no escape: it stands for itself
			end = spanEscaped(s[:at], end+1, charUser)
		}
		u.User = s[:end]
		if end < at {
			if s[end] != ':' || spanEscaped(s[:at], end+1, charPass) != at {
				return errUser
			}
			u.Password = s[end+1 : at]
		}
		if u.User == "" && at > 0 { // "sip:@host" comes from those who withhold their number
			return errUser
		}
		s = s[at+1:]
	}
	n, err := scanHostPort(s, &u.Host, &u.Port)
	if err != nil {
		return err
	}
	s = s[n:]
	if s == "" {
		return nil
	}
	if s[0] == ';' {
		i := 0
		for i < len(s) && s[i] == ';' {
			name := i + 1
			if i = spanEscaped(s, name, charParam); i == name {
				return errURIParam
			}
			for i < len(s) && s[i] == '=' {
				i = spanEscaped(s, i+1, charParam) // base64 padding of some proxies brings more of them
			}
		}
		if i < len(s) && s[i] != '?' {
			return errURIParam
		}
		u.Params, s = Params(s[:i]), s[i:]
	}
	if s == "" {
		return nil
	}
	if s[0] != '?' {
		return errHost
	}
	if len(s) == 1 || spanEscaped(s, 1, charHeader) != len(s) {
		return errURIHeader
	}
	u.Headers = s[1:]
	return nil
}

func isScheme(s string) bool {
	for i := range len(s) {
		c := lower(s[i])
		if (c < 'a' || c > 'z') && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

// scanHostPort reads host [":" port] at the start of s and returns its length. Space may stand around the
// colon only in a Via, which cuts it out beforehand. The zone of an IPv6 address is cut off: it means
// something to the far end alone (RFC 4007 §6).
func scanHostPort(s string, host *string, port *uint16) (n int, err error) {
	if s != "" && s[0] == '[' {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return 0, errHost
		}
		a, err := netip.ParseAddr(s[1:end])
		if err != nil || !a.Is6() {
			return 0, errHost
		}
		n = end + 1
		if *host = s[:n]; a.Zone() != "" {
			*host = HostOf(a)
		}
	} else {
		if n = span(s, 0, charHost); n == 0 {
			return 0, errHost
		}
		*host = s[:n]
	}
	if n == len(s) || s[n] != ':' {
		return n, nil
	}
	from := n + 1
	for n = from; n < len(s) && '0' <= s[n] && s[n] <= '9'; n++ {
	}
	v, over, ok := digits(s[from:n], 65535)
	if !ok || over || v == 0 {
		return 0, errPort
	}
	*port = uint16(v)
	return n, nil
}

// bracketIPv6 puts the brackets around an IPv6 address that begins at s[from] without them; what stands
// behind it is a port where the whole is no address.
func bracketIPv6(s string, from int) (string, bool) {
	end := from
	for end < len(s) && (unhex(s[end]) >= 0 || s[end] == ':' || s[end] == '.') {
		end++
	}
	for _, n := range [...]int{end, from + max(0, strings.LastIndexByte(s[from:end], ':'))} {
		if a, err := netip.ParseAddr(s[from:n]); err == nil && a.Is6() {
			return s[:from] + HostOf(a) + s[n:], true
		}
	}
	return s, false
}

// IsSIP reports whether u is a sip or sips URI.
func (u URI) IsSIP() bool { return u.Scheme == "sip" || u.Scheme == "sips" }

// Append writes u as on the wire.
func (u *URI) Append(b []byte) []byte {
	b = append(b, u.Scheme...)
	b = append(b, ':')
	if !u.IsSIP() {
		return append(b, u.Opaque...)
	}
	if u.User != "" {
		b = append(b, u.User...)
		if u.Password != "" {
			b = append(b, ':')
			b = append(b, u.Password...)
		}
		b = append(b, '@')
	}
	b = appendHostPort(b, u.Host, u.Port)
	b = append(b, u.Params...)
	if u.Headers != "" {
		b = append(b, '?')
		b = append(b, u.Headers...)
	}
	return b
}

func appendHostPort(b []byte, host string, port uint16) []byte {
	b = append(b, host...)
	if port != 0 {
		b = append(b, ':')
		b = strconv.AppendUint(b, uint64(port), 10)
	}
	return b
}

// String returns u as on the wire.
func (u URI) String() string { return string(u.Append(nil)) }

// HostPort returns the host, an IPv6 address without its brackets, and the port, else the default one: 5061
// for sips and transport=tls, otherwise 5060. Whether a port was given, which decides on SRV look-ups (RFC
// 3263 §4.2), says Port.
func (u URI) HostPort() (host string, port uint16) {
	if port = u.Port; port == 0 {
		transport, _ := u.Param("transport")
		if port = 5060; u.Scheme == "sips" || equalFold(transport, "tls") {
			port = 5061
		}
	}
	return unbracket(u.Host), port
}

func unbracket(host string) string {
	if n := len(host); n > 1 && host[0] == '[' && host[n-1] == ']' {
		return host[1 : n-1]
	}
	return host
}

// Param returns the value of a URI parameter, "" for a flag. Unlike in Params.Get, name and value may be
// escaped on the wire: ";%6Cr" is ";lr" (RFC 3261 §19.1.4).
func (u URI) Param(name string) (value string, ok bool) {
	value, ok = findEscaped(u.Params, name)
	return unescape(value), ok
}

func findEscaped(p Params, name string) (value string, ok bool) {
	for p != "" {
		var n, v string
		if n, v, p = p.next(); equalEscaped(n, name, true) {
			return v, true
		}
	}
	return "", false
}

// Username returns the user part without escapes; it may hold any byte, NUL too.
func (u URI) Username() string { return unescape(u.User) }

func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for s != "" {
		var c byte
		c, _, s = nextChar(s)
		b = append(b, c)
	}
	return string(b)
}

// EscapeUser returns s as a user part: every byte that may not stand there as it is becomes %HH.
func EscapeUser(s string) string {
	const hex = "0123456789ABCDEF"
	var b []byte
	for i := range len(s) {
		c := s[i]
		plain := isUserChar(c)
		if plain && b == nil {
			continue
		}
		if b == nil {
			b = append(make([]byte, 0, len(s)+8), s[:i]...)
		}
		if plain {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	if b == nil {
		return s
	}
	return string(b)
}

func nextChar(s string) (c byte, escaped bool, rest string) {
	if s[0] == '%' && len(s) > 2 {
		if hi, lo := unhex(s[1]), unhex(s[2]); hi >= 0 && lo >= 0 {
			return byte(hi<<4 | lo), true, s[3:]
		}
	}
	return s[0], false, s[1:]
}

// HostOf writes an address as the host of a URI or Via: IPv6 in brackets, without a zone.
func HostOf(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}
