package config

import "strings"

// The characters that names, numbers and addresses in the file are made of.
const (
	numerals = "0123456789"
	letters  = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	alphanum = letters + numerals
	blanks   = " \t\r\n\f\v"
)

// madeOf reports whether s has characters, and none but those of set.
func madeOf(s, set string) bool { return s != "" && strings.Trim(s, set) == "" }

// uriParts are the parts of a SIP URI as a configuration may have it, "" for what is absent.
type uriParts struct{ user, host, port, params string }

// splitURI cuts "sip:user@host:port;params" up; false: it is spelt otherwise.
func splitURI(text string) (u uriParts, ok bool) {
	rest, ok := strings.CutPrefix(text, "sip:")
	if user, host, found := strings.Cut(rest, "@"); found {
		ok = ok && madeOf(user, alphanum+"_.!~*'()&=+$,;?/%-")
		u.user, rest = user, host
	}
	if i := strings.IndexByte(rest, ';'); i >= 0 {
		for param := range strings.SplitSeq(rest[i+1:], ";") {
			ok = ok && madeOf(param, alphanum+"_.!~*'+%=-")
		}
		rest, u.params = rest[:i], rest[i:]
	}
	u.host = rest
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, ']') {
		u.host, u.port = rest[:i], rest[i+1:]
		ok = ok && len(u.port) <= 5 && madeOf(u.port, numerals)
	}
	if inner, bracketed := strings.CutPrefix(u.host, "["); bracketed {
		inner, bracketed = strings.CutSuffix(inner, "]")
		return u, ok && bracketed && madeOf(inner, numerals+"ABCDEFabcdef:.")
	}
	return u, ok && madeOf(u.host, alphanum+".-")
}

// userName reports whether name may be that of a user of the built-in server.
func userName(name string) bool {
	return madeOf(name, alphanum+"._-") && strings.IndexByte("._-", name[0]) < 0
}

// hostName reports whether host is labels with dots between them, and perhaps one at the end (RFC 1123 §2.1).
func hostName(host string) bool {
	for label := range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		if !madeOf(label, alphanum+"-") || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}
