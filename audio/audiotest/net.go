package audiotest

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"portero/audio/rtp"
)

// Packet is a datagram on its way.
type Packet struct {
	From, To netip.AddrPort
	Data     []byte
}

// Net is a network without sockets. The zero value delivers everything at once; set the functions before
// traffic starts.
type Net struct {
	Drop  func(Packet) bool          // true loses the packet
	Delay func(Packet) time.Duration // how long it travels; different values reorder

	mu    sync.Mutex
	conns map[netip.AddrPort]*Conn
}

// Listen binds an address and port; a bound one panics, because the test is wrong.
func (n *Net) Listen(addr string) *Conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := &Conn{net: n, local: netip.MustParseAddrPort(addr)}
	if n.conns[c.local] != nil {
		panic("audiotest: " + addr + " is bound")
	}
	if n.conns == nil {
		n.conns = map[netip.AddrPort]*Conn{}
	}
	n.conns[c.local] = c
	return c
}

func (n *Net) send(p Packet) {
	n.mu.Lock()
	defer n.mu.Unlock()
	to := n.conns[p.To]
	if to == nil || n.Drop != nil && n.Drop(p) {
		return
	}
	at := rtp.Monotonic()
	if n.Delay != nil {
		at += n.Delay(p)
	}
	i := len(to.queue)
	for i > 0 && to.queue[i-1].at > at {
		i--
	}
	// Slots are used again, so that a benchmark sees no allocation of the network's.
	var slot arrival
	if k := len(to.free); k > 0 {
		slot, to.free = to.free[k-1], to.free[:k-1]
	}
	slot.at, slot.from, slot.data = at, p.From, append(slot.data[:0], p.Data...)
	to.queue = append(to.queue, arrival{})
	copy(to.queue[i+1:], to.queue[i:])
	to.queue[i] = slot
}

type arrival struct {
	at   time.Duration
	from netip.AddrPort
	data []byte
}

// Conn is a bound rtp.PacketConn.
type Conn struct {
	net    *Net
	local  netip.AddrPort
	queue  []arrival // by time
	free   []arrival
	closed bool
}

// ReadPacket returns the next packet that has arrived by now.
func (c *Conn) ReadPacket(b []byte) (int, netip.AddrPort, time.Duration, error) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.closed {
		return 0, netip.AddrPort{}, 0, net.ErrClosed
	}
	if len(c.queue) == 0 || c.queue[0].at > rtp.Monotonic() {
		return 0, netip.AddrPort{}, 0, nil
	}
	a := c.queue[0]
	copy(c.queue, c.queue[1:])
	c.queue = c.queue[:len(c.queue)-1]
	c.free = append(c.free, a)
	return copy(b, a.data), a.from, a.at, nil
}

// WritePacket sends a datagram; like UDP, it knows nothing of its fate.
func (c *Conn) WritePacket(b []byte, to netip.AddrPort) error {
	c.net.mu.Lock()
	closed := c.closed
	c.net.mu.Unlock()
	if closed {
		return net.ErrClosed
	}
	c.net.send(Packet{From: c.local, To: to, Data: b})
	return nil
}

// LocalAddr returns the bound address.
func (c *Conn) LocalAddr() netip.AddrPort { return c.local }

// Close frees the address.
func (c *Conn) Close() error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if !c.closed {
		c.closed = true
		delete(c.net.conns, c.local)
	}
	return nil
}
