package device

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio"
	"portero/audio/audiotest"
	"portero/device/event"
	"portero/sip"
	"portero/sip/siptest"
	"portero/sip/ua"
)

// bare is a phone that answers at once, and that sends what the test has it send and nothing by itself.
type bare struct {
	t         *testing.T
	peer      *siptest.Peer
	rtp, rtcp *audiotest.Conn
	direction string

	mu      sync.Mutex
	door    netip.AddrPort // where it wants its sound
	options int            // status of the answer to OPTIONS; 0: none
	asked   []time.Time
	byes    int
	invites []*sip.Request
	refuses int           // status of the answer to a re-INVITE; 0: 200
	early   time.Duration // it plays early media for so long first
	number  uint16
}

const doorSIP = "10.0.0.1:5062"

func (r *rig) bare(direction string, options int) *bare {
	b := &bare{t: r.t, peer: r.sip.NewPeer(r.t, "10.0.0.2:5060"), rtp: r.rtp.Listen("10.0.0.2:4000"), rtcp: r.rtp.Listen("10.0.0.2:4001"),
		direction: direction, options: options}
	stop, done := make(chan struct{}), make(chan struct{})
	r.t.Cleanup(func() { close(stop); <-done })
	go func() {
		defer close(done)
		for {
			if req, _ := b.peer.Within(time.Second); req != nil {
				b.take(req)
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	return b
}

var mediaPort = regexp.MustCompile(`(?s)c=IN IP4 (\S+).*m=audio (\d+)`)

// lockedText is a log that is read while it is written.
type lockedText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (b *bare) take(req *sip.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	status := 200
	switch req.Method {
	case sip.INVITE:
		b.invites = append(b.invites, req)
		if b.refuses > 0 && len(b.invites) > 1 {
			status = b.refuses
			break
		}
		if m := mediaPort.FindSubmatch(req.Body); m != nil {
			port, _ := strconv.Atoi(string(m[2]))
			b.door = netip.AddrPortFrom(netip.MustParseAddr(string(m[1])), uint16(port))
		}
		answer := func(status int) {
			b.peer.Respond(req, sentBy(req), status, func(res *sip.Response) {
				res.To = req.To.WithTag("bare")
				res.Contact = []sip.Address{{URI: sip.URI{Scheme: "sip", User: "kitchen", Host: "10.0.0.2", Port: 5060}}}
				res.ContentType, res.Body = "application/sdp", fmt.Appendf(nil, "v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\n"+
					"m=audio 4000 RTP/AVP 8\r\na=%s\r\n", b.direction)
			})
		}
		if b.early > 0 {
			answer(183)
			time.AfterFunc(b.early, func() { answer(200) })
			return
		}
		answer(200)
		return
	case sip.OPTIONS:
		if b.asked = append(b.asked, time.Now()); b.options == 0 {
			return
		}
		status = b.options
	case sip.BYE:
		b.byes++
	case sip.ACK:
		return
	}
	b.peer.Respond(req, sentBy(req), status, nil)
}

// sentBy is where a response goes.
func sentBy(req *sip.Request) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(req.Via[0].Host), req.Via[0].Port)
}

// questions are when it was asked whether it is there.
func (b *bare) questions() []time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.asked)
}

// say sends one packet of RTP under a payload type.
func (b *bare) say(pt uint8, payload ...byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := []byte{0x80, pt, 11: 7}
	b.number++
	binary.BigEndian.PutUint16(p[2:], b.number)
	binary.BigEndian.PutUint32(p[4:], uint32(b.number)*160)
	b.rtp.WritePacket(append(p, payload...), b.door)
}

// voice speaks for a time.
func (b *bare) voice(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		b.say(8, bytes.Repeat([]byte{0xd5}, 160)...)
	}
}

// report sends a receiver report that holds what is in blocks.
func (b *bare) report(blocks ...byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(blocks) / 24
	p := append([]byte{0x80 | byte(n), 201, 0, byte(1 + 6*n), 0, 0, 0, 7}, blocks...)
	b.rtcp.WritePacket(p, netip.AddrPortFrom(b.door.Addr(), b.door.Port()+1))
}

// raw sends what is no RTP from where its RTP comes.
func (b *bare) raw(data string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rtp.WritePacket([]byte(data), b.door)
}

// hears reads what has come: packets, and how many of them are sound.
func (b *bare) hears() (packets, sound int) {
	buf := make([]byte, 1500)
	for {
		n, from, _, _ := b.rtp.ReadPacket(buf)
		if !from.IsValid() {
			return packets, sound
		}
		if packets++; n > 12 && slices.ContainsFunc(buf[12:n], func(v byte) bool { return v != 0xd5 && v != 0x55 }) {
			sound++
		}
	}
}

// talk rings the front bell and has the bare phone answer.
func (b *bare) talk(d *door) time.Time {
	b.t.Helper()
	d.press("front")
	d.want(event.CallAnswered)
	return time.Now()
}

