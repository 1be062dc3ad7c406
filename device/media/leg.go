package media

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"portero/audio"
	"portero/audio/rtp"
	"portero/sip/sdp"
)

// EventsPayload is the payload type offered for telephone-event; 101 is what every phone expects.
const EventsPayload = 101

// ErrEnded is the answer of a leg that was closed.
var ErrEnded = errors.New("media: the call is over")

// Listen binds a pair of ports for RTP and RTCP on a local address.
type Listen func(netip.Addr) (rtp, rtcp rtp.PacketConn, err error)

// Ports is the Listen that takes the kernel's ports from first to last.
func Ports(first, last int) Listen {
	return func(local netip.Addr) (rtp.PacketConn, rtp.PacketConn, error) { return rtp.Listen(local, first, last) }
}

// Config is what all legs of a station share.
type Config struct {
	Engine *audio.Engine
	Listen Listen
	Codecs []*audio.Codec // in order of preference
	Public netip.Addr     // what far ends are told in place of an own address of its family; zero: none
	InBand bool           // tones in the sound count as digits, too
}

// Codecs finds codecs by their names.
func Codecs(names ...string) ([]*audio.Codec, error) {
	var found []*audio.Codec
	for _, name := range names {
		c := audio.CodecByName(name)
		if c == nil {
			return nil, fmt.Errorf("media: no codec %q", name)
		}
		found = append(found, c)
	}
	return found, nil
}

// Leg is one call leg. Its methods may be called by several goroutines: the SIP loop asks for offers, the
// station's loop for all else.
type Leg struct {
	c       *Config
	onDigit func(audio.Digit)

	// OnStranger is told of sound from an address that is not let in, as in audio.SessionConfig; nil: nobody.
	// At says whether the far end is known to be at a host, at present; nil: where its signalling comes from.
	// It is called on the engine's thread, per packet. OnName gets a name that the far end gives as its address
	// of sound, each once; who finds its addresses calls Resolved. OnSign is told of signs of life, as in
	// audio.SessionConfig. All are set before the first offer.
	OnStranger func(audio.Stranger)
	At         func(netip.Addr) bool
	OnName     func(string)
	OnSign     func()

	peer atomic.Pointer[netip.Addr] // where the signalling comes from: RTP may latch on to it

	mu        sync.Mutex
	closed    bool
	local     sdp.Local
	rtp, rtcp rtp.PacketConn
	bound     netip.Addr // that far ends see; their addresses are of local
	session   *audio.Session
	attached  bool // to the engine
	agreed    sdp.Result
	name      string     // that the far end gave as its address
	named     netip.Addr // what it was resolved to; invalid: not yet
	muted     bool       // the microphone is kept out of the session
	filled    bool       // silence is sent in its place
}

// NewLeg makes a muted leg. It binds nothing yet. onDigit is called with the digits that are heard, by the
// engine's goroutine.
func (c *Config) NewLeg(onDigit func(audio.Digit)) *Leg {
	return &Leg{c: c, onDigit: onDigit, muted: true}
}

// open binds the ports on the local address that the far end sees.
func (m *Leg) open(local netip.Addr) error {
	if m.closed {
		return ErrEnded
	}
	if m.rtp != nil {
		return nil
	}
	if err := m.bind(local); err != nil {
		return err
	}
	m.local.Events = EventsPayload
	for _, c := range m.c.Codecs {
		m.local.Codecs = append(m.local.Codecs, sdp.Codec{Name: c.Name, ClockRate: c.ClockRate, PayloadType: c.PayloadType})
	}
	return nil
}

func (m *Leg) bind(local netip.Addr) error {
	rtp, rtcp, err := m.c.Listen(local)
	if err != nil {
		return fmt.Errorf("media: no port for sound: %w", err)
	}
	m.rtp, m.rtcp, m.bound = rtp, rtcp, local
	told := local
	if p := m.c.Public; p.IsValid() && p.Is4() == local.Unmap().Is4() {
		told = p
	}
	m.local.Addr = netip.AddrPortFrom(told, rtp.LocalAddr().Port())
	return nil
}

// Ends are the local address that the ports are bound to, and where the signalling comes from: whether that is
// reached from there still, Move is for. Both are invalid before the session is made.
func (m *Leg) Ends() (local, peer netip.Addr) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.session == nil || m.closed {
		return netip.Addr{}, netip.Addr{}
	}
	return m.bound, *m.peer.Load()
}

// Move takes new ports on another address of this host, for the same session, and makes the offer that tells the
// far end of them; Accept takes its answer. On error nothing has changed.
func (m *Leg) Move(local netip.Addr) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.session == nil {
		return nil, ErrEnded
	}
	if err := m.bind(local); err != nil {
		return nil, err
	}
	m.session.Rebind(m.rtp, m.rtcp)
	return m.local.Offer()
}

