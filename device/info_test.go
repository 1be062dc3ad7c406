package device

import (
	"strings"
	"testing"
)

// Each form of an INFO that is known, and what is none.
func TestInfoKeys(t *testing.T) {
	const relay, dtmf, event = "application/dtmf-relay", "application/dtmf", "audio/telephone-event"
	for _, test := range []struct{ contentType, body, want string }{
		{relay, "Signal=5\r\nDuration=160\r\n", "5"},
		{relay, "Signal= 5\r\nDuration= 160\r\n", "5"},
		{"Application/DTMF-Relay; charset=utf-8", "signal = # \nduration=100\n", "#"},
		{relay, "Duration=160\r\nSIGNAL=*\r\n", "*"},
		{relay, "Signal=5\rDuration=160\r", "5"},
		{relay, "Signal: 5\r\nDuration: 160", "5"},
		{relay, "Signal=5;Duration=160", "5"},
		{relay, "Signal=\"5\"\r\n", "5"},
		{relay, "Signal=5 \r\nSignal=6\r\n", "5"},
		{relay, "Signal=a", "A"},
		{relay, "Signal=10", "*"}, {relay, "Signal=11", "#"}, {relay, "Signal=15", "D"},
		{relay, "Signal=16\r\nDuration=160", ""}, // a flash
		{relay, "Signal=47", ""},
		{relay, "Signal=4711#", "4711#"},
		{relay, "Signal=\r\nDuration=5", ""}, {relay, "Duration=5", ""}, {relay, "5", ""},
		{dtmf, "5", "5"}, {dtmf, " 5\r\n", "5"}, {dtmf, "11", "#"}, {dtmf, "4711#", "4711#"},
		{dtmf, "Signal=5\r\nDuration=160", "5"},
		{dtmf, "471", ""}, {dtmf, "4711x", ""}, {dtmf, "", ""}, {dtmf, strings.Repeat("1", 40), ""},
		{event, "5", "5"}, {event, "Signal=5\r\nDuration=160", "5"}, {event, "4711", "4711"},
		{event, "\x0b\x0a\x00\xa0", "#"}, {event, "\x10\x0a\x00\xa0", ""}, {event, "\x0b\x0a\x00", ""},
		{"application/vnd.nortelnetworks.digits",
			"p=Digit-Collection\r\ny=Digits\r\ns=success\r\nn=1\r\nd=5\r\n", "5"},
		{"text/plain", "5", ""}, {"", "5", "5"},
	} {
		var i infoReader
		if got := i.keys(test.contentType, []byte(test.body)); got != test.want {
			t.Errorf("%s %q: %q, want %q", test.contentType, test.body, got, test.want)
		}
	}
}

// The beginning and the end of a press in octets are one press; two ends are two.
func TestInfoOctets(t *testing.T) {
	var i infoReader
	var got strings.Builder
	for _, b := range []string{"\x05\x0a\x00\xa0", "\x05\x8a\x03\x20", "\x05\x8a\x03\x20", "\x06\x0a\x00\xa0",
		"\x06\x0a\x01\x40", "\x07\x8a\x03\x20"} {
		got.WriteString(i.keys("audio/telephone-event", []byte(b)))
	}
	if got.String() != "5567" {
		t.Errorf("%q, want 5567", got.String())
	}
}

// FuzzInfo: a body presses no more keys than it has signs of keys, and none but the sixteen.
func FuzzInfo(f *testing.F) {
	f.Add("application/dtmf-relay", []byte("Signal=5\r\nDuration=160\r\n"))
	f.Add("application/dtmf", []byte("4711#"))
	f.Add("audio/telephone-event", []byte("\x0b\x8a\x03\x20"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		var i infoReader
		got := i.keys(contentType, body)
		if strings.Trim(got, infoKeys) != "" || len(got) > len(body) {
			t.Fatalf("%q of %q", got, body)
		}
		octets := len(body) == 4 && body[0] < 16
		if len(got) > 1 && !strings.Contains(strings.ToUpper(string(body)), got) {
			t.Errorf("%q is not in %q", got, body)
		}
		if got != "" && !octets && !strings.ContainsAny(string(body), "0123456789*#abcdABCD") {
			t.Errorf("%q of %q, which has no key", got, body)
		}
	})
}
