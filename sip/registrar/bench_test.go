package registrar

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"portero/sip"
	"portero/sip/digest"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// wire is a network of channels whose far ends are all the benchmark itself. Unlike siptest's it keeps no
// log.
type wire struct {
	up   chan transport.Packet
	down chan sent
}

type sent struct {
	to   netip.AddrPort
	data []byte
}

func (w *wire) Proto() sip.Proto                               { return sip.UDP }
func (w *wire) Local(transport.Target) (netip.AddrPort, error) { return serverAddr, nil }
func (w *wire) Send(_ uint64, t transport.Target, data []byte) error {
	w.down <- sent{t.Addr, append([]byte(nil), data...)}
	return nil
}
func (w *wire) Run(ctx context.Context, deliver func(transport.Packet) bool) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case p := <-w.up:
			for !deliver(p) {
				time.Sleep(time.Millisecond)
			}
		}
	}
}

func (w *wire) send(from netip.AddrPort, data string) {
	w.up <- transport.Packet{Flow: transport.Flow{Proto: sip.UDP, Local: serverAddr, Remote: from},
		Data: []byte(data)}
}

// next returns the next message to a far end, whose start line must begin so.
func (w *wire) next(b testing.TB, start string) string {
	m := <-w.down
	if !strings.HasPrefix(string(m.data), start) {
		b.Fatalf("want %s, got\n%s", start, m.data)
	}
	return string(m.data)
}

func benchServer(b *testing.B) *wire {
	srv, err := New(Config{Domains: []string{domain}, Users: []User{{"anna", "a"}, {"door", "d"}}})
	if err != nil {
		b.Fatal(err)
	}
	w := &wire{up: make(chan transport.Packet, 16), down: make(chan sent, 4096)}
	s := transaction.NewStack(transaction.Config{}, srv, w)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	b.Cleanup(func() { cancel(); <-done })
	return w
}

func cpu() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// header cuts a header field out of a message.
func header(m, name string) string {
	_, rest, _ := strings.Cut(m, "\r\n"+name+": ")
	v, _, _ := strings.Cut(rest, "\r\n")
	return v
}

var annaAddr, doorAddr = netip.MustParseAddrPort("10.0.0.1:5060"), netip.MustParseAddrPort("10.0.0.8:5060")

func registerWire(i int, auth string) string {
	return "REGISTER sip:" + domain + " SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKr" +
		strconv.Itoa(i) + ";rport\r\nMax-Forwards: 70\r\n" +
		"From: <sip:anna@" + domain + ">;tag=f\r\nTo: <sip:anna@" + domain + ">\r\nCall-ID: reg\r\nCSeq: " +
		strconv.Itoa(i) + " REGISTER\r\n" +
		"Contact: <sip:anna@10.0.0.1:5060>;expires=600\r\n" + auth + "Content-Length: 0\r\n\r\n"
}

// client answers the challenge of a first REGISTER.
func (w *wire) client(b testing.TB) *digest.Client {
	c := &digest.Client{User: "anna", Password: "a"}
	w.send(annaAddr, registerWire(0, ""))
	if err := c.Challenged([]string{header(w.next(b, "SIP/2.0 401"), "WWW-Authenticate")},
		false); err != nil {
		b.Fatal(err)
	}
	return c
}

// A benchmark opens at most this many transactions a stack, which keeps them for 32 s of real time.
const perServer = 3500

// BenchmarkRegister is a REGISTER that bears SHA-256 credentials and refreshes a binding, from the bytes to
// the bytes.
func BenchmarkRegister(b *testing.B) {
	b.ReportAllocs()
	var spent time.Duration
	for done := 0; done < b.N; {
		b.StopTimer()
		w := benchServer(b)
		c := w.client(b)
		var requests []string
		for i := 1; i <= min(perServer, b.N-done); i++ {
			requests = append(requests, registerWire(i, "Authorization: "+c.Authorize("REGISTER",
				"sip:"+domain)+"\r\n"))
		}
		b.StartTimer()
		start := cpu()
		for _, r := range requests {
			w.send(annaAddr, r)
			w.next(b, "SIP/2.0 200")
			done++
		}
		spent += cpu() - start
	}
	b.ReportMetric(float64(spent.Microseconds())/float64(b.N), "cpu-us/op")
}

