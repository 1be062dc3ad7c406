package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// socket is a UDP socket on loopback whose arrivals bear the kernel's time.
type socket struct {
	conn *net.UDPConn
	port int
}

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

func listen(port int) (*socket, error) {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: loopback.AsSlice(), Port: port})
	if err != nil {
		return nil, err
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) }); err != nil {
		return nil, err
	}
	return &socket{c, c.LocalAddr().(*net.UDPAddr).Port}, failed
}

func (s *socket) send(to netip.AddrPort, data []byte) error {
	_, err := s.conn.WriteToUDPAddrPort(data, to)
	if errors.Is(err, unix.ECONNREFUSED) {
		return nil // the answer to an earlier datagram
	}
	return err
}

// datagram is what came, with the kernel's time of arrival.
type datagram struct {
	data []byte
	from netip.AddrPort
	at   time.Time
}

// receive waits for a datagram until the deadline; buf is used again.
func (s *socket) receive(buf []byte, deadline time.Time) (datagram, error) {
	if err := s.conn.SetReadDeadline(deadline); err != nil {
		return datagram{}, err
	}
	var control [64]byte
	n, c, _, from, err := s.conn.ReadMsgUDPAddrPort(buf, control[:])
	if err != nil {
		return datagram{}, err
	}
	d := datagram{buf[:n], from, time.Now()}
	messages, err := unix.ParseSocketControlMessage(control[:c])
	if err != nil {
		return datagram{}, err
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS && len(m.Data) >= 16 {
			d.at = time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		}
	}
	return d, nil
}

// Ports below the ephemeral range, so that no client takes one before its owner does; two benches at a time begin far apart.
var nextPort = 20000 + os.Getpid()*256%11000

// freePorts returns the first, even one of n free UDP ports in a row.
func freePorts(n int) (int, error) {
	for ; nextPort < 32000; nextPort += 2 {
		if free(nextPort, n) {
			first := nextPort
			nextPort += (n + 1) &^ 1
			return first, nil
		}
	}
	return 0, fmt.Errorf("no %d free ports", n)
}

func free(first, n int) bool {
	for port := first; port < first+n; port++ {
		c, err := net.ListenPacket("udp4", ":"+strconv.Itoa(port))
		if err != nil {
			return false
		}
		c.Close()
		l, err := net.Listen("tcp4", ":"+strconv.Itoa(port))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

// header is the first value of a header field of a SIP message.
func header(message, name string) string {
	_, rest, ok := strings.Cut(message, "\r\n"+name+":")
	if !ok {
		return ""
	}
	value, _, _ := strings.Cut(rest, "\r\n")
	return strings.TrimSpace(value)
}

// reply makes a response to a request: its Via, From, To, Call-ID, CSeq and Record-Route, the lines given, and a body of SDP.
func reply(request, status, tag, body string, lines ...string) string {
	var b strings.Builder
	b.WriteString("SIP/2.0 " + status + "\r\n")
	head, _, _ := strings.Cut(request, "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		switch name, _, _ := strings.Cut(line, ":"); name {
		case "To":
			if tag != "" && !strings.Contains(line, ";tag=") {
				line += ";tag=" + tag
			}
			b.WriteString(line + "\r\n")
		case "Via", "From", "Call-ID", "CSeq", "Record-Route":
			b.WriteString(line + "\r\n")
		}
	}
	for _, line := range lines {
		b.WriteString(line + "\r\n")
	}
	return b.String() + ending(body)
}

// ending is the last header lines and the body.
func ending(body string) string {
	kind := ""
	if body != "" {
		kind = "Content-Type: application/sdp\r\n"
	}
	return kind + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

// description is SDP for one codec at a port of ours.
func description(c codec, port int) string {
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP %d\r\na=rtpmap:%[2]d %s/8000\r\na=ptime:20\r\na=sendrecv\r\n",
		port, c.PayloadType, c.Name)
}

// mediaPort is where a description wants its sound.
func mediaPort(message string) (netip.AddrPort, error) {
	_, rest, _ := strings.Cut(message, "m=audio ")
	word, _, _ := strings.Cut(rest, " ")
	port, err := strconv.ParseUint(word, 10, 16)
	if err != nil || port == 0 {
		return netip.AddrPort{}, fmt.Errorf("no port for sound in %q", message)
	}
	return netip.AddrPortFrom(loopback, uint16(port)), nil
}
