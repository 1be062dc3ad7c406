package main

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// stream is the caller's RTP, both ways.
type stream struct {
	rtp    *socket
	cancel context.CancelFunc
	wg     sync.WaitGroup
	errs   chan error

	mu       sync.Mutex
	received int
}

// sound is what the caller says, a packet at a time; heard takes each payload that comes, if it is not nil, on a goroutine of its own.
type sound struct {
	payload func(n int, now time.Time) []byte // n counts packets
	heard   func(payload []byte, at time.Time)
}

func newStream() (*stream, error) {
	port, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	s := &stream{errs: make(chan error, 1)}
	s.rtp, err = listen(port)
	return s, err
}

// run starts both directions.
func (s *stream) run(to netip.AddrPort, c codec, what *sound) {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.wg.Go(func() { s.errs <- s.talk(ctx, to, c, what) })
	s.wg.Go(func() { s.listen(what) })
}

// stop ends both.
func (s *stream) stop() error {
	s.cancel()
	err := <-s.errs
	s.rtp.conn.Close()
	s.wg.Wait()
	return err
}

// talk sends a packet every 20 ms; one that is late is sent at once and moves no other.
func (s *stream) talk(ctx context.Context, to netip.AddrPort, c codec, what *sound) error {
	began, packet := time.Now(), make([]byte, 12)
	packet[0], packet[1] = 0x80, c.PayloadType
	binary.BigEndian.PutUint32(packet[8:], rand.Uint32())
	for n := 0; ; n++ {
		t := time.NewTimer(time.Until(began.Add(time.Duration(n) * 20 * time.Millisecond)))
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
		binary.BigEndian.PutUint16(packet[2:], uint16(n))
		binary.BigEndian.PutUint32(packet[4:], uint32(n)*160)
		packet = append(packet[:12], what.payload(n, time.Now())...)
		if err := s.rtp.send(to, packet); err != nil {
			return errors.Join(errors.New("RTP cannot be sent"), err)
		}
	}
}

// listen reads until the socket is closed.
func (s *stream) listen(what *sound) {
	buf := make([]byte, 2048)
	for {
		d, err := s.rtp.receive(buf, time.Time{})
		if err != nil {
			return
		}
		if len(d.data) < 12 || d.data[0]>>6 != 2 || d.data[1]&0x7f >= 64 && d.data[1]&0x7f < 96 {
			continue // RTCP would be no sound (RFC 5761)
		}
		s.mu.Lock()
		s.received++
		s.mu.Unlock()
		if what.heard != nil {
			what.heard(d.data[12:], d.at)
		}
	}
}

// packets is how many RTP packets have come so far.
func (s *stream) packets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.received
}
