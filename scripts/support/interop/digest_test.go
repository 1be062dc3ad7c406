//go:build interop

package interop

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// A registrar scripted here, for SIPp verifies MD5 only. Each challenge must be answered as RFC 7616 and RFC 8760 want it.
func TestDigestAnswers(t *testing.T) {
	t.Parallel()
	binary(t)
	const sha, md5 = `Digest realm="peer.test", nonce="%s", algorithm=SHA-256, qop="auth"`, `Digest realm="peer.test", nonce="%s", algorithm=MD5, qop="auth"`
	old := `Digest realm="peer.test", nonce="%s"` // RFC 2069: neither algorithm nor qop
	for _, c := range []struct {
		name       string
		challenges []string
		want       string // the algorithm of the answer
	}{
		{"MD5", []string{md5}, "MD5"},
		{"neither algorithm nor qop", []string{old}, ""},
		{"SHA-256", []string{sha}, "SHA-256"},
		{"both with SHA-256 first", []string{sha, md5}, "SHA-256"},
		{"both with MD5 first", []string{md5, sha}, "SHA-256"},
		{"an unknown one and SHA-256", []string{`Digest realm="peer.test", nonce="%s", algorithm=SHA-999, qop="auth"`, sha}, "SHA-256"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := NewPeer(t)
			st := registersAt(t, p)
			header := func(nonce, more string) []string {
				var out []string
				for _, ch := range c.challenges {
					out = append(out, "WWW-Authenticate: "+fmt.Sprintf(ch, nonce)+more)
				}
				return out
			}
			verify := func(m Message, nonce string) {
				t.Helper()
				all := m.All("Authorization")
				if len(all) != 1 {
					t.Fatalf("%d Authorization headers, want 1: %q", len(all), all)
				}
				got := ParseCredentials(all[0])
				if err := got.Verify("REGISTER", "door", "knocker-17", "peer.test", nonce); err != nil {
					t.Error(err)
				}
				if a := got["algorithm"]; a != c.want && (c.want != "MD5" && c.want != "" || a != "MD5" && a != "") {
					t.Errorf("answered with algorithm %q, want %q", a, c.want)
				}
				if got["uri"] != m.URI() {
					t.Errorf("uri=%q, Request-URI %q", got["uri"], m.URI())
				}
			}
			first := p.Request("REGISTER", patience)
			if len(first.All("Authorization")) > 0 {
				t.Error("credentials before a challenge")
			}
			p.Send(first.From, Reply(first, "401 Unauthorized", "a", "", header("one", "")...))
			second := p.Next("REGISTER with credentials", patience, func(m Message) bool { return m.Get("Authorization") != "" })
			verify(second, "one")
			// The nonce went stale: a new one, and no complaint about the password.
			p.Send(second.From, Reply(second, "401 Unauthorized", "b", "", header("two", ", stale=true")...))
			third := p.Next("REGISTER with the new nonce", patience, func(m Message) bool { return strings.Contains(m.Get("Authorization"), `"two"`) })
			verify(third, "two")
			p.Send(third.From, Reply(third, "200 OK", "c", "", "Contact: "+third.Get("Contact")+";expires=600"))
			st.Await("registration.up", patience)
			if n := st.Count("registration.failed"); n != 0 {
				t.Errorf("registration.failed %d times", n)
			}
			seqs := []string{first.Get("CSeq"), second.Get("CSeq"), third.Get("CSeq")}
			if len(slices.Compact(slices.Clone(seqs))) != 3 {
				t.Errorf("CSeq %q must rise", seqs)
			}
		})
	}
}

// The same challenge again, not stale: the password is wrong. Trying for ever would lock the account at the server.
func TestDigestGivesUpOnAWrongPassword(t *testing.T) {
	t.Parallel()
	binary(t)
	p := NewPeer(t)
	st := registersAt(t, p)
	challenge := `WWW-Authenticate: Digest realm="peer.test", nonce="n1", algorithm=SHA-256, qop="auth"`
	for range 2 {
		m := p.Request("REGISTER", patience)
		p.Send(m.From, Reply(m, "401 Unauthorized", token(), "", challenge))
	}
	st.Await("registration.failed", patience)
	if m, ok := p.Try(1500*time.Millisecond, func(m Message) bool { return m.Method() == "REGISTER" }); ok {
		t.Errorf("a further REGISTER within 1.5 s of the refusal: %s", m.Get("Authorization"))
	}
}

// Another realm than the pinned one must not get an answer that it could crack.
func TestDigestKeepsToItsRealm(t *testing.T) {
	t.Parallel()
	binary(t)
	p := NewPeer(t)
	st := registersAt(t, p)
	m := p.Request("REGISTER", patience)
	p.Send(m.From, Reply(m, "401 Unauthorized", "a", "", `WWW-Authenticate: Digest realm="evil.test", nonce="n1", algorithm=MD5, qop="auth"`))
	if m, ok := p.Try(1500*time.Millisecond, func(m Message) bool { return m.Get("Authorization") != "" }); ok {
		t.Errorf("credentials for a foreign realm: %s", m.Get("Authorization"))
	}
	st.Await("registration.failed", patience)
}

func registersAt(t *testing.T, p *Peer) *Station {
	t.Helper()
	return StartStation(t, Setup{Text: homeAccount(p.Port, "knocker-17", `realm = "peer.test"`) +
		fmt.Sprintf(frontDoor, `"phone"`, "30s", "2m")})
}
