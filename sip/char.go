package sip

import "strings"

// The character classes of RFC 3261 §25.1, one bit each.
const (
	charToken uint8 = 1 << iota // token
	// user: unreserved and user-unreserved; also '#' (*31#), UTF-8 and what else phones do not escape
	charUser
	charPass   // password
	charParam  // paramchar
	charHeader // hname, hvalue and the '=' and '&' between them
	charHost   // hostname; '_' too, which local names use
	// gen-value: token and host; also '=', '@', '/' ..., which tags in the wild contain
	charValue
	charOpaque // uric, and what else cannot be mistaken for the end of a URI
)

var chars = func() (t [256]uint8) {
	set := func(class uint8, s string) {
		for i := range len(s) {
			t[s[i]] |= class
		}
	}
	const alphanum = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	const unreserved = alphanum + "-_.!~*'()"
	set(charToken, alphanum+"-.!%*_+`'~")
	set(charUser, unreserved+"&=+$,;?/#^|{}[]`")
	set(charPass, unreserved+"&=+$,")
	set(charParam, unreserved+"[]/:&+$")
	set(charHeader, unreserved+"[]/?:+$=&")
	set(charHost, alphanum+"-._")
	for c := range 256 {
		if c > ' ' && c != 0x7F && strings.IndexByte(`;,"<>\?`, byte(c)) < 0 {
			t[c] |= charValue
		}
		if c > ' ' && c < 0x7F && strings.IndexByte(`"<>\`, byte(c)) < 0 {
			t[c] |= charOpaque
		}
		if c >= 0x80 {
			t[c] |= charUser
		}
	}
	return t
}()

// span returns the index of the first byte of s, from i on, that is not of the class.
func span(s string, i int, class uint8) int {
	for i < len(s) && chars[s[i]]&class != 0 {
		i++
	}
	return i
}

// spanEscaped is span for classes in which "%HH" may stand for any byte (RFC 3261 §25.1, escaped).
func spanEscaped(s string, i int, class uint8) int {
	for {
		for i < len(s) && chars[s[i]]&class != 0 {
			i++
		}
		if i+2 >= len(s) || s[i] != '%' || unhex(s[i+1]) < 0 || unhex(s[i+2]) < 0 {
			return i
		}
		i += 3
	}
}

// skipSpace returns the index of the first byte of s, from i on, that is neither SP nor HTAB.
func skipSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t') {
		i++
	}
	return i
}

func trimSpace(s string) string { return trimRight(s[skipSpace(s, 0):]) }

func trimRight(s string) string {
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

func isToken(s string) bool { return s != "" && span(s, 0, charToken) == len(s) }

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// equalFold compares without regard to ASCII case; strings.EqualFold would also fold U+212A to k.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// digits reads 1*DIGIT; over is true when the number is above limit, whatever its length.
func digits(s string, limit uint64) (n uint64, over, ok bool) {
	for i := range len(s) {
		c := s[i]
		if c < '0' || c > '9' {
			return 0, false, false
		}
		if n = n*10 + uint64(c-'0'); n > limit {
			n, over = limit, true
		}
	}
	return n, over, s != ""
}

// quotedEnd returns the index after the quoted-string that begins at s[i], -1 when it does not end.
func quotedEnd(s string, i int) int {
	for i++; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// unquote returns the text of a quoted-string, given with its quotes.
func unquote(s string) string {
	s = s[1 : len(s)-1]
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

// appendQuoted writes s as a quoted-string; CR and LF, which no escape makes legal, become spaces.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		if c := s[i]; c == '"' || c == '\\' || c < ' ' && c != '\t' || c == 0x7F {
			b = append(b, s[from:i]...)
			if from = i + 1; c == '\r' || c == '\n' {
				b = append(b, ' ')
			} else {
				b = append(b, '\\', c)
			}
		}
	}
	b = append(b, s[from:]...)
	return append(b, '"')
}
