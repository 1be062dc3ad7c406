package registrar

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/sip"
	"portero/sip/digest"
)

// warned is a log that keeps its warnings.
type warned struct{ bytes.Buffer }

func (w *warned) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(&w.Buffer, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// take returns the lines since the last time.
func (w *warned) take() string {
	s := w.String()
	w.Reset()
	return s
}

// TestRefusedLogIn: whoever cannot log in finds in the log which name the phone used, and what to change.
func TestRefusedLogIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w warned
		h := newTestServer(t, func(c *Config) { c.Log, c.Bell = w.logger(), "door" })
		said := func(want ...string) {
			t.Helper()
			line := w.take()
			if strings.Count(line, "\n") != 1 || strings.Contains(line, "secret") {
				t.Errorf("not one line: %s", line)
			}
			for _, part := range append(want, "level=WARN", "remedy=", "from=") {
				if !strings.Contains(line, part) {
					t.Errorf("no %s in %s", part, line)
				}
			}
		}
		for i, c := range []struct {
			user, password string
			want           []string
		}{
			{"anna", "wrong", []string{`msg="log-in refused, the password is wrong"`, "user=anna"}},
			{"kitchen", "secret", []string{`msg="log-in refused, no user has this name"`, "user=kitchen", `users="[anna ben cleo dora]"`,
				"or add one to the file"}},
			{"anna@fritz.box", "secret of anna", []string{"is to be anna alone, without the @"}},
			{"Anna", "wrong", []string{`msg="log-in refused, the password is wrong"`, "user=Anna"}},
			{"", "", []string{"shows no name"}},
			{strings.Repeat("x", 200), "", []string{"user=" + strings.Repeat("x", 64) + " "}},
		} {
			r := h.raw("anna", fmt.Sprintf("10.0.1.%d:5060", i+1))
			r.cred.User, r.cred.Password = c.user, c.password
			r.wantStatus(401, r.register("<sip:anna@10.0.0.1>"))
			said(c.want...)
			r.wantStatus(401, r.register("<sip:anna@10.0.0.1>"))
			if again := w.take(); again != "" {
				t.Errorf("told again within the minute: %s", again)
			}
		}
		time.Sleep(time.Minute)
		r := h.raw("anna", "10.0.0.1:5060")
		for status, edit := range map[int]func(*sip.Request){
			404: func(r *sip.Request) { r.To.URI.Host = "fritz.box" },
			403: func(r *sip.Request) { r.To.URI.Host, r.URI.Host = "fritz.box", "fritz.box" },
		} {
			if res := r.final(r.register("<sip:anna@10.0.0.1>"), edit); res.Status != status {
				t.Errorf("%d, want %d", res.Status, status)
			}
			said(`msg="log-in refused, it is for another server"`, "domain=fritz.box", "or portero.local, into the phone's domain")
			time.Sleep(time.Minute)
		}
		if res := r.final(r.register("<sip:anna@10.0.0.1>"), func(r *sip.Request) { r.To.URI.User = "61" }); res.Status != 403 {
			t.Errorf("%d", res.Status)
		}
		said(`msg="log-in as another user refused"`, "user=anna", "as=61", "write anna into the phone's user name")
		time.Sleep(time.Minute)
		if res := r.final(r.request("INVITE", "sip:ben@"+domain), func(r *sip.Request) { r.From.URI.User = "61" }); res.Status != 403 {
			t.Errorf("%d", res.Status)
		}
		said(`msg="log-in as another user refused"`, "as=61", "method=INVITE")
		r.wantStatus(200, r.register("<sip:anna@10.0.0.1>"))
		if line := w.take(); line != "" {
			t.Errorf("a log-in that is taken: %s", line)
		}
	})
}