// line is a network between the door and a phone that can be cut, for sound alone or for all.
type line struct{ sound, all atomic.Bool }

func (r *rig) line(phone string) *line {
	l, addr := &line{}, netip.MustParseAddr(phone)
	r.rtp.Drop = func(p audiotest.Packet) bool {
		return (l.sound.Load() || l.all.Load()) && (p.From.Addr() == addr || p.To.Addr() == addr)
	}
	r.sip.Drop = func(from, to netip.AddrPort, _ []byte) bool {
		return l.all.Load() && (from.Addr() == addr || to.Addr() == addr)
	}
	return l
}

const kitchenAndHall = `"sip:kitchen@10.0.0.2", "sip:hall@10.0.0.3"`

// silentTalk is a bell with two phones. The kitchen talks, the hall was cancelled, and the kitchen's line can be
// cut.
func silentTalk(t *testing.T, bell string, f func(r *rig, d *door, l *line, kitchen, hall *phone, offered phoneEvent, m interface{ SendDigits(string) error })) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		l := r.line("10.0.0.2")
		d, kitchen, hall := r.door(doorSIP, kitchenAndHall, bell, ""), r.phone("10.0.0.2:5060"), r.phone("10.0.0.3:5060")
		d.press("front")
		offered, other := kitchen.want(ua.Offered), hall.want(ua.Offered)
		_ = other
		m := kitchen.answer(offered)
		d.want(event.CallAnswered)
		hall.want(ua.Ended)
		time.Sleep(5 * time.Second)
		f(r, d, l, kitchen, hall, offered, m.Session())
	})
}

// ringsIn waits for the next call of a phone and says how long after a moment it came.
func (p *phone) ringsIn(since time.Time) (phoneEvent, time.Duration) {
	p.t.Helper()
	ev := p.want(ua.Offered)
	return ev, time.Since(since).Round(100 * time.Millisecond)
}

// TestPressRingsInASilentTalk: a press rings all phones again when nothing has come for three seconds, at once
// when they are over. Who answers has the talk and the codes, and the old leg is hung up.
func TestPressRingsInASilentTalk(t *testing.T) {
	for name, tt := range map[string]struct{ press, rings time.Duration }{
		"at once":    {100 * time.Millisecond, 3 * time.Second},
		"after 2 s":  {2 * time.Second, 3 * time.Second},
		"after 10 s": {10 * time.Second, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			silentTalk(t, "", func(_ *rig, d *door, l *line, kitchen, hall *phone, _ phoneEvent, _ interface{ SendDigits(string) error }) {
				l.all.Store(true)
				cut := time.Now()
				time.Sleep(tt.press)
				d.press("front")
				ev, after := hall.ringsIn(cut)
				if after != tt.rings {
					t.Errorf("the hall rang %v after the line was cut, want %v", after, tt.rings)
				}
				if s := d.Snapshot(); s.State != Talking || len(s.Visit.Parties) != 3 {
					t.Errorf("%s, %+v", s.State, s.Visit)
				}
				m := hall.answer(ev)
				if ev := d.want(event.CallEnded, event.CallAnswered); ev.Reason != "another phone has answered" {
					t.Errorf("%+v", ev)
				}
				if ev := d.want(event.CallAnswered); ev.Target != "sip:hall@10.0.0.3" {
					t.Errorf("%+v", ev)
				}
				l.all.Store(false)
				if ev := <-kitchen.events; ev.Kind == ua.Offered { // a late copy of its second call
					kitchen.want(ua.Ended)
				} else if ev.Kind != ua.Ended || !ev.ByPeer {
					t.Errorf("%+v", ev)
				}
				time.Sleep(time.Second)
				if v := d.Snapshot().Visit; len(v.Parties) != 1 || !v.Parties[0].Hears || v.Parties[0].Target != "sip:hall@10.0.0.3" {
					t.Errorf("%+v", v)
				}
				m.Session().SendDigits("4711#")
				d.want(event.DoorOpened)
			})
		})
	}
}

// TestPressInALivingTalk rings nobody: neither one in a talk that is heard, nor one that came before the silence.
func TestPressInALivingTalk(t *testing.T) {
	silentTalk(t, "", func(_ *rig, d *door, l *line, _, hall *phone, _ phoneEvent, _ interface{ SendDigits(string) error }) {
		d.press("front")
		hall.quiet(10 * time.Second)
		l.sound.Store(true)
		hall.quiet(2900 * time.Millisecond) // a gap that is none of its own
		d.press("front")
		time.Sleep(50 * time.Millisecond)
		l.sound.Store(false)
		hall.quiet(10 * time.Second)
		l.sound.Store(true)
		hall.quiet(10 * time.Second)
		if s := d.Snapshot(); s.State != Talking {
			t.Errorf("%+v", s)
		}
	})
}

