package rtp

import (
	"net/netip"
	"testing"
	"time"
)

var (
	here  = netip.MustParseAddrPort("192.0.2.1:4000")
	there = netip.MustParseAddrPort("192.0.2.2:5000")
)

// datagram is one on its way.
type datagram struct {
	b    []byte
	from netip.AddrPort
	to   netip.AddrPort
	at   time.Duration
}

// line is a connection whose two queues the test holds in its hands.
type line struct {
	local   netip.AddrPort
	in, out []datagram
}

func (l *line) ReadPacket(b []byte) (int, netip.AddrPort, time.Duration, error) {
	if len(l.in) == 0 {
		return 0, netip.AddrPort{}, 0, nil
	}
	d := l.in[0]
	l.in = l.in[1:]
	return copy(b, d.b), d.from, d.at, nil
}

func (l *line) WritePacket(b []byte, to netip.AddrPort) error {
	l.out = append(l.out, datagram{append([]byte(nil), b...), l.local, to, Monotonic()})
	return nil
}

func (l *line) LocalAddr() netip.AddrPort { return l.local }
func (l *line) Close() error              { return nil }

// carry moves what one line has sent to another, some time later.
func carry(from, to *line, delay time.Duration) {
	for _, d := range from.out {
		d.at += delay
		to.in = append(to.in, d)
	}
	from.out = nil
}

// camera is a stream as a video's would be: one payload type at 90 kHz, RTCP on the same port.
func camera(t testing.TB, local, remote netip.AddrPort) (*Stream, *line) {
	t.Helper()
	l := &line{local: local}
	s, err := New(Config{Conn: l, CNAME: "door"}, Params{
		Remote: remote, Mux: true, Receive: map[uint8]Payload{96: {ClockRate: 90000}}, Send: []uint8{96},
		SendClockRate: 90000, Sends: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, l
}

// sent returns the bytes of all that went out.
func sent(l *line) [][]byte {
	var all [][]byte
	for _, d := range l.out {
		all = append(all, d.b)
	}
	return all
}
