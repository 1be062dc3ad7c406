package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"portero/sip/digest"
)

// together is how many operations are under way at once: a server that sleeps between any two messages shows its scheduler's price.
const together = 8

// server measures what a REGISTER with credentials and a record-routed call cost the built-in server, and Kamailio, the kernel's work for
// the datagrams included.
func (b *bench) server() error {
	// Fewer than a server may hold open for the 32 s that finished transactions linger.
	registers, calls := among(b, 400, 1500), among(b, 200, 800)
	var used [2][2]time.Duration
	for i, begin := range []func() (*process, netip.AddrPort, error){b.startServer, b.startKamailio} {
		p, at, err := begin()
		if err != nil {
			return err
		}
		defer p.kill()
		load, err := newLoad(at)
		if err != nil {
			return err
		}
		defer load.close()
		if err := load.ready(); err != nil {
			return p.failed(err)
		}
		for k, run := range []func(int) error{load.register, load.call} {
			n := []int{registers, calls}[k]
			if err := run(n / 10); err != nil { // warm
				return p.failed(err)
			}
			u, err := p.during(func() { err = run(n) })
			if err != nil {
				return p.failed(err)
			}
			used[i][k] = u.cpu / time.Duration(n)
		}
		say("%s: %v a REGISTER, %v a call", p.name, used[i][0], used[i][1])
	}
	for k, name := range []string{"server-register-cpu", "server-call-cpu"} {
		report(name, float64(used[0][k])/1e3, "us", "kamailio", float64(used[1][k])/1e3)
	}
	return nil
}

const porteroServer = `version = 1
[station]
data_dir = %q
[sip]
listen = "127.0.0.1:%d"
[server]
enabled = "on"
listen = "127.0.0.1:%d"
[[server.user]]
name = "anna"
password = "bench-password-a"
[[server.user]]
name = "carl"
password = "bench-password-c"
[board]
sim = true
[log]
level = "error"
[audio]
card = "none"
[[bell]]
name = "front"
line = "GPIO17"
targets = ["anna"]
`

func (b *bench) startServer() (*process, netip.AddrPort, error) {
	dir, err := b.room("server")
	if err != nil {
		return nil, netip.AddrPort{}, err
	}
	port, err := freePorts(4)
	if err != nil {
		return nil, netip.AddrPort{}, err
	}
	path := filepath.Join(dir, "portero.toml")
	if err := os.WriteFile(path, fmt.Appendf(nil, porteroServer, dir, port, port+2), 0o600); err != nil {
		return nil, netip.AddrPort{}, err
	}
	p, err := start(dir, "portero", b.portero, "run", "-config", path)
	return p, netip.AddrPortFrom(loopback, uint16(port+2)), err
}

const kamailioConfig = `#!KAMAILIO
debug=2
log_stderror=yes
fork=yes
children=1
disable_tcp=yes
dns=no
rev_dns=no
listen=udp:127.0.0.1:%d
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("usrloc", "db_mode", 0)
request_route {
	if (!mf_process_maxfwd_header("10")) {
		sl_send_reply("483", "Too Many Hops");
		exit;
	}
	if (has_totag()) {
		if (loose_route()) t_relay();
		else if (is_method("ACK") && t_check_trans()) t_relay();
		else if (!is_method("ACK")) sl_send_reply("404", "Not here");
		exit;
	}
	t_check_trans();
	$var(password) = "bench-password-a";
	if ($fU == "carl") $var(password) = "bench-password-c";
	if (is_method("REGISTER")) {
		if (!pv_www_authenticate("bench", "$var(password)", "0")) {
			www_challenge("bench", "1");
			exit;
		}
		if (!save("location")) sl_reply_error();
		exit;
	}
	if (!is_method("ACK")) {
		if (!pv_proxy_authenticate("bench", "$var(password)", "0")) {
			proxy_challenge("bench", "1");
			exit;
		}
		consume_credentials();
	}
	record_route();
	if (!lookup("location")) {
		sl_send_reply("404", "Not registered");
		exit;
	}
	if (!t_relay()) sl_reply_error();
}
`

