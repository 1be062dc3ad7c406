package sip

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Address is the value of From, To, Contact, Route and their like: a name-addr or addr-spec with parameters
// (RFC 3261 §20.10).
type Address struct {
	DisplayName string // unquoted
	URI         URI
	Params      Params // of the header, not of the URI
	Star        bool   // Contact: *
}

var (
	errDisplayName = errors.New("no '<' after the display name")
	errAngle       = errors.New("no '>' after the URI")
	errBareURI     = errors.New("URI with '?' needs angle brackets")
	errManyValues  = errors.New("more than one value")
	errNoValue     = errors.New("no value")
)

// ParseAddress parses one value, such as `"Bob" <sip:bob@example.com>;tag=a48s`; also "*".
func ParseAddress(s string) (Address, error) {
	var a Address
	rest, err := a.parse(s)
	if err == nil && rest != "" {
		err = errManyValues
	}
	if err != nil {
		return Address{}, fmt.Errorf("sip: parse address %q: %w", s, err)
	}
	return a, nil
}

// parse fills a, which must be zero, from the start of s, and returns what follows: "" or the comma before
// the next value.
func (a *Address) parse(s string) (rest string, err error) {
	i := skipSpace(s, 0)
	if i == len(s) {
		return "", errNoValue
	}
	switch s[i] {
	case '*':
		if j := skipSpace(s, i+1); j == len(s) || s[j] == ',' {
			a.Star = true
			return s[j:], nil
		}
	case '"':
		end := quotedEnd(s, i)
		if end < 0 {
			return "", errQuote
		}
		next := skipSpace(s, end)
		for next < len(s) && s[next] != '<' && s[next] != ',' { // "Jane "J" Doe": quotes that nobody escaped
			n := strings.IndexByte(s[end:], '"')
			if n < 0 {
				break
			}
			end += n + 1
			next = skipSpace(s, end)
		}
		if next == len(s) || s[next] != '<' {
			return "", errDisplayName
		}
		a.DisplayName = unquote(s[i:end])
		i = next
	}
	// Unquoted display names should be tokens; gateways send more, and only these bytes make one ambiguous.
	from := i
	for i < len(s) && s[i] != '<' && s[i] != ',' && s[i] != ';' && s[i] != '"' && s[i] != '>' {
		i++
	}
	if i == len(s) || s[i] != '<' {
		return a.parseBare(s[from:])
	}
	if from < i {
		a.DisplayName = trimSpace(s[from:i])
	}
	s = s[i+1:]
	end := strings.IndexByte(s, '>')
	if end < 0 {
		return "", errAngle
	}
	if err := a.URI.parse(s[:end]); err != nil {
		return "", err
	}
	a.Params, rest, err = scanParams(s[end+1:])
	return rest, err
}

// parseBare reads an addr-spec: without brackets, parameters are the header's and '?' may not occur (RFC 3261
// §20).
func (a *Address) parseBare(s string) (rest string, err error) {
	i := 0
	for i < len(s) && s[i] != ';' && s[i] != ',' && s[i] != ' ' && s[i] != '\t' {
		if s[i] == '?' {
			return "", errBareURI
		}
		i++
	}
	if err := a.URI.parse(s[:i]); err != nil {
		return "", err
	}
	a.Params, rest, err = scanParams(s[i:])
	return rest, err
}

// salvage reads what can be made out of a value that parse refuses: the URI, if there is one, and the
// parameters that are readable. It reports whether there is a URI.
func (a *Address) salvage(s string) bool {
	*a = Address{}
	var uri, params string
	if from := strings.IndexByte(s, '<'); from >= 0 {
		end := strings.IndexByte(s[from:], '>')
		if end < 0 {
			return false
		}
		uri, params = s[from+1:from+end], s[from+end+1:]
		a.DisplayName = trimSpace(strings.Trim(trimSpace(s[:from]), `"`))
	} else if end := strings.IndexByte(s, ';'); end >= 0 && strings.IndexByte(s, '?') < 0 {
		uri, params = s[:end], s[end:]
	}
	if uri = trimSpace(uri); a.URI.parse(uri) != nil {
		mended, ok := bracketIPv6(uri, max(strings.IndexByte(uri, '@'), strings.IndexByte(uri, ':'))+1)
		if a.URI = (URI{}); !ok || a.URI.parse(mended) != nil {
			*a = Address{}
			return false
		}
	}
	a.Params = salvageParams(params)
	return true
}

// Append writes a; the URI always in angle brackets, the display name always quoted.
func (a *Address) Append(b []byte) []byte {
	if a.Star {
		return append(b, '*')
	}
	if a.DisplayName != "" {
		b = appendQuoted(b, a.DisplayName)
		b = append(b, ' ')
	}
	b = append(b, '<')
	b = a.URI.Append(b)
	b = append(b, '>')
	return append(b, a.Params...)
}

// String returns a as on the wire.
func (a Address) String() string { return string(a.Append(nil)) }

// Tag returns the tag parameter, "" without one.
func (a Address) Tag() string {
	tag, _ := a.Params.Get("tag")
	return tag
}

// WithTag returns a with its tag set.
func (a Address) WithTag(tag string) Address {
	a.Params = a.Params.With("tag", tag)
	return a
}

// Expires returns the expires parameter of a Contact in seconds. Like the header field, a malformed one
// counts as 3600 (RFC 3261 §10.2.1.1), one beyond 2^31-1 as that.
func (a Address) Expires() (seconds int, ok bool) {
	v, ok := a.Params.Get("expires")
	if !ok {
		return 0, false
	}
	return parseExpires(v), true
}

func parseExpires(s string) int {
	n, _, ok := digits(s, math.MaxInt32)
	if !ok {
		return 3600
	}
	return int(n)
}

// Q returns the q parameter of a Contact in thousandths, 1000 without a valid one (RFC 3261 §20.10).
func (a Address) Q() int {
	v, ok := a.Params.Get("q")
	if !ok || v == "" || v[0] != '0' && v[0] != '1' || len(v) > 5 || len(v) > 1 && v[1] != '.' {
		return 1000
	}
	q, scale := int(v[0]-'0')*1000, 100
	for i := 2; i < len(v); i++ {
		if v[i] < '0' || v[i] > '9' {
			return 1000
		}
		q += int(v[i]-'0') * scale
		scale /= 10
	}
	return min(q, 1000)
}
