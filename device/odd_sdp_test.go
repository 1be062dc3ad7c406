package device

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio"
	"portero/audio/audiotest"
	"portero/sip"
	"portero/sip/transport"
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

// packets reads what has come, and counts it.
func packets(c *audiotest.Conn) (n int) {
	for b := make([]byte, 1500); ; n++ {
		if k, _, _, _ := c.ReadPacket(b); k == 0 {
			return n
		}
	}
}

// TestNamedAddress: a name in c= is looked up. Until it is found, and where it leads nowhere, sound goes to
// where the signalling comes from, and that is told.
func TestNamedAddress(t *testing.T) {
	for name, tt := range map[string]struct {
		addrs []string
		hears string
		told  string
	}{
		"elsewhere":         {[]string{"fd00::7", "10.0.0.7"}, "10.0.0.7:4000", ""},
		"also there":        {[]string{"10.0.0.7", "10.0.0.2"}, "10.0.0.2:4000", ""},
		"nowhere":           {nil, "10.0.0.2:4000", "no such host"},
		"the other family":  {[]string{"fd00::7"}, "10.0.0.2:4000", "family"},
		"a group":           {[]string{"224.0.0.1"}, "10.0.0.2:4000", "224.0.0.1"},
		"the unknown place": {[]string{"0.0.0.0"}, "10.0.0.2:4000", "0.0.0.0"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				var log bytes.Buffer
				r.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
				r.lookup = func(_ context.Context, u sip.URI) (ts []transport.Target, err error) {
					time.Sleep(time.Second)
					for _, a := range tt.addrs {
						ts = append(ts, transport.Target{Addr: netip.AddrPortFrom(netip.MustParseAddr(a), u.Port), Host: u.Host})
					}
					if len(ts) == 0 {
						err = errors.New("no such host")
					}
					return ts, err
				}
				_, c := r.door("10.0.0.1:5062", `"sip:hall@10.0.0.3"`, "", autoAnswer), r.caller("10.0.0.2:4000")
				phone := r.rtp.Listen("10.0.0.2:4000")
				c.callWith("sendrecv\r\nc=IN IP4 phone.example")
				time.Sleep(900 * time.Millisecond)
				if packets(phone) == 0 {
					t.Error("before the name is found the phone hears nothing")
				}
				time.Sleep(5 * time.Second)
				hears := phone
				if tt.hears != "10.0.0.2:4000" {
					hears = r.rtp.Listen(tt.hears)
				}
				packets(hears)
				time.Sleep(time.Second)
				if packets(hears) == 0 {
					t.Errorf("%s hears nothing", tt.hears)
				}
				if told := strings.Contains(log.String(), tt.told) && tt.told != ""; told != strings.Contains(log.String(), "leads nowhere") {
					t.Errorf("told:\n%s", log.String())
				}
			})
		})
	}
}
