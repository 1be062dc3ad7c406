//go:build interop

package interop

import (
	"testing"

	"portero/scripts/support/voices"
)

// The peers among themselves: what fails here is not the station's fault.

func TestPeersVoicesAreTold(t *testing.T) {
	t.Parallel()
	for a := range speakers {
		for b := range speakers {
			va, vb := speaker(t, a), speaker(t, b)
			if m := voices.Find(va.Clip, vb.Clip.Repeat(2, 1, 0.5)); m.Same() != (a == b) {
				t.Errorf("%s in the words of %s: %v", a, b, m)
			}
		}
	}
}

func TestPeersBaresipKamailioBaresip(t *testing.T) {
	t.Parallel()
	k := StartKamailio(t, map[string]string{"kitchen": "kettle-on-8", "hall": "umbrella-3"})
	kitchen, hall := speaker(t, "kitchen"), speaker(t, "hall")
	a := StartBaresip(t, "baresip-kitchen", Account("kitchen", "kettle-on-8", "127.0.0.1", k.Port, ";regint=60"), kitchen.Path)
	b := StartBaresip(t, "baresip-hall", Account("hall", "umbrella-3", "127.0.0.1", k.Port, ";regint=60"), hall.Path)
	a.Registered()
	b.Registered()
	a.Command("dial", k.URI("hall"))
	b.Await("CALL_INCOMING", patience)
	b.Command("accept", "")
	a.Await("CALL_ESTABLISHED", patience)
	a.Command("sndcode", "12#")
	mustDial(t, b, "12#")
	converse(t, hearing{"the hall, in the kitchen", a.SoFar, hall}, hearing{"the kitchen, in the hall", b.SoFar, kitchen})
	a.Command("hangup", "")
	b.Await("CALL_CLOSED", patience)
	a.Stop()
	b.Stop()
	mustNotHear(t, "the kitchen's own voice", only(t, a.Heard()), kitchen)
	mustNotHear(t, "a sentence that nobody said", only(t, b.Heard()), speaker(t, "other"))
}

func TestPeersBaresipKamailioLinphone(t *testing.T) {
	t.Parallel()
	k := StartKamailio(t, map[string]string{"kitchen": "kettle-on-8", "hall": "umbrella-3"})
	kitchen, hall := speaker(t, "kitchen"), speaker(t, "hall")
	a := StartBaresip(t, "baresip-kitchen", Account("kitchen", "kettle-on-8", "127.0.0.1", k.Port, ";regint=60"), kitchen.Path)
	l := StartLinphone(t, "linphone-hall", "hall", "umbrella-3", k.Port, hall.Path)
	l.Registered()
	a.Registered()
	a.Command("dial", k.URI("hall"))
	l.WaitLog(`Receiving new incoming call`, patience)
	l.Say("answer")
	a.Await("CALL_ESTABLISHED", patience)
	l.Say("12#")
	mustDial(t, a, "12#")
	converse(t, hearing{"the hall, in the kitchen", a.SoFar, hall}, hearing{"the kitchen, in the hall", l.SoFar, kitchen})
	a.Command("hangup", "")
	a.Await("CALL_CLOSED", patience)
	a.Stop()
	l.Stop()
}

func TestPeersWrongPasswordIsRefused(t *testing.T) {
	t.Parallel()
	k := StartKamailio(t, map[string]string{"kitchen": "kettle-on-8"})
	a := StartBaresip(t, "baresip-kitchen", Account("kitchen", "wrong", "127.0.0.1", k.Port, ";regint=60"), speaker(t, "kitchen").Path)
	a.WaitLog(`40[1-7] `, patience)
}

// mustDial waits for digits (RFC 4733) to arrive at b, one event each.
func mustDial(t *testing.T, b *Baresip, digits string) {
	t.Helper()
	for _, digit := range digits {
		if e := b.Await("CALL_DTMF_START", patience); e.Param != string(digit) {
			t.Errorf("%s got digit %q, want %q", b.name, e.Param, string(digit))
		}
	}
}