func (b *bench) startKamailio() (*process, netip.AddrPort, error) {
	if err := need("kamailio"); err != nil {
		return nil, netip.AddrPort{}, err
	}
	dir, err := b.room("kamailio")
	if err != nil {
		return nil, netip.AddrPort{}, err
	}
	port, err := freePorts(2)
	if err != nil {
		return nil, netip.AddrPort{}, err
	}
	path := filepath.Join(dir, "kamailio.cfg")
	if err := os.WriteFile(path, fmt.Appendf(nil, kamailioConfig, port), 0o600); err != nil {
		return nil, netip.AddrPort{}, err
	}
	p, err := start(dir, "kamailio", "kamailio", "-f", path, "-DD", "-E", "-m", "64", "-M", "8", "-Y", dir, "-w", dir)
	return p, netip.AddrPortFrom(loopback, uint16(port)), err
}

// load is a caller and a callee at one server.
type load struct {
	server       netip.AddrPort
	carl, anna   *socket
	annas, carls *digest.Client
	n            int // of branches and Call-IDs
	seq          int // of REGISTER
	buf          []byte
}

func newLoad(server netip.AddrPort) (*load, error) {
	port, err := freePorts(4)
	if err != nil {
		return nil, err
	}
	l := &load{server: server, buf: make([]byte, 65536),
		annas: &digest.Client{User: "anna", Password: "bench-password-a"}, carls: &digest.Client{User: "carl", Password: "bench-password-c"}}
	if l.carl, err = listen(port); err != nil {
		return nil, err
	}
	l.anna, err = listen(port + 2)
	return l, err
}

func (l *load) close() {
	l.carl.conn.Close()
	l.anna.conn.Close()
}

// next waits at a socket for a message whose first line begins so; what comes between is passed over.
func (l *load) next(s *socket, begin string) (string, error) {
	for deadline := time.Now().Add(5 * time.Second); ; {
		d, err := s.receive(l.buf, deadline)
		if err != nil {
			return "", fmt.Errorf("no %q: %w", begin, err)
		}
		m := string(d.data)
		if strings.HasPrefix(m, begin) {
			return m, nil
		}
		if strings.HasPrefix(begin, "SIP/2.0 2") && strings.HasPrefix(m, "SIP/2.0 ") && m[8] > '2' {
			line, _, _ := strings.Cut(m, "\r\n")
			return "", fmt.Errorf("%q instead of %q", line, begin)
		}
	}
}

func (l *load) send(s *socket, m string) error { return s.send(l.server, []byte(m)) }

func (l *load) request(s *socket, method, target, from, to, id string, cseq int, more string) string {
	l.n++
	return fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bKbench%d;rport\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %[1]s\r\nContact: <sip:%[9]s@127.0.0.1:%[3]d>\r\n%[10]s",
		method, target, s.port, l.n, from, to, id, cseq, map[*socket]string{l.anna: "anna", l.carl: "carl"}[s], more)
}

func (l *load) uri(user string) string { return fmt.Sprintf("sip:%s@%v", user, l.server) }

func (l *load) registration(more string) string {
	l.seq++
	me := "<" + l.uri("anna") + ">"
	return l.request(l.anna, "REGISTER", "sip:"+l.server.String(), me+";tag=r", me, "registration", l.seq, "Expires: 600\r\n"+more+ending(""))
}

