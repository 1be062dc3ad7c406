//go:build interop

package interop

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

// The scenarios of sipp/ among the peers: baresip where it is up to them, a caller scripted here where it is not.

func dialler(t *testing.T, sippPort int, more string) *Baresip {
	t.Helper()
	return StartBaresip(t, "baresip", Account("door", "kettle-on-8", "127.0.0.1", sippPort, ";regint=0"+more), speaker(t, "kitchen").Path)
}

func TestPeersSIPpAnswerAndEarlyMedia(t *testing.T) {
	t.Parallel()
	for _, scenario := range []string{"uas_answer", "uas_early", "uas_407"} {
		s := StartSIPp(t, scenario, 0)
		b := dialler(t, s.Port, "")
		b.Command("dial", fmt.Sprintf("sip:phone@127.0.0.1:%d", s.Port))
		b.Await("CALL_ESTABLISHED", patience)
		b.Command("hangup", "")
		trace := s.Done(patience)
		mustHave(t, trace, "BYE", 1)
		if scenario == "uas_407" {
			invites := mustHave(t, trace, "INVITE", 2)
			if err := ParseCredentials(invites[1].Get("Proxy-Authorization")).Verify("INVITE", "door", "kettle-on-8", "sipp.test", "5ca1ab1e"); err != nil {
				t.Errorf("SIPp and baresip agree on the digest, the rig does not: %v", err)
			}
		}
		b.Stop()
	}
}

func TestPeersSIPpRefuseAndCancel(t *testing.T) {
	t.Parallel()
	b := dialler(t, freePort(t), "")
	for _, scenario := range []string{"uas_486", "uas_603"} {
		s := StartSIPp(t, scenario, 0)
		b.Command("dial", fmt.Sprintf("sip:phone@127.0.0.1:%d", s.Port))
		b.Await("CALL_CLOSED", patience)
		mustHave(t, s.Done(patience), "ACK", 1)
	}
	s := StartSIPp(t, "uas_noanswer", 0)
	b.Command("dial", fmt.Sprintf("sip:phone@127.0.0.1:%d", s.Port))
	b.Await("CALL_RINGING", patience)
	b.Command("hangup", "")
	mustHave(t, s.Done(patience), "CANCEL", 1)
}

func TestPeersSIPpRegister(t *testing.T) {
	t.Parallel()
	s := StartSIPp(t, "uas_register", 0)
	p, to := NewPeer(t), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: s.Port}
	id, tag := token(), token()
	register := func(cseq int, header ...string) string {
		raw := p.RequestTo("REGISTER", s.Port, id, tag, cseq, "", append(header, "Expires: 600")...)
		return strings.Replace(raw, "REGISTER sip:door@", "REGISTER sip:", 1)
	}
	p.Send(to, register(1))
	p.Response(401, patience)
	const digest = `Authorization: Digest username="door", realm="sipp.test", nonce="5ca1ab1e", uri="%s", algorithm=MD5, response="%s"`
	uri := fmt.Sprintf("sip:127.0.0.1:%d", s.Port)
	p.Send(to, register(2, fmt.Sprintf(digest, uri, response(t, "REGISTER", uri, "door", "kettle-on-8", "sipp.test", "5ca1ab1e"))))
	p.Response(423, patience)
	p.Send(to, register(3))
	p.Response(200, patience)
	s.Done(patience)
}

func TestPeersSIPpRefusesWrongCredentials(t *testing.T) {
	t.Parallel()
	s := StartSIPp(t, "uas_407", 0)
	b := StartBaresip(t, "baresip", Account("door", "wrong", "127.0.0.1", s.Port, ";regint=0"), speaker(t, "kitchen").Path)
	b.Command("dial", fmt.Sprintf("sip:phone@127.0.0.1:%d", s.Port))
	b.Await("CALL_ESTABLISHED", patience)
	b.Command("hangup", "")
	invites := mustHave(t, s.Done(patience), "INVITE", 2)
	if ParseCredentials(invites[1].Get("Proxy-Authorization")).Verify("INVITE", "door", "kettle-on-8", "sipp.test", "5ca1ab1e") == nil {
		t.Error("the rig took a wrong password")
	}
}

