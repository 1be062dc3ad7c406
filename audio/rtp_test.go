package audio_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio"
	"portero/audio/audiotest"
)

func TestDigitsOnceUnderLoss(t *testing.T) {
	const digits = "0123456789*#ABCD5555"
	for _, loss := range []float64{0, 0.1, 0.3} {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, uint64(loss*100)))
			net := &audiotest.Net{
				Drop: func(audiotest.Packet) bool { return r.Float64() < loss },
				// reorders
				Delay: func(audiotest.Packet) time.Duration {
					return time.Duration(r.IntN(30)) * time.Millisecond
				},
			}
			m := media(addrA, audio.PCMA)
			m.Direction = audio.RecvOnly
			a := newParty(t, net, 16000, 160, addrA, media(addrB, audio.PCMA))
			b := newParty(t, net, 16000, 160, addrB, m)
			stop := run(t, a, b)
			a.engine.Attach(a.session)
			b.engine.Attach(b.session)
			time.Sleep(200 * time.Millisecond)
			for range 2 {
				if err := a.session.SendDigits(digits); err != nil {
					t.Fatal(err)
				}
				time.Sleep(4 * time.Second)
			}
			stop()
			if got := b.dialled(); got != strings.Repeat(digits, 2) {
				t.Errorf("loss %.0f %%: %s", 100*loss, got)
			}
		})
	}
}

func TestSendDigitsRefuses(t *testing.T) {
	net := &audiotest.Net{}
	s := newSession(t, net, addrA, media(addrB, audio.PCMA), nil)
	if err := s.SendDigits("12x"); err == nil || !strings.Contains(err.Error(), "'X'") {
		t.Errorf("%v", err)
	}
	if err := s.SendDigits(strings.Repeat("1", 65)); err == nil {
		t.Error("65 digits accepted")
	}
	if err := s.SendDigits("12#d"); err != nil {
		t.Error(err)
	}
}

// Without telephone-events, digits travel in the sound and are found there; with them, tones in the sound are
// not counted again.
func TestInBandDigits(t *testing.T) {
	for _, codec := range audio.Codecs() {
		synctest.Test(t, func(t *testing.T) {
			net := &audiotest.Net{}
			m := media(addrB, codec)
			m.EventPT = 0
			a := newParty(t, net, 16000, 160, addrA, m)
			var got []rune
			b := newParty(t, net, 16000, 160, addrB, media(addrA, codec))
			b.session.Close()
			s, err := audio.NewSession(audio.SessionConfig{
				Conn: net.Listen(addrB), Media: media(addrA, codec), InBand: true,
				OnDigit: func(d audio.Digit) {
					got = append(got, d.Rune)
					if d.InBand != (len(got) <= 4) {
						t.Errorf("digit %c: in band %v", d.Rune, d.InBand)
					}
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			stop := run(t, a, b)
			a.engine.Attach(a.session)
			b.engine.Attach(s)
			time.Sleep(200 * time.Millisecond)
			a.session.SendDigits("159D")
			time.Sleep(time.Second)
			a.session.Update(media(addrB, codec))
			a.session.SendDigits("7")
			time.Sleep(300 * time.Millisecond)
			a.session.Update(m)
			a.session.SendDigits("8")
			time.Sleep(300 * time.Millisecond)
			stop()
			if string(got) != "159D7" {
				t.Errorf("%s: %q", codec.Name, string(got))
			}
		})
	}
}

func TestRTCP(t *testing.T) {
	for _, mux := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			net := &audiotest.Net{
				Delay: func(audiotest.Packet) time.Duration { return 40 * time.Millisecond },
				Drop: func(p audiotest.Packet) bool {
					return p.From.String() == addrA && len(p.Data) > 150 && r.Float64() < 0.2
				},
			}
			ma, mb := media(addrB, audio.PCMU), media(addrA, audio.PCMU)
			ma.RTCPMux, mb.RTCPMux = mux, mux
			a := newParty(t, net, 16000, 160, addrA, ma)
			b := newParty(t, net, 16000, 160, addrB, mb)
			stop := run(t, a, b)
			a.engine.Attach(a.session)
			b.engine.Attach(b.session)
			time.Sleep(16 * time.Second)
			sa, sb := a.session.Stats(), b.session.Stats()
			if d := sa.RTT - 80*time.Millisecond; d < -time.Millisecond || d > time.Millisecond {
				t.Errorf("mux %v: round trip %v, want 80 ms", mux, sa.RTT)
			}
			if sa.RemoteLost < 0.08 || sa.RemoteLost > 0.36 {
				t.Errorf("mux %v: remote loss %.2f, want 0.2", mux, sa.RemoteLost)
			}
			if sb.RemoteLost != 0 || sa.Lost != 0 {
				t.Errorf("mux %v: loss on the good way: %+v", mux, sa)
			}
			if f := float64(sb.Lost) / float64(sb.Lost+sb.Received); f < 0.15 || f > 0.25 {
				t.Errorf("mux %v: %.2f lost", mux, f)
			}
			if sb.Concealed < 2*time.Second || sb.Concealed > 5*time.Second {
				t.Errorf("mux %v: %v concealed, want about 3 s", mux, sb.Concealed)
			}
			a.engine.Detach(a.session)
			a.session.Close()
			a.session.Close()
			time.Sleep(time.Second)
			if st := b.session.Stats(); !st.RemoteBye || st.Quiet < 800*time.Millisecond {
				t.Errorf("mux %v: after BYE %+v", mux, st)
			}
			stop()
		})
	}
}

