//go:build interop

package interop

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// Broken datagrams to the SIP port: the station lives, rings nobody, opens nothing, and answers a good request afterwards.
func TestBrokenDatagrams(t *testing.T) {
	t.Parallel()
	st := isCalled(t)
	p := NewPeer(t)
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: st.Port}
	good := p.RequestTo("INVITE", st.Port, token(), token(), 1, sdp(p.Port, "sendrecv"))
	rng := rand.New(rand.NewPCG(1, 2))

	var all []string
	for n := range 200 { // garbage
		b := make([]byte, rng.IntN(1500))
		for i := range b {
			b[i] = byte(rng.IntN(256))
		}
		all = append(all, string(b))
		if n < 60 {
			all = append(all, good[:len(good)*n/60]) // truncated
			mutant := []byte(good)
			for range 1 + rng.IntN(5) {
				mutant[rng.IntN(len(mutant))] = byte(rng.IntN(256))
			}
			all = append(all, string(mutant))
		}
	}
	for _, header := range []string{"Via", "From", "To", "Call-ID", "CSeq", "Max-Forwards", "Contact"} { // missing
		all = append(all, without(good, header))
	}
	length := fmt.Sprintf("Content-Length: %d", len(parseMessage(good).Body))
	for _, value := range []string{"-1", "4294967296", "99999999999999999999", "65535", "1e3", "", "abc"} { // absurd
		all = append(all, strings.Replace(good, length, "Content-Length: "+value, 1))
	}
	all = append(all,
		strings.Replace(good, "Max-Forwards: 70", "X-Pad: "+strings.Repeat("a", 60000), 1), // oversize
		strings.Replace(good, "Max-Forwards: 70", strings.Repeat("Via: SIP/2.0/UDP 127.0.0.1\r\n", 1500)+"Max-Forwards: 70", 1),
		strings.ReplaceAll(good, "CSeq: 1 INVITE", "CSeq: 4294967296 INVITE"),
		strings.ReplaceAll(good, "CSeq: 1 INVITE", "CSeq: 1 BYE"),
		"\x00", "\r\n\r\n", strings.Repeat("\x00", 65000), "SIP/2.0 200 OK\r\n\r\n", "INVITE  SIP/2.0\r\n\r\n")
	for i, raw := range all {
		if len(raw) > 65507 {
			t.Fatalf("datagram %d has %d bytes", i, len(raw))
		}
		p.Send(to, raw)
		if i%50 == 49 { // not faster than the socket's buffer
			st.alive(t, p)
		}
	}
	st.alive(t, p)
	st.Quiet(100*time.Millisecond, "call.answered", "call.ringing", "door.opened", "card.opened mic=true")
	if peak := st.PeakMB(); peak >= 64 {
		t.Errorf("peak resident set %.1f MB, want below 64", peak)
	}
	st.End()
	if log := st.Log(); strings.Contains(log, "panic") || strings.Contains(log, "goroutine ") {
		t.Error("the log speaks of a panic")
	}
}

// alive asks with OPTIONS and wants any answer.
func (st *Station) alive(t *testing.T, p *Peer) {
	t.Helper()
	id := token()
	options := p.RequestTo("OPTIONS", st.Port, id, token(), 7, "")
	for range 10 { // as timer E does: a full socket buffer is no fault
		p.Send(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: st.Port}, options)
		if _, ok := p.Try(500*time.Millisecond, func(m Message) bool { return m.Get("Call-ID") == id && m.Status() >= 200 }); ok {
			return
		}
	}
	t.Fatal("no response to OPTIONS within 5 s")
}

// Mandatory headers that are missing from a request with a usable Via get a 400 (RFC 3261 section 8.2), or silence.
func TestMissingHeaders(t *testing.T) {
	t.Parallel()
	st := isCalled(t)
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: st.Port}
	for _, header := range []string{"From", "To", "Call-ID", "CSeq"} {
		p := NewPeer(t)
		p.Send(to, without(p.RequestTo("OPTIONS", st.Port, token(), token(), 1, ""), header))
		if m, ok := p.Try(700*time.Millisecond, func(m Message) bool { return m.Status() > 0 }); ok && m.Status() != 400 {
			t.Errorf("without %s: %q, want 400 or nothing", header, m.Start)
		}
	}
	p := NewPeer(t)
	st.alive(t, p)
}

func without(raw, header string) string {
	var out []string
	for _, l := range strings.SplitAfter(raw, "\r\n") {
		if !strings.HasPrefix(l, header+":") {
			out = append(out, l)
		}
	}
	return strings.Join(out, "")
}