// TestGapsAreExpected: a phone that has sent comfort noise, or has paused before, may be silent for 7 s.
func TestGapsAreExpected(t *testing.T) {
	for name, quirk := range map[string]func(*bare){
		"comfort noise": func(b *bare) { b.voice(time.Second); b.say(13, 64) },
		"a pause":       func(b *bare) { b.voice(time.Second); time.Sleep(1200 * time.Millisecond); b.voice(time.Second) },
		"reports only":  func(b *bare) { b.voice(time.Second); time.Sleep(2 * time.Second); b.report() },
		"no gap":        func(b *bare) { b.voice(time.Second); time.Sleep(800 * time.Millisecond); b.voice(time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				d, b, hall := r.door(doorSIP, kitchenAndHall, "", ""), r.bare("sendrecv", 200), r.phone("10.0.0.3:5060")
				b.talk(d)
				hall.want(ua.Offered)
				hall.want(ua.Ended)
				quirk(b)
				since := time.Now()
				d.press("front")
				want := aliveForGaps
				if name == "no gap" {
					want = aliveFor
				}
				if _, after := hall.ringsIn(since); after.Round(time.Second) != want {
					t.Errorf("the hall rings %v after the last packet, want %v", after, want)
				}
			})
		})
	}
}

// TestAgreedSilence: a phone that holds the call, or agreed to send nothing, is not silent; it rings nobody, and
// lives as long as it answers.
func TestAgreedSilence(t *testing.T) {
	for _, direction := range []string{"recvonly", "sendonly", "inactive"} {
		t.Run(direction, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				d, b, hall := r.door(doorSIP, kitchenAndHall, `talk_limit = "5m"`, ""), r.bare(direction, 200), r.phone("10.0.0.3:5060")
				b.talk(d)
				hall.want(ua.Offered)
				hall.want(ua.Ended)
				for range 5 {
					time.Sleep(16 * time.Second)
					d.press("front")
				}
				hall.quiet(8 * time.Second)
				if s := d.Snapshot(); s.State != Talking {
					t.Errorf("after a minute and a half: %s", s.State)
				}
				if asked := len(b.questions()) > 0; asked != (direction == "recvonly") {
					t.Errorf("asked %d times", len(b.questions()))
				}
				if hears := d.Snapshot().Visit.Parties[0].Hears; hears != (direction == "recvonly") {
					t.Errorf("hears the door: %v", hears)
				}
			})
		})
	}
}

// TestHeardAgain: the old leg wins if it is heard while phones ring beside it; it has kept its codes.
func TestHeardAgain(t *testing.T) {
	silentTalk(t, "", func(_ *rig, d *door, l *line, kitchen, hall *phone, _ phoneEvent, m interface{ SendDigits(string) error }) {
		l.sound.Store(true)
		time.Sleep(4 * time.Second)
		d.press("front")
		hall.want(ua.Offered).Leg.Progress(180, nil)
		kitchen.want(ua.Offered) // its second call; it talks on the first
		d.want(event.CallRinging)
		d.heard.Reset()
		time.Sleep(6 * time.Second) // a cycle of the ring-back
		if level := audiotest.ToneLevel(d.heard.Samples(), cardRate, 425); level < -35 {
			t.Errorf("ring-back at %.0f dBFS", level)
		}
		l.sound.Store(false)
		heard := time.Now()
		if ev := hall.want(ua.Ended); ev.Status != 487 || time.Since(heard) > 200*time.Millisecond {
			t.Errorf("%+v after %v", ev.CallEvent, time.Since(heard))
		}
		kitchen.want(ua.Ended)
		time.Sleep(time.Second)
		if v := d.Snapshot().Visit; len(v.Parties) != 1 || !v.Parties[0].Hears || !v.Parties[0].Talks {
			t.Errorf("%+v", v)
		}
		if err := m.SendDigits("4711#"); err != nil {
			t.Fatal(err)
		}
		d.want(event.DoorOpened, event.CallEnded)
		d.heard.Reset()
		time.Sleep(5 * time.Second)
		if level := audiotest.ToneLevel(d.heard.Samples(), cardRate, 425); level > -45 {
			t.Errorf("ring-back after the ringing at %.0f dBFS", level)
		}
	})
}

// TestRingLimitBesideATalk ends the ringing alone; a further press rings again.
func TestRingLimitBesideATalk(t *testing.T) {
	silentTalk(t, `ring_limit = "8s"`, func(_ *rig, d *door, l *line, kitchen, hall *phone, _ phoneEvent, _ interface{ SendDigits(string) error }) {
		l.sound.Store(true)
		time.Sleep(4 * time.Second)
		for range 2 {
			d.press("front")
			hall.want(ua.Offered)
			kitchen.want(ua.Offered)
			time.Sleep(time.Second)
			d.press("front") // while it rings: the chime and nothing else
			if ev := d.want(event.BellUnheard, event.CallEnded); !strings.Contains(ev.Reason, "sip:hall@10.0.0.3: no response") {
				t.Errorf("%+v", ev)
			}
			hall.want(ua.Ended)
			kitchen.want(ua.Ended)
			if s := d.Snapshot(); s.State != Talking {
				t.Errorf("%s", s.State)
			}
			time.Sleep(time.Second)
		}
		l.sound.Store(false)
		time.Sleep(30 * time.Second)
		if v := d.Snapshot().Visit; len(v.Parties) != 1 || !v.Parties[0].Hears {
			t.Errorf("%+v", v)
		}
	})
}

