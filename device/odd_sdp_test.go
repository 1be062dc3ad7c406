package device

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio"
)

// callWith places a call whose offer ends with a direction and more lines.
func (c *caller) callWith(lines string) {
	c.say("INVITE", 1, lines)
	for c.tag == "" {
		if _, res := c.Within(time.Minute); res != nil && res.Status == 200 {
			c.tag = ";tag=" + res.To.Tag()
		}
	}
	c.say("ACK", 1, "")
}

// TestCallsThatBeginOnHold: the first offer may hold as any later one (RFC 3264 §8.4): the call is taken, the
// microphone is closed, and the phone takes the call back as it would after any hold.
func TestCallsThatBeginOnHold(t *testing.T) {
	for name, tt := range map[string]struct{ rtp, lines string }{
		"the old way":          {"10.0.0.2:4000", "sendrecv\r\nc=IN IP4 0.0.0.0"},
		"no port yet":          {"10.0.0.2:9", "sendrecv"},
		"inactive":             {"10.0.0.2:4000", "inactive"},
		"inactive and a space": {"10.0.0.2:4000", "inactive "},
		"the tighter word":     {"10.0.0.2:4000", "sendrecv\r\na=sendonly"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				d, c := r.door("10.0.0.1:5062", `"sip:hall@10.0.0.3"`, "", autoAnswer), r.caller(tt.rtp)
				c.callWith(tt.lines)
				time.Sleep(5 * time.Second)
				if s := d.Snapshot(); s.State != Talking || d.card.Use() == audio.FullDuplex {
					t.Fatalf("on hold: state %s, card %v", s.State, d.card.Use())
				}
				c.rtp = "10.0.0.2:4000"
				heard := r.rtp.Listen(c.rtp)
				c.renew(2, "sendrecv")
				time.Sleep(5 * time.Second)
				if d.card.Use() != audio.FullDuplex {
					t.Errorf("after the hold: card %v", d.card.Use())
				}
				if n, _, _, _ := heard.ReadPacket(make([]byte, 1500)); n == 0 {
					t.Error("after the hold the phone hears nothing")
				}
			})
		})
	}
}

// TestReofferNotAnswered: a re-INVITE without an offer, whose ACK has no answer to ours, leaves the talk as it
// was; so it does on hold.
func TestReofferNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, c := r.door("10.0.0.1:5062", `"sip:hall@10.0.0.3"`, "", autoAnswer), r.caller("10.0.0.2:4000")
		c.call()
		time.Sleep(5 * time.Second)
		c.renew(2, "")
		time.Sleep(5 * time.Second)
		if s := d.Snapshot(); s.State != Talking || d.card.Use() != audio.FullDuplex {
			t.Errorf("state %s, card %v", s.State, d.card.Use())
		}
		c.renew(3, "sendonly")
		c.renew(4, "")
		time.Sleep(5 * time.Second)
		if s := d.Snapshot(); s.State != Talking || d.card.Use() == audio.FullDuplex {
			t.Errorf("on hold: state %s, card %v", s.State, d.card.Use())
		}
	})
}

// TestNamedAddress: as long as nobody has resolved the name in c=, sound goes to where the signalling is.
func TestNamedAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, c := r.door("10.0.0.1:5062", `"sip:hall@10.0.0.3"`, "", autoAnswer), r.caller("10.0.0.2:4000")
		phone, other := r.rtp.Listen("10.0.0.2:4000"), r.rtp.Listen("10.0.0.7:4000")
		c.callWith("sendrecv\r\nc=IN IP4 phone.example")
		time.Sleep(5 * time.Second)
		if n, _, _, _ := phone.ReadPacket(make([]byte, 1500)); n == 0 {
			t.Error("the phone hears nothing")
		}
		m := d.Station.visit.parties[0].media
		if name := m.Unresolved(); name != "phone.example" {
			t.Fatalf("unresolved: %q", name)
		}
		if err := m.Resolved("phone.example", netip.MustParseAddr("224.0.0.1")); err == nil {
			t.Error("sound is sent to a group")
		}
		if err := m.Resolved("phone.example", netip.MustParseAddr("10.0.0.7")); err != nil || m.Unresolved() != "" {
			t.Errorf("%v, unresolved: %q", err, m.Unresolved())
		}
		time.Sleep(time.Second)
		if n, _, _, _ := other.ReadPacket(make([]byte, 1500)); n == 0 {
			t.Error("the resolved address hears nothing")
		}
	})
}
