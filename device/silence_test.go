package device

import (
	"encoding/binary"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio"
	"portero/audio/audiotest"
	"portero/device/event"
	"portero/sip/ua"
)

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