// TestTalkEndsWhilePhonesRing: whatever ends the silent talk, the phones ring on, up to their own limit.
func TestTalkEndsWhilePhonesRing(t *testing.T) {
	for name, tt := range map[string]struct {
		bell   string
		end    func(*line, phoneEvent)
		reason string
	}{
		"it hangs up": {`ring_limit = "20s"`, func(_ *line, ev phoneEvent) { ev.call.Hangup() }, "the far end hung up"},
		"it vanishes": {`ring_limit = "20s"`, func(l *line, _ phoneEvent) { l.all.Store(true) }, vanished},
		"talk limit":  {"ring_limit = \"20s\"\ntalk_limit = \"20s\"", func(*line, phoneEvent) {}, "talk limit"},
	} {
		for _, answered := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, answered %v", name, answered), func(t *testing.T) {
				silentTalk(t, tt.bell, func(_ *rig, d *door, l *line, kitchen, hall *phone, offered phoneEvent, _ interface{ SendDigits(string) error }) {
					l.sound.Store(true)
					time.Sleep(4 * time.Second)
					d.press("front")
					rings := hall.want(ua.Offered)
					rings.Leg.Progress(180, nil)
					kitchen.want(ua.Offered)
					began := time.Now()
					time.Sleep(time.Second)
					tt.end(l, offered)
					if ev := d.want(event.CallEnded, event.CallRefused); ev.Reason != tt.reason {
						t.Errorf("%+v", ev)
					}
					synctest.Wait()
					if s := d.Snapshot(); s.State != Calling || len(s.Visit.Parties) != 2 {
						t.Fatalf("%s, %+v", s.State, s.Visit)
					}
					if !answered {
						d.want(event.BellUnheard)
						if took := time.Since(began).Round(time.Second); took != 20*time.Second {
							t.Errorf("the phones rang for %v", took)
						}
						return
					}
					hall.answer(rings)
					if ev := d.want(event.CallAnswered); ev.Target != "sip:hall@10.0.0.3" {
						t.Errorf("%+v", ev)
					}
				})
			})
		}
	}
}

// TestHuntingBesideATalk: the second ring goes the way of the first, one phone after the other.
func TestHuntingBesideATalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, b := r.door(doorSIP, kitchenAndHall+`, "sip:attic@10.0.0.4"`, "strategy = \"serial\"\nhunt_after = \"5s\"\nring_limit = \"30s\"", ""), r.bare("sendrecv", 200)
		hall, attic := r.phone("10.0.0.3:5060"), r.phone("10.0.0.4:5060")
		b.talk(d)
		b.voice(time.Second)
		b.mu.Lock()
		b.early = time.Hour // it does not answer again
		b.mu.Unlock()
		time.Sleep(4 * time.Second)
		d.press("front")
		began := time.Now()
		ev, after := hall.ringsIn(began)
		if after != 5*time.Second {
			t.Errorf("the second phone rings after %v", after)
		}
		ev.Leg.Reject(486)
		if _, after := attic.ringsIn(began); after != 5*time.Second {
			t.Errorf("the third phone rings after %v", after)
		}
		attic.want(ua.Ended)
		hall.want(ua.Ended)
	})
}

// TestAllBesideRefuse: the ring beside the talk ends with its last call.
func TestAllBesideRefuse(t *testing.T) {
	silentTalk(t, "", func(_ *rig, d *door, l *line, kitchen, hall *phone, _ phoneEvent, _ interface{ SendDigits(string) error }) {
		l.sound.Store(true)
		time.Sleep(4 * time.Second)
		d.press("front")
		hall.want(ua.Offered).Leg.Reject(486)
		kitchen.want(ua.Offered).Leg.Reject(486)
		d.want(event.BellUnheard, event.CallEnded)
		synctest.Wait()
		if v := d.Snapshot(); v.State != Talking || len(v.Visit.Parties) != 1 {
			t.Errorf("%s, %+v", v.State, v.Visit)
		}
	})
}

// TestHangUpEndsBoth: who ends the visit ends what rings beside it.
func TestHangUpEndsBoth(t *testing.T) {
	silentTalk(t, "", func(_ *rig, d *door, l *line, kitchen, hall *phone, _ phoneEvent, _ interface{ SendDigits(string) error }) {
		l.sound.Store(true)
		time.Sleep(4 * time.Second)
		d.press("front")
		hall.want(ua.Offered)
		kitchen.want(ua.Offered)
		d.do(HangUp{})
		hall.want(ua.Ended)
		kitchen.want(ua.Ended)
		kitchen.want(ua.Ended)
		settled(t, "hung up", d)
	})
}

