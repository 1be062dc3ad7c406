// Package sdp negotiates one audio stream by offer and answer (RFC 3264), and reads for it what is needed of
// a session description (RFC 8866).
//
// It answers offers with any number of media sections: the first audio section over RTP/AVP or RTP/AVPF that
// shares a codec is taken, all others are refused with port 0 (RFC 3264 §6). Payload types may differ by
// direction (§5.1). Events are telephone-event (RFC 4733 §2.4). What an answer leaves open is the static
// payload types of RFC 3551 §6.
//
//	RFC 8866        read, write
//	RFC 3264 §5     Local.Offer
//	RFC 3264 §6     Local.Answer
//	RFC 3264 §7     Local.Accept
//	RFC 3264 §8.4   direction, place: hold is a direction, or an address that is none (0.0.0.0, port 9)
//
// A line that cannot be read is passed over, unless it may be a restriction: see Attribute.direction.
//
// Limits: no video, no SRTP, no ICE; attributes that are not understood are ignored, as RFC 8866 §5.13 asks.
// A name as address is kept as one: who resolves it gives the address to Result.Resolved.
package sdp

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// ErrNoCommonCodec is in every *Mismatch.
var ErrNoCommonCodec = errors.New("sdp: no common codec")

// Mismatch says why an offer or answer does not fit this end; a SIP answer is 488.
type Mismatch struct {
	Code         int      // warn-code (RFC 3261 §20.43)
	Text         string   // why, in a few words
	Theirs, Ours []string // codecs, as "PCMA/8000"
}

// Error tells why, with both lists of codecs.
func (m *Mismatch) Error() string {
	return fmt.Sprintf("%v: %s (theirs: %s; ours: %s)", ErrNoCommonCodec, m.Text, strings.Join(m.Theirs, ", "),
		strings.Join(m.Ours, ", "))
}

// Unwrap returns ErrNoCommonCodec.
func (m *Mismatch) Unwrap() error { return ErrNoCommonCodec }

// Codec is one payload format of RFC 3551 or an rtpmap.
type Codec struct {
	Name        string // "PCMA", upper case
	ClockRate   int    // Hz, of the RTP time stamp
	PayloadType uint8
}

// Local describes this end's one audio stream.
type Local struct {
	Addr      netip.AddrPort // where RTP is received; RTCP one above
	Codecs    []Codec        // in the order of preference
	Events    uint8          // payload type of telephone-event; 0: none
	PTime     int            // ms of audio in a packet; 0: 20
	Direction Direction      // "": sendrecv

	id, version uint64
}

// Result is what both ends agreed on, from this end's view.
type Result struct {
	// Where RTP and RTCP go. Without a valid address the far end holds the old way, or RemoteName is to be
	// resolved; the ports are right then.
	Remote, RemoteRTCP netip.AddrPort
	RemoteName         string  // c= is a name
	Send               Codec   // with the far end's payload type
	Receive            []Codec // with this end's payload types; the far end may switch among them
	SendEvents         uint8   // payload type; 0: the far end takes no events
	ReceiveEvents      uint8
	EventsRate         int       // Hz of the events' time stamps
	Direction          Direction // of this end
	PTime              int       // ms that the far end asks for
}

// Resolved returns r with the address of RemoteName.
func (r Result) Resolved(addr netip.Addr) (Result, error) {
	addr = addr.Unmap()
	if !addr.IsValid() || addr.IsUnspecified() || addr.IsMulticast() {
		return r, fmt.Errorf("sdp: c= name %q is %s", r.RemoteName, addr)
	}
	r.Remote = netip.AddrPortFrom(addr, r.Remote.Port())
	r.RemoteRTCP = netip.AddrPortFrom(addr, r.RemoteRTCP.Port())
	return r, nil
}

// Offer writes an offer (RFC 3264 §5).
func (l *Local) Offer() ([]byte, error) {
	l.begin()
	events := Codec{ClockRate: 8000, PayloadType: l.Events}
	return l.write([]string{l.media("RTP/AVP", l.Codecs, events, l.direction(), "")}), nil
}

func (l *Local) direction() Direction {
	if l.Direction == "" {
		return SendRecv
	}
	return l.Direction
}

// begin starts the session's identity or raises its version (RFC 3264 §8).
func (l *Local) begin() {
	if l.id == 0 {
		var b [8]byte
		rand.Read(b[:])
		l.id = binary.BigEndian.Uint64(b[:])>>2 | 1 // fits the signed 64 bits of careless parsers
		l.version = l.id
		return
	}
	l.version++
}

// SyntaxError says that a description cannot be read; a SIP answer is 400.
type SyntaxError struct{ Err error }

// Error tells what is wrong with the description.
func (e *SyntaxError) Error() string { return "sdp: parse: " + e.Err.Error() }

// Unwrap returns what is wrong.
func (e *SyntaxError) Unwrap() error { return e.Err }

