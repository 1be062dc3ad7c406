package sip

import (
	"crypto/rand"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
)

// branchCookie marks branches that are unique in space and time (RFC 3261 §8.1.1.7).
const branchCookie = "z9hG4bK"

func newBranch() string { return branchCookie + randomHex(8) }

// NewTag returns a random tag (§19.3: at least 32 bits of randomness).
func NewTag() string { return randomHex(8) }

func randomHex(n int) string {
	var b [16]byte
	rand.Read(b[:n])
	return hex.EncodeToString(b[:n])
}

// fillVia notes on the topmost Via where a request really came from (§18.2.1, RFC 3581 §4).
func fillVia(v *Via, flow Flow) {
	remote := flow.Remote.Addr().Unmap().WithZone("")
	_, asks := v.Params.Get("rport")
	host, err := netip.ParseAddr(strings.Trim(v.Host, "[]"))
	if asks {
		v.Params = v.Params.With("rport", strconv.Itoa(int(flow.Remote.Port())))
	}
	if asks || err != nil || host.Unmap() != remote {
		v.Params = v.Params.With("received", remote.String())
	}
}

// responseTarget says where a response goes (§18.2.2, RFC 3581 §4): to the source address of the request, at its source port
// if the client asked for that, else at the port it gave.
func responseTarget(flow Flow, v Via) Target {
	port := v.Port
	if port == 0 {
		port = 5060
	}
	if r, ok := v.Params.Get("rport"); ok {
		if n, err := strconv.ParseUint(r, 10, 16); err == nil && n > 0 {
			port = uint16(n)
		}
	}
	return Target{Proto: flow.Proto, Addr: netip.AddrPortFrom(flow.Remote.Addr(), port), Flow: flow}
}