// TestCallerFallsSilent: a bell that is pressed while a caller who talks is not heard rings its phones beside it.
func TestCallerFallsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		l := r.line("10.0.0.2")
		d, p, hall := r.door(doorSIP, `"sip:hall@10.0.0.3"`, "", autoAnswer), r.phone("10.0.0.2:5060"), r.phone("10.0.0.3:5060")
		_, m := p.dial("sip:door@10.0.0.1:5062")
		if err := m.Accept(p.want(ua.Answered).Body); err != nil {
			t.Fatal(err)
		}
		m.Start()
		time.Sleep(5 * time.Second)
		d.press("front")
		hall.quiet(5 * time.Second)
		l.all.Store(true)
		cut := time.Now()
		d.press("front")
		ev, after := hall.ringsIn(cut)
		if after != aliveFor {
			t.Errorf("the hall rings after %v", after)
		}
		hall.answer(ev)
		d.want(event.CallEnded)
		d.want(event.CallAnswered)
	})
}

// TestNobodyThere: as long as nothing has come from the phone that has answered, and again after 15 s of nothing, no
// sound of the door is in the packets, which go on.
func TestNobodyThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, b := r.door(doorSIP, `"sip:kitchen@10.0.0.2"`, "", ""), r.bare("sendrecv", 0)
		d.card.Mic = audiotest.Player(audiotest.Sine(700, cardRate, cardRate*60, 8000), true)
		b.talk(d)
		hears := func(what string, over time.Duration, sound bool) {
			t.Helper()
			b.hears()
			time.Sleep(over)
			packets, n := b.hears()
			if want := int(over / (20 * time.Millisecond)); packets < want-2 || packets > want+3 {
				t.Errorf("%s: %d packets in %v", what, packets, over)
			}
			if sound && n < packets*9/10 || !sound && n > 0 {
				t.Errorf("%s: %d of %d packets hold sound", what, n, packets)
			}
			if open := d.card.Use() == audio.FullDuplex; open != sound {
				t.Errorf("%s: the microphone is open: %v", what, open)
			}
		}
		time.Sleep(100 * time.Millisecond)
		hears("before the first packet", 2*time.Second, false)
		b.voice(40 * time.Millisecond)
		time.Sleep(60 * time.Millisecond)
		hears("after the first packet", 14*time.Second, true)
		time.Sleep(time.Second)
		hears("after 15 s of nothing", 2*time.Second, false)
		b.voice(40 * time.Millisecond)
		time.Sleep(60 * time.Millisecond)
		hears("heard again", 2*time.Second, true)
	})
}

// TestMutedFromTheFirst: a phone that sends nothing at all, and answers the question, hears the door.
func TestMutedFromTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, b := r.door(doorSIP, `"sip:kitchen@10.0.0.2"`, "", ""), r.bare("sendrecv", 200)
		d.card.Mic = audiotest.Player(audiotest.Sine(700, cardRate, cardRate*60, 8000), true)
		answered := b.talk(d)
		time.Sleep(2900 * time.Millisecond)
		if _, sound := b.hears(); sound > 0 {
			t.Error("it hears the door before it is known to be there")
		}
		time.Sleep(time.Second)
		if _, sound := b.hears(); sound < 30 {
			t.Errorf("%d packets of sound", sound)
		}
		if len(b.questions()) != 1 || b.questions()[0].Sub(answered).Round(100*time.Millisecond) != aliveFor {
			t.Errorf("asked at %v after the answer at %v", b.questions(), answered)
		}
	})
}

