// Package sdp negotiates one audio stream by offer and answer (RFC 3264) on the grammar of pion/sdp (RFC
// 8866).
//
// It answers offers with any number of media sections: the first audio section over RTP/AVP that shares a
// codec is taken, all others are refused with port 0 (RFC 3264 §6). Payload types may differ by direction
// (§5.1). Events are telephone-event (RFC 4733 §2.4). What an answer leaves open is the static payload types
// of RFC 3551 §6.
//
//	RFC 3264 §5   Local.Offer
//	RFC 3264 §6   Local.Answer
//	RFC 3264 §7   Local.Accept
//	RFC 3264 §8.4 hold: a direction, or the address 0.0.0.0 of RFC 2543
//
// Limits: no video, no SRTP, no ICE; attributes that are not understood are ignored, as RFC 8866 §5.13 asks.
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

	psdp "github.com/pion/sdp/v3"
)

// ErrNoCommonCodec refuses an offer or answer that shares no codec with this end; a SIP answer is 488.
var ErrNoCommonCodec = errors.New("sdp: no common codec")

// Direction is a stream's direction from the view of who states it (RFC 3264 §5.1).
type Direction string

// The directions.
const (
	SendRecv Direction = "sendrecv"
	SendOnly Direction = "sendonly"
	RecvOnly Direction = "recvonly"
	Inactive Direction = "inactive"
)

func (d Direction) sends() bool    { return d == SendRecv || d == SendOnly }
func (d Direction) receives() bool { return d == SendRecv || d == RecvOnly }

func direction(sends, receives bool) Direction {
	switch {
	case sends && receives:
		return SendRecv
	case sends:
		return SendOnly
	case receives:
		return RecvOnly
	}
	return Inactive
}

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
	Remote        netip.AddrPort // where RTP goes; the zero address when the far end holds the old way
	RemoteRTCP    netip.AddrPort
	Send          Codec   // with the far end's payload type
	Receive       []Codec // with this end's payload types; the far end may switch among them
	SendEvents    uint8   // payload type; 0: the far end takes no events
	ReceiveEvents uint8
	Direction     Direction // of this end
	PTime         int       // ms that the far end asks for
}

