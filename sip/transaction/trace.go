package transaction

import (
	"net/netip"
	"regexp"
)

// secrets match what a trace must not show: digest responses, and digits in the bodies of INFO.
var secrets = regexp.MustCompile(`(?i)((?:response|cnonce|opaque|nonce)="?)[^",\r\n]*` +
	`|(Signal\s*=\s*)[^\r\n]*`)

// What a parser skips before a start line, and a server that is lax with line ends, must not unblot them.
var infoDigits = regexp.MustCompile(`(?is)^([\s\x00]*INFO\s.*?\r?\n\r?\n).*$`)

// trace logs a whole message with the secrets blotted out.
func (s *Stack) trace(way string, peer netip.AddrPort, wire []byte) {
	s.log.Debug("message traced", "way", way, "peer", peer, "text", string(blot(wire)))
}

func blot(wire []byte) []byte {
	return secrets.ReplaceAll(infoDigits.ReplaceAll(wire, []byte("${1}***")), []byte("${1}${2}***"))
}