func TestLatch(t *testing.T) {
	const nat, intruder = "198.51.100.7:7000", "203.0.113.9:9000"
	for _, tc := range []struct {
		name    string
		from    []string // who sends, in turn, 200 ms each
		allow   bool
		source  string
		foreign bool
	}{
		{"negotiated", []string{addrB}, false, addrB, false},
		{"other port", []string{"192.0.2.2:5555"}, false, "192.0.2.2:5555", false},
		{"other address", []string{nat}, false, "", true},
		{"allowed address", []string{nat}, true, nat, false},
		{"once", []string{nat, intruder}, true, nat, true},
		{"negotiated outranks", []string{intruder, addrB, intruder}, true, addrB, true},
		{"intruder", []string{addrB, intruder, nat}, true, addrB, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := &audiotest.Net{}
				s, err := audio.NewSession(audio.SessionConfig{
					Conn: net.Listen(addrA), Media: media(addrB, audio.PCMU),
					LatchFrom: func(netip.Addr) bool { return tc.allow },
				})
				if err != nil {
					t.Fatal(err)
				}
				a := newParty(t, net, 48000, 480, "192.0.2.1:4100", media(addrB, audio.PCMU))
				stop := run(t, a)
				a.engine.Attach(s)
				seq := uint16(0)
				conns := map[string]*audiotest.Conn{}
				for _, from := range tc.from {
					c := conns[from]
					if c == nil {
						c = net.Listen(from)
						conns[from] = c
					}
					for range 10 {
						p := make([]byte, 172)
						p[0], p[2], p[3], p[11] = 0x80, byte(seq>>8), byte(seq), 1
						ts := uint32(seq) * 160
						p[4], p[5], p[6], p[7] = byte(ts>>24), byte(ts>>16), byte(ts>>8), byte(ts)
						seq++
						c.WritePacket(p, netip.MustParseAddrPort(addrA))
						time.Sleep(20 * time.Millisecond)
					}
				}
				time.Sleep(50 * time.Millisecond)
				st := s.Stats()
				if got := st.Source; (got.IsValid() || tc.source != "") && got.String() != tc.source {
					t.Errorf("latched on %s, want %q", got, tc.source)
				}
				if (st.Foreign > 0) != tc.foreign {
					t.Errorf("%d foreign packets", st.Foreign)
				}
				if tc.source != "" {
					c := conns[tc.source]
					for c != nil {
						if n, _, _, _ := c.ReadPacket(make([]byte, 1500)); n == 0 {
							break
						}
					}
					time.Sleep(100 * time.Millisecond)
					if n, _, _, _ := c.ReadPacket(make([]byte, 1500)); n == 0 {
						t.Error("nothing is sent to the source")
					}
				}
				stop()
			})
		})
	}
}

