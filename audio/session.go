package audio

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"portero/audio/dtmf"
	"portero/audio/playout"
	"portero/audio/rtp"
)

// Format is a codec under the payload type that was negotiated for it.
type Format struct {
	Codec       *Codec
	PayloadType uint8
}

// Direction says which way a session's sound goes, seen from here (RFC 3264).
type Direction uint8

// The directions of a session.
const (
	SendRecv Direction = iota
	SendOnly
	RecvOnly
	Inactive
)

func (d Direction) String() string {
	return [...]string{"sendrecv", "sendonly", "recvonly", "inactive"}[d&3]
}

func (d Direction) sends() bool    { return d == SendRecv || d == SendOnly }
func (d Direction) receives() bool { return d == SendRecv || d == RecvOnly }

// Media is what an offer and its answer settle, and what a re-INVITE may change.
type Media struct {
	Remote     netip.AddrPort // where RTP goes
	RemoteRTCP netip.AddrPort // zero: the port above Remote's, or Remote itself with RTCPMux
	RTCPMux    bool           // RFC 5761: RTCP shares the RTP port

	Send    Format
	Receive []Format // every format that the far end may send; it may change from packet to packet

	// Payload types of telephone-events. Some phones send under the type of their own description, so those
	// of EventPT are heard, too, and of Send; and so are events that nobody negotiated (see Digit.Unasked).
	EventPT     uint8 // of those sent; 0: none, digits are sent as tones
	EventPTRecv uint8 // of those received; 0: none
	EventRate   int   // Hz of their time stamps; 0: the sound's

	Direction Direction
	Silent    bool // the packets sent are of silence, and the microphone is not needed
	PTime     int  // ms of sound per packet sent: 10, 20 ... 60; 0 means 20
}

// SessionConfig describes one RTP stream.
type SessionConfig struct {
	Conn rtp.PacketConn // RTP
	RTCP rtp.PacketConn // nil: RTCP goes through Conn if Media.RTCPMux, else there is none
	Media
	CNAME     string                // as in rtp.Config
	LatchFrom func(netip.Addr) bool // as in rtp.Config; it must not call the session

	InBand  bool        // listen for digits in the sound too, until the first telephone-event arrives
	OnDigit func(Digit) // called once per key press on the engine's thread; must not block

	// OnStranger is told, on the engine's thread and at most once a minute, of packets from an address that
	// is not let in; it must not block. nil: nobody is.
	OnStranger func(Stranger)

	// OnSign is told, on the engine's thread, of the first sign of life (see rtp.Stats.Heard), and of each that
	// comes after more than 1 s of nothing; it must not block. nil: nobody is.
	OnSign func()
}

// Stranger is who sends from another address than the far end should.
type Stranger struct {
	From, Expected netip.AddrPort
	Packets        uint64 // from all strangers since it was last told
}

// Session is one RTP stream with its RTCP: one leg of a call. It runs while it is attached to an Engine. Its
// methods may be called from any goroutine.
type Session struct {
	cfg SessionConfig

	mu     sync.Mutex
	media  Media
	stream *rtp.Stream
	opened bool
	closed bool
	stats  Stats // but what the stream and the buffer count

	// Receiving, in the order of a packet's way.
	drained  time.Duration // when the sockets were read
	sounded  time.Duration // when the last packet of sound was taken
	format   int           // of media.Receive, that the buffer decodes
	decoders []Decoder
	buffer   *playout.Buffer
	events   [2]eventStream
	hasEvent bool // a telephone-event came: tones in the sound are not counted
	detector *dtmf.Detector
	heard    [4]dtmf.Event
	toCard   *Resampler
	pcm      [blockLen]int16 // one block at the codec's rate
	block    [blockLen]int16 // at the engine's
	digits   [8]Digit        // to be told when the lock is free
	nDigits  int
	counted  uint64        // strangers that were told
	told     time.Duration // when
	stranger Stranger      // to be told when the lock is free
	signs    uint64        // of life, that were told

	// Sending.
	clock   uint32 // RTP time stamp of the current block
	encoder Encoder
	fromMic *Resampler
	frame   []int16 // samples of the packet at hand
	filled  int
	queue   eventSender
	tone    dtmf.Generator
	talking bool // the last packet was sound: no marker
}