// TestSilenceLimit: the far end is asked after each limit. One that does not know the call, or says nothing within
// 4 s, has gone; one that answers lives for four limits; other answers are as good as 200.
func TestSilenceLimit(t *testing.T) {
	for name, tt := range map[string]struct {
		limit   string
		options int
		asked   []time.Duration // after the last packet
		ends    time.Duration
		reason  string
	}{
		"no answer":      {"15s", 0, []time.Duration{15 * time.Second}, 19 * time.Second, vanished},
		"481":            {"15s", 481, []time.Duration{15 * time.Second}, 15 * time.Second, "the far end has lost the call"},
		"200":            {"15s", 200, []time.Duration{15 * time.Second, 30 * time.Second, 45 * time.Second}, time.Minute, vanished},
		"405":            {"15s", 405, []time.Duration{15 * time.Second, 30 * time.Second, 45 * time.Second}, time.Minute, vanished},
		"no answer, 30s": {"30s", 0, []time.Duration{30 * time.Second}, 34 * time.Second, vanished},
		"200, 5s":        {"5s", 200, []time.Duration{5 * time.Second, 10 * time.Second, 15 * time.Second}, 20 * time.Second, vanished},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				d, b := r.door(doorSIP, `"sip:kitchen@10.0.0.2"`, "", "[sip]\nsilence_limit = \""+tt.limit+"\"\n"), r.bare("sendrecv", tt.options)
				b.talk(d)
				b.voice(2 * time.Second)
				since := time.Now()
				if ev := d.want(event.CallEnded); ev.Reason != tt.reason {
					t.Errorf("%+v", ev)
				}
				if took := time.Since(since).Round(time.Second); took != tt.ends {
					t.Errorf("the talk ended after %v, want %v", took, tt.ends)
				}
				time.Sleep(time.Second)
				var asked []time.Duration
				for _, at := range b.questions() {
					if after := at.Sub(since).Round(time.Second); after%(5*time.Second) == 0 && !slices.Contains(asked, after) { // not its copies
						asked = append(asked, after)
					}
				}
				if !slices.Equal(asked, tt.asked) {
					t.Errorf("asked after %v, want %v", asked, tt.asked)
				}
				b.mu.Lock()
				defer b.mu.Unlock()
				if b.byes == 0 {
					t.Error("the phone was not hung up on")
				}
			})
		})
	}
}

// TestMutedPhoneLives: whatever a muted phone sends from time to time is enough, and lets it hear the door.
func TestMutedPhoneLives(t *testing.T) {
	for name, sign := range map[string]func(*bare){
		"comfort noise":                func(b *bare) { b.say(13, 64) },
		"comfort noise of old":         func(b *bare) { b.say(19, 64) },
		"RTP of no payload type known": func(b *bare) { b.say(120) },
		"RTCP":                         func(b *bare) { b.report() },
		"an empty datagram":            func(b *bare) { b.raw("") },
		"a line feed":                  func(b *bare) { b.raw("\r\n\r\n") },
		"a STUN indication":            func(b *bare) { b.raw("\x00\x11\x00\x00\x21\x12\xa4\x42123456789012") },
		"RTP of another version":       func(b *bare) { b.raw("\x00\x08\x00\x00\x21\x12\xa4\x421234") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				d, b := r.door(doorSIP, `"sip:kitchen@10.0.0.2"`, "", "[sip]\nsilence_limit = \"5s\"\n"), r.bare("sendrecv", 0)
				b.talk(d)
				b.voice(time.Second)
				for range 16 { // four times as long as a silent talk may last
					time.Sleep(4700 * time.Millisecond)
					sign(b)
				}
				time.Sleep(time.Second)
				if s := d.Snapshot(); s.State != Talking || !s.Visit.Parties[0].Hears {
					t.Errorf("%s, %+v", s.State, s.Visit)
				}
				if len(b.questions()) > 0 {
					t.Errorf("asked %d times", len(b.questions()))
				}
			})
		})
	}
}

// TestRingingIsNoSilence: early media that stops before the answer takes nothing from the time of the talk
// (asterisk/asterisk #710).
func TestRingingIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, b := r.door(doorSIP, `"sip:kitchen@10.0.0.2"`, "", ""), r.bare("sendrecv", 200)
		b.early = 40 * time.Second
		d.press("front")
		d.want(event.CallRinging)
		b.voice(time.Second)
		d.want(event.CallAnswered)
		answered := time.Now()
		b.mu.Lock()
		b.early = time.Hour // it does not answer again
		b.mu.Unlock()
		d.press("front")
		time.Sleep(2900 * time.Millisecond)
		if n := len(d.Snapshot().Visit.Parties); n != 1 {
			t.Error("the press rings at once")
		}
		time.Sleep(11 * time.Second)
		if len(b.questions()) > 0 {
			t.Errorf("asked %v after the answer", b.questions()[0].Sub(answered))
		}
		d.want(event.CallEnded)
		if took := time.Since(answered).Round(time.Second); took != time.Minute {
			t.Errorf("ended after %v", took)
		}
	})
}

// TestSilenceIsTold once for each silence, with its remedy.
func TestSilenceIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var log lockedText
		r.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		d, b := r.door(doorSIP, `"sip:kitchen@10.0.0.2"`, `talk_limit = "10m"`, ""), r.bare("sendrecv", 200)
		answered := b.talk(d)
		told := func() int { synctest.Wait(); return strings.Count(log.String(), "nothing is heard of the phone") }
		time.Sleep(time.Until(answered.Add(aliveFor - 100*time.Millisecond)))
		for i, want := range []int{0, 1, 1} {
			if n := told(); n != want {
				t.Fatalf("step %d: told %d times, want %d", i, n, want)
			}
			time.Sleep(5 * time.Second)
		}
		if text := log.String(); !strings.Contains(text, "before=false") || !strings.Contains(text, `remedy="let UDP`) {
			t.Error(text)
		}
		for range 8 { // a muted phone's keep-alives
			time.Sleep(10 * time.Second)
			b.say(120)
		}
		if n := told(); n != 2 {
			t.Errorf("told %d times in 80 s of keep-alives, want once more", n)
		}
		b.voice(time.Minute)
		time.Sleep(20 * time.Second)
		if n := told(); n != 3 || !strings.Contains(log.String(), `before=true remedy="see to the phone's network; if it is muted`) {
			t.Errorf("told %d times:\n%s", n, log.String())
		}
	})
}

