//go:build interop

package interop

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Message is a SIP message, taken apart just enough for a script. It shares no code with the product.
type Message struct {
	Start  string   // the request or status line
	Header []string // "Name: value", in order
	Body   string
	From   net.Addr
}

// parseMessage takes a datagram apart.
func parseMessage(raw string) Message {
	head, body, _ := strings.Cut(raw, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	return Message{Start: lines[0], Header: lines[1:], Body: body}
}

// Method is the request's method, "" for a response.
func (m Message) Method() string {
	method, rest, _ := strings.Cut(m.Start, " ")
	if method == "SIP/2.0" || !strings.HasSuffix(rest, " SIP/2.0") {
		return ""
	}
	return method
}

// URI is the Request-URI.
func (m Message) URI() string {
	f := strings.Fields(m.Start)
	if m.Method() == "" || len(f) != 3 {
		return ""
	}
	return f[1]
}

// Status is the response's code, 0 for a request.
func (m Message) Status() int {
	if !strings.HasPrefix(m.Start, "SIP/2.0 ") || len(m.Start) < 11 {
		return 0
	}
	code, err := strconv.Atoi(m.Start[8:11])
	if err != nil {
		return 0
	}
	return code
}

var compact = map[string]string{"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "c": "content-type"}

// All returns the values of a header, long or compact.
func (m Message) All(name string) []string {
	var out []string
	for _, line := range m.Header {
		n, v, _ := strings.Cut(line, ":")
		n = strings.ToLower(strings.TrimSpace(n))
		if long := compact[n]; long != "" {
			n = long
		}
		if n == strings.ToLower(name) {
			out = append(out, strings.TrimSpace(v))
		}
	}
	return out
}

// Get is the first value of a header, "" without one.
func (m Message) Get(name string) string {
	if all := m.All(name); len(all) > 0 {
		return all[0]
	}
	return ""
}

// Param is a parameter of a header's value, such as tag of From.
func Param(value, name string) string {
	if i := strings.LastIndex(value, ">"); i >= 0 {
		value = value[i+1:]
	}
	for _, p := range strings.Split(value, ";") {
		if n, v, _ := strings.Cut(strings.TrimSpace(p), "="); strings.EqualFold(n, name) {
			return v
		}
	}
	return ""
}

// Address is the URI between angle brackets.
func Address(value string) string {
	if i, j := strings.Index(value, "<"), strings.Index(value, ">"); i >= 0 && j > i {
		return value[i+1 : j]
	}
	value, _, _ = strings.Cut(value, ";")
	return strings.TrimSpace(value)
}

func (m Message) String() string {
	return m.Start + "\r\n" + strings.Join(m.Header, "\r\n") + "\r\n\r\n" + m.Body
}

// Peer is a SIP element scripted by its test: one UDP socket on loopback. It repeats nothing and answers nothing by itself.
type Peer struct {
	t    *testing.T
	conn *net.UDPConn
	Port int
	Seen []Message // all that came, in order
}

// NewPeer opens a socket on 127.0.0.1.
func NewPeer(t *testing.T) *Peer {
	t.Helper()
	return newPeerAt(t, "127.0.0.1", freePort(t))
}

func newPeerAt(t *testing.T, ip string, port int) *Peer {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(ip), Port: port})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &Peer{t: t, conn: conn, Port: port}
}

// Send sends a message as it is.
func (p *Peer) Send(to net.Addr, raw string) {
	p.t.Helper()
	if _, err := p.conn.WriteTo([]byte(raw), to); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Fatalf("interop: send to %v: %v", to, err)
	}
}

// Next returns the next message that want accepts, passing over the others, or fails the test.
func (p *Peer) Next(what string, atMost time.Duration, want func(Message) bool) Message {
	p.t.Helper()
	m, ok := p.Try(atMost, want)
	if !ok {
		var starts []string
		for _, s := range p.Seen {
			starts = append(starts, s.Start)
		}
		p.t.Fatalf("interop: no %s within %v; seen: %q", what, atMost, starts)
	}
	return m
}

// Try is Next that may come back empty.
func (p *Peer) Try(atMost time.Duration, want func(Message) bool) (Message, bool) {
	p.t.Helper()
	if err := p.conn.SetReadDeadline(time.Now().Add(atMost)); err != nil {
		p.t.Fatal(err)
	}
	buf := make([]byte, 65536)
	for {
		n, from, err := p.conn.ReadFrom(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return Message{}, false
		}
		if err != nil {
			p.t.Fatal(err)
		}
		if strings.TrimSpace(string(buf[:n])) == "" {
			continue // keep-alive
		}
		m := parseMessage(string(buf[:n]))
		m.From = from
		p.Seen = append(p.Seen, m)
		if want(m) {
			return m, true
		}
	}
}

// Request waits for a request of that method.
func (p *Peer) Request(method string, atMost time.Duration) Message {
	p.t.Helper()
	return p.Next(method, atMost, func(m Message) bool { return m.Method() == method })
}

// Response waits for a final response to the CSeq method, or the given code.
func (p *Peer) Response(code int, atMost time.Duration) Message {
	p.t.Helper()
	return p.Next(strconv.Itoa(code), atMost, func(m Message) bool { return m.Status() == code })
}

// Reply makes a response to request; tag "" leaves To as it came; header lines may be added.
func Reply(request Message, status, tag, body string, header ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %s\r\n", status)
	for _, line := range request.Header {
		name, value, _ := strings.Cut(line, ":")
		switch n := strings.ToLower(strings.TrimSpace(name)); n {
		case "via", "v", "from", "f", "call-id", "i", "cseq", "record-route":
			b.WriteString(line + "\r\n")
		case "to", "t":
			if tag != "" && Param(value, "tag") == "" {
				line += ";tag=" + tag
			}
			b.WriteString(line + "\r\n")
		}
	}
	return b.String() + ending(header, body)
}

