package sdp

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

const oddBase = "v=0\r\no=- 7 7 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n" +
	"m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n" +
	"a=fmtp:101 0-15\r\na=ptime:20\r\n"

// What is not needed spoils nothing, and what is needed is found wherever it stands. Sources of some:
// pion/sdp issue 163, gortsplib 1171, go-sdp 5, sdp-transform 30, retina 33, rtpengine 58, diago 125.
func TestOddDescriptions(t *testing.T) {
	for _, tt := range []struct{ old, new string }{
		{"", ""},
		// The head.
		{"v=0\r\n", ""},
		{"v=0\r\n", "\uFEFFv=0\r\n"},
		{"v=0", "V = 0 "},
		{"o=- 7 7 IN IP4 192.0.2.2\r\n", ""},
		{"o=- 7 7", "o=Front Door 7 7"},
		{"o=- 7 7", "o=DS 5f3a77c2 1"},
		{"o=- 7 7", "o=- 14665860 31787219 1"},
		{"o=- 7 7", "o=- 19599440071187478912 -1"},
		{"o=- 7 7 IN IP4 192.0.2.2", "o=3cxPS"},
		{"s=-\r\n", ""},
		{"s=-", "s="},
		{"s=-", "s=T\xFCr\r\nu=not a url %zz\r\ne=x\r\np=y\r\nz=0\r\nk=clear:x\r\nr=1\r\ni=\x01"},
		{"t=0 0\r\n", ""},
		{"t=0 0", "t=0 -1"},
		{"t=0 0", "t="},
		{"t=0 0\r\n", "b=CT:64.0\r\nb=AS:\r\nb=X-YZ:128\r\nt=0 0\r\n"},
		{"t=0 0\r\n", "\r\nt=0 0\r\n\r\n"},
		{"t=0 0\r\n", "y=0100000001\r\nf=v/////a///\r\nxyz\r\n=\r\n==\r\nt=0 0\r\n"},
		// c=
		{"c=IN IP4 192.0.2.2\r\nt=0 0\r\n", "t=0 0\r\nc=IN IP4 192.0.2.2\r\n"},
		{"c=IN IP4 192.0.2.2\r\n", ""}, // o= has it
		{"c=IN IP4 192.0.2.2", "c=in ip4  192.0.2.2"},
		{"c=IN IP4 192.0.2.2", "c=IN IP4 192.0.2.2/127"},
		{"c=IN IP4 192.0.2.2", "c=IN IP4 192.0.2.2/127/3 "},
		{"c=IN IP4 192.0.2.2", "c=IN IP6 ::ffff:192.0.2.2"},
		{"c=IN IP4 192.0.2.2", "c=IN IP4 192.0.2.2\r\nc=IN IP4 192.0.2.9"},
		{"c=IN IP4 192.0.2.2", "c="},
		{"c=IN IP4 192.0.2.2", "c=IN IP4\r\nc=192.0.2.2"},
		{"c=IN IP4 192.0.2.2\r\n", "c=IN IP4 192.0.2.9\r\nb=AS:1\r\n"}, // and at media level, below
		// m= and its attributes.
		{"m=audio 4000", "m=AUDIO  4000/2 "},
		{"RTP/AVP", "rtp/avp"},
		{"RTP/AVP", "RTP/AVPF"},
		{"8 101\r\n", "8 101 8 x 999 -1 \r\n"},
		{"m=audio", "m=image 0 udptl t38\r\nm=audio"},
		{"m=audio", "m=application/tp-link 0 RTP/AVP smart/0/25000\r\nm=audio"},
		{"m=audio", "m=video 0 RTP/AVP\r\nm=\r\nm=x\r\nm=audio"},
		{"m=audio", "m=audio 4010 RTP/SAVP 8\r\nm=message 9 TCP/MSRP *\r\nm=audio"},
		{"m=audio", "m=audio 0 RTP/AVP 8\r\nm=audio"},
		{"a=rtpmap:8 PCMA/8000", "a=rtpmap:8\tpcma / 8000 /1 x"},
		{"a=rtpmap:8 PCMA/8000", "a=RTPMAP: 8 PCMA"},
		{"a=rtpmap:8 PCMA/8000", "a=rtpmap:8"},
		{"a=rtpmap:8 PCMA/8000", "a=rtpmap:x\r\na=rtpmap\r\na=\r\na=:\r\na"},
		{"a=ptime:20", "a=ptime:20.0"},
		{"a=ptime:20", "a=ptime: 20 \r\na=maxptime:x\r\na=ptime:30"},
		{"a=ptime:20", "a=ptime:many"},
		{"a=ptime:20", "a=crypto:1 x\r\na=fingerprint:sha-256 00\r\na=candidate:1 1 UDP 1 h 9 typ host"},
		{"a=ptime:20\r\n", "a=ptime:20"},
		{"a=ptime:20\r\n", "a=ptime:20\r\n\x00\r\n\x00"},
	} {
		text := strings.Replace(oddBase, tt.old, tt.new, 1)
		if strings.Contains(tt.new, "b=AS:1") {
			text += "c=IN IP4 192.0.2.2\r\n"
		}
		for _, end := range []string{"\r\n", "\n", " \r\n"} {
			body := strings.ReplaceAll(text, "\r\n", end)
			answer, res, err := local().Answer([]byte(body))
			if err != nil {
				t.Errorf("%q: %v", body, err)
				continue
			}
			if res.Send != pcma || res.SendEvents != 101 || res.EventsRate != 8000 || res.PTime != 20 ||
				res.Remote.String() != "192.0.2.2:4000" || res.RemoteRTCP.Port() != 4001 ||
				res.Direction != SendRecv {
				t.Errorf("%q: %+v", tt.new, res)
			}
			if accepted, err := local().Accept([]byte(body)); err != nil || accepted.Send != pcma {
				t.Errorf("%q accepted: %+v, %v", tt.new, accepted, err)
			}
			if n := strings.Count(body, "\nm="); strings.Count(string(answer), "\nm=") != n {
				t.Errorf("%q: %d sections are answered by\n%s", tt.new, n, answer)
			}
		}
	}
}

