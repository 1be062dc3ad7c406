package rtp

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	pion "github.com/pion/rtp"
)

// Config is what stays the same for as long as a stream lives.
type Config struct {
	Conn  PacketConn // RTP
	RTCP  PacketConn // nil: RTCP goes through Conn if Params.Mux, else there is none
	CNAME string     // RFC 3550, 6.5.1; empty: a random one (RFC 7022)

	// LatchFrom widens symmetric RTP: until the negotiated Remote is heard, three packets in sequence from an
	// address for which it returns true move the stream to their source. Remote's own address is always
	// allowed, whatever the port. Our packets follow the latch, so let in no more than the addresses that
	// the signalling knows. It is asked each time, so they may change; it must be quick.
	LatchFrom func(netip.Addr) bool
}

// Params is what an offer and its answer settle, and what a new offer may change.
type Params struct {
	Remote     netip.AddrPort // where RTP goes
	RemoteRTCP netip.AddrPort // zero: the port above Remote's, or Remote itself with Mux
	Mux        bool           // RFC 5761: RTCP shares the RTP port

	Receive       map[uint8]Payload // by payload type
	Send          []uint8           // payload types
	SendClockRate int               // Hz

	// Unasked is what four octets under a dynamic type that nobody negotiated are taken for, from where the
	// stream comes from, if they read as an event of RFC 4733; the zero value: nothing.
	Unasked Payload
	Sends   bool // we are a sender: reports are SR, not RR
}

// Payload is what may arrive under a payload type. The zero value stands for a type that was not negotiated.
type Payload struct {
	ClockRate uint32 // of its time stamps, Hz
	Event     bool   // a named event (RFC 4733), which never changes the source
}

// Packet is one that was admitted.
type Packet struct {
	PayloadType uint8
	SSRC        uint32
	Marker      bool
	Epoch       uint32 // see Source.Epoch
	Seq         int64  // see Source.Admit
	Timestamp   uint32
	Payload     []byte        // valid until the function that was given it returns
	At          time.Duration // of arrival, on the clock of Monotonic
}

// Stats are a stream's counters since it was made.
type Stats struct {
	Sent, SentBytes         uint64 // RTP packets, payload octets
	Received, ReceivedBytes uint64
	Lost                    uint64 // promised by the sequence numbers and never come
	Foreign                 uint64 // from another address or SSRC, or numbered out of all bounds: dropped
	Strangers               uint64 // those of them that came from an address that is not let in
	Invalid                 uint64 // not RTP or RTCP, or of an unknown payload type: dropped

	Jitter time.Duration // RFC 3550, 6.4.1
	Quiet  time.Duration // since the last sign of life of the far end (see Heard), or since Start

	// What the far end is like. Heard: anything came at all from where it is, RTP, RTCP, a keep-alive,
	// comfort noise. Noise: comfort noise (RFC 3389) came. Paused: something came after more than 1 s of
	// nothing. Either says that it suppresses silence.
	Heard, Noise, Paused bool

	// What the far end reports of us. RemoteReports counts those that came after we had sent. RemoteGot: one
	// said that something had come. RemoteDeaf: the latest two said that nothing has, since the ones before.
	RemoteReports         uint64
	RemoteGot, RemoteDeaf bool

	SendErr error         // the latest refusal, by this host or by ICMP, of a packet sent; nil: none
	SendAgo time.Duration // since SendErr

	RTT          time.Duration // by RTCP; 0: not known
	RemoteLost   float64       // share of our packets that the far end missed lately
	RemoteJitter time.Duration
	RemoteBye    bool // the far end's RTCP BYE came

	Source   netip.AddrPort // where the far end's RTP comes from; zero until it does
	Expected netip.AddrPort // where it should come from, and our packets go
	Stranger netip.AddrPort // the latest of Strangers
}

const (
	mtu        = 1500
	headerLen  = 12
	maxDrain   = 64                    // packets per Receive; the rest of a flood is the kernel's to drop
	rtcpPause  = 50 * time.Millisecond // between two looks at RTCP's socket
	keepAlive  = 15 * time.Second      // RFC 6263, 4.6
	dynamicMin = 96
)