// ending is what a message has behind the lines that its kind asks for: header, and a body of SDP or "".
func ending(header []string, body string) string {
	if body != "" {
		header = append(slices.Clone(header), "Content-Type: application/sdp")
	}
	header = append(slices.Clone(header), fmt.Sprintf("Content-Length: %d", len(body)))
	return strings.Join(header, "\r\n") + "\r\n\r\n" + body
}

// Contact is the header line of a user agent at p.
func (p *Peer) Contact(user string) string {
	return fmt.Sprintf("Contact: <sip:%s@127.0.0.1:%d>", user, p.Port)
}

// sdp is a PCMA description with RFC 4733 events; direction is such as "sendrecv".
func sdp(port int, direction string) string {
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"+
		"m=audio %d RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=%s\r\n",
		port, direction)
}

// token is a random string for tags, branches and Call-IDs.
func token() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// RequestTo makes a request outside a dialog to a station at 127.0.0.1:port.
func (p *Peer) RequestTo(method string, port int, callID, fromTag string, cseq int, body string, header ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s sip:door@127.0.0.1:%d SIP/2.0\r\n", method, port)
	fmt.Fprintf(&b, "Via: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bK%s;rport\r\n", p.Port, token())
	fmt.Fprintf(&b, "Max-Forwards: 70\r\nFrom: <sip:stranger@127.0.0.1:%d>;tag=%s\r\nTo: <sip:door@127.0.0.1:%d>\r\n", p.Port, fromTag, port)
	fmt.Fprintf(&b, "Call-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:stranger@127.0.0.1:%d>\r\n", callID, cseq, method, p.Port)
	return b.String() + ending(header, body)
}

// Credentials are the parameters of a Digest Authorization header.
type Credentials map[string]string

var credential = regexp.MustCompile(`([a-zA-Z0-9-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^",\s]+))`)

// ParseCredentials takes `Digest a="b", c=d` apart; nil when it is another scheme.
func ParseCredentials(value string) Credentials {
	scheme, rest, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Digest") {
		return nil
	}
	c := Credentials{}
	for _, m := range credential.FindAllStringSubmatch(rest, -1) {
		c[strings.ToLower(m[1])] = m[2] + m[3]
	}
	return c
}

// Verify computes the response itself (RFC 7616 section 3.4) and says what is wrong with c, nil when it is right.
func (c Credentials) Verify(method, user, password, realm, nonce string) error {
	algorithm := c["algorithm"]
	var make func() hash.Hash
	switch strings.ToUpper(algorithm) {
	case "", "MD5":
		make = md5.New
	case "SHA-256":
		make = sha256.New
	default:
		return fmt.Errorf("algorithm %q", algorithm)
	}
	sum := func(parts ...string) string {
		h := make()
		h.Write([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(h.Sum(nil))
	}
	if c["username"] != user || c["realm"] != realm || c["nonce"] != nonce {
		return fmt.Errorf("username %q, realm %q, nonce %q", c["username"], c["realm"], c["nonce"])
	}
	a1, a2 := sum(user, realm, password), sum(method, c["uri"])
	want := sum(a1, nonce, a2)
	if c["qop"] != "" {
		if c["qop"] != "auth" || len(c["nc"]) != 8 || c["cnonce"] == "" {
			return fmt.Errorf("qop %q, nc %q, cnonce %q", c["qop"], c["nc"], c["cnonce"])
		}
		want = sum(a1, nonce, c["nc"], c["cnonce"], c["qop"], a2)
	}
	if c["response"] != want {
		return fmt.Errorf("response %q, want %q", c["response"], want)
	}
	return nil
}

// waitSIP asks a server with OPTIONS until it answers anything.
func waitSIP(t *testing.T, port int, atMost time.Duration) {
	t.Helper()
	p := NewPeer(t)
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}
	for deadline := time.Now().Add(atMost); time.Now().Before(deadline); {
		raw := p.RequestTo("OPTIONS", port, token(), token(), 1, "")
		if _, err := p.conn.WriteTo([]byte(strings.Replace(raw, "sip:door@", "sip:", 1)), to); err != nil {
			continue
		}
		if m, ok := p.tryQuiet(200 * time.Millisecond); ok && m.Status() > 0 {
			return
		}
	}
	t.Fatalf("interop: nothing answers on 127.0.0.1:%d within %v", port, atMost)
}

// tryQuiet reads one datagram; a refused port (ICMP) counts as nothing yet.
func (p *Peer) tryQuiet(atMost time.Duration) (Message, bool) {
	if err := p.conn.SetReadDeadline(time.Now().Add(atMost)); err != nil {
		return Message{}, false
	}
	buf := make([]byte, 65536)
	n, from, err := p.conn.ReadFrom(buf)
	if err != nil {
		return Message{}, false
	}
	m := parseMessage(string(buf[:n]))
	m.From = from
	return m, true
}

// dialUntil connects to a control port that a child is about to open.
func dialUntil(t *testing.T, p *Process, address string, atMost time.Duration) net.Conn {
	t.Helper()
	deadline := time.Now().Add(atMost)
	for {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			return c
		}
		if time.Now().After(deadline) {
			t.Fatalf("interop: %s: %v", p.name, err)
		}
		select {
		case <-p.ended:
			t.Fatalf("interop: %s ended with code %d", p.name, p.code)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
