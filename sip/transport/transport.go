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

// Same reports whether two flows are one connection. Datagrams have none: no flow of theirs is the same as
// another.
func (f Flow) Same(g Flow) bool { return f.Conn != 0 && f.Conn == g.Conn && f.Proto == g.Proto }

// Uses reports whether what goes to t leaves by the flow: t names its connection, or none and the far end of
// it.
func (t Target) Uses(f Flow) bool {
	if t.Flow.Conn != 0 {
		return t.Flow.Same(f)
	}
	return f.Conn != 0 && t.Proto == f.Proto && t.Addr == f.Remote
}

// Packet is what a transport hands to its stack, one of three:
//
//	Flow, Data          a datagram or a framed message arrived
//	Flow, SendID, Err   an earlier Send came to nothing
//	Flow, Err           a connection has ended (§18.4): what was sent on it may be lost
type Packet struct {
	Flow   Flow
	Data   []byte // valid during the call of deliver
	SendID uint64 // which Send failed; 0: none, or one that nobody waits for
	Err    error
}

// Transport moves messages. It knows nothing of what they say.
type Transport interface {
	Proto() sip.Proto
	// Local returns the address and port that the far end of t will see, as far as this host can know.
	Local(t Target) (netip.AddrPort, error)
	// Send never blocks, keeps no hold of wire, and never delivers from within: the loop that sends may be
	// the one that receives. It returns the failure that it sees at once; a later one is delivered as a
	// Packet that bears id, which is not 0 then.
	Send(id uint64, t Target, wire []byte) error
	// Run reads until ctx ends. deliver does not block; it returns false when the inbox is full. A datagram
	// is dropped then, as by a full socket buffer; a stream offers its packet again, the end of a connection
	// too, before it reads on.
	Run(ctx context.Context, deliver func(Packet) bool) error
}
