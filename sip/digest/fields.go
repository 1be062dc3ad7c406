package digest

import (
	"fmt"
	"strings"
)

// parseFields reads `Digest k=v, k="v"` into lower-case names and unquoted values. Senders put spaces and
// semicolons where commas belong, leave words without a value, and say a field twice: then the first counts.
func parseFields(header string) (map[string]string, error) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
	if !strings.EqualFold(scheme, "Digest") {
		return nil, fmt.Errorf("digest: scheme %q is not Digest", scheme)
	}
	fields := map[string]string{}
	for rest != "" {
		i := strings.IndexAny(rest, "=,;")
		if i < 0 {
			break
		}
		word := strings.Fields(rest[:i])
		if rest[i] != '=' || len(word) == 0 {
			rest = rest[i+1:]
			continue
		}
		name := strings.ToLower(word[len(word)-1])
		value, after, ok := cutValue(strings.TrimLeft(rest[i+1:], " \t"))
		if !ok {
			return nil, fmt.Errorf("digest: parse %s: open quote", name)
		}
		if _, twice := fields[name]; !twice {
			fields[name] = value
		}
		rest = after
	}
	return fields, nil
}

// cutValue reads a quoted string or a token from the start of s; ok is false for a quote that does not close.
func cutValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, ",;")
		if end < 0 {
			end = len(s)
		}
		for i := range end { // a space ends it only where another name follows
			if (s[i] == ' ' || s[i] == '\t') && startsField(s[i+1:end]) {
				end = i
				break
			}
		}
		return strings.TrimSpace(s[:end]), s[end:], true
	}
	plain, rest, ok := strings.Cut(s[1:], `"`)
	if ok && strings.IndexByte(plain, '\\') < 0 {
		return strings.Clone(plain), rest, true // what is kept of it does not hold the message
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
		case s[i] == '"':
			return b.String(), s[i+1:], true
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// startsField reports whether s begins with a name and its equals sign.
func startsField(s string) bool {
	name, _, ok := strings.Cut(strings.TrimLeft(s, " \t"), "=")
	return ok && name != "" && !strings.ContainsAny(name, " \t\"/+")
}

// split separates challenges that share a line, as HTTP has it and RFC 3261 §7.3.1 does not.
func split(line string) (list []string) {
	const scheme = "digest "
	quoted, start := false, 0
	for i := 0; i < len(line); i++ {
		switch {
		case quoted && line[i] == '\\':
			i++
		case line[i] == '"':
			quoted = !quoted
		case !quoted && i > start && strings.IndexByte(", \t", line[i-1]) >= 0 &&
			len(line) >= i+len(scheme) && strings.EqualFold(line[i:i+len(scheme)], scheme):
			list = append(list, line[start:i])
			start = i
		}
	}
	return append(list, line[start:])
}
