//go:build interop

package interop

import (
	"os"
	"strings"
	"testing"
)

// Phones of other makes, and of the same make with other settings, on the station's own registrar.

func TestBuiltInServerTwinkle(t *testing.T) {
	t.Parallel()
	binary(t)
	visitor, kitchen := speaker(t, "visitor"), speaker(t, "kitchen")
	st := StartStation(t, Setup{Says: visitor, Text: twoUsers + sprintf(frontDoor, `"kitchen"`, "30s", "2m")})
	tw := StartTwinkle(t, "twinkle-kitchen", "kitchen", "kettle-on-8", st.Server, kitchen)
	tw.Registered()
	st.Press()
	tw.WaitLog(`incoming call`, patience)
	st.Await("call.ringing", patience)
	tw.Say("answer")
	st.Await("call.answered", patience)
	converse(t, hearing{"the visitor, in the kitchen", tw.SoFar, visitor}, hearing{"the kitchen, at the door", st.SoFar, kitchen})
	tw.Say("dtmf 4711#")
	st.Await("code.accepted", patience, "who=family")
	st.mustOpen("code")
	tw.Say("bye")
	st.Await("call.ended", patience)

	st.Press() // and once more: it is not answered, and falls silent when the visitor is gone
	tw.WaitLog(`incoming call`, patience)
	st.Await("call.ringing", patience)
	tw.Say("reject")
	st.Await("call.ended", patience)
	st.End()
}

// linphoneModern has linphonec offer and answer as its apps do: RTP/AVPF with feedback, and ICE.
const linphoneModern = `[proxy_0]
avpf=1
nat_policy_ref=ice
[net]
nat_policy_ref=ice
[nat_policy_0]
ref=ice
protocols=ice
stun_server=
`

const hallCalls = `
[[incoming.allow]]
from = "sip:hall@127.0.0.1"
source = "server"
auto_answer = true
may_open = true
`

func TestBuiltInServerLinphoneAVPFAndICE(t *testing.T) {
	t.Parallel()
	binary(t)
	visitor, hall := speaker(t, "visitor"), speaker(t, "hall")
	st := StartStation(t, Setup{Says: visitor, Text: twoUsers + sprintf(frontDoor, `"hall"`, "30s", "2m") + hallCalls})
	l := StartLinphone(t, "linphone-hall", "hall", "umbrella-3", st.Server, hall.Path, linphoneModern)
	l.Registered()

	st.Press()
	l.WaitLog(`Receiving new incoming call`, patience)
	st.Await("call.ringing", patience)
	l.Say("answer")
	st.Await("call.answered", patience)
	converse(t, hearing{"the visitor, in the hall", l.SoFar, visitor}, hearing{"the hall, at the door", st.SoFar, hall})
	l.Type(st, "4711#")
	st.mustOpen("code")
	l.Say("terminate")
	st.Await("call.ended", patience)

	l.Say(sprintf("call sip:door@127.0.0.1:%d", st.Server)) // now the offer is the phone's
	st.Await("call.answered", patience)
	converse(t, hearing{"the hall, at the door, when it has called", st.SoFar, hall})
	l.Type(st, "4711#")
	st.mustOpen("code")
	l.Say("terminate")
	st.Await("call.ended", patience)
	st.End()
	log, err := os.ReadFile(l.said)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"RTP/AVPF", "a=ice-ufrag:", "a=candidate:"} {
		if !strings.Contains(string(log), want) {
			t.Errorf("the phone never offered %s: the test has not shown what it is for", want)
		}
	}
}
