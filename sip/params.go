package sip

import (
	"errors"
	"iter"
	"strings"
)

// Params is a list of parameters as on the wire, each with its leading semicolon: ";lr;transport=udp". There
// is no space outside quoted values.
type Params string

var (
	errParam       = errors.New("invalid parameter")
	errQuote       = errors.New("quoted string does not end")
	errAfterParams = errors.New("unexpected text after the parameters")
)

// scanParams reads *( SEMI generic-param ) at the start of s (RFC 3261 §25.1) and returns what follows: "" or
// the comma before the next value.
func scanParams(s string) (p Params, rest string, err error) {
	i := skipSpace(s, 0)
	start, end, tidy := i, i, true
	for {
		j := skipSpace(s, i)
		if j == len(s) || s[j] == ',' {
			rest = s[j:]
			break
		}
		if s[j] != ';' {
			return "", "", errAfterParams
		}
		name := skipSpace(s, j+1)
		tidy = tidy && j == i && name == j+1
		if i = span(s, name, charToken); i == name {
			return "", "", errParam
		}
		if j = skipSpace(s, i); j < len(s) && s[j] == '=' {
			value := skipSpace(s, j+1)
			tidy = tidy && j == i && (value == j+1 || value == len(s))
			if i = j + 1; value < len(s) && s[value] == '"' {
				if i = quotedEnd(s, value); i < 0 {
					return "", "", errQuote
				}
			} else if v := span(s, value, charValue); v > value {
				i = v
			}
		}
		end = i
	}
	if s = s[start:end]; !tidy {
		s = squeeze(s)
	}
	return Params(s), rest, nil
}

// salvageParams keeps those of some parameters that are readable.
func salvageParams(s string) Params {
	var kept []byte
	for s != "" {
		end := 0
		for end < len(s) && (end == 0 || s[end] != ';') {
			if s[end] == '"' {
				if q := quotedEnd(s, end); q > 0 {
					end = q
					continue
				}
			}
			end++
		}
		if p, rest, err := scanParams(s[:end]); err == nil && rest == "" {
			kept = append(kept, p...)
		}
		s = s[end:]
	}
	return Params(kept)
}

// squeeze removes the space outside quoted strings.
func squeeze(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		switch s[i] {
		case ' ', '\t':
			i++
		case '"':
			end := quotedEnd(s, i)
			b = append(b, s[i:end]...)
			i = end
		default:
			b = append(b, s[i])
			i++
		}
	}
	return string(b)
}

// next cuts the first parameter off: its name, and its value as on the wire.
func (p Params) next() (name, value string, rest Params) {
	s := string(p)
	if s != "" && s[0] == ';' {
		s = s[1:]
	}
	i := 0
	for i < len(s) && s[i] != ';' && s[i] != '=' {
		i++
	}
	name = s[:i]
	if i == len(s) || s[i] == ';' {
		return name, "", Params(s[i:])
	}
	from := i + 1
	if i = from; i < len(s) && s[i] == '"' {
		if i = quotedEnd(s, i); i < 0 {
			i = len(s)
		}
	}
	for i < len(s) && s[i] != ';' {
		i++
	}
	return name, s[from:i], Params(s[i:])
}

// plainValue takes the quotes off a value.
func plainValue(v string) string {
	if len(v) > 1 && v[0] == '"' && v[len(v)-1] == '"' {
		return unquote(v)
	}
	return v
}

// Get returns the value of the first parameter of that name, in any case: without its quotes, "" for a flag.
// Escapes (%HH) stay.
func (p Params) Get(name string) (value string, ok bool) {
	for p != "" {
		var n, v string
		if n, v, p = p.next(); equalFold(n, name) {
			return plainValue(v), true
		}
	}
	return "", false
}

// Has reports whether there is a parameter of that name, in any case.
func (p Params) Has(name string) bool {
	_, ok := p.Get(name)
	return ok
}

// All yields the parameters in order, values as Get returns them.
func (p Params) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for p != "" {
			var n, v string
			if n, v, p = p.next(); !yield(n, plainValue(v)) {
				return
			}
		}
	}
}

// With returns p with the parameter set: in place of the first one of that name, else at the end. An empty
// value makes a flag (";lr"); a value that is neither a token nor a host is quoted, so a parameter of a URI
// must be escaped beforehand.
func (p Params) With(name, value string) Params {
	return p.replace(name, string(appendParam(nil, name, value)))
}

// Without returns p without the parameters of that name.
func (p Params) Without(name string) Params { return p.replace(name, "") }

func (p Params) replace(name, param string) Params {
	b := make([]byte, 0, len(p)+len(param))
	done := param == ""
	for p != "" {
		n, _, rest := p.next()
		if !equalFold(n, name) {
			b = append(b, p[:len(p)-len(rest)]...)
		} else if !done {
			b, done = append(b, param...), true
		}
		p = rest
	}
	if !done {
		b = append(b, param...)
	}
	return Params(b)
}

func appendParam(b []byte, name, value string) []byte {
	b = append(b, ';')
	b = append(b, name...)
	if value == "" {
		return b
	}
	b = append(b, '=')
	for i := range len(value) {
		if c := value[i]; chars[c]&(charToken|charParam) == 0 || strings.IndexByte("()&", c) >= 0 {
			return appendQuoted(b, value)
		}
	}
	return append(b, value...)
}