// TestRefusedLogInsAreBounded: a stranger fills no log.
func TestRefusedLogInsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w warned
		h := newTestServer(t, func(c *Config) { c.Log = w.logger() })
		r := h.raw("anna", "10.0.0.1:5060")
		for i := range 200 {
			req := r.register("<sip:anna@10.0.0.1>")
			req.CallID = fmt.Sprint("stranger-", i)
			r.send(req, func(q *sip.Request) {
				if i%2 == 1 {
					q.URI.Host, q.To.URI.User = "example.com", fmt.Sprint("u", i)
					return
				}
				q.Add("Authorization", fmt.Sprintf(`Digest username="u%d", realm="%s", nonce="n%d", `+
					`uri="sip:x", response="00", qop=auth, nc=00000001, cnonce="c"`, i, domain, i))
			})
			r.Within(time.Second)
		}
		lines := w.take()
		if n := strings.Count(lines, "\n"); n != mostTold {
			t.Errorf("%d lines", n)
		}
		if strings.Count(lines, "too many were wrong") != 1 {
			t.Errorf("the block is not told:\n%s", lines)
		}
	})
}

// TestNamesOfUsers: a keyboard's capital or space, and our own domain behind the name, cost no phone its log-in;
// it calls and is called under whatever it wrote.
func TestNamesOfUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, bell := bellServer(t, nil)
		for i, name := range []string{"Anna", "ANNA", "anna ", "anna@portero.local", "Anna@Portero.local", "anna@10.0.0.9", "anna@10.0.0.9:5060"} {
			r := h.raw("anna", fmt.Sprintf("10.0.1.%d:5060", 50+i))
			r.cred.User = name
			aor := strings.TrimSpace(name)
			aor, _, _ = strings.Cut(aor, "@")
			r.user = aor
			r.wantStatus(200, r.register("<sip:x@"+r.Addr.String()+">"))
			if !h.At("anna", r.Addr.Addr()) || !h.At(aor, r.Addr.Addr()) || h.At("ben", r.Addr.Addr()) {
				t.Errorf("%q is not anna", name)
			}
			r.wantStatus(480, r.request("INVITE", "sip:Ben@"+domain))
		}
		bell.send(bell.request("INVITE", "sip:Anna@"+domain))
		late := h.raw("anna", "10.0.1.7:5060")
		late.wantStatus(200, late.register("<sip:anna@10.0.1.7>"))
		late.within(soon)
		wrong := h.raw("anna", "10.0.0.9:6060")
		wrong.cred.User, wrong.cred.Password = "Anna", "secret of ben"
		wrong.wantStatus(401, wrong.register("<sip:x@10.0.0.9>"))
		other := h.raw("ben", "10.0.0.8:6060") // another's password is not enough
		other.cred.User, other.cred.Password = "Ben", "secret of ben"
		other.wantStatus(403, other.register("<sip:x@10.0.0.8>"), func(r *sip.Request) { r.To.URI.User = "Anna" })
	})
}

// TestNamesOfThisMachine: a phone logs in by whatever name it found the machine by.
func TestNamesOfThisMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestServer(t, func(c *Config) { c.Hosts, c.Domains = []string{"raspberrypi"}, append(c.Domains, "localhost") })
		for i, host := range []string{"raspberrypi", "raspberrypi.local", "RaspberryPi.local", "raspberrypi.fritz.box", "localhost",
			"10.0.0.9", domain} {
			r := h.raw("anna", fmt.Sprintf("10.0.0.1:%d", 6000+i))
			req := r.register("<sip:anna@" + r.Addr.String() + ">")
			req.URI.Host, req.To.URI.Host, req.From.URI.Host = host, host, host
			r.cred.Accepts = func(c digest.Challenge) error { // as apps do that ask their owner for a realm
				if c.Realm != host {
					return fmt.Errorf("realm %q", c.Realm)
				}
				return nil
			}
			r.wantStatus(200, req)
			call := r.request("INVITE", "sip:ben@"+host)
			call.From.URI.Host = host
			r.wantStatus(480, call)
			time.Sleep(10 * time.Minute)
			if v := r.finalOf(r.send(req)).Values("WWW-Authenticate"); len(v) == 0 || !strings.Contains(v[0], "stale=true") {
				t.Errorf("%s: an old nonce is told as %q", host, v)
			}
		}
	})
}
