package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"portero/audio"
	"portero/audio/alsa"
	"portero/audio/rtp"
)

// delay measures how long a sound is on its way: once from a microphone to the far loudspeaker, through two engines as the station
// has them, and once from RTP in to RTP out through a phone whose loudspeaker its microphone hears, which baresip can do too. Both ways
// pass each part of a one-way trip once.
func (b *bench) delay() error {
	clicks := among(b, 4, 10)
	var err error
	for _, c := range []codec{audio.PCMU, audio.G722} {
		// Within a call the way is the same for each click, but for the jitter buffer; the cards' phases differ from call to call.
		var d []time.Duration
		for range among(b, 2, 6) {
			one, e := mouthToEar(c, clicks)
			d, err = append(d, one...), errors.Join(err, e)
		}
		if len(d) == 0 {
			continue
		}
		slices.Sort(d)
		report("mouth-to-ear-"+c.Name+"-min", ms(d[0]), "ms", "goal", 80)
		report("mouth-to-ear-"+c.Name+"-median", ms(d[len(d)/2]), "ms", "goal", 80)
		report("mouth-to-ear-"+c.Name+"-max", ms(d[len(d)-1]), "ms", "goal", 80)
	}
	return errors.Join(err, b.loop(audio.PCMU, 3*clicks))
}

// ring is a card in real time as the ALSA driver of this project runs one: two periods wait in the loudspeaker's ring, so that a frame
// sounds that much after it was handed over, and the microphone's come when their period is over.
type ring struct {
	began  time.Time
	rate   int
	period int
	n      int64
	mic    func(at int64, capture []int16)
	played func(at int64, play []int16) // the place in the card's time at which the first frame sounds
	slips  int
	done   chan struct{}
	once   sync.Once
}

func newRing(rate int) *ring { return &ring{rate: rate, period: rate / 100, done: make(chan struct{})} }

func (r *ring) open(context.Context, audio.Use) (audio.Duplex, error) {
	r.began = time.Now()
	return r, nil
}

func (r *ring) Rate() int   { return r.rate }
func (r *ring) Period() int { return r.period }

func (r *ring) Exchange(play, capture []int16) (audio.Slip, error) {
	at := r.n * int64(r.period)
	r.n++
	if late := time.Since(r.time(at)); late > 20*time.Millisecond {
		r.slips++ // the loudspeaker would have run dry
	}
	if r.played != nil {
		r.played(at+int64(2*r.period), play)
	}
	// In a system call, as a driver blocks.
	if wait := time.Until(r.time(at + int64(r.period))); wait > 0 {
		ts := unix.NsecToTimespec(int64(wait))
		_ = unix.Nanosleep(&ts, nil)
	}
	select {
	case <-r.done:
		return audio.Slip{}, errors.New("bench: card is closed")
	default:
	}
	clear(capture)
	if r.mic != nil && len(capture) > 0 {
		r.mic(at, capture)
	}
	return audio.Slip{}, nil
}

func (r *ring) Close() error {
	r.once.Do(func() { close(r.done) })
	return nil
}

// time is when frame at passes the converters.
func (r *ring) time(at int64) time.Time {
	return r.began.Add(time.Duration(at * int64(time.Second) / int64(r.rate)))
}

const (
	clickEvery  = 1100 * time.Millisecond // no multiple of a period or a packet would meet the same phase always
	clickPhase  = 3700 * time.Microsecond
	clickLength = 8 * time.Millisecond
	clickLevel  = 12000
	clickHz     = 1000
)

// onset is the index of the first loud sample, -1 when there is none: 0.04 ms into the click.
func onset(s []int16) int {
	return slices.IndexFunc(s, func(v int16) bool { return v > clickLevel/4 || v < -clickLevel/4 })
}

func clickAt(k int) time.Duration { return time.Second + time.Duration(k)*(clickEvery+clickPhase) }

