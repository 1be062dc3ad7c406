//go:build interop

package interop

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The station calls SIPp: each way in which a phone can answer.

// callsSIPp starts the scenario and a station whose bell calls it, and presses.
func callsSIPp(t *testing.T, scenario, ringLimit, talkLimit string) (*Station, *SIPp) {
	t.Helper()
	binary(t)
	s := StartSIPp(t, scenario, 0)
	target := fmt.Sprintf(`"sip:phone@127.0.0.1:%d"`, s.Port)
	st := StartStation(t, Setup{Log: "debug", Text: "[server]\nenabled = \"off\"\n" + fmt.Sprintf(frontDoor, target, ringLimit, talkLimit)})
	st.Press()
	return st, s
}

func TestSIPpAnswers(t *testing.T) {
	t.Parallel()
	for _, scenario := range []string{"uas_answer", "uas_early"} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			st, s := callsSIPp(t, scenario, "30s", "10s")
			st.Await("call.ringing", patience)
			answered := st.Await("call.answered", patience)
			ended := st.Await("call.ended", patience)
			trace := s.Done(patience)
			mustHave(t, trace, "INVITE", 1)
			mustHave(t, trace, "ACK", 1)
			mustHave(t, trace, "BYE", 1)
			mustHave(t, trace, "CANCEL", 0)
			if talked := stamp(t, ended).Sub(stamp(t, answered)); talked < 9900*time.Millisecond || talked > 10*time.Second+late {
				t.Errorf("call.ended %v after call.answered, want talk_limit = 10 s", talked)
			}
			st.End()
		})
	}
}

func TestSIPpRefuses(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"486", "603"} {
		st, s := callsSIPp(t, "uas_"+status, "30s", "2m")
		st.Await("call.ringing", patience)
		st.Await("call.ended", patience)
		trace := s.Done(patience)
		ack := mustHave(t, trace, "ACK", 1)
		invite := mustHave(t, trace, "INVITE", 1)
		if len(ack) == 1 && len(invite) == 1 && ack[0].Get("Via") != invite[0].Get("Via") {
			t.Errorf("the ACK of a %s carries Via %q, want the INVITE's %q (RFC 3261 section 17.1.1.3)", status, ack[0].Get("Via"), invite[0].Get("Via"))
		}
		if n := st.Count("call.answered"); n != 0 {
			t.Errorf("%s: call.answered %d times", status, n)
		}
		st.End()
	}
}

func TestSIPpDoesNotAnswer(t *testing.T) {
	t.Parallel()
	st, s := callsSIPp(t, "uas_noanswer", "5s", "2m")
	ringing := st.Await("call.ringing", patience)
	if rang := stamp(t, st.Await("call.ended", patience)).Sub(stamp(t, ringing)); rang > 5*time.Second+late {
		t.Errorf("call.ended %v after call.ringing, want ring_limit = 5 s", rang)
	}
	trace := s.Done(patience)
	cancel, invite := mustHave(t, trace, "CANCEL", 1), mustHave(t, trace, "INVITE", 1)
	mustHave(t, trace, "ACK", 1)
	mustHave(t, trace, "BYE", 0)
	if len(cancel) == 1 && len(invite) == 1 && (cancel[0].Get("Via") != invite[0].Get("Via") || cancel[0].URI() != invite[0].URI()) {
		t.Errorf("CANCEL %s with Via %q does not match INVITE %s with Via %q (section 9.1)", cancel[0].URI(), cancel[0].Get("Via"), invite[0].URI(), invite[0].Get("Via"))
	}
}

func TestSIPpAnswerCrossesCancel(t *testing.T) {
	t.Parallel()
	st, s := callsSIPp(t, "uas_cross", "5s", "2m")
	st.Await("call.ended", patience)
	trace := s.Done(patience)
	mustHave(t, trace, "CANCEL", 1)
	mustHave(t, trace, "ACK", 1)
	mustHave(t, trace, "BYE", 1)
	if n := st.Count("door.opened"); n != 0 {
		t.Errorf("door.opened %d times", n)
	}
}

func TestSIPpForks(t *testing.T) {
	t.Parallel()
	st, s := callsSIPp(t, "uas_fork", "30s", "2m")
	st.Await("call.answered", patience)
	s.WaitTrace("BYE", patience) // to the loser
	st.End()                     // and to the winner
	trace := s.Done(patience)
	acks, byes := mustHave(t, trace, "ACK", 2), mustHave(t, trace, "BYE", 2)
	if len(acks) != 2 || len(byes) != 2 {
		return
	}
	tag := func(m Message) string { return Param(m.Get("To"), "tag") }
	if tag(acks[0]) == tag(acks[1]) {
		t.Errorf("both ACKs went to the tag %q", tag(acks[0]))
	}
	if tag(byes[0]) != tag(acks[1]) || tag(byes[1]) != tag(acks[0]) {
		t.Errorf("BYE to %q then %q, want the second leg %q first, the winner %q at the end", tag(byes[0]), tag(byes[1]), tag(acks[1]), tag(acks[0]))
	}
	if got, want := byes[0].URI(), fmt.Sprintf("sip:second@127.0.0.1:%d", s.Port); got != want {
		t.Errorf("the loser's BYE went to %s, want its Contact %s", got, want)
	}
	if n := st.Count("call.answered"); n != 1 {
		t.Errorf("call.answered %d times, want once", n)
	}
}