// Answer answers an offer (RFC 3264 §6). It fails with a *Mismatch, or with a *SyntaxError.
func (l *Local) Answer(offer []byte) ([]byte, Result, error) {
	d, err := Parse(offer)
	if err != nil {
		return nil, Result{}, err
	}
	res, taken, err := l.choose(d)
	if err != nil {
		return nil, Result{}, err
	}
	l.begin()
	// §6.1: the answer keeps the payload types of the offer.
	answered := res.Send
	for i := range res.Receive {
		if res.Receive[i].Name == answered.Name && res.Receive[i].ClockRate == answered.ClockRate {
			res.Receive = []Codec{answered}
			break
		}
	}
	res.ReceiveEvents = res.SendEvents
	media := make([]string, len(d.Media))
	for i := range d.Media {
		m := &d.Media[i]
		if i != taken {
			media[i] = refuse(m)
			continue
		}
		mid, _ := m.Attr("mid")
		events := Codec{ClockRate: res.EventsRate, PayloadType: res.ReceiveEvents}
		media[i] = l.media(m.Proto, []Codec{answered}, events, res.Direction, mid)
	}
	return l.write(media), res, nil
}

// Accept reads the answer to an offer of this end (RFC 3264 §7). It fails as Answer does.
func (l *Local) Accept(answer []byte) (Result, error) {
	d, err := Parse(answer)
	if err != nil {
		return Result{}, err
	}
	res, _, err := l.choose(d)
	if err != nil {
		return Result{}, err
	}
	for _, c := range l.Codecs { // §5.1: whatever was offered may come, the preferred first
		if !slices.Contains(res.Receive, c) {
			res.Receive = append(res.Receive, c)
		}
	}
	return res, nil
}

// choose takes the first media section that fits this end.
func (l *Local) choose(d *Description) (Result, int, error) {
	why := &Mismatch{Code: 304, Text: "no audio section"}
	for i := range d.Media {
		res, mismatch := l.negotiate(d, i)
		if mismatch == nil {
			return res, i, nil
		}
		if d.Media[i].Media == "audio" {
			why.Code, why.Text = mismatch.Code, mismatch.Text
			theirs, _ := d.Media[i].codecs()
			why.Theirs = append(why.Theirs, codecNames(theirs)...)
		}
	}
	why.Ours = codecNames(l.Codecs)
	return Result{}, 0, why
}

func codecNames(list []Codec) (names []string) {
	for _, c := range list {
		names = append(names, c.Name+"/"+strconv.Itoa(c.ClockRate))
	}
	return names
}

// negotiate fits section i of the far end to this end.
func (l *Local) negotiate(d *Description, i int) (Result, *Mismatch) {
	m := &d.Media[i]
	proto := strings.ToUpper(m.Proto)
	switch {
	case m.Media != "audio":
		return Result{}, &Mismatch{Code: 304, Text: "not audio"}
	case m.Port == 0:
		return Result{}, &Mismatch{Code: 304, Text: "audio has no port"}
	case strings.Contains(proto, "SAVP"):
		return Result{}, &Mismatch{Code: 302, Text: "encrypted sound only (" + m.Proto + ")"}
	case proto != "RTP/AVP" && proto != "RTP/AVPF":
		return Result{}, &Mismatch{Code: 302, Text: "transport " + m.Proto}
	}
	res := Result{PTime: 20}
	if !l.agree(m, &res) {
		return Result{}, &Mismatch{Code: 305, Text: "no codec in common"}
	}
	to, ok := d.place(i)
	switch {
	case !ok:
		return Result{}, &Mismatch{Code: 301, Text: "no address that can be read"}
	case to.addr.IsMulticast():
		return Result{}, &Mismatch{Code: 330, Text: "multicast address " + to.addr.String()}
	}
	held := to.held || m.Port == discard && !d.usesICE(m)
	own, theirs := l.direction(), d.direction(i)
	res.Direction = direction(own.sends() && theirs.receives() && !held, own.receives() && theirs.sends())
	if !held {
		res.Remote = netip.AddrPortFrom(to.addr, uint16(m.Port))
		res.RemoteRTCP = netip.AddrPortFrom(to.addr, m.rtcpPort())
		res.RemoteName = to.name
	}
	if v, ok := m.Attr("ptime"); ok {
		if ms, err := strconv.ParseFloat(v, 64); err == nil && ms >= 10 && ms <= 60 {
			res.PTime = int(ms) / 10 * 10
		}
	}
	return res, nil
}

// discard is the port of an address that is not known yet (RFC 8840); without ICE nobody will tell it.
const discard = 9

func (d *Description) usesICE(m *Section) bool {
	_, media := m.Attr("ice-ufrag")
	_, session := d.Session.Attr("ice-ufrag")
	return media || session
}

// agree finds the codecs and events that both ends have; false: no codec.
func (l *Local) agree(m *Section, res *Result) bool {
	theirs, events := m.codecs()
	for _, c := range l.Codecs {
		i := slices.IndexFunc(theirs, func(t Codec) bool { return t.Name == c.Name && t.ClockRate == c.ClockRate })
		if i < 0 {
			continue
		}
		if res.Send.Name == "" {
			res.Send = theirs[i]
		}
		res.Receive = append(res.Receive, c)
	}
	if l.Events != 0 && events.PayloadType != 0 {
		res.SendEvents, res.ReceiveEvents, res.EventsRate = events.PayloadType, l.Events, events.ClockRate
	}
	return res.Send.Name != ""
}

// rtcpPort returns the port for RTCP: of the rtcp attribute (RFC 3605), else the one above RTP's.
func (s *Section) rtcpPort() uint16 {
	if v, ok := s.Attr("rtcp"); ok {
		digits, _ := number(v)
		if p, err := strconv.ParseUint(digits, 10, 16); err == nil && p > 0 {
			return uint16(p)
		}
	}
	return uint16(min(s.Port+1, 65535))
}