// ready waits until the server answers, and gets both challenges.
func (l *load) ready() error {
	var challenge string
	var err error
	for range 20 {
		if err = l.send(l.anna, l.registration("")); err != nil {
			return err
		}
		if err = l.anna.conn.SetReadDeadline(time.Now().Add(250 * time.Millisecond)); err != nil {
			return err
		}
		var d datagram
		if d, err = l.anna.receive(l.buf, time.Now().Add(250*time.Millisecond)); err == nil {
			challenge = string(d.data)
			break
		}
		pause(100 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	if err := l.annas.Challenged([]string{header(challenge, "WWW-Authenticate")}, false); err != nil {
		return err
	}
	if err := l.register(1); err != nil {
		return err
	}
	invite := l.request(l.carl, "INVITE", l.uri("anna"), "<"+l.uri("carl")+">;tag=c", "<"+l.uri("anna")+">", "first", 1, ending(offer))
	if err := l.send(l.carl, invite); err != nil {
		return err
	}
	if challenge, err = l.next(l.carl, "SIP/2.0 407"); err != nil {
		return err
	}
	ack := strings.Replace(strings.Replace(invite, "INVITE ", "ACK ", 1), "1 INVITE", "1 ACK", 1)
	head, _, _ := strings.Cut(ack, "Content-Type")
	if err := l.send(l.carl, head+ending("")); err != nil {
		return err
	}
	return l.carls.Challenged([]string{header(challenge, "Proxy-Authenticate")}, false)
}

const offer = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 9 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"

// register refreshes a binding n times.
func (l *load) register(n int) error {
	for ; n > 0; n -= together {
		batch := min(n, together)
		for range batch {
			auth := "Authorization: " + l.annas.Authorize("REGISTER", "sip:"+l.server.String()) + "\r\n"
			if err := l.send(l.anna, l.registration(auth)); err != nil {
				return err
			}
		}
		if err := l.each(batch, l.anna, "SIP/2.0 200", nil); err != nil {
			return err
		}
	}
	return nil
}

// each takes n messages at a socket.
func (l *load) each(n int, s *socket, begin string, then func(m string) error) error {
	for range n {
		m, err := l.next(s, begin)
		if err == nil && then != nil {
			err = then(m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// call makes n calls: INVITE with credentials, 180, 200, ACK, BYE, 200, all through the server.
func (l *load) call(n int) error {
	for ; n > 0; n -= together {
		if err := l.calls(min(n, together)); err != nil {
			return err
		}
	}
	return nil
}

func (l *load) calls(n int) error {
	from, to := "<"+l.uri("carl")+">;tag=c", "<"+l.uri("anna")+">"
	for range n {
		auth := "Proxy-Authorization: " + l.carls.Authorize("INVITE", l.uri("anna")) + "\r\n"
		id := fmt.Sprintf("call-%d-%d", l.carl.port, l.n)
		if err := l.send(l.carl, l.request(l.carl, "INVITE", l.uri("anna"), from, to, id, 2, auth+ending(offer))); err != nil {
			return err
		}
	}
	contact := fmt.Sprintf("Contact: <sip:anna@127.0.0.1:%d>", l.anna.port)
	err := l.each(n, l.anna, "INVITE ", func(invite string) error {
		return errors.Join(l.send(l.anna, reply(invite, "180 Ringing", "a", "", contact)), l.send(l.anna, reply(invite, "200 OK", "a", offer, contact)))
	})
	if err != nil {
		return err
	}
	within := func(method string, cseq int, m string) error {
		route := "Route: " + header(m, "Record-Route") + "\r\n"
		target := strings.Trim(header(m, "Contact"), "<>")
		return l.send(l.carl, l.request(l.carl, method, target, from, header(m, "To"), header(m, "Call-ID"), cseq, route+ending("")))
	}
	var answers []string
	err = l.each(n, l.carl, "SIP/2.0 200", func(ok string) error {
		answers = append(answers, ok)
		return within("ACK", 2, ok)
	})
	if err != nil {
		return err
	}
	if err := l.each(n, l.anna, "ACK ", nil); err != nil {
		return err
	}
	for _, ok := range answers {
		if err := within("BYE", 3, ok); err != nil {
			return err
		}
	}
	if err := l.each(n, l.anna, "BYE ", func(bye string) error { return l.send(l.anna, reply(bye, "200 OK", "", "")) }); err != nil {
		return err
	}
	return l.each(n, l.carl, "SIP/2.0 200", nil)
}