// Offer writes an offer (RFC 3264 §5).
func (l *Local) Offer() ([]byte, error) {
	l.begin()
	m := l.media(l.Codecs, l.Events, l.direction())
	return l.write([]*psdp.MediaDescription{m})
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

// Answer answers an offer (RFC 3264 §6). It fails with ErrNoCommonCodec, or with a SyntaxError.
func (l *Local) Answer(offer []byte) ([]byte, Result, error) {
	d, err := parse(offer)
	if err != nil {
		return nil, Result{}, err
	}
	l.begin()
	var res Result
	media := make([]*psdp.MediaDescription, len(d.MediaDescriptions))
	taken := -1
	for i, m := range d.MediaDescriptions {
		if taken < 0 {
			if r, err := l.negotiate(d, m); err == nil {
				res, taken = r, i
				continue
			}
		}
		media[i] = refuse(m)
	}
	if taken < 0 {
		return nil, Result{}, ErrNoCommonCodec
	}
	m := d.MediaDescriptions[taken]
	// §6.1: the answer keeps the payload types of the offer.
	answered := res.Send
	for i := range res.Receive {
		if res.Receive[i].Name == answered.Name && res.Receive[i].ClockRate == answered.ClockRate {
			res.Receive = []Codec{answered}
			break
		}
	}
	if res.SendEvents != 0 {
		res.ReceiveEvents = res.SendEvents
	}
	media[taken] = l.media([]Codec{answered}, res.ReceiveEvents, res.Direction)
	if mid, ok := m.Attribute("mid"); ok {
		media[taken].WithValueAttribute("mid", mid)
	}
	body, err := l.write(media)
	return body, res, err
}

// Accept reads the answer to an offer of this end (RFC 3264 §7).
func (l *Local) Accept(answer []byte) (Result, error) {
	d, err := parse(answer)
	if err != nil {
		return Result{}, err
	}
	for _, m := range d.MediaDescriptions {
		r, err := l.negotiate(d, m)
		if err == nil {
			return r, nil
		}
	}
	return Result{}, ErrNoCommonCodec
}

func parse(body []byte) (*psdp.SessionDescription, error) {
	if len(body) == 0 {
		return nil, &SyntaxError{errors.New("empty")}
	}
	d := &psdp.SessionDescription{}
	if err := d.Unmarshal(body); err != nil {
		return nil, &SyntaxError{err}
	}
	if len(d.MediaDescriptions) == 0 {
		return nil, &SyntaxError{errors.New("no media section")}
	}
	return d, nil
}

// negotiate fits one media section of the far end to this end.
func (l *Local) negotiate(d *psdp.SessionDescription, m *psdp.MediaDescription) (Result, error) {
	if m.MediaName.Media != "audio" || m.MediaName.Port.Value == 0 ||
		strings.Join(m.MediaName.Protos, "/") != "RTP/AVP" {
		return Result{}, ErrNoCommonCodec
	}
	res := Result{PTime: 20}
	theirs, events := codecs(m)
	for _, c := range l.Codecs {
		i := slices.IndexFunc(theirs, func(t Codec) bool {
			return t.Name == c.Name &&
				t.ClockRate == c.ClockRate
		})
		if i < 0 {
			continue
		}
		if res.Send.Name == "" {
			res.Send = theirs[i]
		}
		res.Receive = append(res.Receive, c)
	}
	if res.Send.Name == "" {
		return Result{}, ErrNoCommonCodec
	}
	if l.Events != 0 && events != 0 {
		res.SendEvents, res.ReceiveEvents = events, l.Events
	}
	addr, err := connection(d, m)
	if err != nil {
		return Result{}, err
	}
	port := m.MediaName.Port.Value
	if port < 1 || port > 65535 {
		return Result{}, fmt.Errorf("sdp: port %d", port)
	}
	theirDirection := SendRecv
	for _, a := range append(slices.Clone(d.Attributes), m.Attributes...) {
		switch Direction(a.Key) {
		case SendRecv, SendOnly, RecvOnly, Inactive:
			theirDirection = Direction(a.Key)
		}
	}
	own := l.direction()
	held := addr.IsUnspecified() // RFC 2543's way
	res.Direction = direction(own.sends() && theirDirection.receives() && !held, own.receives() &&
		theirDirection.sends())
	if !held {
		res.Remote = netip.AddrPortFrom(addr, uint16(port))
		res.RemoteRTCP = netip.AddrPortFrom(addr, uint16(port)+1)
		if v, ok := m.Attribute("rtcp"); ok { // RFC 3605
			port, _, _ := strings.Cut(v, " ")
			if p, err := strconv.ParseUint(port, 10, 16); err == nil {
				res.RemoteRTCP = netip.AddrPortFrom(addr, uint16(p))
			}
		}
	}
	if v, ok := m.Attribute("ptime"); ok {
		if n, err := strconv.Atoi(strings.TrimSpace(v)); err == nil && n >= 10 && n <= 60 {
			res.PTime = n / 10 * 10
		}
	}
	return res, nil
}

// codecs lists the payload formats of a section in its order, and the payload type of telephone-event.
func codecs(m *psdp.MediaDescription) (list []Codec, events uint8) {
	static := map[uint8]Codec{0: {"PCMU", 8000, 0}, 8: {"PCMA", 8000, 8}, 9: {"G722", 8000, 9}}
	maps := map[uint8]Codec{}
	for _, a := range m.Attributes {
		if a.Key != "rtpmap" {
			continue
		}
		pt, rest, _ := strings.Cut(a.Value, " ")
		n, err := strconv.ParseUint(strings.TrimSpace(pt), 10, 7)
		name, rate, _ := strings.Cut(strings.TrimSpace(rest), "/")
		rate, _, _ = strings.Cut(rate, "/")
		hz, err2 := strconv.Atoi(rate)
		if err == nil && err2 == nil {
			maps[uint8(n)] = Codec{strings.ToUpper(name), hz, uint8(n)}
		}
	}
	for _, f := range m.MediaName.Formats {
		n, err := strconv.ParseUint(f, 10, 7)
		if err != nil {
			continue
		}
		c, ok := maps[uint8(n)]
		if !ok {
			if c, ok = static[uint8(n)]; !ok {
				continue
			}
		}
		if c.Name == "TELEPHONE-EVENT" {
			if events == 0 && c.ClockRate == 8000 {
				events = c.PayloadType
			}
			continue
		}
		list = append(list, c)
	}
	return list, events
}

func connection(d *psdp.SessionDescription, m *psdp.MediaDescription) (netip.Addr, error) {
	c := m.ConnectionInformation
	if c == nil {
		c = d.ConnectionInformation
	}
	if c == nil || c.Address == nil {
		return netip.Addr{}, errors.New("sdp: no c= line")
	}
	addr, err := netip.ParseAddr(c.Address.Address)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("sdp: c= address %q: %w", c.Address.Address, err)
	}
	if addr.IsMulticast() {
		return netip.Addr{}, fmt.Errorf("sdp: c= address %s is multicast", addr)
	}
	return addr.Unmap(), nil
}

// refuse answers a section that is not wanted (RFC 3264 §6).
func refuse(m *psdp.MediaDescription) *psdp.MediaDescription {
	r := &psdp.MediaDescription{MediaName: m.MediaName}
	r.MediaName.Port = psdp.RangedPort{Value: 0}
	return r
}

func (l *Local) media(list []Codec, events uint8, dir Direction) *psdp.MediaDescription {
	m := &psdp.MediaDescription{MediaName: psdp.MediaName{Media: "audio",
		Port:   psdp.RangedPort{Value: int(l.Addr.Port())},
		Protos: []string{"RTP", "AVP"}}}
	for _, c := range list {
		m.WithCodec(c.PayloadType, c.Name, uint32(c.ClockRate), 0, "")
	}
	if events != 0 {
		m.WithCodec(events, "telephone-event", 8000, 0, "0-15")
	}
	ptime := l.PTime
	if ptime == 0 {
		ptime = 20
	}
	m.WithValueAttribute("ptime", strconv.Itoa(ptime))
	m.WithPropertyAttribute(string(dir))
	return m
}

func (l *Local) write(media []*psdp.MediaDescription) ([]byte, error) {
	kind := "IP4"
	addr := l.Addr.Addr().Unmap().WithZone("")
	if addr.Is6() {
		kind = "IP6"
	}
	d := &psdp.SessionDescription{
		Origin: psdp.Origin{Username: "-", SessionID: l.id, SessionVersion: l.version, NetworkType: "IN",
			AddressType:    kind,
			UnicastAddress: addr.String()},
		SessionName: "-",
		ConnectionInformation: &psdp.ConnectionInformation{NetworkType: "IN", AddressType: kind,
			Address: &psdp.Address{Address: addr.String()}},
		TimeDescriptions:  []psdp.TimeDescription{{}},
		MediaDescriptions: media,
	}
	b, err := d.Marshal()
	if err != nil {
		return nil, fmt.Errorf("sdp: write: %w", err)
	}
	return b, nil
}
