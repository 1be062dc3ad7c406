package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// sink is a registrar without passwords that takes every call at once and hangs up when it has heard the first RTP packet.
type sink struct {
	sip, rtp *socket
	codec    codec

	registered chan time.Time // arrivals of REGISTER
	calls      chan sinkCall
	failed     chan error
	wg         sync.WaitGroup
}

// sinkCall is a call of which the first sound has come.
type sinkCall struct {
	invited time.Time // INVITE arrived
	heard   time.Time // the first RTP packet arrived
}

func newSink(c codec) (*sink, error) {
	port, err := freePorts(4)
	if err != nil {
		return nil, err
	}
	s := &sink{codec: c, registered: make(chan time.Time, 16), calls: make(chan sinkCall, 1), failed: make(chan error, 1)}
	if s.sip, err = listen(port); err != nil {
		return nil, err
	}
	if s.rtp, err = listen(port + 2); err != nil {
		return nil, err
	}
	s.wg.Go(func() { s.failed <- s.serve() })
	return s, nil
}

func (s *sink) close() {
	s.sip.conn.Close()
	s.rtp.conn.Close()
	s.wg.Wait()
}

func (s *sink) serve() error {
	buf := make([]byte, 65536)
	for n := 1; ; n++ {
		d, err := s.sip.receive(buf, time.Time{})
		if err != nil {
			return err
		}
		m := string(d.data)
		method, _, _ := strings.Cut(m, " ")
		switch method {
		case "REGISTER":
			contact := header(m, "Contact")
			if err := s.sip.send(d.from, []byte(reply(m, "200 OK", "sink", "", "Contact: "+contact+";expires=600"))); err != nil {
				return err
			}
			select {
			case s.registered <- d.at:
			default:
			}
		case "INVITE":
			if err := s.take(d, m, fmt.Sprintf("t%d", n)); err != nil {
				return err
			}
		case "ACK", "SIP/2.0":
		default:
			if err := s.sip.send(d.from, []byte(reply(m, "200 OK", "sink", ""))); err != nil {
				return err
			}
		}
	}
}

// take answers an INVITE, waits for sound, and hangs up. An INVITE that is repeated meanwhile waits in the socket.
func (s *sink) take(d datagram, invite, tag string) error {
	buf := make([]byte, 2048)
	for { // what is left of the call before
		if _, err := s.rtp.receive(buf, time.Now()); err != nil {
			break
		}
	}
	id := header(invite, "Call-ID")
	tag += id[:min(8, len(id))]
	contact := fmt.Sprintf("Contact: <sip:11@127.0.0.1:%d>", s.sip.port)
	if err := s.sip.send(d.from, []byte(reply(invite, "200 OK", tag, description(s.codec, s.rtp.port), contact))); err != nil {
		return err
	}
	first, err := s.rtp.receive(buf, time.Now().Add(5*time.Second))
	if err != nil {
		return fmt.Errorf("no sound after the 200: %w", err)
	}
	target := strings.Trim(strings.SplitN(header(invite, "Contact"), ";", 2)[0], "<>")
	bye := fmt.Sprintf("BYE %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bK%s;rport\r\nMax-Forwards: 70\r\nFrom: %s;tag=%[3]s\r\nTo: %[5]s\r\nCall-ID: %s\r\nCSeq: 1 BYE\r\n",
		target, s.sip.port, tag, header(invite, "To"), header(invite, "From"), id)
	s.calls <- sinkCall{d.at, first.at}
	return s.sip.send(d.from, []byte(bye+ending("")))
}

// await takes the next value of c, or the failure of the sink or of the process.
func await[T any](s *sink, p *process, c <-chan T, what string) (v T, err error) {
	select {
	case v = <-c:
		return v, nil
	case err = <-s.failed:
		return v, err
	case <-p.ended:
		return v, p.failed(errors.New("ended before " + what))
	case <-time.After(20 * time.Second):
		return v, p.failed(fmt.Errorf("no %s: %w", what, os.ErrDeadlineExceeded))
	}
}