// Offer makes the offer of an INVITE, or of a 2xx to an INVITE without one, and gives it to done: once, at
// once or later, from any goroutine. Where the leg has ports already, local does not matter.
func (m *Leg) Offer(local, peer netip.Addr, done func([]byte, error)) { done(m.offer(local, peer)) }

func (m *Leg) offer(local, peer netip.Addr) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.open(local); err != nil {
		return nil, err
	}
	m.peer.Store(&peer)
	return m.local.Offer()
}

// Answer answers an offer: the first one, or that of a re-INVITE. An error of sdp.SyntaxError is the offer's
// fault.
func (m *Leg) Answer(offer []byte, local, peer netip.Addr) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.open(local); err != nil {
		return nil, err
	}
	m.peer.Store(&peer)
	body, agreed, err := m.local.Answer(offer)
	if err != nil {
		return nil, err
	}
	return body, m.settle(agreed)
}

// Accept takes the answer to an own offer.
func (m *Leg) Accept(answer []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrEnded
	}
	agreed, err := m.local.Accept(answer)
	if err != nil {
		return err
	}
	return m.settle(agreed)
}

// settle makes or changes the session as agreed.
func (m *Leg) settle(agreed sdp.Result) error {
	agreed, err := m.locate(agreed)
	if err != nil {
		return err
	}
	am, err := m.params(agreed)
	if err != nil {
		return err
	}
	if m.session != nil {
		if err := m.session.Update(am); err != nil {
			return err
		}
		m.agreed = agreed
		return nil
	}
	m.session, err = audio.NewSession(audio.SessionConfig{
		Conn: m.rtp, RTCP: m.rtcp, Media: am, InBand: m.c.InBand, OnDigit: m.onDigit,
		OnStranger: m.OnStranger, OnSign: m.OnSign, LatchFrom: m.latchFrom,
	})
	if err != nil {
		return err
	}
	m.agreed = agreed
	return nil
}

// discard is the port that nobody listens at (RFC 863).
const discard = 9

// locate completes the address of what was agreed, where the far end has named none, or a name.
func (m *Leg) locate(r sdp.Result) (sdp.Result, error) {
	switch {
	case r.RemoteName != "":
		if r.RemoteName != m.name {
			m.name, m.named = r.RemoteName, netip.Addr{}
			if m.OnName != nil {
				m.OnName(m.name)
			}
		}
		if m.named.IsValid() {
			return r.Resolved(m.named)
		}
		return r.Resolved(*m.peer.Load()) // until Resolved: most often it is the phone itself
	case r.Remote.IsValid():
	case m.session != nil: // held the old way, without an address
		r.Remote, r.RemoteRTCP = m.agreed.Remote, m.agreed.RemoteRTCP
	default: // a call that begins on hold
		r.Remote = netip.AddrPortFrom(m.peer.Load().Unmap(), discard)
		r.RemoteRTCP = r.Remote
	}
	m.name = ""
	return r, nil
}

// Resolved sends the sound to where a name leads that OnName has told; until then it goes to where the
// signalling comes from, which stays where the name leads there, too. A name that is not the far end's any
// more changes nothing. Addresses of the other family, and such as are none for one listener, are an error.
func (m *Leg) Resolved(name string, addrs []netip.Addr) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.session == nil || name == "" || name != m.name {
		return nil
	}
	peer, to := m.peer.Load().Unmap(), netip.Addr{}
	for _, a := range addrs {
		a = a.Unmap()
		if a == peer || !to.IsValid() && a.Is4() == peer.Is4() {
			to = a
		}
	}
	if !to.IsValid() {
		return fmt.Errorf("media: %s leads to %v, not to an address of %s's family", name, addrs, peer)
	}
	r, err := m.agreed.Resolved(to)
	if err != nil {
		return err
	}
	am, err := m.params(r)
	if err == nil {
		err = m.session.Update(am)
	}
	if err == nil {
		m.agreed, m.named = r, to
	}
	return err
}

// latchFrom lets sound in from where the far end is known to be.
func (m *Leg) latchFrom(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if m.At != nil {
		return m.At(a)
	}
	return m.peer.Load().Unmap().WithZone("") == a
}

