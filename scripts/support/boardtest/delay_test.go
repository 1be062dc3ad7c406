//go:build boardtest

package boardtest

import (
	"fmt"
	"math"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"portero/scripts/support/interop"
	"portero/scripts/support/voices"
)

// delaying: from microphone to loudspeaker, through a phone that sends every packet back at once. Each part of the way from a visitor's
// mouth to a resident's ear is passed once: here on a kernel's sound card, but in emulated time and with periods of 40 ms.
func (r *rig) delaying() {
	r.check("a click is back at the loudspeaker in time", r.restart, func(t *testing.T) {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		r.must(err)
		defer conn.Close()
		go sendBack(conn, new(atomic.Int64))
		hangUp := r.answerAtYard(r.inviteYard(), conn.LocalAddr().(*net.UDPAddr).Port)
		const attempts = 4
		for i := 1; ; i++ {
			r.speak(clicks())
			time.Sleep(8 * clickEvery)
			h, door := r.listened()
			if h.Err != "" {
				t.Fatalf("the far end of the loopback: %s", h.Err)
			}
			delays := clicksBack(door)
			slices.Sort(delays)
			if n := len(delays); n >= 4 && h.Slipped == 0 {
				r.measured("microphone to loudspeaker min %.0f, median %.0f, max %.0f ms, attempt %d", ms(delays[0]), ms(delays[n/2]), ms(delays[n-1]), i)
				if delays[0] < leastDelay {
					r.errorf("a click took %v: the measurement is wrong", delays[0])
				}
				if delays[0] <= mostDelay {
					break
				}
			}
			if i == attempts {
				r.keep("clicks.wav", door)
				t.Fatalf("attempt %d: clicks came back after %v, %d frames slipped", i, delays, h.Slipped)
			}
		}
		hangUp()
	})
}

const (
	clickEvery  = 1500 * time.Millisecond
	clickLength = 20 * time.Millisecond
	clickHz     = 1000
	// What lies in the loudspeaker's ring of whoever talks: two of its periods (see package alsa).
	talkAhead = 200 * time.Millisecond
	// A packet of 20 ms, one period in the microphone's ring and one in the loudspeaker's: no click is sooner.
	leastDelay = 100 * time.Millisecond
	// On an idle machine it is 175 ms; on a busy one the emulated board stands still now and then, and the jitter buffer allows for it.
	mostDelay = 400 * time.Millisecond
)

// clicks is a click to be repeated, as Talk does with 300 ms between.
func clicks() voices.Clip {
	c := voices.Clip{Rate: cardRate, Samples: make([]float64, int((clickEvery-300*time.Millisecond).Seconds()*cardRate))}
	for i := range int(clickLength.Seconds() * cardRate) {
		c.Samples[i] = .3 * math.Sin(2*math.Pi*clickHz*float64(i)/cardRate)
	}
	return c
}

// clicksBack returns how long after its turn each click was heard.
func clicksBack(heard voices.Clip) []time.Duration {
	at := func(d time.Duration) int { return int(d.Seconds() * float64(heard.Rate)) }
	var loudest float64
	for _, v := range heard.Samples {
		loudest = max(loudest, math.Abs(v))
	}
	if loudest < .01 {
		return nil
	}
	var delays []time.Duration
	for sent := talkAhead; at(sent+clickEvery) <= len(heard.Samples); sent += clickEvery {
		onset := slices.IndexFunc(heard.Samples[at(sent):at(sent+clickEvery)], func(v float64) bool { return math.Abs(v) > loudest/4 })
		if onset >= 0 {
			delays = append(delays, time.Duration(onset)*time.Second/time.Duration(heard.Rate))
		}
	}
	return delays
}

// sendBack returns each datagram to its sender, and counts them, until conn is closed.
func sendBack(conn *net.UDPConn, count *atomic.Int64) {
	buf := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFromUDP(buf)
		if err != nil {
			return
		}
		count.Add(1)
		_, _ = conn.WriteToUDP(buf[:n], from)
	}
}

// inviteYard presses the back bell and returns the INVITE that has come to the yard's phone.
func (r *rig) inviteYard() interop.Message {
	r.now.Helper()
	r.drive(backBell, false, false)
	invite, ok := r.yard.Try(outboard, func(m interop.Message) bool { return m.Method() == "INVITE" && !r.calls[m.Get("Call-ID")] })
	r.drive(backBell, true, false)
	if !ok {
		r.now.Fatal("no INVITE at the back bell's target")
	}
	r.calls[invite.Get("Call-ID")] = true
	return invite
}

// answerAtYard answers as the yard's phone, which takes RTP at a port of the host.
func (r *rig) answerAtYard(invite interop.Message, rtp int) (hangUp func()) {
	r.now.Helper()
	began := time.Now()
	contact := fmt.Sprintf("Contact: <sip:yard@10.0.2.2:%d>", r.yard.Port)
	answer := interop.Reply(invite, "200 OK", "yard", fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 10.0.2.2\r\ns=-\r\nc=IN IP4 10.0.2.2\r\nt=0 0\r\n"+
		"m=audio %d RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=ptime:20\r\n", rtp), contact)
	r.yard.Send(invite.From, answer)
	if _, ok := r.yard.Try(outboard, func(m interop.Message) bool { return m.Method() == "ACK" }); !ok {
		r.now.Fatal("no ACK at the back bell's target")
	}
	r.await(began, "call.answered")
	return func() {
		ending := time.Now()
		r.yard.Send(invite.From, fmt.Sprintf("BYE %s SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.2.2:%d;branch=z9hG4bKyard;rport\r\nMax-Forwards: 70\r\n"+
			"From: %s;tag=yard\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
			interop.Address(invite.Get("Contact")), r.yard.Port, invite.Get("To"), invite.Get("From"), invite.Get("Call-ID")))
		r.await(ending, "call.ended")
	}
}
