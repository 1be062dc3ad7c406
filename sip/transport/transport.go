package transport

import (
	"context"
	"net/netip"

	"portero/sip"
)

// Flow is where a packet came from: a pair of addresses, and for streams the connection.
type Flow struct {
	Proto         sip.Proto
	Local, Remote netip.AddrPort
	Conn          uint64 // 0: datagram
}

// Target is where a request goes.
type Target struct {
	Proto sip.Proto
	Addr  netip.AddrPort
	Host  string // the name that TLS verifies
	Flow  Flow   // set: send on this flow while it lasts
}

// Packet is what a transport hands to its stack: a datagram or a framed message, or the failure of an earlier Send.
type Packet struct {
	Flow   Flow
	Data   []byte // valid during the call of deliver
	SendID uint64 // with Err: which Send failed
	Err    error
}

// Transport moves messages. It knows nothing of what they say.
type Transport interface {
	Proto() sip.Proto
	// Local returns the address and port that the far end of t will see, as far as this host can know.
	Local(t Target) (netip.AddrPort, error)
	// Send never blocks. A failure is delivered as a Packet that bears id.
	Send(id uint64, t Target, wire []byte)
	// Run reads until ctx ends. deliver does not block; it returns false when the inbox is full and the packet was dropped.
	Run(ctx context.Context, deliver func(Packet) bool) error
}