// TestDeafPhoneIsTold: a phone whose reports know nothing of the door's packets, or stand still, hears nothing.
func TestDeafPhoneIsTold(t *testing.T) {
	block := func(ssrc uint32, lost byte, high uint32) []byte {
		b := make([]byte, 24)
		binary.BigEndian.PutUint32(b, ssrc)
		b[4] = lost
		binary.BigEndian.PutUint32(b[8:], high)
		return b
	}
	for name, tt := range map[string]struct {
		reports func(ssrc, i uint32) []byte
		told    int
		sound   string
	}{
		"no block":     {func(_, _ uint32) []byte { return nil }, 1, "in"},
		"another's":    {func(ssrc, _ uint32) []byte { return block(ssrc+1, 0, 7) }, 1, "in"},
		"all lost":     {func(ssrc, i uint32) []byte { return block(ssrc, 255, i) }, 1, "in"},
		"stands still": {func(ssrc, i uint32) []byte { return block(ssrc, 0, min(i, 2)) }, 1, "both"},
		"goes on":      {func(ssrc, i uint32) []byte { return block(ssrc, 0, i) }, 0, "both"},
		"half lost":    {func(ssrc, i uint32) []byte { return block(ssrc, 128, i) }, 0, "both"},
		"twice": {func(ssrc, i uint32) []byte {
			if i < 3 || i > 5 {
				return nil
			}
			return block(ssrc, 0, i)
		}, 2, "both"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				var log lockedText
				r.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
				d, b := r.door(doorSIP, `"sip:kitchen@10.0.0.2"`, "", ""), r.bare("sendrecv", 200)
				b.talk(d)
				b.voice(200 * time.Millisecond)
				var ssrc uint32
				buf := make([]byte, 1500)
				for ssrc == 0 {
					time.Sleep(20 * time.Millisecond)
					if n, _, _, _ := b.rtp.ReadPacket(buf); n > 12 {
						ssrc = binary.BigEndian.Uint32(buf[8:])
					}
				}
				for i := range uint32(8) {
					b.voice(2 * time.Second)
					b.report(tt.reports(ssrc, i)...)
				}
				b.voice(4 * time.Second)
				d.do(HangUp{})
				if ev := d.want(event.CallEnded); ev.Sound != tt.sound {
					t.Errorf("sound %q, want %q", ev.Sound, tt.sound)
				}
				if n := strings.Count(log.String(), "nothing of the door reaches the phone"); n != tt.told {
					t.Errorf("told %d times, want %d:\n%s", n, tt.told, log.String())
				}
			})
		})
	}
}

// TestSoundOfACall: the event of its end says which ways sound went.
func TestSoundOfACall(t *testing.T) {
	for want, do := range map[string]func(*bare){
		"both": func(b *bare) { b.voice(time.Second) },
		"out":  func(b *bare) { b.say(13, 64); time.Sleep(time.Second) },
		"none": func(*bare) { time.Sleep(2 * time.Second) },
	} {
		t.Run(want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				d, b := r.door(doorSIP, `"sip:kitchen@10.0.0.2"`, "", ""), r.bare("sendrecv", 0)
				b.talk(d)
				do(b)
				d.do(HangUp{})
				if ev := d.want(event.CallEnded); ev.Sound != want {
					t.Errorf("sound %q", ev.Sound)
				}
			})
		})
	}
}

// move gives the door another address: nothing comes or goes at the old one any more.
func (r *rig) move(d *door, to string) {
	old := d.transport.Addr()
	host := old.Addr()
	r.moved.Store(&host)
	r.sip.Move(old, netip.MustParseAddrPort(to))
}

