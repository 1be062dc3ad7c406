package transport

import (
	"context"
	"net"
)

// AskLinkAt has multicast DNS questions go to one address on the loopback in place of all links.
func (r *Resolver) AskLinkAt(to *net.UDPAddr) {
	r.groups = func() []group { return []group{{&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, to}} }
}

// AskAt has questions go to the name server at an address.
func (r *Resolver) AskAt(to *net.UDPAddr) {
	r.dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return net.DialUDP("udp", nil, to) }
}

// LinkAnswer reads a response of multicast DNS.
var LinkAnswer = linkAnswer
