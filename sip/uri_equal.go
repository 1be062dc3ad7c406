package sip

import (
	"net/netip"
	"strings"
)

// Equal reports whether u and v are equivalent (RFC 3261 §19.1.4; IPv6 hosts by RFC 5954 §4). URIs of other
// schemes must agree byte for byte, but for the visual separators of a telephone number (RFC 3966 §4).
func (u URI) Equal(v URI) bool {
	if u.Scheme != v.Scheme {
		return false
	}
	switch {
	case u.Scheme == "tel":
		return equalFold(u.Number(), v.Number()) && telParams(u.Opaque).equal(telParams(v.Opaque))
	case !u.IsSIP():
		return u.Opaque == v.Opaque
	}
	return u.Port == v.Port && equalHost(u.Host, v.Host) &&
		equalEscaped(u.User, v.User, false) && equalEscaped(u.Password, v.Password, false) &&
		equalParams(u.Params, v.Params) && equalParams(v.Params, u.Params) &&
		equalHeaders(u.Headers, v.Headers)
}

// Number returns the number of a tel URI without its visual separators (RFC 3966 §5.1.1), "" of another
// scheme.
func (u URI) Number() string {
	if u.Scheme != "tel" {
		return ""
	}
	number, _, _ := strings.Cut(u.Opaque, ";")
	return separators.Replace(number)
}

var separators = strings.NewReplacer("-", "", ".", "", "(", "", ")", "")

func telParams(opaque string) Params {
	if i := strings.IndexByte(opaque, ';'); i >= 0 {
		return Params(opaque[i:])
	}
	return ""
}

// equal compares parameters as RFC 3966 §4 does those of a number: all of them, in any order and case.
func (p Params) equal(q Params) bool {
	n := 0
	for name, value := range p.All() {
		if other, ok := q.Get(name); !ok || !equalFold(separators.Replace(value), separators.Replace(other)) {
			return false
		}
		n++
	}
	for range q.All() {
		n--
	}
	return n == 0
}

func equalHost(a, b string) bool {
	if equalFold(a, b) {
		return true
	}
	x, err := netip.ParseAddr(unbracket(a))
	if err != nil || !x.Is6() {
		return false
	}
	y, err := netip.ParseAddr(unbracket(b))
	return err == nil && x == y
}

// equalParams compares the parameters of a with those of b: of the five below, both must have all; of others,
// only those that both have must agree.
func equalParams(a, b Params) bool {
	for name, value := range a.All() {
		if other, ok := findEscaped(b, name); ok {
			if !equalEscaped(value, other, true) {
				return false
			}
			continue
		}
		for _, must := range [...]string{"user", "ttl", "method", "maddr", "transport"} {
			if equalEscaped(name, must, true) {
				return false
			}
		}
	}
	return true
}

// equalHeaders compares the header components as sets: each of a has its own in b.
func equalHeaders(a, b string) bool {
	if a == "" || b == "" {
		return a == b
	}
	rest := strings.Split(b, "&")
	for h := range strings.SplitSeq(a, "&") {
		found := false
		for i := range rest {
			if found = equalEscaped(h, rest[i], true); found {
				rest = append(rest[:i], rest[i+1:]...)
				break
			}
		}
		if !found {
			return false
		}
	}
	return len(rest) == 0
}

// equalEscaped compares two escaped strings: %HH equals the character it stands for, unless that one is
// reserved.
func equalEscaped(a, b string, fold bool) bool {
	for a != "" && b != "" {
		var x, y byte
		var ex, ey bool
		x, ex, a = nextChar(a)
		y, ey, b = nextChar(b)
		if fold {
			x, y = lower(x), lower(y)
		}
		if x != y || ex != ey && strings.IndexByte(";/?:@&=+$,", x) >= 0 {
			return false
		}
	}
	return a == b
}
