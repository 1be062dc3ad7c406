package digest

import (
	"strings"
	"testing"
)

// TestResponse holds the computation against the examples of RFC 2617 §3.5 (also without qop, as RFC 2069)
// and RFC 7616 §3.9.1, which RFC 8760 takes over for SIP.
func TestResponse(t *testing.T) {
	for _, c := range []struct {
		name                         string
		alg                          Algorithm
		realm, password              string
		nonce, nc, cnonce, qop, want string
	}{
		{"RFC 2617 §3.5", MD5, "testrealm@host.com", "Circle Of Life", "dcd98b7102dd2f0e8b11d0f600bfb0c093",
			"00000001", "0a4f113b", "auth",
			"6629fae49393a05397450978507c4ef1"},
		{"RFC 2617 §3.5 without qop", MD5, "testrealm@host.com", "Circle Of Life",
			"dcd98b7102dd2f0e8b11d0f600bfb0c093", "", "", "",
			"670fd8c2df070c60b045671b8b24ff02"},
		{"RFC 7616 §3.9.1 MD5", MD5, "http-auth@example.org", "Circle of Life",
			"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "00000001",
			"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "auth", "8ca523f5e9506fed4657c9700eebdbec"},
		{"RFC 7616 §3.9.1 SHA-256", SHA256, "http-auth@example.org", "Circle of Life",
			"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "00000001",
			"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "auth",
			"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
	} {
		ha1 := c.alg.HA1("Mufasa", c.realm, c.password)
		if got := c.alg.response(ha1, c.nonce, c.nc, c.cnonce, c.qop, "GET",
			"/dir/index.html"); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestParseChallenge(t *testing.T) {
	for _, c := range []struct {
		header string
		want   Challenge
	}{
		{`Digest realm="asterisk", nonce="x1"`, Challenge{Realm: "asterisk", Nonce: "x1", Algorithm: MD5}},
		{`digest REALM="a", Nonce="x", algorithm=md5, QOP="auth,auth-int", opaque="o", stale=TRUE`,
			Challenge{Realm: "a", Nonce: "x", Opaque: "o", Algorithm: MD5, QOP: true, Stale: true}},
		{`Digest realm="a", nonce="x", algorithm="SHA-256", qop=auth`, Challenge{Realm: "a", Nonce: "x",
			Algorithm: SHA256, QOP: true}},
		{`  Digest  realm = "with \"quotes\" and, commas" ,nonce="x",, domain="sip:a"`,
			Challenge{Realm: `with "quotes" and, commas`, Nonce: "x", Algorithm: MD5}},
		{`Digest realm="a" nonce="x" algorithm=MD5 qop="auth"`, Challenge{Realm: "a", Nonce: "x", Algorithm: MD5,
			QOP: true}},
		{`Digest realm="a"; nonce="x"; qop=auth; algorithm=MD5`, Challenge{Realm: "a", Nonce: "x", Algorithm: MD5,
			QOP: true}},
		{`Digest realm="a",nonce=ab==,algorithm=MD5, algorithm=SHA-256, junk, qop=""`, Challenge{Realm: "a",
			Nonce: "ab==", Algorithm: MD5}},
		{`Digest realm=My House, nonce="x"`, Challenge{Realm: "My House", Nonce: "x", Algorithm: MD5}},
		{`Digest realm, nonce="x"`, Challenge{Nonce: "x", Algorithm: MD5}},
		{`Digest realm="", nonce="x", unknown=thing, stale=false`, Challenge{Nonce: "x", Algorithm: MD5}},
	} {
		got, err := ParseChallenge(c.header)
		if err != nil || got != c.want {
			t.Errorf("%s:\n%+v, %v\nwant %+v", c.header, got, err, c.want)
		}
		if again, err := ParseChallenge(got.String()); err != nil || again != c.want {
			t.Errorf("%s written as %s reads %+v, %v", c.header, got, again, err)
		}
	}
}

func TestParseChallengeErrors(t *testing.T) {
	for header, part := range map[string]string{
		``:                                     "scheme",
		`Basic realm="a"`:                      "scheme",
		`Digest`:                               "nonce",
		`Digest realm="a"`:                     "nonce",
		`Digest realm="a", nonce="x`:           "open quote",
		`Digest nonce`:                         "nonce",
		`Digest nonce="x", algorithm=MD5-sess`: "not supported",
		`Digest nonce="x", algorithm=SHA-512-256`: "not supported",
		`Digest nonce="x", qop="auth-int"`:        "not supported",
	} {
		c, err := ParseChallenge(header)
		if err == nil || !strings.Contains(err.Error(), part) || !strings.HasPrefix(err.Error(), "digest: ") {
			t.Errorf("%s: %+v, %v; want an error with %q", header, c, err, part)
		}
	}
}

// TestNoHeaderInjection shows that no value can end its header line or its quotes.
func TestNoHeaderInjection(t *testing.T) {
	c := Client{User: "u\"\r\nX: y", Password: "p"}
	if err := c.Challenged([]string{`Digest realm="a\"b", nonce="n", qop="auth"`}, false); err != nil {
		t.Fatal(err)
	}
	v := c.Authorize("REGISTER", "sip:a\"b\r\n")
	if strings.ContainsAny(v, "\r\n") {
		t.Errorf("line break in %q", v)
	}
	f, err := parseFields(v)
	if err != nil || f["username"] != "u\"X: y" || f["realm"] != `a"b` || f["uri"] != `sip:a"b` {
		t.Errorf("%q reads %v, %v", v, f, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`Digest realm="a", nonce="x", algorithm=SHA-256, qop="auth", opaque="o\"", stale=true`)
	f.Add(`Digest username="u", response="r",`)
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseChallenge(s)
		if err != nil || strings.ContainsAny(s, "\r\n") {
			return
		}
		if again, err := ParseChallenge(c.String()); err != nil || again != c {
			t.Errorf("%q: %+v, written as %q, reads %+v, %v", s, c, c, again, err)
		}
	})
}
