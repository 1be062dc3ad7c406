//go:build interop

package interop

import (
	"testing"
	"time"
)

// No PBX: the station's own registrar, two phones of different make on it.

const twoUsers = `
[server]
enabled = "on"
listen = "127.0.0.1:@SERVER@"
[[server.user]]
name = "kitchen"
password = "kettle-on-8"
[[server.user]]
name = "hall"
password = "umbrella-3"
`

func TestBuiltInServerTwoPhones(t *testing.T) {
	t.Parallel()
	binary(t)
	visitor, kitchen, hall := speaker(t, "visitor"), speaker(t, "kitchen"), speaker(t, "hall")
	st := StartStation(t, Setup{Says: visitor, Text: twoUsers + sprintf(frontDoor, `"kitchen", "hall"`, "30s", "2m")})
	b := StartBaresip(t, "baresip-kitchen", Account("kitchen", "kettle-on-8", "127.0.0.1", st.Server, ";regint=60"), kitchen.Path)
	l := StartLinphone(t, "linphone-hall", "hall", "umbrella-3", st.Server, hall.Path)
	b.Registered()
	l.Registered()

	// The first visit: baresip answers, linphone falls silent.
	st.Press()
	b.Await("CALL_INCOMING", 5*time.Second)
	l.WaitLog(`Receiving new incoming call`, 5*time.Second)
	b.Command("accept", "")
	st.Await("call.answered", 5*time.Second)
	l.WaitLog(`(?i)Call \d+ .*ended`, 5*time.Second)
	talk(max(visitor.sentence(), kitchen.sentence()))
	b.Command("sndcode", "4711#")
	st.Await("code.accepted", 10*time.Second, "who=family")
	st.mustOpen("code")
	b.Command("hangup", "")
	st.Await("call.ended", 5*time.Second)

	// The second visit: linphone answers, baresip falls silent.
	st.Press()
	b.Await("CALL_INCOMING", 5*time.Second)
	l.WaitLog(`Receiving new incoming call`, 5*time.Second)
	l.Say("answer")
	st.Await("call.answered", 5*time.Second)
	b.Await("CALL_CLOSED", 5*time.Second)
	talk(max(visitor.sentence(), hall.sentence()))
	for _, digit := range []string{"4", "7", "1", "1", "#"} {
		l.Say(digit)
		talk(300 * time.Millisecond) // linphonec sends a digit of its own length at once; two in a row would overlap
	}
	st.Await("code.accepted", 10*time.Second, "who=family")
	st.mustOpen("code")
	l.Say("terminate")
	st.Await("call.ended", 5*time.Second)
	b.Stop()
	l.Stop()
	st.End()

	mustHear(t, "the visitor, in the kitchen", b.Heard()[0], visitor)
	mustHear(t, "the visitor, in the hall", l.Heard(), visitor)
	mustHear(t, "the kitchen, at the door", st.Out, kitchen)
	mustHear(t, "the hall, at the door", st.Out, hall)
	mustNotHear(t, "another sentence, at the door", st.Out, speaker(t, "other"))
}

func TestBuiltInServerRefusesWrongPassword(t *testing.T) {
	t.Parallel()
	binary(t)
	st := StartStation(t, Setup{Text: twoUsers + sprintf(frontDoor, `"kitchen", "hall"`, "5s", "2m")})
	b := StartBaresip(t, "baresip-kitchen", Account("kitchen", "guessed", "127.0.0.1", st.Server, ";regint=60"), speaker(t, "kitchen").Path)
	b.WaitLog(`40[1-7] `, 75*time.Second) // see Registered
	st.Press()
	st.Await("call.ended", 10*time.Second)
	if b.Saw("CALL_INCOMING") {
		t.Error("the bell rang a phone that never registered")
	}
}
