package sip

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