// A place of its own for each section (RFC 3264 §6), the same protocol, and the codecs as they are meant.
func TestAnswersLineByLine(t *testing.T) {
	for _, tt := range []struct {
		offer []string
		want  []string
	}{
		{[]string{"m=image 4002 udptl t38", "m=audio 4000 RTP/AVPF 8", "a=mid:a1", "m=application 9 UDP/BFCP *",
			"m="}, []string{"m=image 0 udptl t38", "m=audio 10000 RTP/AVPF 8", "m=application 0 UDP/BFCP *",
			"m=audio 0 RTP/AVP 0"}},
		{[]string{"m=audio 4000 RTP/AVP 96", "a=rtpmap:96 G722/16000"}, []string{"m=audio 10000 RTP/AVP 96"}},
		{[]string{"m=audio 4000 RTP/AVP 8 97", "a=rtpmap:97 telephone-event/16000"},
			[]string{"m=audio 10000 RTP/AVP 8 97"}},
		{[]string{"m=audio 4000 RTP/AVP 8 97 101", "a=rtpmap:97 telephone-event/48000",
			"a=rtpmap:101 telephone-event/8000"}, []string{"m=audio 10000 RTP/AVP 8 101"}},
	} {
		l := local()
		l.Codecs = append(l.Codecs, Codec{"G722", 8000, 9})
		answer, _, err := l.Answer(lines(tt.offer...))
		var got []string
		for line := range strings.SplitSeq(string(answer), "\r\n") {
			if strings.HasPrefix(line, "m=") {
				got = append(got, line)
			}
		}
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%q: %q, %v, want %q", tt.offer, got, err, tt.want)
		}
	}
	_, res, err := local().Answer(lines("m=audio 4000 RTP/AVP 8 97", "a=rtpmap:97 telephone-event/16000"))
	if err != nil || res.SendEvents != 97 || res.EventsRate != 16000 {
		t.Errorf("%+v, %v", res, err)
	}
}

