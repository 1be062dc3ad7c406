package device

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"portero/audio"
	"portero/audio/rtp"
	"portero/sip/sdp"
)

// eventsPayload is the payload type offered for telephone-event; 101 is what every phone expects.
const eventsPayload = 101

// ListenRTP binds a pair of ports for RTP and RTCP on a local address.
type ListenRTP func(netip.Addr) (rtp, rtcp rtp.PacketConn, err error)

// mediaConfig is what all streams of a station share.
type mediaConfig struct {
	engine *audio.Engine
	listen ListenRTP
	codecs []*audio.Codec // in order of preference
	public netip.Addr     // what the far ends are told in place of an own address of its family; zero: none
	inBand bool
}

// media joins SDP and sound for one call leg: it owns the leg's ports, its side of offer and answer, and its RTP session.
//
// The SIP loop asks it for offers and the station's loop for all else, so it has a lock.
type media struct {
	c       *mediaConfig
	onDigit func(audio.Digit)
	peer    netip.Addr // where the signalling comes from: RTP may latch on to it

	mu        sync.Mutex
	closed    bool
	local     sdp.Local
	rtp, rtcp rtp.PacketConn
	session   *audio.Session
	agreed    sdp.Result
	held      bool // the microphone is kept out of the session
}

func (c *mediaConfig) newMedia(onDigit func(audio.Digit)) *media {
	return &media{c: c, onDigit: onDigit}
}

var errMediaClosed = errors.New("device: the call is over")

// open binds the ports on the local address that the far end sees.
func (m *media) open(local netip.Addr) error {
	if m.closed {
		return errMediaClosed
	}
	if m.rtp != nil {
		return nil
	}
	rtp, rtcp, err := m.c.listen(local)
	if err != nil {
		return fmt.Errorf("device: no port for sound: %w", err)
	}
	m.rtp, m.rtcp = rtp, rtcp
	told := local
	if p := m.c.public; p.IsValid() && p.Is4() == local.Unmap().Is4() {
		told = p
	}
	m.local = sdp.Local{Addr: netip.AddrPortFrom(told, rtp.LocalAddr().Port()), Events: eventsPayload}
	for _, c := range m.c.codecs {
		m.local.Codecs = append(m.local.Codecs, sdp.Codec{Name: c.Name, ClockRate: c.ClockRate, PayloadType: c.PayloadType})
	}
	return nil
}

// offer makes the offer of an INVITE, or of a 2xx to an INVITE without one.
func (m *media) offer(local, peer netip.Addr) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.open(local); err != nil {
		return nil, err
	}
	m.peer = peer
	return m.local.Offer()
}

// answer answers an offer: the first one, or that of a re-INVITE.
func (m *media) answer(offer []byte, local, peer netip.Addr) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.open(local); err != nil {
		return nil, err
	}
	m.peer = peer
	body, agreed, err := m.local.Answer(offer)
	if err != nil {
		return nil, err
	}
	return body, m.settle(agreed)
}

// accept takes the answer to an own offer.
func (m *media) accept(answer []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return errMediaClosed
	}
	agreed, err := m.local.Accept(answer)
	if err != nil {
		return err
	}
	return m.settle(agreed)
}

// settle makes or changes the session as agreed.
func (m *media) settle(agreed sdp.Result) error {
	if !agreed.Remote.IsValid() && m.session != nil {
		agreed.Remote, agreed.RemoteRTCP = m.agreed.Remote, m.agreed.RemoteRTCP // held the old way, without an address
	}
	am, err := m.audioMedia(agreed)
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
	peer := m.peer
	m.session, err = audio.NewSession(audio.SessionConfig{Conn: m.rtp, RTCP: m.rtcp, Media: am, InBand: m.c.inBand, OnDigit: m.onDigit,
		LatchFrom: func(a netip.Addr) bool { return a.Unmap() == peer.Unmap() }})
	if err != nil {
		return err
	}
	m.agreed = agreed
	return nil
}

func (m *media) audioMedia(r sdp.Result) (audio.Media, error) {
	am := audio.Media{Remote: r.Remote, RemoteRTCP: r.RemoteRTCP, EventPT: r.SendEvents, EventPTRecv: r.ReceiveEvents, PTime: r.PTime}
	format := func(c sdp.Codec) (audio.Format, error) {
		codec := audio.CodecByName(c.Name)
		if codec == nil {
			return audio.Format{}, fmt.Errorf("device: no codec %q", c.Name)
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
	if m.held {
		switch am.Direction {
		case audio.SendRecv:
			am.Direction = audio.RecvOnly
		case audio.SendOnly:
			am.Direction = audio.Inactive
		}
	}
	return am, nil
}

// hold keeps the microphone out of the session, there or to come, until unmute.
func (m *media) hold() error { return m.mute(true) }

// unmute lets the microphone into the session as far as it was agreed to send.
func (m *media) unmute() error { return m.mute(false) }

func (m *media) mute(held bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held == held {
		return nil
	}
	m.held = held
	if m.session == nil {
		return nil
	}
	am, err := m.audioMedia(m.agreed)
	if err != nil {
		return err
	}
	return m.session.Update(am)
}

// settled reports whether an offer was answered.
func (m *media) settled() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.session != nil
}

// start lets the sound run.
func (m *media) start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.session != nil && !m.closed {
		m.c.engine.Attach(m.session)
	}
}

// sends reports whether it was agreed that the far end hears the door.
func (m *media) sends() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.session != nil && (m.agreed.Direction == sdp.SendRecv || m.agreed.Direction == sdp.SendOnly)
}

// stats returns the session's counters and its codec's name.
func (m *media) stats() (audio.Stats, string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.session == nil {
		return audio.Stats{}, "", false
	}
	return m.session.Stats(), m.agreed.Send.Name, true
}

// close ends the sound and frees the ports.
func (m *media) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	m.closed = true
	if m.session != nil {
		m.c.engine.Detach(m.session)
		m.session.Close()
		return
	}
	if m.rtp != nil {
		m.rtp.Close()
		m.rtcp.Close()
	}
}