// Stats are a session's counters since it was made. Quiet counts from the attachment on; Invalid holds
// telephone-events, too.
type Stats struct {
	rtp.Stats
	Late, Duplicates uint64
	Digits           uint64

	SoundIn, SoundOut uint64        // packets of sound that were taken, in agreed directions, and sent of the microphone
	SoundQuiet        time.Duration // since the last of SoundIn, or since the attachment

	Concealed time.Duration // sound made up for what was lost or late
	Delay     time.Duration // of the jitter buffer
}

// NewSession checks the configuration and makes a session; it sends nothing before it is attached.
func NewSession(c SessionConfig) (*Session, error) {
	if err := c.Media.check(); err != nil {
		return nil, err
	}
	c.Media.widen()
	rc := rtp.Config{Conn: c.Conn, RTCP: c.RTCP, CNAME: c.CNAME, LatchFrom: c.LatchFrom}
	stream, err := rtp.New(rc, c.Media.params())
	if err != nil {
		return nil, err
	}
	s := &Session{cfg: c, stream: stream, clock: rand.Uint32()}
	if err := s.Update(c.Media); err != nil {
		return nil, err
	}
	return s, nil
}

// check refuses what no stream of sound can be; package rtp looks at addresses and payload types.
func (m *Media) check() error {
	if m.PTime == 0 {
		m.PTime = 20
	}
	switch {
	case m.Send.Codec == nil:
		return errors.New("audio: session: no codec to send")
	case m.PTime < 10 || m.PTime > 60 || m.PTime%10 != 0:
		return fmt.Errorf("audio: session: packets of %d ms, want 10 to 60 in steps of 10", m.PTime)
	case m.Direction > Inactive:
		return fmt.Errorf("audio: session: direction %d", m.Direction)
	case len(m.Receive) == 0:
		return errors.New("audio: session: no codec to receive")
	}
	for _, f := range m.Receive {
		if f.Codec == nil || f.PayloadType == m.EventPTRecv && m.EventPTRecv != 0 {
			return fmt.Errorf("audio: session: payload type %d to receive has no codec, or two",
				f.PayloadType)
		}
	}
	return nil
}

// widen has the format of Send heard under the far end's payload type, too, if that is free.
func (m *Media) widen() {
	m.Receive = slices.Clone(m.Receive)
	pt := m.Send.PayloadType
	taken := func(f Format) bool { return f.PayloadType == pt }
	if pt != m.EventPTRecv && !slices.ContainsFunc(m.Receive, taken) {
		m.Receive = append(m.Receive, m.Send)
	}
}

// eventClock is the clock rate of telephone-events, in Hz. RFC 4733, 2.5.1.1, has it be the sound's; some phones
// agree to another.
func (m *Media) eventClock() int { return cmp.Or(m.EventRate, m.Receive[0].Codec.ClockRate) }

// params are the media as package rtp sees them: without sound.
func (m *Media) params() rtp.Params {
	p := rtp.Params{
		Remote: m.Remote, RemoteRTCP: m.RemoteRTCP, Mux: m.RTCPMux,
		Receive: map[uint8]rtp.Payload{}, Send: []uint8{m.Send.PayloadType, m.EventPT},
		SendClockRate: m.Send.Codec.ClockRate, Sends: m.Direction.sends(),
	}
	event := rtp.Payload{ClockRate: uint32(m.eventClock()), Event: true}
	p.Unasked = event
	for _, pt := range []uint8{m.EventPTRecv, m.EventPT} {
		if pt != 0 {
			p.Receive[pt] = event
		}
	}
	for _, f := range m.Receive {
		p.Receive[f.PayloadType] = rtp.Payload{ClockRate: uint32(f.Codec.ClockRate)}
	}
	return p
}

