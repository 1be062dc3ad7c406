//go:build interop

package interop

import (
	"fmt"
	"testing"
)

// The station as an extension of a PBX: it registers, the bell rings a phone there, voices go both ways, the phone opens.

// behindKamailio starts a Kamailio, a phone "kitchen" on it and a station "door" that calls it.
func behindKamailio(t *testing.T, visitor, kitchen Voice) (*Station, *Baresip) {
	t.Helper()
	binary(t)
	k := StartKamailio(t, map[string]string{"door": "knocker-17", "kitchen": "kettle-on-8"})
	b := StartBaresip(t, "baresip-kitchen", Account("kitchen", "kettle-on-8", "127.0.0.1", k.Port, ";regint=60"), kitchen.Path)
	b.Registered()
	st := StartStation(t, Setup{Says: visitor, Log: "debug", Text: homeAccount(k.Port, "knocker-17") +
		fmt.Sprintf(frontDoor, `"kitchen"`, "30s", "2m")})
	st.Await("registration.up", patience, "account=home")
	return st, b
}

func ringAndAnswer(t *testing.T, st *Station, b *Baresip) {
	t.Helper()
	st.Press()
	st.Await("call.started", patience)
	b.Await("CALL_INCOMING", patience)
	st.Await("call.ringing", patience)
	b.Command("accept", "")
	st.Await("call.answered", patience)
	b.Await("CALL_ESTABLISHED", patience)
}

func TestKamailioVoicesAndOpener(t *testing.T) {
	t.Parallel()
	visitor, kitchen := speaker(t, "visitor"), speaker(t, "kitchen")
	st, b := behindKamailio(t, visitor, kitchen)
	if n := st.Count("card.opened", "mic=true"); n != 0 {
		t.Errorf("the microphone was open %d times while the station was idle", n)
	}
	ringAndAnswer(t, st, b)
	converse(t, hearing{"the visitor, in the kitchen", b.SoFar, visitor}, hearing{"the kitchen, at the door", st.SoFar, kitchen})

	b.Command("sndcode", "9999#")
	st.Await("code.wrong", patience)
	if n := st.Count("door.opened"); n != 0 {
		t.Errorf("a wrong code opened the door %d times", n)
	}
	b.Command("sndcode", "4711#")
	st.Await("code.accepted", patience, "who=family")
	st.mustOpen("code")

	b.Command("hangup", "")
	st.Await("call.ended", patience)
	b.Await("CALL_CLOSED", patience)
	b.Stop()
	st.End()
	heard := only(t, b.Heard())
	mustNotHear(t, "the kitchen's own voice, in the kitchen", heard, kitchen)
	mustNotHear(t, "another sentence, at the door", st.Out, speaker(t, "other"))
	if n := st.Count("door.opened"); n != 1 {
		t.Errorf("door.opened %d times, want once", n)
	}
}

func TestKamailioPhoneHangsUpTwiceThenStationStops(t *testing.T) {
	t.Parallel()
	st, b := behindKamailio(t, Voice{}, speaker(t, "kitchen"))
	for range 2 { // the second call must be as good as the first
		ringAndAnswer(t, st, b)
		b.Command("hangup", "")
		st.Await("call.ended", patience)
		b.Await("CALL_CLOSED", patience)
	}
	ringAndAnswer(t, st, b)
	st.End() // in mid-call: BYE comes before the end
	b.Await("CALL_CLOSED", patience)
}

func TestKamailioPhoneDeclines(t *testing.T) {
	t.Parallel()
	st, b := behindKamailio(t, Voice{}, speaker(t, "kitchen"))
	st.Press()
	b.Await("CALL_INCOMING", patience)
	b.Command("hangup", "")
	st.Await("call.ended", patience)
	if n := st.Count("call.answered"); n != 0 {
		t.Errorf("call.answered %d times on a declined call", n)
	}
}

func TestKamailioWrongPassword(t *testing.T) {
	t.Parallel()
	binary(t)
	k := StartKamailio(t, map[string]string{"door": "knocker-17"})
	st := StartStation(t, Setup{Text: homeAccount(k.Port, "not-the-one") +
		fmt.Sprintf(frontDoor, `"kitchen"`, "30s", "2m")})
	st.Await("registration.failed", patience, "account=home")
	if n := st.Count("registration.up"); n != 0 {
		t.Errorf("registration.up %d times with a wrong password", n)
	}
}