// Events of an SSRC of their own count from where the stream comes from, and fill a stream of their own; a
// third SSRC's and another address's do not.
func TestForeignEventsOpenNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &audiotest.Net{}
		a := newParty(t, net, 48000, 480, addrA, media(addrB, audio.PCMU))
		stop := run(t, a)
		a.engine.Attach(a.session)
		peer, stranger := net.Listen(addrB), net.Listen("203.0.113.9:9000")
		to := netip.MustParseAddrPort(addrA)
		audioPacket := func(seq byte, ssrc byte) []byte {
			p := make([]byte, 172)
			p[0], p[3], p[11] = 0x80, seq, ssrc
			p[6], p[7] = byte(int(seq)*160>>8), byte(int(seq)*160)
			return p
		}
		event := func(seq, ssrc, code byte) []byte {
			return []byte{0x80, 101 | 0x80, 0, seq, 0, 1, 0, seq, 0, 0, 0, ssrc, code, 0x8a, 3, 0x20}
		}
		for i := range byte(10) {
			peer.WritePacket(audioPacket(i, 1), to)
			peer.WritePacket(event(i, 2, 5), to)     // one key of an SSRC of its own
			peer.WritePacket(event(i, 3, 8), to)     // of a third
			stranger.WritePacket(event(i, 1, 6), to) // another source
			time.Sleep(20 * time.Millisecond)
		}
		peer.WritePacket([]byte{0x80, 101, 0, 11, 0, 2, 0, 0, 0, 0, 0, 1, 7, 0x0a, 0}, to)      // cut short
		peer.WritePacket([]byte{0x80, 101, 0, 12, 0, 2, 0, 0, 0, 0, 0, 1, 16, 0x0a, 0, 80}, to) // flash
		peer.WritePacket(event(13, 1, 9), to)
		peer.WritePacket(event(13, 1, 9), to)
		time.Sleep(50 * time.Millisecond)
		stop()
		if got := a.dialled(); got != "59" {
			t.Errorf("digits %q, want 59", got)
		}
	})
}

func TestSessionRefuses(t *testing.T) {
	net := &audiotest.Net{}
	conn := net.Listen(addrA)
	good := media(addrB, audio.PCMU)
	for name, spoil := range map[string]func(*audio.Media){
		"remote":    func(m *audio.Media) { m.Remote = netip.AddrPort{} },
		"port":      func(m *audio.Media) { m.Remote = netip.AddrPortFrom(m.Remote.Addr(), 0) },
		"send":      func(m *audio.Media) { m.Send.Codec = nil },
		"receive":   func(m *audio.Media) { m.Receive = nil },
		"codec":     func(m *audio.Media) { m.Receive = []audio.Format{{}} },
		"ptime":     func(m *audio.Media) { m.PTime = 25 },
		"long":      func(m *audio.Media) { m.PTime = 120 },
		"direction": func(m *audio.Media) { m.Direction = 9 },
		"type":      func(m *audio.Media) { m.EventPT = 200 },
		"same type": func(m *audio.Media) { m.EventPTRecv, m.Receive[0].PayloadType = 96, 96 },
	} {
		m := good
		m.Receive = slices.Clone(good.Receive)
		spoil(&m)
		if _, err := audio.NewSession(audio.SessionConfig{Conn: conn, Media: m}); err == nil {
			t.Errorf("%s accepted", name)
		}
	}
	if _, err := audio.NewSession(audio.SessionConfig{Media: good}); err == nil {
		t.Error("no connection accepted")
	}
}
