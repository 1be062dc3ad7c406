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
	h.b.Await("CALL_INCOMING", 5*time.Second)
	h.l.WaitLog(`Receiving new incoming call`, 5*time.Second)
	h.b.Command("accept", "")
	h.st.Await("call.answered", 5*time.Second)
	h.l.WaitLog(`(?i)Call \d+ .*ended`, 5*time.Second)
	talk(max(h.visitor.sentence(), h.kitchen.sentence()))
}

// hallAnswers presses the bell; linphone answers, baresip falls silent.
func (h *household) hallAnswers() {
	h.t.Helper()
	h.st.Press()
	h.b.Await("CALL_INCOMING", 5*time.Second)
	h.l.WaitLog(`Receiving new incoming call`, 5*time.Second)
	h.l.Say("answer")
	h.st.Await("call.answered", 5*time.Second)
	h.b.Await("CALL_CLOSED", 5*time.Second)
	talk(max(h.visitor.sentence(), h.hall.sentence()))
}

// end stops all three and listens to what each has heard.
func (h *household) end() {
	h.t.Helper()
	h.b.Stop()
	h.l.Stop()
	h.st.End()
	mustHear(h.t, "the visitor, in the kitchen", h.b.Heard()[0], h.visitor)
	mustHear(h.t, "the visitor, in the hall", h.l.Heard(), h.visitor)
	mustHear(h.t, "the kitchen, at the door", h.st.Out, h.kitchen)
	mustHear(h.t, "the hall, at the door", h.st.Out, h.hall)
}

func TestBuiltInServerTwoPhones(t *testing.T) {
	t.Parallel()
	h := startHousehold(t, false)
	h.kitchenAnswers()
	h.b.Command("sndcode", "4711#")
	h.st.Await("code.accepted", 10*time.Second, "who=family")
	h.st.mustOpen("code")
	h.b.Command("hangup", "")
	h.st.Await("call.ended", 5*time.Second)

	h.hallAnswers()
	for _, digit := range []string{"4", "7", "1", "1", "#"} {
		h.l.Say(digit)
		talk(300 * time.Millisecond) // linphonec sends a digit of its own length at once; two in a row would overlap
	}
	h.st.Await("code.accepted", 10*time.Second, "who=family")
	h.st.mustOpen("code")
	h.l.Say("terminate")
	h.st.Await("call.ended", 5*time.Second)
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
	st.Await("call.ended", 10*time.Second)
	if b.Saw("CALL_INCOMING") {
		t.Error("the bell rang a phone that never registered")
	}
}