// A restriction that cannot be read restricts (RFC 8866 §6.7: the media level outranks the session's).
func TestOddDirections(t *testing.T) {
	const none = ""
	for _, tt := range []struct {
		session, media string // attribute lines, ';' between them
		want           Direction
	}{
		{none, none, SendRecv},
		{none, "a=sendrecv", SendRecv},
		{none, "a=inactive ", Inactive}, {none, "a=inactive\t", Inactive}, {none, "a= inactive", Inactive},
		{none, "a=INACTIVE", Inactive}, {none, "A=Inactive", Inactive}, {none, "a = inactive", Inactive},
		{none, "inactive", Inactive}, {none, "a=inactive\x00", Inactive}, {none, "a=\x01inactive", Inactive},
		{none, "a=inactive:1", Inactive}, {none, "a=inactive foo", Inactive}, {none, "a=inactivefoo", Inactive},
		{none, "a=sendonly foo", SendOnly}, {none, "a=sendonly:x", SendOnly}, {none, "a=recvonly,x", RecvOnly},
		{none, "a=sendrecv x", SendRecv}, {none, "a=sendrecv inactive", Inactive},
		{none, "a=sendrecv, a=sendonly", SendOnly},
		// like one of them, and none
		{none, "a=inactiv", Inactive}, {none, "a=in active", Inactive}, {none, "a=send-only", Inactive},
		{none, "a=snedonly", Inactive}, {none, "a=sendrcv", Inactive}, {none, "a=recv only x", Inactive},
		{none, "a=in\xC3\xA4active", Inactive},
		// of different ones the tighter, whatever the order
		{none, "a=sendrecv;a=inactive", Inactive}, {none, "a=inactive;a=sendrecv", Inactive},
		{none, "a=sendrecv;a=sendonly", SendOnly}, {none, "a=recvonly;a=sendrecv", RecvOnly},
		{none, "a=sendonly;a=recvonly", Inactive}, {none, "a=sendrecv\ra=inactive", Inactive},
		// levels
		{"a=sendonly", none, SendOnly}, {"a=inactive", "a=sendrecv", SendRecv},
		{"a=sendrecv", "a=inactive", Inactive},
		{"a=inactive ", none, Inactive}, {"a=sendrecv;a=recvonly", none, RecvOnly},
		// other attributes mean nothing
		{none, "a=x-inactive", SendRecv}, {none, "a=label:inactive", SendRecv}, {none, "a=setup:active", SendRecv},
		{none, "a=rid:1 send", SendRecv}, {none, "a=content:sendonly", SendRecv}, {none, "i=inactive", SendRecv},
		{none, "b=inactive", SendRecv}, {none, "a=rtcp-fb:* nack", SendRecv}, {none, "a=recv-ssrc:1", SendRecv},
		{none, "a=direction:both", SendRecv}, {none, "a=silenceSupp:off - - - -", SendRecv},
	} {
		session := strings.ReplaceAll(tt.session, ";", "\r\n") + "\r\n"
		media := strings.ReplaceAll(tt.media, ";", "\r\n") + "\r\n"
		body := strings.Replace(oddBase, "t=0 0\r\n", "t=0 0\r\n"+session, 1) + media
		_, res, err := local().Answer([]byte(body))
		want := direction(tt.want.receives(), tt.want.sends())
		if err != nil || res.Direction != want {
			t.Errorf("session %q, media %q: %q, %v, want %q", tt.session, tt.media, res.Direction, err, want)
		}
	}
}

// A description that says where nothing may be sent is a hold, the first as any other (RFC 3264 §8.4).
func TestOddPlaces(t *testing.T) {
	for _, tt := range []struct {
		old, new string
		remote   string
		name     string
		want     Direction
	}{
		{"IP4 192.0.2.2\r\nt", "IP4 0.0.0.0\r\nt", "", "", RecvOnly},
		{"IP4 192.0.2.2\r\nt", "IP6 ::\r\nt", "", "", RecvOnly},
		{"IP4 192.0.2.2\r\nt", "IP6 x.invalid\r\nt", "", "", RecvOnly},
		{"IP4 192.0.2.2\r\nt", "IP4 192.0.2.2\r\nc=IN IP4 0.0.0.0\r\nt", "", "", RecvOnly},
		{"a=fmtp", "c=IN IP4 0.0.0.0\r\na=inactive\r\na=fmtp", "", "", Inactive},
		{"audio 4000", "audio 9", "", "", RecvOnly},
		{"audio 4000 RTP/AVP 8 101", "audio 9 RTP/AVP 8\r\na=ice-ufrag:x", "192.0.2.2:9", "", SendRecv},
		{"t=0 0\r\nm=audio 4000", "a=ice-ufrag:x\r\nm=audio 9", "192.0.2.2:9", "", SendRecv},
		{"IP4 192.0.2.2\r\nt", "IP6 [2001:db8::2]\r\nt", "[2001:db8::2]:4000", "", SendRecv},
		{"IP4 192.0.2.2\r\nt", "IP6 fe80::2%eth0\r\nt", "[fe80::2]:4000", "", SendRecv},
		{"IP4 192.0.2.2\r\nt", "IP4 Phone-1.fritz.box.\r\nt", "", "phone-1.fritz.box", SendRecv},
	} {
		answer, res, err := local().Answer([]byte(strings.Replace(oddBase, tt.old, tt.new, 1)))
		remote := ""
		if res.Remote.IsValid() {
			remote = res.Remote.String()
		}
		if err != nil || remote != tt.remote || res.RemoteName != tt.name || res.Direction != tt.want ||
			!strings.Contains(string(answer), "a="+string(tt.want)+"\r\n") {
			t.Errorf("%q: %+v, %v, want %q %q %q", tt.new, res, err, tt.remote, tt.name, tt.want)
		}
		if tt.name == "" {
			continue
		}
		for addr, ok := range map[string]bool{"192.0.2.7": true, "::ffff:192.0.2.7": true, "224.0.0.1": false,
			"0.0.0.0": false} {
			got, err := res.Resolved(netip.MustParseAddr(addr))
			if (err == nil) != ok ||
				ok && fmt.Sprint(got.Remote, got.RemoteRTCP) != "192.0.2.7:4000 192.0.2.7:4001" {
				t.Errorf("resolved to %s: %+v, %v", addr, got, err)
			}
		}
	}
}