// Stream is one RTP stream with its RTCP, both ways. Its methods are for one goroutine at a time.
type Stream struct {
	cfg     Config
	params  Params
	payload [128]Payload
	idle    uint8 // the payload type of a keep-alive

	// Receiving, in the order of a packet's way.
	in       [mtu]byte
	parsed   pion.Packet
	packet   Packet
	latch    latch
	source   Source
	heard    time.Duration // the far end, or Start
	signs    uint64        // see Signs
	excused  bool          // the gap at hand began before the latest Update, perhaps on hold
	rtcpRead time.Duration

	// Sending.
	started  bool
	header   pion.Header
	out      [mtu]byte
	keepNext time.Duration // when the next keep-alive is due
	refused  time.Duration // when stats.SendErr came

	control control
	stats   Stats
}

// New makes a stream; it sends nothing by itself.
func New(c Config, p Params) (*Stream, error) {
	if c.Conn == nil {
		return nil, errors.New("rtp: stream without a connection")
	}
	if c.CNAME == "" {
		c.CNAME = fmt.Sprintf("%016x", rand.Uint64())
	}
	s := &Stream{cfg: c}
	// Random (RFC 3550, 5.1), and below 2^15: a receiver that misses the first packets then mistakes no
	// later one for a wrap, as SRTP might.
	s.header = pion.Header{Version: 2, SequenceNumber: uint16(rand.Uint32() >> 17), SSRC: rand.Uint32()}
	if err := s.Update(p); err != nil {
		return nil, err
	}
	return s, nil
}

// Update changes the parameters. A new Remote undoes the latch and welcomes a new source; our sequence
// numbers and SSRC go on. On error nothing has changed.
func (s *Stream) Update(p Params) error {
	p.Remote, p.RemoteRTCP = unmap(p.Remote), unmap(p.RemoteRTCP)
	if !p.Remote.IsValid() || p.Remote.Port() == 0 {
		return fmt.Errorf("rtp: send to %q: no address and port", p.Remote)
	}
	if p.SendClockRate <= 0 {
		return fmt.Errorf("rtp: send at a clock rate of %d Hz", p.SendClockRate)
	}
	var payload [128]Payload
	for pt, what := range p.Receive {
		if pt > 127 || what.ClockRate == 0 {
			return fmt.Errorf("rtp: receive payload type %d at a clock rate of %d Hz", pt, what.ClockRate)
		}
		payload[pt] = what
	}
	for _, pt := range p.Send {
		if pt > 127 {
			return fmt.Errorf("rtp: send payload type %d: above 127", pt)
		}
	}
	if !p.RemoteRTCP.IsValid() {
		p.RemoteRTCP = p.Remote
		if !p.Mux && p.Remote.Port() < 65535 {
			p.RemoteRTCP = netip.AddrPortFrom(p.Remote.Addr(), p.Remote.Port()+1)
		}
	}
	if s.params.Remote != p.Remote {
		s.latch = latch{}
		s.source.Welcome()
	}
	s.params, s.payload, s.excused = p, payload, true
	s.idle = unused(payload, p.Send)
	return nil
}

// Rebind goes on over other connections, as after a change of this host's address, and closes those it had. Its
// sequence numbers and SSRC go on, and so does what it knows of the far end.
func (s *Stream) Rebind(conn, control PacketConn) {
	s.cfg.Conn.Close()
	if s.cfg.RTCP != nil {
		s.cfg.RTCP.Close()
	}
	s.cfg.Conn, s.cfg.RTCP = conn, control
	s.stats.SendErr = nil
}

// unused returns a dynamic payload type that nobody has negotiated.
func unused(receive [128]Payload, send []uint8) uint8 {
	for pt := uint8(127); pt > dynamicMin; pt-- {
		if receive[pt] == (Payload{}) && !slices.Contains(send, pt) {
			return pt
		}
	}
	return dynamicMin
}
