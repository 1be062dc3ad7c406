package sip

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParseURI(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want URI
	}{
		{"sip:example.com", URI{Scheme: "sip", Host: "example.com"}},
		{"SIP:alice@Example.COM", URI{Scheme: "sip", User: "alice", Host: "Example.COM"}},
		{"sips:alice:secret@atlanta.com:5071", URI{Scheme: "sips", User: "alice", Password: "secret",
			Host: "atlanta.com", Port: 5071}},
		{"sip:alice@192.0.2.4;transport=tcp;lr", URI{Scheme: "sip", User: "alice", Host: "192.0.2.4",
			Params: ";transport=tcp;lr"}},
		{"sip:[2001:db8::9:1]:5070;ob", URI{Scheme: "sip", Host: "[2001:db8::9:1]", Port: 5070,
			Params: ";ob"}},
		{"sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com&priority=urgent",
			URI{Scheme: "sip", Host: "atlanta.com", Params: ";method=REGISTER",
				Headers: "to=alice%40atlanta.com&priority=urgent"}},
		{"sip:a@b?x=1", URI{Scheme: "sip", User: "a", Host: "b", Headers: "x=1"}},
		// The user part may hold what elsewhere separates.
		{"sip:user;par=u%40example.net@example.com", URI{Scheme: "sip", User: "user;par=u%40example.net",
			Host: "example.com"}},
		{"sip:a?b/c&d=e+f$g,h@example.com", URI{Scheme: "sip", User: "a?b/c&d=e+f$g,h", Host: "example.com"}},
		{"sip:**9@fritz.box", URI{Scheme: "sip", User: "**9", Host: "fritz.box"}},
		{"sip:*31#123@fritz.box", URI{Scheme: "sip", User: "*31#123", Host: "fritz.box"}},
		{"sip:x@host;p=[::1]:5060/a&b", URI{Scheme: "sip", User: "x", Host: "host",
			Params: ";p=[::1]:5060/a&b"}},
		{"sip:10.0.0.1;lr;did=YWI==", URI{Scheme: "sip", Host: "10.0.0.1", Params: ";lr;did=YWI=="}},
		{"tel:+1-201-555-0123;ext=4", URI{Scheme: "tel", Opaque: "+1-201-555-0123;ext=4"}},
		{"urn:service:sos", URI{Scheme: "urn", Opaque: "service:sos"}},
		{"soap.beep://192.0.2.103:3002", URI{Scheme: "soap.beep", Opaque: "//192.0.2.103:3002"}},
	} {
		got, err := ParseURI(tt.in)
		if err != nil || got != tt.want {
			t.Errorf("ParseURI(%q) = %+v, %v, want %+v", tt.in, got, err, tt.want)
		}
		if again, err := ParseURI(got.String()); err != nil || again != got {
			t.Errorf("ParseURI(%q) = %+v, %v, want %+v", got.String(), again, err, got)
		}
	}
}

func TestParseURIRefuses(t *testing.T) {
	for _, s := range []string{
		"", "sip", "sip:", ":x", "1sip:a@b", "s p:a", "sip:@host", "sip:a@", "sip:a@b@c", "sip:a b@c",
		"sip:a@b c", " sip:a@b", "sip:a@b ",
		"<sip:a@b>", "sip:a@b>", "sip:a%4@b", "sip:a%zz@b", "sip:a:b:c@d", "sip:a:b%@d", "sip:a\"b@c",
		"sip:häns@host", "sip:a@hö.st",
		"sip:host:", "sip:host:0", "sip:host:65536", "sip:host:184467440737095516165060", "sip:host:-1",
		"sip:host:5060x", "sip:[::1", "sip:[::1%eth0]",
		"sip:[1.2.3.4]", "sip:[]", "sip:::1", "sip:a@b;", "sip:a@b;;lr", "sip:a@b;=x", "sip:a@b;lr,",
		"sip:a@b?", "sip:a@b?x y",
		"sip:a@b?%", "sip:a\r\n@b", "tel:", "tel:a b", "http:<x>", "sip:a\x00@b",
	} {
		if u, err := ParseURI(s); err == nil {
			t.Errorf("ParseURI(%q) = %+v, want an error", s, u)
		} else if u != (URI{}) || !strings.HasPrefix(err.Error(), "sip: parse URI ") {
			t.Errorf("ParseURI(%q) = %+v, %v", s, u, err)
		}
	}
}

