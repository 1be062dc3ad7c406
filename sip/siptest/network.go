// Package siptest holds the fakes of the sip wing: a lossy network made of channels, and a scripted peer on
// it. Both work in a testing/synctest bubble, where the real timers of RFC 3261 take no wall time.
package siptest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"portero/sip"
	"portero/sip/transport"
)

// Network joins transports. Its fields are set before the first packet flows. Chance befalls datagrams only:
// a stream loses nothing, doubles nothing and keeps its order.
type Network struct {
	Loss      float64       // share of packets that vanish
	Duplicate float64       // share that arrive twice
	Delay     time.Duration // one way
	Jitter    time.Duration // added at random, so that packets overtake each other

	// Drop, when set, sees each packet before chance does: true loses it.
	Drop func(from, to netip.AddrPort, wire []byte) bool
	// Fail, when set, makes the n-th Send of the network (from 1) fail with its error.
	Fail func(n int) error

	mu    sync.Mutex
	rng   *rand.Rand
	nodes map[netip.AddrPort]*Transport
	conns map[ends]uint64 // the connections that are open, by number
	last  uint64          // number of the newest
	fly   []flying        // sorted by time
	sends int
	log   []Sent
}

// Sent is one line of the network's log.
type Sent struct {
	At       time.Time
	From, To netip.AddrPort
	Wire     string
	Lost     bool
}

// NewNetwork makes a network whose chances come from seed.
func NewNetwork(seed uint64) *Network {
	return &Network{rng: rand.New(rand.NewPCG(seed, 1)), nodes: map[netip.AddrPort]*Transport{},
		conns: map[ends]uint64{}}
}

// Log returns all that was sent so far.
func (n *Network) Log() []Sent {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.log)
}

// Listen makes a UDP transport at addr ("10.0.0.1:5060"). It panics if the address is taken: that is a
// mistake of the test.
func (n *Network) Listen(addr string) *Transport { return n.ListenOn(sip.UDP, addr) }

// ListenOn makes a transport of another protocol at addr. Two ends of a stream are joined by a connection
// from the first message on.
func (n *Network) ListenOn(proto sip.Proto, addr string) *Transport {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := netip.MustParseAddrPort(addr)
	if n.nodes[at] != nil {
		panic("siptest: address in use: " + addr)
	}
	t := &Transport{n: n, proto: proto, at: at, inbox: make(chan transport.Packet, 4096)}
	n.nodes[at] = t
	return t
}

// Transport is one end of a Network. It implements transport.Transport.
type Transport struct {
	n     *Network
	proto sip.Proto
	at    netip.AddrPort
	inbox chan transport.Packet
}

// Proto returns the protocol.
func (t *Transport) Proto() sip.Proto { return t.proto }

// Addr returns the address of the transport.
func (t *Transport) Addr() netip.AddrPort {
	t.n.mu.Lock()
	defer t.n.mu.Unlock()
	return t.at
}

// Move gives the transport another address, as a lease that was not renewed does; what is under way to the old
// one is lost.
func (t *Transport) Move(addr string) {
	t.n.mu.Lock()
	defer t.n.mu.Unlock()
	delete(t.n.nodes, t.at)
	t.at = netip.MustParseAddrPort(addr)
	t.n.nodes[t.at] = t
}

// Close gives the address back; what is under way to it is lost.
func (t *Transport) Close() error {
	t.n.mu.Lock()
	defer t.n.mu.Unlock()
	if t.n.nodes[t.at] == t {
		delete(t.n.nodes, t.at)
	}
	return nil
}

// Local returns the address of the transport.
func (t *Transport) Local(transport.Target) (netip.AddrPort, error) { return t.Addr(), nil }

// ErrUnreachable is a failure for Fail, as an ICMP message would tell it, and that of a stream to nobody.
var ErrUnreachable = errors.New("siptest: unreachable")

// Send carries a packet as the network's chances will have it.
func (t *Transport) Send(id uint64, to transport.Target, wire []byte) error {
	if t.proto.Reliable() {
		return t.sendStream(id, to, wire)
	}
	t.send(id, to.Addr, wire)
	return nil
}

func (t *Transport) send(id uint64, to netip.AddrPort, wire []byte) {
	n := t.n
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sends++
	entry := Sent{At: time.Now(), From: t.at, To: to, Wire: string(wire)}
	if n.Fail != nil {
		if err := n.Fail(n.sends); err != nil {
			entry.Lost = true
			n.log = append(n.log, entry)
			t.put(transport.Packet{SendID: id, Err: fmt.Errorf("siptest: send %d: %w", n.sends, err)})
			return
		}
	}
	copies := 1
	switch {
	case n.Drop != nil && n.Drop(t.at, to, wire), n.rng.Float64() < n.Loss:
		copies = 0
	case n.rng.Float64() < n.Duplicate:
		copies = 2
	}
	entry.Lost = copies == 0
	n.log = append(n.log, entry)
	dst := n.nodes[to]
	if dst == nil {
		return // like a host that is switched off: nobody says a word
	}
	for range copies {
		p := transport.Packet{Flow: transport.Flow{Proto: sip.UDP, Local: to, Remote: t.at},
			Data: slices.Clone(wire)}
		delay := n.Delay
		if n.Jitter > 0 {
			delay += time.Duration(n.rng.Int64N(int64(n.Jitter)))
		}
		n.launch(delay, dst, p)
	}
}

// launch has a packet land after a delay.
func (n *Network) launch(delay time.Duration, dst *Transport, p transport.Packet) {
	n.fly = append(n.fly, flying{time.Now().Add(delay), dst, p})
	slices.SortStableFunc(n.fly, func(a, b flying) int { return a.at.Compare(b.at) })
	time.AfterFunc(delay, n.land)
}

// flying is a packet under way.
type flying struct {
	at  time.Time
	dst *Transport
	p   transport.Packet
}

// land delivers the packet that is due first. Timers of one instant fire in any order, but packets keep
// theirs.
func (n *Network) land() {
	n.mu.Lock()
	defer n.mu.Unlock()
	f := n.fly[0]
	n.fly = n.fly[1:]
	f.dst.put(f.p)
}

func (t *Transport) put(p transport.Packet) {
	select {
	case t.inbox <- p:
	default: // a full socket buffer
	}
}

// Run delivers what arrives until ctx ends.
func (t *Transport) Run(ctx context.Context, deliver func(transport.Packet) bool) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case p := <-t.inbox:
			deliver(p)
		}
	}
}
