package digest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newTestServer() *Server {
	return NewServer("door", func(user string) (string, bool) {
		if user == "kitchen" {
			return "secret", true
		}
		return "", false
	})
}

func answered(t testing.TB, s *Server, now time.Time, user, password string) *Client {
	t.Helper()
	c := &Client{User: user, Password: password}
	if err := c.Challenged(s.Challenges(now, false), false); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestServerAccepts(t *testing.T) {
	s := newTestServer()
	for i, pick := range [][]int{{0, 1}, {1}} { // a client of either algorithm
		c := &Client{User: "kitchen", Password: "secret"}
		var offers []string
		for _, i := range pick {
			offers = append(offers, s.Challenges(start, false)[i])
		}
		if err := c.Challenged(offers, false); err != nil {
			t.Fatal(err)
		}
		for n := range 3 {
			v := c.Authorize("REGISTER", "sip:door")
			user, err := s.Check([]string{`Digest realm="elsewhere", username="x"`, "garbage", v}, "REGISTER",
				start.Add(time.Minute))
			if err != nil || user != "kitchen" {
				t.Errorf("client %d, use %d: %q, %v", i, n, user, err)
			}
		}
	}
}

func TestChallengesOrder(t *testing.T) {
	ch := newTestServer().Challenges(start, true)
	if len(ch) != 2 || !strings.Contains(ch[0], "algorithm=SHA-256") || !strings.Contains(ch[1],
		"algorithm=MD5") {
		t.Errorf("challenges %q (RFC 8760 §2.3: the stronger first)", ch)
	}
	for _, h := range ch {
		if c, err := ParseChallenge(h); err != nil || !c.Stale || !c.QOP || c.Realm != "door" {
			t.Errorf("%s: %+v, %v", h, c, err)
		}
	}
}

// TestServerTakesAnyRealm that a phone answers its challenge with: the nonce says that it is this server's.
func TestServerTakesAnyRealm(t *testing.T) {
	s := newTestServer()
	for password, want := range map[string]error{"secret": nil, "wrong": ErrWrong} {
		c := &Client{User: "kitchen", Password: password}
		if err := c.Challenged([]string{strings.Replace(s.Challenges(start, false)[0], `realm="door"`, `realm="pi.local"`, 1)},
			false); err != nil {
			t.Fatal(err)
		}
		v := c.Authorize("REGISTER", "sip:door")
		if user, err := s.Check([]string{v}, "REGISTER", start); user != "kitchen" || !errors.Is(err, want) {
			t.Errorf("%s: %q, %v", password, user, err)
		}
		if !s.MayBeMine(v) || s.MayBeMine(strings.Replace(v, `nonce="`, `nonce="x`, 1)) {
			t.Error("which credentials are this server's is not told by the nonce")
		}
	}
}

func TestServerRefuses(t *testing.T) {
	edit := func(old, new string) func(string) string {
		return func(v string) string {
			if !strings.Contains(v, old) {
				panic(old)
			}
			return strings.Replace(v, old, new, 1)
		}
	}
	same := func(v string) string { return v }
	for name, c := range map[string]struct {
		user, password, method string
		edit                   func(string) string
		after                  time.Duration
		want                   error
	}{
		"wrong password":     {"kitchen", "wrong", "REGISTER", same, 0, ErrWrong},
		"unknown user":       {"cellar", "secret", "REGISTER", same, 0, ErrWrong},
		"unknown user, none": {"cellar", "", "REGISTER", same, 0, ErrWrong},
		"another method":     {"kitchen", "secret", "INVITE", same, 0, ErrWrong},
		"another uri": {"kitchen", "secret", "REGISTER", edit(`uri="sip:door"`, `uri="sip:other"`), 0,
			ErrWrong},
		"no uri": {"kitchen", "secret", "REGISTER", edit(`uri="sip:door", `, ""), 0, ErrWrong},
		"higher nc, unhashed": {"kitchen", "secret", "REGISTER", edit("nc=00000001", "nc=00000002"), 0,
			ErrWrong},
		"without qop":     {"kitchen", "secret", "REGISTER", edit("qop=auth, ", ""), 0, ErrWrong},
		"other algorithm": {"kitchen", "secret", "REGISTER", edit("SHA-256", "MD5"), 0, ErrWrong},
		"unknown algorithm": {"kitchen", "secret", "REGISTER", edit("SHA-256", "SHA-1"), 0,
			ErrNoCredentials},
		"other realm, unhashed": {"kitchen", "secret", "REGISTER", edit(`realm="door"`, `realm="other"`), 0, ErrWrong},
		"other realm and nonce": {"kitchen", "secret", "REGISTER", func(v string) string {
			return edit(`nonce="`, `nonce="x`)(edit(`realm="door"`, `realm="other"`)(v))
		}, 0, ErrNoCredentials},
		"old nonce":         {"kitchen", "secret", "REGISTER", same, 5 * time.Minute, ErrStale},
		"nonce of tomorrow": {"kitchen", "secret", "REGISTER", same, -time.Second, ErrStale},
	} {
		s := newTestServer()
		v := c.edit(answered(t, s, start, c.user, c.password).Authorize("REGISTER", "sip:door"))
		if user, err := s.Check([]string{v}, c.method, start.Add(c.after)); !errors.Is(err, c.want) {
			t.Errorf("%s: %q, %v; want %v", name, user, err, c.want)
		}
	}
	if _, err := newTestServer().Check(nil, "REGISTER", start); !errors.Is(err, ErrNoCredentials) {
		t.Error(err)
	}
}

// TestReplay refuses a repeated or lower nonce count, and keeps accepting higher ones.
func TestReplay(t *testing.T) {
	s := newTestServer()
	c := answered(t, s, start, "kitchen", "secret")
	first, second, third := c.Authorize("INVITE", "sip:d"), c.Authorize("INVITE", "sip:d"),
		c.Authorize("INVITE", "sip:d")
	for i, use := range []struct {
		v    string
		want error
	}{{first, nil}, {first, ErrStale}, {third, nil}, {second, ErrStale}, {third, ErrStale}} {
		if _, err := s.Check([]string{use.v}, "INVITE", start); !errors.Is(err, use.want) {
			t.Errorf("use %d: %v, want %v", i, err, use.want)
		}
	}
}

// TestPhoneWithoutQOP: phones older than RFC 2617 leave qop out whatever is offered. A nonce serves them once.
func TestPhoneWithoutQOP(t *testing.T) {
	s := newTestServer()
	ch, err := ParseChallenge(s.Challenges(start, false)[1])
	if err != nil {
		t.Fatal(err)
	}
	ch.QOP = false
	c := &Client{User: "kitchen", Password: "secret"}
	if err := c.Challenged([]string{ch.String()}, false); err != nil {
		t.Fatal(err)
	}
	v := c.Authorize("REGISTER", "sip:door")
	for i, want := range []error{nil, ErrStale} {
		if user, err := s.Check([]string{v}, "REGISTER", start); !errors.Is(err, want) || user != "kitchen" {
			t.Errorf("use %d: %q, %v, want %v", i, user, err, want)
		}
	}
}

// TestForeignNonce refuses nonces that this server did not make, however right the password.
func TestForeignNonce(t *testing.T) {
	s := newTestServer()
	// an earlier process with the same users
	other := answered(t, newTestServer(), start, "kitchen", "secret")
	if _, err := s.Check([]string{other.Authorize("INVITE", "sip:d")}, "INVITE", start); !errors.Is(err,
		ErrStale) {
		t.Error(err)
	}
	for _, nonce := range []string{"", "x", "AAAA", strings.Repeat("A", 43), strings.Repeat("!", 43)} {
		c := &Client{User: "kitchen", Password: "secret"}
		if err := c.Challenged([]string{`Digest realm="door", nonce="x` + nonce + `", qop="auth"`},
			false); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Check([]string{c.Authorize("INVITE", "sip:d")}, "INVITE", start); !errors.Is(err,
			ErrStale) {
			t.Errorf("nonce %q: %v", nonce, err)
		}
	}
}

// TestNoncesBounded answers far more nonces than are kept: memory stays bounded, and nothing becomes
// replayable.
func TestNoncesBounded(t *testing.T) {
	s := newTestServer()
	var firsts []string
	for i := range maxNonces + 7 {
		v := answered(t, s, start, "kitchen", "secret").Authorize("INVITE", "sip:d")
		if _, err := s.Check([]string{v}, "INVITE", start); err != nil && !errors.Is(err, ErrStale) {
			t.Fatal(err)
		}
		if i%500 == 0 {
			firsts = append(firsts, v)
		}
		if len(s.seen) > maxNonces {
			t.Fatalf("%d nonces kept", len(s.seen))
		}
	}
	for i, v := range firsts {
		if _, err := s.Check([]string{v}, "INVITE", start.Add(time.Minute)); !errors.Is(err, ErrStale) {
			t.Errorf("nonce %d was replayed: %v", i, err)
		}
	}
	// Challenges alone cost nothing.
	kept := len(s.seen)
	for range 1000 {
		s.Challenges(start, false)
	}
	if len(s.seen) != kept {
		t.Error("a challenge was kept")
	}
	// Later, the expired ones make room.
	c := answered(t, s, start.Add(time.Hour), "kitchen", "secret")
	if _, err := s.Check([]string{c.Authorize("INVITE", "sip:d")}, "INVITE",
		start.Add(time.Hour)); err != nil {
		t.Error(err)
	}
}

func BenchmarkCheck(b *testing.B) {
	s := newTestServer()
	c := answered(b, s, start, "kitchen", "secret")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Check([]string{c.Authorize("REGISTER", "sip:door")}, "REGISTER", start); err != nil {
			b.Fatal(fmt.Sprint(err))
		}
	}
}