// The pairs of RFC 3261 §19.1.4, and more.
func TestURIEqual(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp", true},
		{"sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", true},
		{"sip:carol@chicago.com", "sip:carol@chicago.com;security=on", true},
		{"sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on", true},
		{"sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
			"sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com", true},
		{"sip:alice@atlanta.com?subject=project%20x&priority=urgent",
			"sip:alice@atlanta.com?priority=urgent&subject=project%20x", true},
		{"sip:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp", false},
		{"sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting", false},
		{"sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4", false},
		{"sip:carol@chicago.com;security=off", "sip:carol@chicago.com;security=on", false},
		{"sip:a@b", "sips:a@b", false},
		{"sip:a@b;user=phone", "sip:a@b", false},
		{"sip:a@b;ttl=15", "sip:a@b", false},
		{"sip:a@b;maddr=239.255.255.1", "sip:a@b", false},
		{"sip:a@b;%6C%72", "sip:a@b;lr", true},
		{"sip:a@b;%75ser=phone", "sip:a@b;user=phone", true},
		{"sip:a%3Bb@c", "sip:a;b@c", false}, // an escaped reserved character is another one
		{"sip:a%2Db@c", "sip:a-b@c", true},
		{"sip:a:x@c", "sip:a:X@c", false},
		{"sip:a:x@c", "sip:a@c", false},
		{"sip:a@c?x=1&x=1", "sip:a@c?x=1&x=2", false},
		{"sip:a@c?x=1", "sip:a@c?x=1&x=1", false},
		{"sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0:0::1]", true},
		{"sip:a@[2001:db8::1]", "sip:a@[2001:db8::2]", false},
		{"tel:+123", "tel:+123", true},
		{"tel:+123", "tel:+124", false},
		{"tel:+123", "sip:+123@x", false},
	} {
		a, b := mustURI(t, tt.a), mustURI(t, tt.b)
		if a.Equal(b) != tt.want || b.Equal(a) != tt.want {
			t.Errorf("Equal(%q, %q) = %v, reversed %v, want %v", tt.a, tt.b, a.Equal(b), b.Equal(a), tt.want)
		}
		if !a.Equal(a) || !b.Equal(b) {
			t.Errorf("%q or %q does not equal itself", tt.a, tt.b)
		}
	}
}

func mustURI(t *testing.T, s string) URI {
	t.Helper()
	u, err := ParseURI(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestURIHostPort(t *testing.T) {
	for _, tt := range []struct {
		in, host string
		port     uint16
	}{
		{"sip:a@example.com", "example.com", 5060},
		{"sip:a@example.com:5080", "example.com", 5080},
		{"sips:a@example.com", "example.com", 5061},
		{"sip:a@example.com;transport=TLS", "example.com", 5061},
		{"sip:a@[2001:db8::1];transport=tcp", "2001:db8::1", 5060},
	} {
		if host, port := mustURI(t, tt.in).HostPort(); host != tt.host || port != tt.port {
			t.Errorf("%q: HostPort() = %q, %d, want %q, %d", tt.in, host, port, tt.host, tt.port)
		}
	}
}

func TestURIUserAndParam(t *testing.T) {
	for _, s := range []string{"alice", "I have spaces", "sips:user@example.com", "a;b?c", "*31#5", "häns",
		"\x00\x7F\r\n", "100%", "%41", ""} {
		escaped := EscapeUser(s)
		if got := (URI{User: escaped}).Username(); got != s {
			t.Errorf("Username of EscapeUser(%q) = %q is %q", s, escaped, got)
		}
		if s != "" {
			if u, err := ParseURI("sip:" + escaped + "@h"); err != nil || u.User != escaped {
				t.Errorf("EscapeUser(%q) = %q does not stand in a URI: %v", s, escaped, err)
			}
		}
	}
	if got := EscapeUser("a;b@c#d"); got != "a;b%40c%23d" {
		t.Errorf("EscapeUser = %q", got)
	}
	if got := (URI{User: "a%4"}).Username(); got != "a%4" {
		t.Errorf("Username of a broken escape = %q", got)
	}
	u := mustURI(t, "sip:c@h;%6C%72;n%61me=v%61lue%25%34%31;x=")
	if _, ok := u.Param("LR"); !ok {
		t.Error("escaped lr not found")
	}
	if v, ok := u.Param("name"); v != "value%41" || !ok {
		t.Errorf("Param(name) = %q, %v", v, ok)
	}
	if v, ok := u.Param("x"); v != "" || !ok {
		t.Errorf("Param(x) = %q, %v", v, ok)
	}
	if _, ok := u.Param("y"); ok {
		t.Error("Param(y) found")
	}
}

func TestHostOf(t *testing.T) {
	for addr, want := range map[string]string{"10.0.0.1": "10.0.0.1", "::ffff:10.0.0.1": "10.0.0.1",
		"fe80::1%eth0": "[fe80::1]"} {
		if got := HostOf(netip.MustParseAddr(addr)); got != want {
			t.Errorf("HostOf(%s) = %s, want %s", addr, got, want)
		}
	}
}
