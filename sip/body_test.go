package sip

import (
	"bytes"
	"strings"
	"testing"
)

const partSDP = "v=0\r\nm=audio 4000 RTP/AVP 8\r\n"

// crlf makes lines of its arguments.
func crlfLines(s ...string) string { return strings.Join(s, "\r\n") }

// Sources of some: freeswitch issues 1816 and sofia-sip 121, sems 129, drachtio-siprec 6, SIPp pull request
// 862.
func TestBodySDP(t *testing.T) {
	const mixed = "multipart/mixed;boundary=b"
	sdp := "Content-Type: application/sdp\r\n\r\n" + partSDP
	for name, tt := range map[string]struct {
		contentType, body string
		found, refused    bool
	}{
		"none":            {"", "", false, false},
		"plain":           {"application/sdp", partSDP, true, false},
		"with parameters": {"Application/SDP ; charset=utf-8", partSDP, true, false},
		"no type":         {"", partSDP, true, false},
		"no type, other":  {"", "hello", false, true},
		"other":           {"text/plain", partSDP, false, true},
		"mixed": {"multipart/mixed;boundary=b1", crlfLines("--b1", sdp, "--b1",
			"Content-Type: application/pidf+xml", "", "<x/>", "--b1--", ""), true, false},
		"quoted, with a preamble": {`multipart/mixed; boundary="b 1"; x=y`, crlfLines("preamble", "--b 1",
			"Content-Type: a/b", "", "--b 12", "--b 1 ", sdp, "--b 1--", "epilogue", "--b 1", ""), true, false},
		"Sonus": {"multipart/mixed;boundary=sonus-content-delim", crlfLines("--sonus-content-delim",
			"Content-Disposition: session; handling=required", sdp, "--sonus-content-delim",
			"Content-Disposition: signal; handling=optional",
			"Content-Type: application/isup; version=itu-t92+; base=itu-t92+", "", "\x01\x00\x9A\r\n\n",
			"--sonus-content-delim--"), true, false},
		"BroadWorks, tight": {"multipart/mixed;boundary=U", crlfLines("--U",
			"Content-Type:application/rs-metadata+xml", "Content-Disposition:recording-session",
			"Content-Length:4", "", "<x/>", "--U", "c:application/sdp", "", partSDP, "--U--"), true, false},
		"no boundary given": {"multipart/mixed", crlfLines("--z", sdp, "--z--", ""), true, false},
		"not closed":        {mixed, crlfLines("--b", sdp), true, false},
		"lines end with LF": {mixed, "--b\nContent-Type: application/sdp\n\n" + partSDP + "\n--b--\n", true,
			false},
		"base64": {mixed, crlfLines("--b", "Content-Transfer-Encoding: base64", "Content-Type: application/sdp",
			"", "dj0wDQptPWF1ZGlvIDQw", "MDAgUlRQL0FWUCA4DQo=", "--b--"), true, false},
		"unknown encoding": {mixed, crlfLines("--b", "Content-Transfer-Encoding: x", sdp, "--b--"), false, true},
		"without a part":   {mixed, "--c\r\n" + sdp, false, true},
		"without a description": {mixed, crlfLines("--b", "Content-Type: a/b", "", "x", "--b--"),
			false, true},
		"for another purpose": {mixed, crlfLines("--b", "Content-Disposition: early-session", sdp, "--b--"),
			false, true},
		"nested": {mixed, crlfLines("--b", "Content-Type: multipart/alternative;boundary=c", "",
			"--c", "Content-Type: text/plain", "", "x", "--c", sdp, "--c--", "--b--"), true, false},
		"alternatives, the last": {"multipart/alternative;boundary=b", crlfLines("--b",
			"Content-Type: application/sdp", "", "v=0 worse", "--b", sdp, "--b", "Content-Type: a/b",
			"Content-Disposition: session;handling=required", "", "x", "--b--"), true, false},
		"mixed, the first": {mixed, crlfLines("--b", sdp, "--b", "Content-Type: application/sdp",
			"", "v=0 worse", "--b--"), true, false},
		"another part is required": {mixed, crlfLines("--b", sdp, "--b", "Content-Type: a/b",
			"Content-Disposition: x; handling=required", "", "x", "--b--"), true, true},
	} {
		h := Headers{ContentType: tt.contentType}
		got, err := h.SDP([]byte(tt.body))
		if (got != nil) != tt.found || tt.found && strings.TrimSpace(string(got)) != strings.TrimSpace(partSDP) ||
			(err != nil) != tt.refused {
			t.Errorf("%s: %q, %v, want found %v, refused %v", name, got, err, tt.found, tt.refused)
		}
	}
	deep := partSDP
	for range maxNesting + 1 {
		deep = crlfLines("--b", "Content-Type: multipart/mixed", "", deep, "--b--")
	}
	h := Headers{ContentType: "multipart/mixed"}
	if got, err := h.SDP([]byte(deep)); got != nil || err == nil {
		t.Errorf("too deep: %q, %v", got, err)
	}
}

// What is found is a piece of what came, or decoded from it, and is found again.
func FuzzBodySDP(f *testing.F) {
	f.Add("multipart/mixed;boundary=b", []byte("--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--"))
	f.Add("multipart/alternative", []byte("--b\nc:multipart/mixed\n\n--c\n\nv=0\n--c--\n--b"))
	f.Add(`multipart/x;boundary="\"`, []byte("--\n--\r\n\r\n--"))
	f.Add("", []byte(" v=0"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		h := Headers{ContentType: contentType}
		sdp, err := h.SDP(body)
		if sdp == nil && err == nil && len(body) > 0 {
			t.Fatal("neither a description nor an error")
		}
		if len(sdp) > len(body) {
			t.Fatalf("%d octets of %d", len(sdp), len(body))
		}
		plain := Headers{ContentType: sdpType}
		if again, err := plain.SDP(sdp); err != nil || !bytes.Equal(again, sdp) {
			t.Fatalf("%q, %v, want %q", again, err, sdp)
		}
	})
}

func TestWarning(t *testing.T) {
	w := Warning{305, "192.0.2.1:5060", `no "codec"`}
	if got, want := w.String(), `305 192.0.2.1:5060 "no \"codec\""`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