// params turns what was agreed, and whether the leg is muted, into what the session does.
func (m *Leg) params(r sdp.Result) (audio.Media, error) {
	am := audio.Media{Remote: r.Remote, RemoteRTCP: r.RemoteRTCP, EventPT: r.SendEvents, EventPTRecv: r.ReceiveEvents,
		EventRate: r.EventsRate, PTime: r.PTime}
	format := func(c sdp.Codec) (audio.Format, error) {
		codec := audio.CodecByName(c.Name)
		if codec == nil {
			return audio.Format{}, fmt.Errorf("media: no codec %q", c.Name)
		}
		return audio.Format{Codec: codec, PayloadType: c.PayloadType}, nil
	}
	var err error
	if am.Send, err = format(r.Send); err != nil {
		return am, err
	}
	for _, c := range r.Receive {
		f, err := format(c)
		if err != nil {
			return am, err
		}
		am.Receive = append(am.Receive, f)
	}
	switch r.Direction {
	case sdp.SendRecv:
		am.Direction = audio.SendRecv
	case sdp.SendOnly:
		am.Direction = audio.SendOnly
	case sdp.RecvOnly:
		am.Direction = audio.RecvOnly
	default:
		am.Direction = audio.Inactive
	}
	switch {
	case !m.muted:
	case m.filled:
		am.Silent = true
	case am.Direction == audio.SendRecv:
		am.Direction = audio.RecvOnly
	case am.Direction == audio.SendOnly:
		am.Direction = audio.Inactive
	}
	return am, nil
}

// Mute keeps the microphone out of the session, there or to come, or lets it in as far as it was agreed to
// send. A muted session sends nothing but keep-alives, or with fill packets of silence: there are far ends that
// say nothing before they have heard of us.
func (m *Leg) Mute(muted, fill bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.muted == muted && m.filled == fill {
		return nil
	}
	m.muted, m.filled = muted, fill
	if m.session == nil {
		return nil
	}
	am, err := m.params(m.agreed)
	if err != nil {
		return err
	}
	return m.session.Update(am)
}

// Settled reports whether an offer was answered.
func (m *Leg) Settled() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.session != nil
}

// Start lets the sound run. Before an offer was answered, and again, it does nothing.
func (m *Leg) Start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.session != nil && !m.closed && !m.attached {
		m.attached = true
		m.c.Engine.Attach(m.session)
	}
}

// Sends reports whether it was agreed that the far end hears the microphone.
func (m *Leg) Sends() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.session != nil && (m.agreed.Direction == sdp.SendRecv || m.agreed.Direction == sdp.SendOnly)
}

// Life is what a leg knows of its far end's being there.
type Life struct {
	Heard bool          // something has come
	Quiet time.Duration // since the last sign of life, or since the start
	Gaps  bool          // it has sent comfort noise, or gone on after more than 1 s of nothing
	Due   bool          // it was agreed that both hear each other: nothing but a fault, or mute, keeps it silent
	Hears bool          // it was agreed that it hears the microphone

	Deaf    bool  // it hears nothing of what is sent: it reports so, or Refusal
	Refusal error // why packets were not sent lately, or came back; nil: they were not
}

// refusedFor is how long a refusal counts. A host may tell of one in a second, or fewer (RFC 1812, 4.3.2.8).
const refusedFor = 5 * time.Second

// Life tells whether the far end is there. Before the start nothing is known.
func (m *Leg) Life() Life {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.session == nil || !m.attached {
		return Life{}
	}
	st := m.session.Stats()
	l := Life{Heard: st.Heard, Quiet: st.Quiet, Gaps: st.Noise || st.Paused, Due: m.agreed.Direction == sdp.SendRecv,
		Hears: m.agreed.Direction == sdp.SendRecv || m.agreed.Direction == sdp.SendOnly}
	if l.Hears && st.SendErr != nil && st.SendAgo < refusedFor {
		l.Refusal = st.SendErr
	}
	l.Deaf = l.Hears && st.RemoteDeaf || l.Refusal != nil
	return l
}

// Addr is where far ends are told to send sound; the zero value as long as no ports are bound.
func (m *Leg) Addr() netip.AddrPort {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.local.Addr
}

// Session is the running stream; nil before an offer was answered.
func (m *Leg) Session() *audio.Session {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.session
}

// Stats returns the session's counters and its codec's name; false before an offer was answered.
func (m *Leg) Stats() (audio.Stats, string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.session == nil {
		return audio.Stats{}, "", false
	}
	return m.session.Stats(), m.agreed.Send.Name, true
}

// Close ends the sound and frees the ports. A second call does nothing.
func (m *Leg) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	m.closed = true
	switch {
	case m.session != nil:
		if m.attached {
			m.c.Engine.Detach(m.session)
		}
		m.session.Close()
	case m.rtp != nil:
		m.rtp.Close()
		m.rtcp.Close()
	}
}
