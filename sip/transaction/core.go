package transaction

import (
	"log/slog"
	"net/netip"

	"portero/sip"
	"portero/sip/transport"
)

// Core is the transaction user above a stack (RFC 3261 §5): a user agent, or a registrar and proxy. The
// stack's loop makes all calls; none may block.
type Core interface {
	// Bind is called once, by NewStack.
	Bind(*Stack)
	// Admit decides before any state is made for a request: it is what stands between strangers and the
	// stack's memory. It sees the first arrival of a request, never a retransmission and never a CANCEL.
	Admit(transport.Flow, *sip.Request) Verdict
	// Stray hands over a response that matches no transaction.
	Stray(transport.Flow, *sip.Response)
}

// Verdict is what a core decides about a request that has arrived. The zero Verdict drops it: it needs no
// answer, or has got one.
type Verdict struct {
	// Take takes the request, with what Admit found out about it, at once. The transaction of an ACK takes no
	// response.
	Take func(*Server, *sip.Request)
	// Status refuses the request statelessly when nobody takes it (§8.2.7); 0 drops it. An ACK is never
	// answered.
	Status int
	// Share says whose share of this host the request counts against when it is taken.
	Share Share
	// Reserved has the request taken while others are refused for want of room: it is this host's own.
	Reserved bool
}

// Refuse is the verdict that answers with a status and keeps no state.
func Refuse(status int) Verdict { return Verdict{Status: status} }

// Share names who takes up room: a user who has proved who it is, else the source of the packet. It is
// comparable.
type Share struct {
	User   string
	Source netip.Prefix // without a User
}

// ShareOf returns the share of whoever sends from an address.
func ShareOf(a netip.Addr) Share { return Share{Source: SourceOf(a)} }

// SourceOf is what one sender is taken to hold: an IPv4 address, or an IPv6 network of a household.
func SourceOf(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}

// LogValue writes the share as a log's attribute has it.
func (s Share) LogValue() slog.Value {
	if s.User != "" {
		return slog.StringValue("user " + s.User)
	}
	return slog.StringValue("source " + s.Source.String())
}
