package rtp

import (
	"net/netip"
	"time"
)

// PacketConn sends and receives datagrams without ever blocking. One goroutine at a time reads and writes;
// Close may come from any.
type PacketConn interface {
	// ReadPacket copies the next datagram into b and tells its source and when it arrived, on the clock of
	// Monotonic. An empty datagram has a source, too; where nothing is there, n is 0 and from is invalid.
	ReadPacket(b []byte) (n int, from netip.AddrPort, at time.Duration, err error)
	// WritePacket sends one datagram; what does not fit into the socket's buffer is lost, as on the wire. An
	// error may be an earlier one's, which an ICMP message has refused.
	WritePacket(b []byte, to netip.AddrPort) error
	// LocalAddr returns the bound address and port.
	LocalAddr() netip.AddrPort
	Close() error
}

var epoch = time.Now()

// Monotonic returns the time since an arbitrary moment in the past; it never steps.
func Monotonic() time.Duration { return time.Since(epoch) }
