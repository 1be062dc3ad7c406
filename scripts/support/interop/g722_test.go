//go:build interop

package interop

import (
	"strings"
	"testing"
	"time"
)

// Wide-band voices: the station offers G.722 alone, and both makes of phone talk it with theirs.
func TestG722(t *testing.T) {
	t.Parallel()
	binary(t)
	visitor, kitchen, hall := speaker(t, "visitor"), speaker(t, "kitchen"), speaker(t, "hall")
	st := StartStation(t, Setup{Says: visitor, Audio: `codecs = ["G722"]`, Text: twoUsers + sprintf(frontDoor, `"kitchen", "hall"`, "30s", "2m")})
	account := strings.Replace(Account("kitchen", "kettle-on-8", "127.0.0.1", st.Server, ";regint=60"), "audio_codecs=PCMA", "audio_codecs=G722/16000/1", 1)
	b := StartBaresip(t, "baresip-kitchen", account, kitchen.Path)
	l := StartLinphone(t, "linphone-hall", "hall", "umbrella-3", st.Server, hall.Path)
	l.Codec(linphoneG722)
	b.Registered()
	l.Registered()

	st.Press()
	b.Await("CALL_INCOMING", 5*time.Second)
	l.WaitLog(`Receiving new incoming call`, 5*time.Second)
	b.Command("accept", "")
	st.Await("call.answered", 5*time.Second)
	l.WaitLog(`(?i)Call \d+ .*ended`, 5*time.Second)
	talk(max(visitor.sentence(), kitchen.sentence()))
	b.Command("hangup", "")
	mustTalk(t, st.Await("call.ended", 5*time.Second), "G722")

	st.Press()
	l.WaitLog(`Receiving new incoming call`, 5*time.Second)
	l.Say("answer")
	st.Await("call.answered", 5*time.Second)
	talk(max(visitor.sentence(), hall.sentence()))
	l.Say("terminate")
	mustTalk(t, st.Await("call.ended", 5*time.Second), "G722")
	b.Stop()
	l.Stop()
	st.End()

	mustHear(t, "the visitor, in the kitchen", b.Heard()[0], visitor)
	mustHear(t, "the visitor, in the hall", l.Heard(), visitor)
	mustHear(t, "the kitchen, at the door", st.Out, kitchen)
	mustHear(t, "the hall, at the door", st.Out, hall)
}

// mustTalk checks the codec that a call's closing event names.
func mustTalk(t *testing.T, ended line, codec string) {
	t.Helper()
	rtp, _ := ended["rtp"].(map[string]any)
	if rtp["codec"] != codec {
		t.Errorf("the call talked %v, want %s", rtp["codec"], codec)
	}
}