// An allow-listed caller with whom nothing can be spoken: 488, and no call.
func TestNoCommonCodec(t *testing.T) {
	t.Parallel()
	st := isCalled(t)
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: st.Port}
	for name, body := range map[string]string{
		"G.729 only": "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 30000 RTP/AVP 18\r\na=rtpmap:18 G729/8000\r\n",
		"video only": "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 30000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n",
		"garbage":    "v=0\r\nm=audio\r\n",
	} {
		p := NewPeer(t)
		id, tag := token(), token()
		invite := p.RequestTo("INVITE", st.Port, id, tag, 1, body)
		invite = strings.Replace(invite, parseMessage(invite).Get("From"), "<sip:kitchen@127.0.0.1>;tag="+tag, 1)
		p.Send(to, invite)
		m := p.Next("final response", patience, func(m Message) bool { return m.Status() >= 200 })
		if m.Status() != 488 && (name != "garbage" || m.Status() != 400) {
			t.Errorf("%s: %q, want 488", name, m.Start)
		}
		ack := p.RequestTo("ACK", st.Port, id, tag, 1, "")
		ack = strings.Replace(ack, parseMessage(ack).Get("Via"), parseMessage(invite).Get("Via"), 1)
		p.Send(to, strings.Replace(ack, "To: "+parseMessage(ack).Get("To"), "To: "+m.Get("To"), 1))
	}
	st.Quiet(100*time.Millisecond, "call.answered", "card.opened mic=true")
}

// What keeps the station from starting must be said in words, and end it with code 1.
func TestRefusesToStart(t *testing.T) {
	t.Parallel()
	door := "[server]\nenabled = \"off\"\n" + fmt.Sprintf(frontDoor, `"sip:phone@127.0.0.1:5999"`, "30s", "2m")
	run := func(t *testing.T, change func(string) string) (int, string) {
		t.Helper()
		st := newStation(t, Setup{Text: door})
		raw, err := os.ReadFile(st.Config)
		if err == nil {
			err = os.WriteFile(st.Config, []byte(change(string(raw))), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		p := Start(t, "portero", t.TempDir(), nil, binary(t), "run", "-config", st.Config)
		code := p.Wait(patience)
		return code, p.Log()
	}
	for name, c := range map[string]struct {
		change func(string) string
		says   []string
	}{
		"unknown keys": {func(s string) string {
			return strings.Replace(strings.Replace(s, "ring_limit", "ring_limt", 1), "switch_on", "swich_on", 1)
		}, []string{"ring_limt", "ring_limit", "swich_on", "switch_on"}},
		"a door without its line":    {func(s string) string { return strings.Replace(s, `line = "GPIO22"`, "", 1) }, []string{"line"}},
		"relay and bell on one line": {func(s string) string { return strings.Replace(s, "GPIO22", "GPIO17", 1) }, []string{"GPIO17"}},
		"a code of three digits":     {func(s string) string { return strings.Replace(s, `"4711"`, `"471"`, 1) }, []string{"code"}},
		"not TOML":                   {func(s string) string { return "][" + s }, []string{":1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, log := run(t, c.change)
			if code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
			for _, word := range c.says {
				if !strings.Contains(log, word) {
					t.Errorf("the message does not name %q:\n%s", word, log)
				}
			}
			if strings.Contains(log, "4711") {
				t.Error("the message shows the door's code")
			}
		})
	}
	t.Run("port in use", func(t *testing.T) {
		t.Parallel()
		p := NewPeer(t)
		code, log := run(t, func(s string) string {
			_, rest, _ := strings.Cut(s, `listen = "127.0.0.1:`)
			port, _, _ := strings.Cut(rest, `"`)
			return strings.Replace(s, "127.0.0.1:"+port, fmt.Sprintf("127.0.0.1:%d", p.Port), 1)
		})
		if code != 1 || !strings.Contains(log, fmt.Sprint(p.Port)) || !strings.Contains(log, "in use") {
			t.Errorf("exit code %d, want 1 and a message that names port %d as in use:\n%s", code, p.Port, log)
		}
	})
	t.Run("no such config", func(t *testing.T) {
		t.Parallel()
		p := Start(t, "portero", t.TempDir(), nil, binary(t), "run", "-config", "/nonexistent/portero.toml")
		if code := p.Wait(patience); code != 1 || !strings.Contains(p.Log(), "/nonexistent/portero.toml") {
			t.Errorf("exit code %d, want 1, and the path:\n%s", code, p.Log())
		}
	})
}
