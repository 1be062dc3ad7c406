package digest

import (
	"errors"
	"strings"
	"testing"
)

const (
	withMD5    = `Digest realm="r", nonce="m", algorithm=MD5, qop="auth"`
	withSHA256 = `Digest realm="r", nonce="s", algorithm=SHA-256, qop="auth"`
)

func TestClientChooses(t *testing.T) {
	for _, c := range []struct {
		offers []string
		alg    string
	}{
		{[]string{withMD5}, "MD5"},
		{[]string{withSHA256}, "SHA-256"},
		{[]string{withMD5, withSHA256}, "SHA-256"},
		{[]string{withSHA256, withMD5}, "SHA-256"},
		{[]string{`Basic realm="r"`, `Digest realm="r", nonce="z", algorithm=SHA-512-256`, withMD5}, "MD5"},
	} {
		client := Client{User: "u", Password: "p"}
		if err := client.Challenged(c.offers, false); err != nil {
			t.Errorf("%q: %v", c.offers, err)
			continue
		}
		if f, _ := parseFields(client.Authorize("INVITE", "sip:a")); f["algorithm"] != c.alg {
			t.Errorf("%q: answered %s, want %s", c.offers, f["algorithm"], c.alg)
		}
	}
}

func TestClientRefuses(t *testing.T) {
	fresh := func(nonce string) []string {
		return []string{`Digest realm="r", nonce="` + nonce +
			`", qop="auth"`}
	}
	t.Run("nothing to answer", func(t *testing.T) {
		c := Client{User: "u"}
		if err := c.Challenged(nil, false); !errors.Is(err, ErrNone) {
			t.Error(err)
		}
		if err := c.Challenged([]string{`Basic realm="r"`}, false); err == nil {
			t.Error("Basic was answered")
		}
		if v := c.Authorize("INVITE", "sip:a"); v != "" {
			t.Errorf("credentials %q before any challenge", v)
		}
	})
	t.Run("what is not accepted", func(t *testing.T) {
		refused := errors.New("not mine")
		c := Client{User: "u", Accepts: func(ch Challenge) error {
			if ch.Realm != "mine" {
				return refused
			}
			return nil
		}}
		if err := c.Challenged(fresh("1"), false); !errors.Is(err, refused) || c.Authorize("INVITE", "sip:a") != "" {
			t.Error(err)
		}
		if err := c.Challenged(append(fresh("1"), `Digest realm="mine", nonce="2"`), false); err != nil {
			t.Error(err)
		}
		if ch, ok := c.Current(); !ok || ch.Nonce != "2" {
			t.Errorf("%+v", ch)
		}
		if err := c.Challenged(fresh("3"), false); !errors.Is(err, refused) {
			t.Error(err)
		}
		if ch, ok := c.Current(); !ok || ch.Nonce != "2" {
			t.Error("what was refused has cost the challenge before")
		}
	})
	t.Run("wrong password", func(t *testing.T) {
		c := Client{User: "u"}
		if err := c.Challenged(fresh("1"), false); err != nil {
			t.Fatal(err)
		}
		c.Authorize("INVITE", "sip:a")
		// a fresh nonce, the first answer refused
		if err := c.Challenged(fresh("2"), true); !errors.Is(err, ErrRejected) {
			t.Error(err)
		}
	})
	t.Run("same nonce again", func(t *testing.T) {
		c := Client{User: "u"}
		c.Challenged(fresh("1"), false)
		for range 3 {
			c.Authorize("INVITE", "sip:a")
		}
		if err := c.Challenged(fresh("1"), true); !errors.Is(err, ErrRejected) {
			t.Error(err)
		}
	})
	t.Run("stale", func(t *testing.T) {
		c := Client{User: "u"}
		c.Challenged(fresh("1"), false)
		c.Authorize("INVITE", "sip:a")
		if err := c.Challenged([]string{`Digest realm="r", nonce="2", qop="auth", stale=true`},
			true); err != nil {
			t.Error(err)
		}
	})
	t.Run("a server that never sets stale", func(t *testing.T) {
		c := Client{User: "u"}
		c.Challenged(fresh("1"), false)
		c.Authorize("INVITE", "sip:a")
		// the next request, by which time the nonce has aged
		c.Authorize("INVITE", "sip:a")
		if err := c.Challenged(fresh("2"), false); err != nil { // nothing of this request was answered yet
			t.Error(err)
		}
		c.Authorize("INVITE", "sip:a")
		if err := c.Challenged(fresh("3"), true); !errors.Is(err, ErrRejected) {
			t.Error("asked again and again", err)
		}
	})
}

func TestNonceCount(t *testing.T) {
	c := Client{User: "u", Password: "p"}
	c.Challenged([]string{withSHA256}, false)
	cnonces := map[string]bool{}
	for _, want := range []string{"00000001", "00000002", "00000003"} {
		f, err := parseFields(c.Authorize("INVITE", "sip:a"))
		if err != nil || f["nc"] != want {
			t.Errorf("nc %q, want %q (%v)", f["nc"], want, err)
		}
		cnonces[f["cnonce"]] = true
	}
	if len(cnonces) != 3 {
		t.Error("a cnonce was used twice")
	}
	c.Challenged([]string{withMD5}, false)
	if f, _ := parseFields(c.Authorize("INVITE", "sip:a")); f["nc"] != "00000001" {
		t.Errorf("nc %q with a new nonce", f["nc"])
	}
	c.Forget()
	if v := c.Authorize("INVITE", "sip:a"); v != "" {
		t.Errorf("credentials %q after Forget", v)
	}
}

// TestWithoutQOP answers a server of RFC 2069, which knows neither nc nor cnonce.
func TestWithoutQOP(t *testing.T) {
	c := Client{User: "Mufasa", Password: "Circle Of Life"}
	if err := c.Challenged([]string{`Digest realm="testrealm@host.com", ` +
		`nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", ` +
		`opaque="5ccc"`}, false); err != nil {
		t.Fatal(err)
	}
	v := c.Authorize("GET", "/dir/index.html")
	f, err := parseFields(v)
	if err != nil || f["response"] != "670fd8c2df070c60b045671b8b24ff02" || f["opaque"] != "5ccc" ||
		strings.Contains(v, "cnonce") || strings.Contains(v, "nc=") {
		t.Errorf("%s (%v)", v, err)
	}
}

// TestChallengesInOneLine: HTTP lets them share a line, and some servers do.
func TestChallengesInOneLine(t *testing.T) {
	for line, want := range map[string]string{
		`Digest realm="a", nonce="n1", algorithm=MD5, Digest realm="a", nonce="n2", algorithm=SHA-256`:         "n2",
		`Basic realm="a", Digest realm="a", nonce="n1"`:                                                        "n1",
		`NTLM, Digest realm="a", nonce="n1", qop="auth"`:                                                       "n1",
		`Digest realm="the digest of, digest x", nonce="n1", algorithm=AKAv1-MD5, digest realm="a",nonce="n2"`: "n2",
	} {
		c := Client{User: "u", Password: "p"}
		if err := c.Challenged([]string{line}, false); err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if f, err := parseFields(c.Authorize("REGISTER", "sip:a")); err != nil || f["nonce"] != want {
			t.Errorf("%s: answered nonce %q, want %q, %v", line, f["nonce"], want, err)
		}
	}
}
