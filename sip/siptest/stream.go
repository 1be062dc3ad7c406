package siptest

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"time"

	"portero/sip/transport"
)

// ErrClosed is what both ends hear of a connection that Close has ended.
var ErrClosed = errors.New("siptest: connection closed")

// WithinSend reports whether it is called from within the Send of a transport. A deliver function asks it in
// the tests of each transport: none may deliver so, since the loop that sends may be the one that receives.
func WithinSend() bool {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		if strings.HasSuffix(f.Function, ".Send") {
			return true
		}
		if !more {
			return false
		}
	}
}

// ends are the two ends of a connection, the lower address first.
type ends [2]netip.AddrPort

func endsOf(a, b netip.AddrPort) ends {
	if b.Compare(a) < 0 {
		a, b = b, a
	}
	return ends{a, b}
}

// Close ends the connection between two ends of a stream. Both hear of it as a transport tells it: after all
// that was under way.
func (n *Network) Close(a, b netip.AddrPort) {
	n.mu.Lock()
	defer n.mu.Unlock()
	conn := n.conns[endsOf(a, b)]
	if conn == 0 {
		panic(fmt.Sprintf("siptest: no connection of %s and %s", a, b))
	}
	delete(n.conns, endsOf(a, b))
	for _, far := range [][2]netip.AddrPort{{a, b}, {b, a}} {
		t := n.nodes[far[0]]
		flow := transport.Flow{Proto: t.proto, Local: far[0], Remote: far[1], Conn: conn}
		n.launch(n.Delay, t, transport.Packet{Flow: flow, Err: ErrClosed})
	}
}

// sendStream sends on the connection that to names while it lasts, else on the one to its address, which is
// opened if need be.
func (t *Transport) sendStream(id uint64, to transport.Target, wire []byte) error {
	n := t.n
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sends++
	n.log = append(n.log, Sent{At: time.Now(), From: t.at, To: to.Addr, Wire: string(wire)})
	far := to.Addr
	if c := to.Flow.Conn; c != 0 && n.conns[endsOf(t.at, to.Flow.Remote)] == c {
		far = to.Flow.Remote
	}
	dst := n.nodes[far]
	if dst == nil || dst.proto != t.proto {
		if id != 0 { // nobody listens: the SYN is answered with a reset
			n.launch(2*n.Delay, t,
				transport.Packet{SendID: id, Err: fmt.Errorf("%w: %s", ErrUnreachable, far)})
		}
		return nil
	}
	conn := n.conns[endsOf(t.at, far)]
	if conn == 0 {
		n.last++
		conn = n.last
		n.conns[endsOf(t.at, far)] = conn
	}
	flow := transport.Flow{Proto: t.proto, Local: far, Remote: t.at, Conn: conn}
	n.launch(n.Delay, dst, transport.Packet{Flow: flow, Data: slices.Clone(wire)})
	return nil
}