// Update changes what a re-INVITE has settled: far end, codecs, direction, events. A new Remote undoes the
// latch; sequence numbers, time stamps and SSRC go on. On error nothing has changed.
func (s *Session) Update(m Media) error {
	if err := m.check(); err != nil {
		return err
	}
	m.widen()
	fromMic, err := NewResampler(engineRate, m.Send.Codec.SampleRate)
	if err != nil {
		return err
	}
	decoders := make([]Decoder, len(m.Receive))
	for i, f := range m.Receive {
		if _, err := NewResampler(f.Codec.SampleRate, engineRate); err != nil {
			return err
		}
		decoders[i] = f.Codec.NewDecoder()
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.stream.Update(m.params()); err != nil {
		return err
	}
	old := s.media
	s.media = m
	if s.encoder == nil || old.Send.Codec != m.Send.Codec {
		s.encoder, s.fromMic = m.Send.Codec.NewEncoder(), fromMic
	}
	if n := m.PTime * m.Send.Codec.SampleRate / 1000; n != len(s.frame) || old.Send.Codec != m.Send.Codec {
		s.frame, s.filled = make([]int16, n), 0
	}
	if !m.Direction.sends() {
		s.filled = 0
	}
	if m.Silent {
		clear(s.frame) // of what the microphone has left in it
		s.fromMic = fromMic
	}
	current := Format{}
	if s.buffer != nil {
		current = old.Receive[s.format]
	}
	for i, f := range m.Receive {
		if f == current { // the stream goes on: its decoder keeps its state
			decoders[i], s.format = s.decoders[s.format], i
			s.decoders = decoders
			return nil
		}
	}
	s.decoders = decoders
	s.decode(0)
	return nil
}

// decode switches the buffer to format i of media.Receive.
func (s *Session) decode(i int) {
	c := s.media.Receive[i].Codec
	cfg := playout.Config{Rate: c.SampleRate, ClockRate: c.ClockRate}
	s.format = i
	if s.buffer == nil {
		s.buffer = playout.New(cfg, s.decoders[i])
	} else {
		s.buffer.SetDecoder(s.decoders[i], cfg)
	}
	s.toCard, _ = NewResampler(c.SampleRate, engineRate) // Update has tried it
	if s.cfg.InBand {
		s.detector = dtmf.NewDetector(c.SampleRate)
	}
}

// SendDigits queues digits (0-9, *, #, A-D in any case): RFC 4733 events if they were negotiated, else tones
// in the sound; each 100 ms with a pause of 60 ms. Nothing is queued on error.
func (s *Session) SendDigits(digits string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queue.push(digits)
}

// Stats returns the counters.
func (s *Session) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, b := s.stats, s.buffer.Stats()
	st.Stats = s.stream.Stats()
	st.Invalid += s.stats.Invalid
	if s.opened {
		st.SoundQuiet = rtp.Monotonic() - s.sounded
	}
	st.Late, st.Duplicates = b.Late, b.Duplicates
	st.Concealed = time.Duration(b.ConcealedMs) * time.Millisecond
	st.Delay = time.Duration(b.DelayMs * float64(time.Millisecond))
	return st
}

// Close says goodbye by RTCP and closes the connections. An engine drops a closed session by itself. A second
// call does nothing.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.stream.Close(s.clock)
}

// Rebind goes on over other connections, as rtp.Stream.Rebind does. A closed session closes them.
func (s *Session) Rebind(conn, control rtp.PacketConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		conn.Close()
		control.Close()
		return
	}
	s.stream.Rebind(conn, control)
}

// needs tells the engine what the session wants of the card; alive is false once it is closed.
func (s *Session) needs() (mic, speaker, alive bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.media.Direction.sends() && !s.media.Silent, s.media.Direction.receives(), !s.closed
}

// period moves the session on by one block of 10 ms: it takes what has arrived, adds its sound to mix and
// sends the sound of mic.
func (s *Session) period(mic []int16, mix []int32, now time.Duration) {
	s.mu.Lock()
	if !s.closed {
		s.receive(now)
		s.play(mix, now)
		s.send(mic, now)
		s.stream.Report(now, s.clock)
	}
	digits, n := s.digits, s.nDigits
	s.nDigits = 0
	stranger := s.strangers(now)
	sign := s.cfg.OnSign != nil && s.stream.Signs() != s.signs
	s.signs = s.stream.Signs()
	s.mu.Unlock()
	if sign {
		s.cfg.OnSign()
	}
	if stranger {
		s.cfg.OnStranger(s.stranger) // which this thread alone writes
	}
	for _, d := range digits[:n] {
		s.cfg.OnDigit(d)
	}
}

// skip moves the time stamps over blocks of sound that the card has lost.
func (s *Session) skip(blocks int) {
	s.mu.Lock()
	s.clock += uint32(blocks * s.unit())
	s.mu.Unlock()
}

// unit is a block in units of the RTP clock.
func (s *Session) unit() int { return s.media.Send.Codec.ClockRate / blocksPerSecond }
