package device

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio/audiotest"
	"portero/device/event"
	"portero/sip"
	"portero/sip/ua"
)

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

// TestAbsentBesideATalk: the next phone is called beside one that says nothing, as in the first ring.
func TestAbsentBesideATalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, b, hall := r.door(doorSIP, kitchenAndHall, "strategy = \"serial\"\nhunt_after = \"20s\"", ""), r.bare("sendrecv", 200), r.phone("10.0.0.3:5060")
		b.talk(d)
		b.voice(time.Second)
		b.mu.Lock()
		b.ignores = true
		b.mu.Unlock()
		time.Sleep(4 * time.Second)
		d.press("front")
		if _, after := hall.ringsIn(time.Now()); after != absentAfter {
			t.Errorf("the hall rings after %v", after)
		}
		if s := d.Snapshot(); s.State != Talking {
			t.Errorf("%s", s.State)
		}
	})
}

// TestStragglersChangeNoTalk: a provisional response without a tag that comes after the answer is of no ring beside it.
func TestStragglersChangeNoTalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, b := r.door(doorSIP, `"sip:kitchen@10.0.0.2"`, "", ""), r.bare("sendrecv", 200)
		b.talk(d)
		b.mu.Lock()
		b.peer.Respond(b.invites[0], sentBy(b.invites[0]), 180, func(res *sip.Response) { res.To.Params = "" })
		b.mu.Unlock()
		b.voice(time.Second)
		p := &party{v: d.visitOf()}
		d.box.Put(func() {
			d.step(onProgress, input{party: p})
			d.step(onAnswered, input{party: p})
			d.step(onLimit, input{})
		})
		b.voice(time.Second)
		if s := d.Snapshot(); s.State != Talking || !s.Visit.Parties[0].Talks {
			t.Errorf("%s, %+v", s.State, s.Visit)
		}
	})
}

// visitOf asks the loop for the visit.
func (d *door) visitOf() *visit {
	done := make(chan *visit)
	d.box.Put(func() { done <- d.visit })
	return <-done
}
