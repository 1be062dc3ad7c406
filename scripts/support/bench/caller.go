package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"time"
)

// call is a call to a phone, with RTP both ways.
type call struct {
	*stream
	phone  *phone
	sip    *socket
	id, to string // Call-ID; To with the phone's tag
	target string
}

// place calls a phone that answers by itself, and talks to it; without a sound it says silence.
func place(p *phone, c codec, s *sound) (*call, error) {
	k := &call{phone: p, id: fmt.Sprintf("bench-%x", rand.Uint64())}
	port, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	if k.sip, err = listen(port); err != nil {
		return nil, err
	}
	if k.stream, err = newStream(); err != nil {
		return nil, err
	}
	to, err := k.invite(c)
	if err != nil {
		return nil, p.failed(err)
	}
	if s == nil {
		silence := make([]byte, 160)
		for i := range silence {
			silence[i] = 0xff // of G.711 u-law
		}
		s = &sound{payload: func(int, time.Time) []byte { return silence }}
	}
	k.run(to, c, s)
	return k, nil
}

func (k *call) request(method string, cseq int, to string) string {
	return fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bK%x;rport\r\nMax-Forwards: 70\r\nFrom: <sip:caller@127.0.0.1>;tag=c\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %[1]s\r\nContact: <sip:caller@127.0.0.1:%[3]d>\r\n",
		method, k.target, k.sip.port, rand.Uint64(), to, k.id, cseq)
}

// invite sends INVITE, takes the 200, sends ACK and returns where the phone wants its RTP.
func (k *call) invite(c codec) (netip.AddrPort, error) {
	k.target = "sip:door@" + k.phone.at.String()
	k.to = "<" + k.target + ">"
	invite := []byte(k.request("INVITE", 1, k.to) + ending(description(c, k.rtp.port)))
	buf := make([]byte, 65536)
	answered := false
	for deadline := time.Now().Add(10 * time.Second); ; {
		if !answered { // the phone may still be starting
			if err := k.sip.send(k.phone.at, invite); err != nil {
				return netip.AddrPort{}, err
			}
		}
		d, err := k.sip.receive(buf, time.Now().Add(500*time.Millisecond))
		if errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(deadline) {
			continue
		}
		if err != nil {
			return netip.AddrPort{}, fmt.Errorf("no answer to INVITE: %w", err)
		}
		answered = true
		m := string(d.data)
		status, _, _ := strings.Cut(strings.TrimPrefix(m, "SIP/2.0 "), "\r\n")
		switch {
		case strings.HasPrefix(status, "1"):
		case strings.HasPrefix(status, "200"):
			k.to = header(m, "To")
			k.target = strings.Trim(strings.SplitN(header(m, "Contact"), ">", 2)[0], "<>")
			if err := k.sip.send(k.phone.at, []byte(k.request("ACK", 1, k.to)+ending(""))); err != nil {
				return netip.AddrPort{}, err
			}
			return mediaPort(m)
		default:
			return netip.AddrPort{}, fmt.Errorf("INVITE was answered %q", status)
		}
	}
}

// end hangs up and waits for the answer.
func (k *call) end() error {
	err := k.stop()
	if e := k.sip.send(k.phone.at, []byte(k.request("BYE", 2, k.to)+ending(""))); err == nil {
		err = e
	}
	buf := make([]byte, 65536)
	for deadline := time.Now().Add(5 * time.Second); err == nil; {
		var d datagram
		if d, err = k.sip.receive(buf, deadline); err == nil && strings.HasSuffix(header(string(d.data), "CSeq"), "BYE") {
			break
		}
	}
	return errors.Join(err, k.sip.conn.Close())
}
