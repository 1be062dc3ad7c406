//go:build interop

package interop

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// 1,000 INVITE/s from a stranger for 10 s: bounded memory, no ring, and the bell still calls. Not parallel: it measures.
func TestFlood(t *testing.T) {
	binary(t)
	phone := NewPeer(t)
	st := StartStation(t, Setup{Text: "[server]\nenabled = \"off\"\n" +
		fmt.Sprintf(frontDoor, fmt.Sprintf(`"sip:phone@127.0.0.1:%d"`, phone.Port), "30s", "2m")})
	before := st.PeakMB()

	stranger := newPeerAt(t, "127.0.0.2", freePort(t))
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: st.Port}
	const perSecond, seconds = 1000, 10
	var sent, answered atomic.Int64
	done, drained := make(chan struct{}), make(chan struct{})
	go func() { // nobody reads the answers otherwise, and the socket's buffer would fill
		defer close(drained)
		buf := make([]byte, 65536)
		for {
			if err := stranger.conn.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
				return
			}
			if _, _, err := stranger.conn.ReadFrom(buf); err != nil {
				return
			}
			answered.Add(1)
		}
	}()
	go func() {
		defer close(done)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		start := time.Now()
		for range tick.C {
			due := min(int64(time.Since(start).Seconds()*perSecond), perSecond*seconds)
			for sent.Load() < due {
				raw := stranger.RequestTo("INVITE", st.Port, token(), token(), 1, sdp(30000, "sendrecv"))
				if _, err := stranger.conn.WriteTo([]byte(raw), to); err != nil {
					return
				}
				sent.Add(1)
			}
			if due == perSecond*seconds {
				return
			}
		}
	}()

	for sent.Load() < perSecond*seconds/2 { // press in the middle of it
		select {
		case <-done:
			t.Fatalf("the flood ended after %d INVITEs", sent.Load())
		case <-time.After(20 * time.Millisecond):
		}
	}
	pressed := time.Now()
	st.Press()
	invite := phone.Request("INVITE", patience)
	took := time.Since(pressed)
	t.Logf("pressed in the flood, INVITE after %v", took)
	if took > 3*time.Second+late {
		t.Errorf("the bell called %v after the press, want at most 3 s", took)
	}
	phone.Send(invite.From, Reply(invite, "180 Ringing", "p", "", phone.Contact("phone")))
	st.Await("call.ringing", patience)
	phone.Send(invite.From, Reply(invite, "200 OK", "p", sdp(phone.Port+1, "sendrecv"), phone.Contact("phone")))
	phone.Request("ACK", patience)
	st.Await("call.answered", patience)
	<-done
	<-drained
	if sent.Load() != perSecond*seconds {
		t.Errorf("the rig sent %d INVITEs, want %d", sent.Load(), perSecond*seconds)
	}
	peak := st.PeakMB()
	t.Logf("%d INVITEs, %d responses, peak resident set %.1f MB before, %.1f MB after", sent.Load(), answered.Load(), before, peak)
	if peak >= 64 {
		t.Errorf("peak resident set %.1f MB, want below 64", peak)
	}
	if n := st.Count("call.answered"); n != 1 {
		t.Errorf("call.answered %d times, want once", n)
	}
	st.End()
}
