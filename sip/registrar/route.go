package registrar

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
	"slices"

	"portero/sip"
	"portero/sip/transport"
)

// preprocess takes our own routes off a request and puts right what a strict router did (RFC 3261 §16.4).
// within: one of them had a token that fits the request, with which it goes from one end of its dialog to the
// other. forged: there was a token that does not fit.
func (s *Server) preprocess(req *sip.Request) (from, to end, within, forged bool) {
	if len(req.Route) > 0 && req.URI.User != "" && s.ours(req.URI) {
		if a, b, ok := s.openToken(req.URI.Username(), req); ok {
			from, to, within = a, b, true
			last := len(req.Route) - 1
			req.URI = req.Route[last].URI
			req.Route = req.Route[:last]
		}
	}
	for len(req.Route) > 0 && s.ours(req.Route[0].URI) {
		if user := req.Route[0].URI.Username(); user != "" && !within {
			from, to, within = s.openToken(user, req)
			forged = !within && req.To.Tag() != ""
		}
		req.Route = req.Route[1:]
	}
	return from, to, within, forged
}

// recordRoute puts us on the path of the dialog that req makes (§16.6 item 4): the token that is made for it,
// at the address that each side sees, the callee's on top (RFC 5658 §4).
func (s *Server) recordRoute(req *sip.Request, caller, callee end) error {
	near, err := s.locals.of(caller.hop)
	if err != nil {
		return err
	}
	far, err := s.locals.of(callee.hop)
	if err != nil {
		return err
	}
	token := s.makeToken(req, caller, callee)
	entry := func(p sip.Proto, a netip.AddrPort) sip.Address {
		u := transport.URI(token, p, a)
		u.Params += ";lr"
		return sip.Address{URI: u}
	}
	own := []sip.Address{entry(callee.hop.Proto, far)}
	if near != far || caller.hop.Proto != callee.hop.Proto {
		own = append(own, entry(caller.hop.Proto, near))
	}
	req.RecordRoute = append(own, req.RecordRoute...)
	return nil
}

// A token is base64url of
//
//	end of the caller | end of the callee | MAC
//
// where MAC is HMAC-SHA-256(key, Call-ID, caller's tag, both ends), cut to 16 octets, and an end is the length
// of its user's name, the name, and its hop: the transport's number, the connection (uvarint), the length of
// the address, the address, the port.
const macSize = 16

// end is one end of a dialog that goes by us.
type end struct {
	user string // of ours; "": nobody's
	hop  transport.Target
}

// speaksFrom reports whether a request of this end may come from an address: where the end was when the dialog
// was made, or where its user has registered since.
func (s *Server) speaksFrom(e end, from netip.Addr) bool {
	return e.hop.Addr.Addr().Unmap() == from.Unmap() || e.user != "" && s.At(e.user, from)
}

// protos number the transports. Others are added at the end: tokens that were made before must still open.
var protos = []sip.Proto{sip.UDP, sip.TCP, sip.TLS}

func (s *Server) makeToken(req *sip.Request, caller, callee end) string {
	b := appendEnd(appendEnd(make([]byte, 0, 128), caller), callee)
	return base64.RawURLEncoding.EncodeToString(append(b, s.seal(req.CallID, req.From.Tag(), b)...))
}

// openToken returns the ends of the dialog that req comes from and goes to.
func (s *Server) openToken(token string, req *sip.Request) (from, to end, ok bool) {
	sender, receiver := req.From.Tag(), req.To.Tag()
	if sender == "" || receiver == "" {
		return from, to, false
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) <= macSize {
		return from, to, false
	}
	ends, mac := b[:len(b)-macSize], b[len(b)-macSize:]
	byCaller := hmac.Equal(mac, s.seal(req.CallID, sender, ends))
	if !byCaller && !hmac.Equal(mac, s.seal(req.CallID, receiver, ends)) {
		return from, to, false
	}
	caller, ends, ok := cutEnd(ends)
	callee, _, ok2 := cutEnd(ends)
	if byCaller {
		return caller, callee, ok && ok2
	}
	return callee, caller, ok && ok2
}

func (s *Server) seal(callID, callerTag string, ends []byte) []byte {
	h := hmac.New(sha256.New, s.key[:])
	var b [512]byte
	msg := binary.AppendUvarint(b[:0], uint64(len(callID)))
	msg = append(msg, callID...)
	msg = binary.AppendUvarint(msg, uint64(len(callerTag)))
	msg = append(msg, callerTag...)
	h.Write(append(msg, ends...))
	return h.Sum(nil)[:macSize]
}

func appendEnd(b []byte, e end) []byte {
	name := e.user
	if len(name) > 255 { // whose owner must not move, then
		name = ""
	}
	b = append(b, byte(len(name)))
	return appendHop(append(b, name...), e.hop)
}

func cutEnd(b []byte) (e end, rest []byte, ok bool) {
	if len(b) == 0 || len(b) < 1+int(b[0]) {
		return e, nil, false
	}
	e.user = string(b[1 : 1+int(b[0])])
	e.hop, rest, ok = cutHop(b[1+int(b[0]):])
	return e, rest, ok
}

func appendHop(b []byte, t transport.Target) []byte {
	b = append(b, byte(max(0, slices.Index(protos, t.Proto))))
	b = binary.AppendUvarint(b, t.Flow.Conn)
	addr, _ := t.Addr.Addr().MarshalBinary() // with its zone
	b = append(b, byte(len(addr)))
	b = append(b, addr...)
	return binary.BigEndian.AppendUint16(b, t.Addr.Port())
}

func cutHop(b []byte) (t transport.Target, rest []byte, ok bool) {
	if len(b) == 0 || int(b[0]) >= len(protos) {
		return t, nil, false
	}
	proto := protos[b[0]]
	conn, n := binary.Uvarint(b[1:])
	if n <= 0 || len(b) < n+2 || len(b) < n+2+int(b[n+1])+2 {
		return t, nil, false
	}
	b = b[n+1:]
	size := int(b[0])
	var addr netip.Addr
	if addr.UnmarshalBinary(b[1:1+size]) != nil || !addr.IsValid() {
		return t, nil, false
	}
	at := netip.AddrPortFrom(addr, binary.BigEndian.Uint16(b[1+size:]))
	t = transport.Target{Proto: proto, Addr: at}
	if proto != sip.UDP {
		t.Flow = transport.Flow{Proto: proto, Remote: at, Conn: conn}
	}
	return t, b[3+size:], true
}

// hopOf says where the sender of a request is reached: where it came from, since a Contact may lie behind a
// NAT. A lone client that does not ask for symmetric responses (RFC 3581) may listen on another port than it
// sends from.
func hopOf(flow transport.Flow, req *sip.Request, contact sip.URI) transport.Target {
	t := transport.Target{Proto: flow.Proto, Addr: flow.Remote, Flow: flow}
	if _, symmetric := req.Via[0].RPort(); symmetric || flow.Proto.Reliable() || len(req.Via) > 1 {
		return t
	}
	if addr, ok := literalHost(contact.Host); ok && addr == flow.Remote.Addr().Unmap() {
		_, port := contact.HostPort()
		t.Addr = netip.AddrPortFrom(flow.Remote.Addr(), port)
	}
	return t
}