// A refusal says why, in RFC 3261's codes, and what either end has.
func TestMismatch(t *testing.T) {
	for _, tt := range []struct {
		section string
		code    int
		theirs  string
	}{
		{"m=video 4000 RTP/AVP 31", 304, ""},
		{"m=audio 0 RTP/AVP 8", 304, "PCMA/8000"},
		{"m=audio 70000 RTP/AVP 8", 304, "PCMA/8000"},
		{"m=audio 4000 RTP/SAVP 8", 302, "PCMA/8000"},
		{"m=audio 4000 UDP/TLS/RTP/SAVPF 8", 302, "PCMA/8000"},
		{"m=audio 4000 RTP/AVP 3 18 96\r\na=rtpmap:3 GSM/8000\r\na=rtpmap:18 G729/8000\r\na=rtpmap:96 PCMA/8000/2",
			305, "GSM/8000, G729/8000, PCMA/2/8000"},
		{"m=audio 4000 RTP/AVP 8\r\nc=IN IP4 239.1.2.3/127", 330, "PCMA/8000"},
	} {
		_, _, err := local().Answer(lines(tt.section))
		m, ok := errors.AsType[*Mismatch](err)
		if !ok || m.Code != tt.code || strings.Join(m.Theirs, ", ") != tt.theirs ||
			!slices.Equal(m.Ours, []string{"PCMA/8000", "PCMU/8000"}) || !errors.Is(err, ErrNoCommonCodec) {
			t.Errorf("%q: %v, %+v", tt.section, err, m)
		}
	}
	for _, body := range []string{"v=1\r\nm=audio 4000 RTP/AVP 8\r\n", strings.ReplaceAll(oddBase, "\r\n", "\r"),
		"v=0\r\n" + strings.Repeat("m=audio 0 RTP/AVP 8\r\n", maxMedia+1)} {
		if _, _, err := local().Answer([]byte(body)); !errors.As(err, new(*SyntaxError)) {
			t.Errorf("%.40q: %v", body, err)
		}
	}
}

// No description is answered with what cannot be read, and none opens the microphone against a word in it.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(oddBase))
	f.Add(lines("m=video 5000 RTP/AVP 96", "m=audio 4000 RTP/AVP 0", "c=IN IP6 ::1", "a=sendonly"))
	f.Add([]byte("m=audio 9 rtp/avpf 8\nc=\ninactive\na=in active\rv=0\na=sendrecv sendonly\x00"))
	f.Add(lines("a=recvonly", "m=", "m=audio 4000/2 RTP/AVP 8", "a=rtpmap:8\tPCMA/8000/1", "c=IN IP4 h.example"))
	f.Fuzz(func(t *testing.T, offer []byte) {
		answer, res, err := local().Answer(offer)
		if err != nil {
			return
		}
		if res.Send.Name == "" || len(res.Receive) == 0 {
			t.Fatalf("agreed on nothing: %+v", res)
		}
		d, err := Parse(answer)
		if err != nil {
			t.Fatalf("our answer does not parse: %v\n%s", err, answer)
		}
		taken := slices.IndexFunc(d.Media, func(s Section) bool { return s.Port != 0 })
		if taken < 0 || d.direction(taken) != res.Direction {
			t.Fatalf("our answer is read otherwise than %+v\n%s", res, answer)
		}
		theirs, err := Parse(offer)
		if err != nil || len(theirs.Media) != len(d.Media) {
			t.Fatalf("%d sections are answered by %d, %v", len(theirs.Media), len(d.Media), err)
		}
		stated := false
		for _, level := range []Section{theirs.Media[taken], theirs.Session} {
			for _, a := range level.Attributes {
				key := strings.ToLower(a.Key)
				stated = stated || strings.HasPrefix(key, "sendrecv")
				if strings.HasPrefix(key, "inactive") && res.Direction != Inactive ||
					strings.HasPrefix(key, "sendonly") && res.Direction.sends() {
					t.Fatalf("%q is answered with %q", a.Key, res.Direction)
				}
				stated = stated || strings.HasPrefix(key, "recvonly")
			}
			if stated {
				break // the media level outranks the session's
			}
		}
	})
}