// A caller in a few lines that ACKs every 200 and then hangs up.
func TestPeersSIPpForkAndCross(t *testing.T) {
	t.Parallel()
	for _, scenario := range []string{"uas_fork", "uas_cross"} {
		s := StartSIPp(t, scenario, 0)
		p, to := NewPeer(t), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: s.Port}
		id, tag := token(), token()
		invite := p.RequestTo("INVITE", s.Port, id, tag, 1, sdp(30000, "sendrecv"))
		p.Send(to, invite)
		p.Response(180, patience)
		if scenario == "uas_cross" {
			via := parseMessage(invite).Get("Via")
			cancel := p.RequestTo("CANCEL", s.Port, id, tag, 1, "")
			p.Send(to, strings.Replace(cancel, parseMessage(cancel).Get("Via"), via, 1))
		}
		within := func(ok Message, method string, cseq int) {
			raw := p.RequestTo(method, s.Port, id, tag, cseq, "")
			raw = strings.Replace(raw, fmt.Sprintf("%s sip:door@127.0.0.1:%d SIP", method, s.Port), method+" "+Address(ok.Get("Contact"))+" SIP", 1)
			p.Send(to, strings.Replace(raw, "To: "+parseMessage(raw).Get("To"), "To: "+ok.Get("To"), 1))
		}
		n := map[string]int{"uas_fork": 2, "uas_cross": 1}[scenario]
		var last Message
		for range n {
			last = p.Next("200 to INVITE", patience, func(m Message) bool { return m.Status() == 200 && strings.HasSuffix(m.Get("CSeq"), "INVITE") })
			within(last, "ACK", 1)
		}
		within(last, "BYE", 2)
		if scenario == "uas_fork" {
			p.Next("200 to BYE", patience, func(m Message) bool { return m.Status() == 200 && m.Get("CSeq") == "2 BYE" })
			within(last, "BYE", 3)
		}
		trace := s.Done(patience)
		mustHave(t, trace, "ACK", n)
	}
}

func TestPeersSIPpCallsBaresip(t *testing.T) {
	t.Parallel()
	port := freePort(t) // baresip's account answers whoever calls its port
	b := StartBaresip(t, "baresip", strings.Replace(Account("door", "x", "127.0.0.1", port, ";regint=0"), "manual", "auto", 1), speaker(t, "kitchen").Path)
	s := StartSIPp(t, "uac_hold", b.Port, "-key", "caller", "kitchen")
	b.Await("CALL_ESTABLISHED", patience)
	trace := s.Done(patience)
	if oks := received(trace, "200"); len(oks) != 4 {
		t.Errorf("%d responses 200, want 4 (INVITE, hold, resume, BYE)", len(oks))
	}
}

func response(t *testing.T, method, uri, user, password, realm, nonce string) string {
	t.Helper()
	c := Credentials{"username": user, "realm": realm, "nonce": nonce, "uri": uri}
	err := c.Verify(method, user, password, realm, nonce)
	if err == nil {
		t.Fatal("interop: an empty response passed for a right one")
	}
	_, want, _ := strings.Cut(err.Error(), `want "`)
	return strings.TrimSuffix(want, `"`)
}

// RFC 7616 section 3.9.1: both digests of the example, so that the rig's own computation is not the measure of itself.
func TestPeersDigestOfTheRFC(t *testing.T) {
	for algorithm, want := range map[string]string{
		"MD5":     "8ca523f5e9506fed4657c9700eebdbec",
		"SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
	} {
		c := ParseCredentials(`Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=` + algorithm + `,
			nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001,
			cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="` + want + `"`)
		const realm, nonce = "http-auth@example.org", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
		if err := c.Verify("GET", "Mufasa", "Circle of Life", realm, nonce); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
		if c.Verify("GET", "Mufasa", "circle of life", realm, nonce) == nil {
			t.Errorf("%s: a wrong password passed", algorithm)
		}
	}
}
