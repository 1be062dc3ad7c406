package sip

import (
	"context"
	"net/netip"
)

// Proto names a transport protocol as a Via header does.
type Proto string

// The transports of RFC 3261 §18. Only UDP is implemented so far.
const (
	UDP Proto = "UDP"
	TCP Proto = "TCP"
	TLS Proto = "TLS"
)

// Reliable reports whether the transport retransmits by itself, so that transactions need not.
func (p Proto) Reliable() bool { return p != UDP }

// Flow is where a packet came from: a pair of addresses, and for streams the connection.
type Flow struct {
	Proto         Proto
	Local, Remote netip.AddrPort
	Conn          uint64 // 0: datagram
}

// Target is where a request goes.
type Target struct {
	Proto Proto
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
	Proto() Proto
	// Local returns the address and port that the far end of t will see, as far as this host can know.
	Local(t Target) (netip.AddrPort, error)
	// Send never blocks. A failure is delivered as a Packet that bears id.
	Send(id uint64, t Target, wire []byte)
	// Run reads until ctx ends. deliver does not block; it returns false when the inbox is full and the packet was dropped.
	Run(ctx context.Context, deliver func(Packet) bool) error
}
