package transport

import (
	"net/netip"
	"strconv"
	"strings"

	"portero/sip"
)

// FillVia notes on the topmost Via where a request really came from (§18.2.1, RFC 3581 §4).
func FillVia(v *sip.Via, flow Flow) {
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

// URI returns the address of a user at a host and port, as a Contact or Route gives it: with the transport
// unless that is UDP, which is understood without a word (§19.1.2).
func URI(user string, proto sip.Proto, at netip.AddrPort) sip.URI {
	u := sip.URI{Scheme: "sip", User: user, Host: sip.HostOf(at.Addr()), Port: at.Port()}
	if proto != sip.UDP {
		u.Params = u.Params.With("transport", strings.ToLower(string(proto)))
	}
	return u
}

// ResponseTarget says where a response goes (§18.2.2, RFC 3581 §4): to the source address of the request, at
// its source port if the client asked for that, else at the port it gave.
func ResponseTarget(flow Flow, v sip.Via) Target {
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
