package transaction

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"

	"portero/sip"
)

const space = " \t\r\n\f"

// trace logs a whole message with the secrets blotted out.
func (s *Stack) trace(way string, peer netip.AddrPort, wire []byte) {
	s.log.Debug("message traced", "way", way, "peer", peer, "text", string(blot(wire)))
}

// blot hides what a trace must not show: what digests are made of, and the digits in the body of an INFO.
func blot(wire []byte) (shown []byte) {
	if body := infoBody(wire); body >= 0 {
		wire = append(slices.Clip(wire[:body]), "***"...)
	}
	for {
		name, value, ok := bytes.Cut(wire, []byte("="))
		if !ok {
			return append(shown, wire...)
		}
		shown = append(append(shown, name...), '=')
		open, end := 0, "" // what the value begins with and stays, and what ends it
		switch {
		case endsIn(name, "response"), endsIn(name, "nonce"), endsIn(name, "opaque"):
			open, end = len(value)-len(bytes.TrimPrefix(value, []byte(`"`))), "\",\r\n"
		case endsIn(bytes.TrimRight(name, space), "signal"):
			open, end = len(value)-len(bytes.TrimLeft(value, space)), "\r\n"
		}
		shown, wire = append(shown, value[:open]...), value[open:]
		if end != "" {
			shown = append(shown, "***"...)
			wire = bytes.TrimLeftFunc(wire, func(r rune) bool { return !strings.ContainsRune(end, r) })
		}
	}
}

func endsIn(text []byte, word string) bool {
	return len(text) >= len(word) && strings.EqualFold(string(text[len(text)-len(word):]), word)
}

// infoBody returns where the body of an INFO begins, -1 without one. What a parser skips before a start line,
// and a server that is lax with line ends, must not unblot it.
func infoBody(wire []byte) int {
	start := bytes.TrimLeft(wire, space+"\x00\uFEFF")
	if len(start) < 5 || !strings.EqualFold(string(start[:4]), sip.INFO) || strings.IndexByte(space, start[4]) < 0 {
		return -1
	}
	for rest := start; ; {
		_, after, ok := bytes.Cut(rest, []byte("\n"))
		if !ok {
			return -1
		}
		if body, empty := bytes.CutPrefix(bytes.TrimPrefix(after, []byte("\r")), []byte("\n")); empty {
			return len(wire) - len(body)
		}
		rest = after
	}
}
