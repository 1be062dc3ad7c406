package sip

import (
	"net/netip"
	"regexp"
)

// secrets match what a trace must not show: digest responses, and digits in the bodies of INFO.
var secrets = regexp.MustCompile(`(?i)((?:response|cnonce|opaque|nonce)="?)[^",\r\n]*|(Signal\s*=\s*)[^\r\n]*`)

var infoDigits = regexp.MustCompile(`(?is)^(INFO .*?\r\n\r\n).*$`)

// trace logs a whole message with the secrets blotted out.
func (s *Stack) trace(what string, peer netip.AddrPort, wire []byte) {
	b := infoDigits.ReplaceAll(wire, []byte("${1}***"))
	s.log.Debug("sip trace", "what", what, "peer", peer, "message", string(secrets.ReplaceAll(b, []byte("${1}${2}***"))))
}
