package sdp

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

var (
	pcma = Codec{"PCMA", 8000, 8}
	pcmu = Codec{"PCMU", 8000, 0}
)

func local() *Local {
	return &Local{Addr: netip.MustParseAddrPort("192.0.2.1:10000"), Codecs: []Codec{pcma, pcmu}, Events: 101}
}

func lines(s ...string) []byte {
	head := []string{"v=0", "o=- 1 1 IN IP4 192.0.2.2", "s=-", "c=IN IP4 192.0.2.2", "t=0 0"}
	return []byte(strings.Join(append(head, s...), "\r\n") + "\r\n")
}

func TestOfferAnswer(t *testing.T) {
	a, b := local(), local()
	b.Addr = netip.MustParseAddrPort("[2001:db8::2]:20000")
	b.Codecs = []Codec{pcmu, pcma}
	offer, err := a.Offer()
	if err != nil {
		t.Fatal(err)
	}
	answer, rb, err := b.Answer(offer)
	if err != nil {
		t.Fatal(err)
	}
	ra, err := a.Accept(answer)
	if err != nil {
		t.Fatal(err)
	}
	if rb.Send != pcmu || ra.Send != pcmu || ra.Remote != b.Addr || rb.Remote != a.Addr ||
		ra.SendEvents != 101 || rb.ReceiveEvents != 101 {
		t.Fatalf("a %+v\nb %+v", ra, rb)
	}
	if ra.Direction != SendRecv || rb.Direction != SendRecv || ra.RemoteRTCP.Port() != 20001 {
		t.Fatalf("a %+v\nb %+v", ra, rb)
	}
}

func TestAsymmetricPayloadTypes(t *testing.T) {
	_, res, err := local().Answer(lines("m=audio 4000 RTP/AVP 111 96", "a=rtpmap:111 pcma/8000/1",
		"a=rtpmap:96 telephone-event/8000"))
	if err != nil || res.Send != (Codec{"PCMA", 8000, 111}) || res.SendEvents != 96 ||
		res.ReceiveEvents != 96 || res.Receive[0].PayloadType != 111 {
		t.Fatalf("%+v, %v", res, err)
	}
	res, err = local().Accept(lines("m=audio 4000 RTP/AVP 111", "a=rtpmap:111 PCMA/8000"))
	if err != nil || res.Send.PayloadType != 111 || res.Receive[0].PayloadType != 8 || res.SendEvents != 0 {
		t.Fatalf("%+v, %v", res, err)
	}
}

func TestOtherSectionsAreRefusedInPlace(t *testing.T) {
	answer, res, err := local().Answer(lines("m=video 5000 RTP/AVP 96", "a=rtpmap:96 H264/90000",
		"m=audio 4000 RTP/AVP 0", "m=audio 4002 RTP/AVP 8"))
	if err != nil || res.Send != pcmu {
		t.Fatalf("%+v, %v", res, err)
	}
	var m []string
	for _, l := range strings.Split(string(answer), "\r\n") {
		if strings.HasPrefix(l, "m=") {
			m = append(m, l)
		}
	}
	if len(m) != 3 || m[0] != "m=video 0 RTP/AVP 96" || m[1] != "m=audio 10000 RTP/AVP 0" ||
		m[2] != "m=audio 0 RTP/AVP 8" {
		t.Fatalf("sections %q", m)
	}
}

func TestHold(t *testing.T) {
	for _, c := range []struct {
		lines []string
		want  Direction
		rtp   bool
	}{
		{[]string{"m=audio 4000 RTP/AVP 8", "a=sendonly"}, RecvOnly, true},
		{[]string{"m=audio 4000 RTP/AVP 8", "a=recvonly"}, SendOnly, true},
		{[]string{"m=audio 4000 RTP/AVP 8", "a=inactive"}, Inactive, true},
		{[]string{"a=sendonly", "m=audio 4000 RTP/AVP 8"}, RecvOnly, true},
		{[]string{"m=audio 4000 RTP/AVP 8", "c=IN IP4 0.0.0.0"}, RecvOnly, false},
		{[]string{"m=audio 4000 RTP/AVP 8"}, SendRecv, true},
	} {
		answer, res, err := local().Answer(lines(c.lines...))
		if err != nil || res.Direction != c.want || res.Remote.IsValid() != c.rtp ||
			!strings.Contains(string(answer), "a="+string(c.want)+"\r\n") {
			t.Errorf("%q: %+v, %v\n%s", c.lines, res, err, answer)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range [][]string{
		{"m=audio 4000 RTP/AVP 3"},                         // GSM alone
		{"m=audio 0 RTP/AVP 8"},                            // refused section
		{"m=audio 4000 RTP/SAVP 8"},                        // SRTP
		{"m=video 4000 RTP/AVP 31"},                        // no audio
		{"m=audio 4000 RTP/AVP 8", "a=rtpmap:8 G729/8000"}, // a static number that means something else
		{"m=audio 4000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"},
		{"m=audio 4000 RTP/AVP 8", "c=IN IP4 224.0.0.1"},
	} {
		if _, _, err := local().Answer(lines(c...)); !errors.Is(err, ErrNoCommonCodec) {
			t.Errorf("%q: %v", c, err)
		}
	}
	for _, body := range []string{"", "v=0", "garbage", "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nt=0 0\r\n"} {
		if _, _, err := local().Answer([]byte(body)); err == nil || errors.Is(err, ErrNoCommonCodec) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestVersionRises(t *testing.T) {
	l := local()
	first, _ := l.Offer()
	second, _, err := l.Answer(lines("m=audio 4000 RTP/AVP 8"))
	if err != nil {
		t.Fatal(err)
	}
	o := func(b []byte) string { return strings.Fields(strings.Split(string(b), "\r\n")[1])[2] }
	if o(first) == o(second) {
		t.Fatalf("both versions are %s", o(first))
	}
}

// TestErrorsByType tells what cannot be read from what does not fit: SIP answers are 400 and 488.
func TestErrorsByType(t *testing.T) {
	for text, unreadable := range map[string]bool{
		"": true, "hello": true, string(lines()): true,
		string(lines("m=audio 4000 RTP/AVP 18")): false, string(lines("m=video 5000 RTP/AVP 96")): false,
	} {
		_, _, err := local().Answer([]byte(text))
		_, accepted := local().Accept([]byte(text))
		for _, err := range []error{err, accepted} {
			_, syntax := errors.AsType[*SyntaxError](err)
			if syntax != unreadable || errors.Is(err, ErrNoCommonCodec) == unreadable {
				t.Errorf("%q: %v, unreadable %v, want %v", text, err, syntax, unreadable)
			}
		}
	}
}

// TestWhatWasOfferedMayCome: an answer narrows what this end sends, not what the far end may send (RFC 3264
// §5.1): phones that answer PCMA and send PCMU are heard.
func TestWhatWasOfferedMayCome(t *testing.T) {
	l := local()
	l.Offer()
	res, err := l.Accept([]byte("v=0\r\nc=IN IP4 192.0.2.2\r\nm=audio 4000 RTP/AVP 0\r\n"))
	if err != nil || res.Send.Name != "PCMU" || !slices.Equal(res.Receive, []Codec{pcmu, pcma}) {
		t.Errorf("%+v, %v", res, err)
	}
}