// TestNewAddressIsOffered: when the station's address towards the phone changes in a talk, as after a new lease, the
// talk goes on from there, both ways, and ends from there. A phone that refuses costs no more than itself.
func TestNewAddressIsOffered(t *testing.T) {
	for name, tt := range map[string]struct {
		call    func(r *rig, d *door) *bare
		refuses int
	}{
		"a phone that was called": {func(r *rig, d *door) *bare { b := r.bare("sendrecv", 200); b.talk(d); return b }, 0},
		"one that refuses":        {func(r *rig, d *door) *bare { b := r.bare("sendrecv", 200); b.talk(d); return b }, 488},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.rtp.Drop = func(p audiotest.Packet) bool {
					gone := r.moved.Load()
					return gone != nil && (p.From.Addr() == *gone || p.To.Addr() == *gone)
				}
				d := r.door(doorSIP, `"sip:kitchen@10.0.0.2"`, "", "")
				d.card.Mic = audiotest.Player(audiotest.Sine(700, cardRate, cardRate*60, 8000), true)
				b := tt.call(r, d)
				b.mu.Lock()
				b.refuses = tt.refuses
				b.mu.Unlock()
				b.voice(2 * time.Second)
				r.move(d, "10.0.0.9:5062")
				moved := time.Now()
				b.voice(4 * time.Second)
				b.mu.Lock()
				if len(b.invites) != 2 {
					t.Fatalf("%d INVITEs", len(b.invites))
				}
				again, first := b.invites[1], b.invites[0]
				b.mu.Unlock()
				if again.To.Tag() == "" || again.Contact[0].URI.Host != "10.0.0.9" || again.Contact[0].URI.Port != 5062 ||
					again.Contact[0].URI.User != first.Contact[0].URI.User || !strings.Contains(string(again.Body), "c=IN IP4 10.0.0.9\r\n") {
					t.Errorf("re-INVITE after %v:\n%s", time.Since(moved), again)
				}
				before, _, _ := d.visitMedia()
				b.hears()
				b.voice(2 * time.Second)
				after, _, _ := d.visitMedia()
				packets, sound := b.hears()
				if tt.refuses == 0 && after.Received-before.Received < 95 {
					t.Errorf("the door got %d packets in 2 s", after.Received-before.Received)
				}
				if packets < 95 || sound < 95 {
					t.Errorf("the phone got %d packets, %d of sound", packets, sound)
				}
				if s := d.Snapshot(); s.State != Talking {
					t.Errorf("%s", s.State)
				}
				d.do(HangUp{})
				time.Sleep(time.Second)
				b.mu.Lock()
				defer b.mu.Unlock()
				if len(b.invites) != 2 || b.byes != 1 {
					t.Errorf("%d INVITEs, %d BYEs", len(b.invites), b.byes)
				}
			})
		})
	}
}

// visitMedia asks the loop for the counters of the talk.
func (d *door) visitMedia() (st audio.Stats, codec string, ok bool) {
	done := make(chan struct{})
	d.box.Put(func() { st, codec, ok = d.visit.talk.media.Stats(); close(done) })
	<-done
	return st, codec, ok
}

// TestRefusedIsTold: packets that this host cannot send, or that come back by ICMP, are told with their error, once
// each time.
func TestRefusedIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var log lockedText
		r.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		d, b := r.door(doorSIP, `"sip:kitchen@10.0.0.2"`, "", ""), r.bare("sendrecv", 200)
		b.talk(d)
		b.voice(5 * time.Second)
		for range 2 {
			r.refused.Store(true)
			b.voice(10 * time.Second)
			r.refused.Store(false)
			b.voice(10 * time.Second)
		}
		synctest.Wait()
		if n := strings.Count(log.String(), "nothing of the door reaches the phone"); n != 2 || !strings.Contains(log.String(), `err="connection refused"`) {
			t.Errorf("told %d times:\n%s", n, log.String())
		}
	})
}

// TestSilenceAfterAnAnswer: what an answered question gives is 15 s, and not until the next one has failed.
func TestSilenceAfterAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, b := r.door(doorSIP, `"sip:kitchen@10.0.0.2"`, "", ""), r.bare("sendrecv", 200)
		d.card.Mic = audiotest.Player(audiotest.Sine(700, cardRate, cardRate*60, 8000), true)
		b.talk(d)
		b.voice(time.Second)
		last := time.Now()
		time.Sleep(20 * time.Second)
		if !d.Snapshot().Visit.Parties[0].Hears {
			t.Error("it has said that it is there, and hears nothing")
		}
		b.mu.Lock()
		b.options = 0
		b.mu.Unlock()
		time.Sleep(time.Until(last.Add(30*time.Second + 500*time.Millisecond)))
		if d.Snapshot().Visit.Parties[0].Hears || d.card.Use() == audio.FullDuplex {
			t.Error("it has said nothing for 15 s, and hears the door")
		}
	})
}

// TestRareKeepAlives: a muted phone that is heard every 20 s, and answers, hears the door without a break: the sound
// card is not opened anew each time.
func TestRareKeepAlives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, b := r.door(doorSIP, `"sip:kitchen@10.0.0.2"`, `talk_limit = "10m"`, ""), r.bare("sendrecv", 200)
		b.talk(d)
		b.voice(time.Second)
		opened := len(d.card.Opens())
		for range 6 {
			time.Sleep(20 * time.Second)
			b.say(120)
		}
		if n := len(d.card.Opens()); n != opened || d.Snapshot().State != Talking {
			t.Errorf("the card was opened %d times more; %s", n-opened, d.Snapshot().State)
		}
	})
}