func mouthToEar(c codec, clicks int) ([]time.Duration, error) {
	const rate = 48000
	var conns [2]rtp.PacketConn
	var sessions [2]*audio.Session
	for i := range conns {
		rtp, rtcp, err := rtp.Listen(loopback, 0, 0)
		if err != nil {
			return nil, err
		}
		rtcp.Close()
		conns[i] = rtp
	}
	f := audio.Format{Codec: c, PayloadType: c.PayloadType}
	mouth, ear := newRing(rate), newRing(rate)
	burst := click(rate)
	mouth.mic = func(at int64, capture []int16) {
		for k := range clicks {
			from := frameOf(clickAt(k), rate)
			for i := range capture {
				if j := at + int64(i) - from; j >= 0 && j < int64(len(burst)) {
					capture[i] = burst[j]
				}
			}
		}
	}
	var heard []time.Time
	quietUntil := time.Time{}
	ear.played = func(at int64, play []int16) {
		if i := onset(play); i >= 0 {
			if t := ear.time(at + int64(i)); t.After(quietUntil) {
				heard = append(heard, t)
				quietUntil = t.Add(clickEvery / 2)
			}
		}
	}
	ctx, stop := context.WithTimeout(context.Background(), clickAt(clicks)+time.Second)
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	for i, card := range []*ring{mouth, ear} {
		s, err := audio.NewSession(audio.SessionConfig{Conn: conns[i], Media: audio.Media{Remote: conns[1-i].LocalAddr(), Send: f, Receive: []audio.Format{f}}})
		if err != nil {
			return nil, err
		}
		sessions[i] = s
		e := audio.NewEngine(card.open, audio.EngineOptions{Log: slog.New(slog.DiscardHandler), Thread: alsa.Realtime,
			Echo: audio.EchoOptions{NoiseSuppression: true, Gain: true}})
		e.Attach(s)
		g.Go(func() error { return e.Run(ctx) })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var delays []time.Duration
	for k := range clicks {
		said := mouth.time(frameOf(clickAt(k), rate))
		for _, t := range heard {
			if d := t.Sub(said); d > 0 && d < clickEvery {
				delays = append(delays, d)
				break
			}
		}
	}
	say("mouth to ear %s: %d of %d clicks heard, %d and %d late periods", c.Name, len(delays), clicks, mouth.slips, ear.slips)
	for _, s := range sessions {
		s.Close()
	}
	if len(delays) < (clicks+1)/2 {
		return nil, fmt.Errorf("only %d of %d clicks were heard", len(delays), clicks)
	}
	return delays, nil
}

func frameOf(d time.Duration, rate int) int64 { return int64(d) * int64(rate) / int64(time.Second) }

// loop calls a phone whose card hears itself, and measures from sending a click to the packet that brings it back.
func (b *bench) loop(c codec, clicks int) error {
	p, err := b.startBaresip(setup{name: "loop", codec: c, rate: c.SampleRate})
	if err != nil {
		return err
	}
	defer p.kill()
	pause(time.Second)
	theirs, err := b.loopThrough(c, clicks, func(s *sound) (func() error, error) {
		k, err := place(p, c, s)
		if err != nil {
			return nil, err
		}
		return k.end, nil
	})
	if err != nil {
		return p.failed(err)
	}
	ours, err := b.loopThrough(c, clicks, func(s *sound) (func() error, error) { return ownLoop(c, s) })
	if err != nil {
		return err
	}
	reportTimes("rtp-loop-"+c.Name, ours, "baresip", theirs)
	return nil
}

// ownLoop runs an engine without echo canceller, which would take the loop for what it is, on a card that hears itself.
func ownLoop(c codec, s *sound) (func() error, error) {
	rtp, rtcp, err := rtp.Listen(loopback, 0, 0)
	if err != nil {
		return nil, err
	}
	rtcp.Close()
	k, err := newStream()
	if err != nil {
		return nil, err
	}
	f := audio.Format{Codec: c, PayloadType: c.PayloadType}
	session, err := audio.NewSession(audio.SessionConfig{Conn: rtp, Media: audio.Media{Remote: netip.AddrPortFrom(loopback, uint16(k.rtp.port)), Send: f, Receive: []audio.Format{f}}})
	if err != nil {
		return nil, err
	}
	card := newRing(48000)
	air := make([]int16, 4800)
	card.played = func(at int64, play []int16) {
		for i, v := range play {
			air[(at+int64(i))%int64(len(air))] = v
		}
	}
	card.mic = func(at int64, capture []int16) {
		for i := range capture {
			capture[i] = air[(at+int64(i))%int64(len(air))]
		}
	}
	e := audio.NewEngine(card.open, audio.EngineOptions{Log: slog.New(slog.DiscardHandler), Thread: alsa.Realtime, Echo: audio.EchoOptions{Off: true}})
	e.Attach(session)
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- e.Run(ctx) }()
	k.run(rtp.LocalAddr(), c, s)
	return func() error {
		err := k.stop()
		stop()
		return errors.Join(err, <-ran, session.Close())
	}, nil
}

func (b *bench) loopThrough(c codec, clicks int, begin func(*sound) (func() error, error)) ([]time.Duration, error) {
	frame := c.SampleRate / 50
	enc, dec := c.NewEncoder(), c.NewDecoder()
	every := int(clickEvery / (20 * time.Millisecond))
	burst := click(c.SampleRate)
	var mu sync.Mutex
	var sent time.Time
	var delays []time.Duration
	pcm, payload, back := make([]int16, frame), make([]byte, frame), make([]int16, 2*frame)
	end, err := begin(&sound{
		payload: func(n int, now time.Time) []byte {
			clear(pcm)
			if n%every == every-1 {
				copy(pcm, burst)
				mu.Lock()
				sent = now
				mu.Unlock()
			}
			return payload[:enc.Encode(payload, pcm)]
		},
		heard: func(data []byte, at time.Time) {
			if len(data) > frame {
				return
			}
			n := dec.Decode(back, data)
			mu.Lock()
			defer mu.Unlock()
			if onset(back[:n]) >= 0 && !sent.IsZero() {
				delays = append(delays, at.Sub(sent))
				sent = time.Time{}
			}
		}})
	if err != nil {
		return nil, err
	}
	pause(clickEvery * time.Duration(clicks+1))
	err = end()
	say("RTP loop %s: %d of %d clicks came back", c.Name, len(delays), clicks)
	if len(delays) < (clicks+1)/2 {
		err = errors.Join(err, fmt.Errorf("only %d of %d clicks came back", len(delays), clicks))
	}
	return delays, err
}

// click is one click: a short tone.
func click(rate int) []int16 {
	s := make([]int16, frameOf(clickLength, rate))
	for i := range s {
		s[i] = int16(clickLevel * math.Sin(2*math.Pi*clickHz*float64(i)/float64(rate)))
	}
	return s
}
