//go:build interop

package interop

import (
	"strings"
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

// household is a station and the two phones on its server, baresip in the kitchen and linphone in the hall.
type household struct {
	t                      *testing.T
	st                     *Station
	b                      *Baresip
	l                      *Linphone
	visitor, kitchen, hall Voice
}

// startHousehold lets the station and both phones talk G.722 alone, or PCMA and whatever else they have.
func startHousehold(t *testing.T, g722 bool) *household {
	t.Helper()
	binary(t)
	h := &household{t: t, visitor: speaker(t, "visitor"), kitchen: speaker(t, "kitchen"), hall: speaker(t, "hall")}
	setup := Setup{Says: h.visitor, Text: twoUsers + sprintf(frontDoor, `"kitchen", "hall"`, "30s", "2m")}
	if g722 {
		setup.Audio = `codecs = ["G722"]`
	}
	h.st = StartStation(t, setup)
	account := Account("kitchen", "kettle-on-8", "127.0.0.1", h.st.Server, ";regint=60")
	if g722 {
		account = strings.Replace(account, "audio_codecs=PCMA", "audio_codecs=G722/16000/1", 1)
	}
	h.b = StartBaresip(t, "baresip-kitchen", account, h.kitchen.Path)
	h.l = StartLinphone(t, "linphone-hall", "hall", "umbrella-3", h.st.Server, h.hall.Path)
	if g722 {
		h.l.Codec(linphoneG722)
	}
	h.b.Registered()
	h.l.Registered()
	return h
}

// kitchenAnswers presses the bell; baresip answers, linphone falls silent.
func (h *household) kitchenAnswers() {
	h.t.Helper()
	h.st.Press()
	h.b.Await("CALL_INCOMING", patience)
	h.l.WaitLog(`Receiving new incoming call`, patience)
	h.b.Command("accept", "")
	h.st.Await("call.answered", patience)
	h.l.WaitLog(`(?i)Call \d+ .*ended`, patience)
	converse(h.t, hearing{"the visitor, in the kitchen", h.b.SoFar, h.visitor}, hearing{"the kitchen, at the door", h.st.SoFar, h.kitchen})
}

// hallAnswers presses the bell; linphone answers, baresip falls silent.
func (h *household) hallAnswers() {
	h.t.Helper()
	h.st.Press()
	h.b.Await("CALL_INCOMING", patience)
	h.l.WaitLog(`Receiving new incoming call`, patience)
	h.l.Say("answer")
	h.st.Await("call.answered", patience)
	h.b.Await("CALL_CLOSED", patience)
	converse(h.t, hearing{"the visitor, in the hall", h.l.SoFar, h.visitor}, hearing{"the hall, at the door", h.st.SoFar, h.hall})
}

// end stops all three.
func (h *household) end() {
	h.t.Helper()
	h.b.Stop()
	h.l.Stop()
	h.st.End()
}

func TestBuiltInServerTwoPhones(t *testing.T) {
	t.Parallel()
	h := startHousehold(t, false)
	h.kitchenAnswers()
	h.b.Command("sndcode", "4711#")
	h.st.Await("code.accepted", patience, "who=family")
	h.st.mustOpen("code")
	h.b.Command("hangup", "")
	h.st.Await("call.ended", patience)

	h.hallAnswers()
	h.l.Type(h.st, "4711#")
	h.st.mustOpen("code")
	h.l.Say("terminate")
	h.st.Await("call.ended", patience)
	h.end()
	mustNotHear(t, "another sentence, at the door", h.st.Out, speaker(t, "other"))
}

func TestBuiltInServerRefusesWrongPassword(t *testing.T) {
	t.Parallel()
	binary(t)
	st := StartStation(t, Setup{Text: twoUsers + sprintf(frontDoor, `"kitchen", "hall"`, "5s", "2m")})
	b := StartBaresip(t, "baresip-kitchen", Account("kitchen", "guessed", "127.0.0.1", st.Server, ";regint=60"), speaker(t, "kitchen").Path)
	b.WaitLog(`40[1-7] `, 75*time.Second) // see Registered
	st.Press()
	st.Await("call.ended", patience)
	if b.Saw("CALL_INCOMING") {
		t.Error("the bell rang a phone that never registered")
	}
}
