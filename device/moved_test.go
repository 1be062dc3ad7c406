package device

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio"
	"portero/audio/audiotest"
)

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
