package sip

import (
	"strings"
	"testing"
)

// crlfWire makes a message of a raw string with bare newlines.
func crlfWire(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

var (
	inviteSDP = crlfWire(`v=0
o=- 3937209 1 IN IP4 192.168.178.42
s=-
c=IN IP4 192.168.178.42
t=0 0
a=tool:portero-0000000000000000000000
m=audio 11852 RTP/AVP 96 9 8 0 101
a=rtpmap:96 opus/48000/2
a=fmtp:96 stereo=0;sprop-stereo=0;useinbandfec=1
a=rtpmap:9 G722/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=rtcp:11853
a=rtcp-mux
a=sendrecv
a=label:1
a=ssrc:305419896 cname:sip:620@fritz.box
a=rtcp-fb:* nack
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=ptime:20
`)
	inviteWire = crlfWire(`INVITE sip:**9@fritz.box SIP/2.0
Via: SIP/2.0/UDP 192.168.178.42:5060;branch=z9hG4bK3a6f8cd70a0fbb1c;rport
Contact: <sip:front-door-0x1a2b3c@192.168.178.42:5060;transport=udp>;+sip.instance="<urn:uuid:6a0fcb1e-8d22-4f8e-9d0c-9f2a5f1f1b2c>"
Max-Forwards: 70
To: <sip:**9@fritz.box>
From: "Front Door" <sip:620@fritz.box>;tag=0d1f2a3b4c5d6e7f
Call-ID: 6f1f8a0f0d6a4b2c9e8d7c6b5a493827
CSeq: 21344 INVITE
User-Agent: baresip v3.20.0 (aarch64/Linux)
Allow: INVITE,ACK,BYE,CANCEL,OPTIONS,NOTIFY,INFO,MESSAGE,UPDATE,REFER
Supported: gruu,replaces,norefersub,timer
Session-Expires: 1800;refresher=uas
Min-SE: 90
Content-Type: application/sdp
Content-Length:   525

`) + inviteSDP
	registerWire = crlfWire(`REGISTER sip:fritz.box SIP/2.0
Via: SIP/2.0/UDP 192.168.178.42:5060;branch=z9hG4bK.GsV9wGzXo;rport
From: "Front Door" <sip:620@fritz.box>;tag=Y6gq2uB~K
To: "Front Door" <sip:620@fritz.box>
CSeq: 22 REGISTER
Call-ID: bXl3fSxDQa
Max-Forwards: 70
Supported: replaces, outbound, gruu, path, record-aware
Accept: application/sdp, text/plain, application/vnd.gsma.rcs-ft-http+xml
Contact: <sip:620@192.168.178.42:5060;transport=udp>;expires=3600;+sip.instance="<urn:uuid:6a0fcb1e-8d22-4f8e-9d0c-9f2a5f1f1b2c>"
Expires: 3600
User-Agent: Linphone/5.2.1 (Debian)/xxxxxx
Authorization: Digest realm="fritz.box", nonce="8A4F1C5B7D2E3F60", algorithm=MD5, username="620", uri="sip:fritz.box", response="9b0d9a2b0d6dd5c9ed4c1e4d7ef4f0b1", cnonce="L3BTvU~XG8hW3Rb1", nc=00000001, qop=auth
Content-Length: 0

`)
	okWire = crlfWire(`SIP/2.0 200 OK
Via: SIP/2.0/UDP 192.168.178.42:5060;branch=z9hG4bK3a6f8cd70a0fbb1c;rport=5060;received=192.168.178.42
From: "Front Door" <sip:620@fritz.box>;tag=0d1f2a3b4c5d6e7f
To: <sip:**9@fritz.box>;tag=2A9F0C41DD00E1A7
Call-ID: 6f1f8a0f0d6a4b2c9e8d7c6b5a493827
CSeq: 21344 INVITE
Contact: <sip:2FB1F4D39C7E5A60B48D2C1E7F903@192.168.178.1>
User-Agent: AVM FRITZ!Box 7590 154.07.57 xxxxxxxxxxxxxxx
Supported: 100rel,replaces,timer
Allow-Events: telephone-event,refer,reg
Allow: INVITE,ACK,OPTIONS,CANCEL,BYE,UPDATE,PRACK,INFO,SUBSCRIBE,NOTIFY,REFER,MESSAGE,PUBLISH
Accept: application/sdp, multipart/mixed
Accept-Encoding: identity
Content-Type: application/sdp
Content-Length:   238

v=0
o=user 9383610 9383610 IN IP4 192.168.178.1
s=call
c=IN IP4 192.168.178.1
t=0 0
m=audio 7078 RTP/AVP 9 8 0 101
a=sendrecv
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=rtcp:7079
a=rtcp-mux
a=ptime:20
a=x-call:84211
`)
)

func BenchmarkParse(b *testing.B) {
	for _, m := range []struct{ name, wire string }{
		{"INVITE-1199", inviteWire}, {"REGISTER-808", registerWire}, {"200-941", okWire},
	} {
		b.Run(m.name, func(b *testing.B) {
			data := []byte(m.wire)
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, _, err := Parse(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	req, _, err := Parse([]byte(inviteWire))
	if err != nil {
		b.Fatal(err)
	}
	_, res, err := Parse([]byte(okWire))
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, 2048)
	b.Run("INVITE", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = req.Append(buf[:0])
		}
	})
	b.Run("200", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = res.Append(buf[:0])
		}
	})
}

// The sizes name the benchmarks; the limits are those that a call may cost on the smallest board.
func TestAllocs(t *testing.T) {
	for _, m := range []struct {
		wire        string
		size, limit int
	}{{inviteWire, 1199, 3}, {registerWire, 808, 2}, {okWire, 941, 3}} {
		data := []byte(m.wire)
		if len(data) != m.size {
			t.Errorf("%.20q is %d bytes, not %d", m.wire, len(data), m.size)
		}
		req, res, err := Parse(data)
		if err != nil {
			t.Fatalf("%.20q: %v", m.wire, err)
		}
		if n := testing.AllocsPerRun(100, func() { Parse(data) }); n > float64(m.limit) {
			t.Errorf("Parse(%.20q): %v allocations, limit %d", m.wire, n, m.limit)
		}
		buf := make([]byte, 0, 4096)
		n := testing.AllocsPerRun(100, func() {
			if req != nil {
				buf = req.Append(buf[:0])
			} else {
				buf = res.Append(buf[:0])
			}
		})
		if n > 0 {
			t.Errorf("Append(%.20q): %v allocations", m.wire, n)
		}
	}
}
