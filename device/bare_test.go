package device

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portero/audio/audiotest"
	"portero/device/event"
	"portero/sip"
	"portero/sip/siptest"
)

// bare is a phone that answers at once, and that sends what the test has it send and nothing by itself.
type bare struct {
	t         *testing.T
	peer      *siptest.Peer
	rtp, rtcp *audiotest.Conn
	direction string

	mu      sync.Mutex
	door    netip.AddrPort // where it wants its sound
	options int            // status of the answer to OPTIONS; 0: none
	asked   []time.Time
	byes    int
	ignores bool // further INVITEs
	invites []*sip.Request
	refuses int           // status of the answer to a re-INVITE; 0: 200
	early   time.Duration // it plays early media for so long first
	number  uint16
}

const doorSIP = "10.0.0.1:5062"

func (r *rig) bare(direction string, options int) *bare {
	b := &bare{t: r.t, peer: r.sip.NewPeer(r.t, "10.0.0.2:5060"), rtp: r.rtp.Listen("10.0.0.2:4000"), rtcp: r.rtp.Listen("10.0.0.2:4001"),
		direction: direction, options: options}
	stop, done := make(chan struct{}), make(chan struct{})
	r.t.Cleanup(func() { close(stop); <-done })
	go func() {
		defer close(done)
		for {
			if req, _ := b.peer.Within(time.Second); req != nil {
				b.take(req)
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	return b
}

var mediaPort = regexp.MustCompile(`(?s)c=IN IP4 (\S+).*m=audio (\d+)`)

// lockedText is a log that is read while it is written.
type lockedText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (b *bare) take(req *sip.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	status := 200
	switch req.Method {
	case sip.INVITE:
		b.invites = append(b.invites, req)
		if b.ignores {
			return
		}
		if b.refuses > 0 && len(b.invites) > 1 {
			status = b.refuses
			break
		}
		if m := mediaPort.FindSubmatch(req.Body); m != nil {
			port, _ := strconv.Atoi(string(m[2]))
			b.door = netip.AddrPortFrom(netip.MustParseAddr(string(m[1])), uint16(port))
		}
		answer := func(status int) {
			b.peer.Respond(req, sentBy(req), status, func(res *sip.Response) {
				res.To = req.To.WithTag("bare")
				res.Contact = []sip.Address{{URI: sip.URI{Scheme: "sip", User: "kitchen", Host: "10.0.0.2", Port: 5060}}}
				res.ContentType, res.Body = "application/sdp", fmt.Appendf(nil, "v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\n"+
					"m=audio 4000 RTP/AVP 8\r\na=%s\r\n", b.direction)
			})
		}
		if b.early > 0 {
			answer(183)
			time.AfterFunc(b.early, func() { answer(200) })
			return
		}
		answer(200)
		return
	case sip.OPTIONS:
		if b.asked = append(b.asked, time.Now()); b.options == 0 {
			return
		}
		status = b.options
	case sip.BYE:
		b.byes++
	case sip.ACK:
		return
	}
	b.peer.Respond(req, sentBy(req), status, nil)
}

// sentBy is where a response goes.
func sentBy(req *sip.Request) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(req.Via[0].Host), req.Via[0].Port)
}

// questions are when it was asked whether it is there.
func (b *bare) questions() []time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.asked)
}

// say sends one packet of RTP under a payload type.
func (b *bare) say(pt uint8, payload ...byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := []byte{0x80, pt, 11: 7}
	b.number++
	binary.BigEndian.PutUint16(p[2:], b.number)
	binary.BigEndian.PutUint32(p[4:], uint32(b.number)*160)
	b.rtp.WritePacket(append(p, payload...), b.door)
}

// voice speaks for a time.
func (b *bare) voice(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		b.say(8, bytes.Repeat([]byte{0xd5}, 160)...)
	}
}

// report sends a receiver report that holds what is in blocks.
func (b *bare) report(blocks ...byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(blocks) / 24
	p := append([]byte{0x80 | byte(n), 201, 0, byte(1 + 6*n), 0, 0, 0, 7}, blocks...)
	b.rtcp.WritePacket(p, netip.AddrPortFrom(b.door.Addr(), b.door.Port()+1))
}

// raw sends what is no RTP from where its RTP comes.
func (b *bare) raw(data string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rtp.WritePacket([]byte(data), b.door)
}

// hears reads what has come: packets, and how many of them are sound.
func (b *bare) hears() (packets, sound int) {
	buf := make([]byte, 1500)
	for {
		n, from, _, _ := b.rtp.ReadPacket(buf)
		if !from.IsValid() {
			return packets, sound
		}
		if packets++; n > 12 && slices.ContainsFunc(buf[12:n], func(v byte) bool { return v != 0xd5 && v != 0x55 }) {
			sound++
		}
	}
}

// talk rings the front bell and has the bare phone answer.
func (b *bare) talk(d *door) time.Time {
	b.t.Helper()
	d.press("front")
	d.want(event.CallAnswered)
	return time.Now()
}

// line is a network between the door and a phone that can be cut, for sound alone or for all.
type line struct{ sound, all atomic.Bool }

func (r *rig) line(phone string) *line {
	l, addr := &line{}, netip.MustParseAddr(phone)
	r.rtp.Drop = func(p audiotest.Packet) bool {
		return (l.sound.Load() || l.all.Load()) && (p.From.Addr() == addr || p.To.Addr() == addr)
	}
	r.sip.Drop = func(from, to netip.AddrPort, _ []byte) bool {
		return l.all.Load() && (from.Addr() == addr || to.Addr() == addr)
	}
	return l
}
