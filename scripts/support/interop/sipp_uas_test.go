//go:build interop

package interop

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// Others call the station.

const listening = `
[server]
enabled = "off"
[[incoming.allow]]
from = "sip:kitchen@127.0.0.1"
source = "127.0.0.1"
auto_answer = true
may_open = true
[[incoming.allow]]
from = "sip:hall@127.0.0.1"
source = "127.0.0.1"
`

func isCalled(t *testing.T) *Station {
	t.Helper()
	binary(t)
	return StartStation(t, Setup{Log: "debug", Text: listening + fmt.Sprintf(frontDoor, `"sip:nobody@127.0.0.1:9"`, "30s", "2m")})
}

func TestSIPpCallsHoldsResumes(t *testing.T) {
	t.Parallel()
	st := isCalled(t)
	s := StartSIPp(t, "uac_hold", st.Port, "-key", "caller", "kitchen")
	st.Await("call.answered", patience)
	trace := s.Done(patience)
	st.Await("call.ended", patience)
	var answers []Message
	for _, m := range received(trace, "200") {
		if strings.HasSuffix(m.Get("CSeq"), "INVITE") {
			answers = append(answers, m)
		}
	}
	if len(answers) != 3 {
		t.Fatalf("%d answers 200, want 3", len(answers))
	}
	for i, want := range []string{"a=sendrecv", "a=recvonly", "a=sendrecv"} {
		// RFC 3264 section 6.1: sendrecv is the default and may be left out; a held party may answer inactive as well.
		body := answers[i].Body
		held := strings.Contains(body, "a=recvonly") || strings.Contains(body, "a=inactive")
		if held != (want == "a=recvonly") {
			t.Errorf("answer %d to the offer: %q, want %s", i+1, body, want)
		}
	}
	version := func(body string) string { return strings.Fields(body[strings.Index(body, "o="):])[2] }
	if version(answers[0].Body) == version(answers[1].Body) {
		t.Errorf("the held session has the same o= version %s (RFC 3264 section 8)", version(answers[0].Body))
	}
}

// Without auto_answer the call rings at the door until somebody there presses the bell.
func TestSIPpRingsAtTheDoor(t *testing.T) {
	t.Parallel()
	st := isCalled(t)
	s := StartSIPp(t, "uac_hold", st.Port, "-key", "caller", "hall")
	st.Await("call.ringing", patience)
	if n := st.Count("card.opened", "mic=true"); n != 0 {
		t.Errorf("the microphone was open %d times before anybody at the door answered", n)
	}
	st.Press()
	st.Await("call.answered", patience)
	trace := s.Done(patience)
	mustHave(t, trace, "180", 1)
	st.Await("call.ended", patience)
}

func TestSIPpIsBusyOrForbidden(t *testing.T) {
	t.Parallel()
	st := isCalled(t)
	s := StartSIPp(t, "uac_forbidden", st.Port, "-key", "caller", "mallory")
	s.Done(patience)
	if n := st.Count("call.answered"); n != 0 {
		t.Errorf("a stranger was answered %d times", n)
	}
	first := StartSIPp(t, "uac_hold", st.Port, "-key", "caller", "kitchen")
	st.Await("call.answered", patience)
	second := StartSIPp(t, "uac_busy", st.Port, "-key", "caller", "kitchen")
	second.Done(patience)
	first.Done(patience)
	if n := st.Count("call.answered"); n != 1 {
		t.Errorf("call.answered %d times, want once", n)
	}
}

// A caller who takes it back must leave the station free, whether the CANCEL came in time or crossed the answer.
func TestCallerCancels(t *testing.T) {
	t.Parallel()
	st := isCalled(t)
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: st.Port}
	for _, caller := range []string{"hall", "kitchen"} { // not answered by itself; answered at once
		p := NewPeer(t)
		id, tag := token(), token()
		from := func(raw string) string {
			return strings.Replace(raw, parseMessage(raw).Get("From"), fmt.Sprintf("<sip:%s@127.0.0.1>;tag=%s", caller, tag), 1)
		}
		invite := from(p.RequestTo("INVITE", st.Port, id, tag, 1, sdp(p.Port, "sendrecv")))
		cancel := from(p.RequestTo("CANCEL", st.Port, id, tag, 1, ""))
		cancel = strings.Replace(cancel, parseMessage(cancel).Get("Via"), parseMessage(invite).Get("Via"), 1)
		p.Send(to, invite)
		p.Next("provisional response", patience, func(m Message) bool { return m.Status() >= 100 })
		p.Send(to, cancel)
		p.Next("response to CANCEL", patience, func(m Message) bool { return m.Get("CSeq") == "1 CANCEL" && m.Status() >= 200 })
		var final Message
		for _, m := range p.Seen {
			if m.Get("CSeq") == "1 INVITE" && m.Status() >= 200 {
				final = m
			}
		}
		if final.Start == "" {
			final = p.Next("final response to INVITE", patience, func(m Message) bool { return m.Get("CSeq") == "1 INVITE" && m.Status() >= 200 })
		}
		ack := from(p.RequestTo("ACK", st.Port, id, tag, 1, ""))
		ack = strings.Replace(ack, "To: "+parseMessage(ack).Get("To"), "To: "+final.Get("To"), 1)
		t.Logf("%s: INVITE, CANCEL: %s", caller, final.Start)
		switch {
		case final.Status() == 200:
			p.Send(to, ack)
			bye := from(p.RequestTo("BYE", st.Port, id, tag, 2, ""))
			p.Send(to, strings.Replace(bye, "To: "+parseMessage(bye).Get("To"), "To: "+final.Get("To"), 1))
			p.Next("200 to BYE", patience, func(m Message) bool { return m.Get("CSeq") == "2 BYE" && m.Status() == 200 })
		default:
			if caller == "hall" && final.Status() != 487 && final.Status() != 480 && final.Status() != 403 {
				t.Errorf("cancelled, but the INVITE ended with %q", final.Start)
			}
			p.Send(to, strings.Replace(ack, parseMessage(ack).Get("Via"), parseMessage(invite).Get("Via"), 1))
		}
	}
	s := StartSIPp(t, "uac_hold", st.Port, "-key", "caller", "kitchen")
	s.Done(patience)
}

// The From of an allow-listed caller from another address is a forgery: 127.0.0.2 is not on the list.
func TestForgedFromIsRefused(t *testing.T) {
	t.Parallel()
	binary(t)
	st := StartStation(t, Setup{Text: strings.ReplaceAll(listening, `source = "127.0.0.1"`, `source = "127.0.0.9"`) +
		fmt.Sprintf(frontDoor, `"sip:nobody@127.0.0.1:9"`, "30s", "2m")})
	StartSIPp(t, "uac_forbidden", st.Port, "-key", "caller", "kitchen").Done(patience)
	st.Quiet(200*time.Millisecond, "call.answered", "call.ringing", "card.opened mic=true", "door.opened")
}
