package device

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio"
	"portero/device/event"
	"portero/sip/ua"
)

// A phone whose description names an address that is not its own opens the door from where its signalling
// comes from; from elsewhere it does not, and that is told.
func TestSoundFromAnotherAddress(t *testing.T) {
	for from, opens := range map[string]bool{"10.0.0.2": true, "10.7.7.7": false} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			var log bytes.Buffer
			r.log = slog.New(slog.NewTextHandler(&log, nil))
			d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", ""), r.phone("10.0.0.2:5060")
			p.media.Public = netip.MustParseAddr("192.168.7.7")
			d.press("front")
			ev := p.want(ua.Offered)
			m := p.leg(func(audio.Digit) {})
			t.Cleanup(m.Close)
			body, err := m.Answer(ev.Body, netip.MustParseAddr(from), ev.Flow.Remote.Addr())
			if err != nil {
				t.Fatal(err)
			}
			ev.Leg.Answer(body)
			p.want(ua.Acked)
			m.Start()
			d.want(event.CallAnswered)
			time.Sleep(time.Second)
			if err := m.Session().SendDigits("4711#"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
			if opened := len(d.edges()) == 2; opened != opens {
				t.Errorf("from %s: the door was opened: %v, want %v", from, opened, opens)
			}
			d.stop()
			told := strings.Contains(log.String(), "from=10.7.7.7:") &&
				strings.Contains(log.String(), "expected=192.168.7.7:")
			if told == opens {
				t.Errorf("from %s: told %v, want %v:\n%s", from, told, !opens, log.String())
			}
		})
	}
}
