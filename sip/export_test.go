package sip

import (
	"slices"
	"strings"
)

// HasToken reports whether a field of that name lists the token.
func (h *Headers) HasToken(name, token string) bool {
	return slices.ContainsFunc(h.Values(name), func(v string) bool {
		return slices.ContainsFunc(slices.Collect(Tokens(v)),
			func(t string) bool { return strings.EqualFold(t, token) })
	})
}