const sdp = "v=0\r\no=- 1 1 IN IP4 10.0.0.8\r\ns=-\r\nc=IN IP4 10.0.0.8\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 " +
	"8 9 101\r\n" +
	"a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"

func callWire(method, target, from, to, branch string, cseq, i int, extra, body string) string {
	m := fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP "+
		"10.0.0.8:5060;branch=z9hG4bK%s%d;rport\r\nMax-Forwards: 70\r\n%sFrom: %s\r\nTo: %s\r\nCall-ID: "+
		"call-%d\r\n"+
		"CSeq: %d %s\r\nContact: <sip:door@10.0.0.8:5060>\r\n", method, target, branch, i, extra, from, to, i,
		cseq, method)
	if body != "" {
		m += "Content-Type: application/sdp\r\n"
	}
	return m + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

// answerTo makes a response out of the copy of a request that the callee got.
func answerTo(req, status, to, body string) string {
	var b strings.Builder
	b.WriteString("SIP/2.0 " + status + "\r\n")
	head, _, _ := strings.Cut(req, "\r\n\r\n")
	for i, line := range strings.Split(head, "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		switch {
		case i == 0:
		case name == "To":
			b.WriteString("To: " + to + "\r\n")
		case name == "Via" || name == "From" || name == "Call-ID" || name == "CSeq" || name == "Record-Route":
			b.WriteString(line + "\r\n")
		}
	}
	b.WriteString("Contact: <sip:anna@10.0.0.1:5060>\r\nContent-Length: " + strconv.Itoa(len(body)) +
		"\r\n\r\n" + body)
	return b.String()
}

// BenchmarkCall is a record-routed call: INVITE with credentials, 180, 200, ACK, BYE, 200; both ends' text
// handling is part of it.
func BenchmarkCall(b *testing.B) {
	b.ReportAllocs()
	var spent time.Duration
	for done := 0; done < b.N; {
		b.StopTimer()
		w := benchServer(b)
		c := w.client(b)
		w.send(annaAddr, registerWire(1, "Authorization: "+c.Authorize("REGISTER", "sip:"+domain)+"\r\n"))
		w.next(b, "SIP/2.0 200")
		door := &digest.Client{User: "door", Password: "d"}
		from, to := "<sip:door@"+domain+">;tag=d", "<sip:anna@"+domain+">"
		w.send(doorAddr, callWire("INVITE", "sip:anna@"+domain, from, to, "c", 1, 0, "", sdp))
		if err := door.Challenged([]string{header(w.next(b, "SIP/2.0 407"), "Proxy-Authenticate")},
			false); err != nil {
			b.Fatal(err)
		}
		var requests []string
		for i := 1; i <= min(perServer/2, b.N-done); i++ {
			auth := "Proxy-Authorization: " + door.Authorize("INVITE", "sip:anna@"+domain) + "\r\n"
			requests = append(requests, callWire("INVITE", "sip:anna@"+domain, from, to, "i", 2, i, auth,
				sdp))
		}
		b.StartTimer()
		start := cpu()
		for i, request := range requests {
			i++
			w.send(doorAddr, request)
			invite := w.next(b, "INVITE ")
			tagged := to + ";tag=a"
			w.send(annaAddr, answerTo(invite, "180 Ringing", tagged, ""))
			w.next(b, "SIP/2.0 180")
			w.send(annaAddr, answerTo(invite, "200 OK", tagged, sdp))
			route := "Route: " + header(w.next(b, "SIP/2.0 200"), "Record-Route") + "\r\n"
			w.send(doorAddr, callWire("ACK", "sip:anna@10.0.0.1:5060", from, tagged, "a", 2, i, route, ""))
			w.next(b, "ACK ")
			w.send(doorAddr, callWire("BYE", "sip:anna@10.0.0.1:5060", from, tagged, "b", 3, i, route, ""))
			w.send(annaAddr, answerTo(w.next(b, "BYE "), "200 OK", tagged, ""))
			w.next(b, "SIP/2.0 200")
			done++
		}
		spent += cpu() - start
	}
	b.ReportMetric(float64(spent.Microseconds())/float64(b.N), "cpu-us/op")
}