// A 200 whose ACK was lost comes again, and its ACK must, too (section 13.2.2.4). Scripted here: to SIPp the second ACK is a
// repeated message, which it answers with another 200, and so on without end.
func TestPhoneRepeatsIts200(t *testing.T) {
	t.Parallel()
	binary(t)
	phone := NewPeer(t)
	target := fmt.Sprintf(`"sip:phone@127.0.0.1:%d"`, phone.Port)
	st := StartStation(t, Setup{Text: "[server]\nenabled = \"off\"\n" + fmt.Sprintf(frontDoor, target, "30s", "2m")})
	st.Press()
	invite := phone.Request("INVITE", patience)
	ok := Reply(invite, "200 OK", "p", sdp(phone.Port+1, "sendrecv"), phone.Contact("phone"))
	var acks []Message
	for range 4 {
		phone.Send(invite.From, ok)
		acks = append(acks, phone.Request("ACK", patience))
	}
	for _, ack := range acks {
		if ack.String() != acks[0].String() {
			t.Errorf("a repeated ACK differs:\n%s\n%s", acks[0], ack)
		}
		if Param(ack.Get("To"), "tag") != "p" || ack.Get("CSeq") != strings.Replace(invite.Get("CSeq"), "INVITE", "ACK", 1) || ack.URI() != fmt.Sprintf("sip:phone@127.0.0.1:%d", phone.Port) {
			t.Errorf("ACK does not belong to the answer:\n%s", ack)
		}
	}
	st.Await("call.answered", patience)
	if n := st.Count("call.answered"); n != 1 {
		t.Errorf("call.answered %d times, want once", n)
	}
	st.Signal(syscall.SIGTERM)
	bye := phone.Request("BYE", patience)
	phone.Send(bye.From, Reply(bye, "200 OK", "", ""))
	if code := st.Wait(patience); code != 0 {
		t.Errorf("the station ended with code %d on SIGTERM, want 0", code)
	}
}

func TestSIPpChallengesTheInvite(t *testing.T) {
	t.Parallel()
	binary(t)
	s := StartSIPp(t, "uas_407", 0)
	st := StartStation(t, Setup{Text: homeAccount(s.Port, "kettle-on-8", `realm = "sipp.test"`, `register = false`) +
		fmt.Sprintf(frontDoor, `"phone"`, "30s", "2m")})
	st.Press()
	st.Await("call.answered", patience)
	st.End()
	trace := s.Done(patience)
	invites := mustHave(t, trace, "INVITE", 2)
	mustHave(t, trace, "BYE", 1)
	if len(invites) != 2 {
		return
	}
	if err := ParseCredentials(invites[1].Get("Proxy-Authorization")).Verify("INVITE", "door", "kettle-on-8", "sipp.test", "5ca1ab1e"); err != nil {
		t.Error(err)
	}
	if a, b := invites[0].Get("CSeq"), invites[1].Get("CSeq"); a == b {
		t.Errorf("both INVITEs have CSeq %s", a)
	}
	if a, b := invites[0].Get("Call-ID"), invites[1].Get("Call-ID"); a != b {
		t.Errorf("Call-ID %s, then %s", a, b)
	}
}

func TestSIPpRegistersAfter401And423(t *testing.T) {
	t.Parallel()
	binary(t)
	s := StartSIPp(t, "uas_register", 0)
	st := StartStation(t, Setup{Text: homeAccount(s.Port, "kettle-on-8", `expires = "10m"`) +
		fmt.Sprintf(frontDoor, `"phone"`, "30s", "2m")})
	st.Await("registration.up", patience, "account=home")
	registers := mustHave(t, s.Done(patience), "REGISTER", 3)
	if len(registers) != 3 {
		return
	}
	if got, err := strconv.Atoi(expires(registers[2])); err != nil || got < 1800 {
		t.Errorf("after 423 with Min-Expires 1800 the station asked for %d (%v)", got, err)
	}
	for _, r := range registers {
		if strings.Contains(r.URI(), "@") || !strings.HasPrefix(r.URI(), "sip:127.0.0.1") {
			t.Errorf("REGISTER %s, want the server's domain without a user part (section 10.2)", r.URI())
		}
	}
}

func expires(register Message) string {
	if e := Param(register.Get("Contact"), "expires"); e != "" {
		return e
	}
	return register.Get("Expires")
}
