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
			{"anna@portero.local", "secret of anna", []string{"is to be anna alone, without the @"}},
			{"Anna", "secret of anna", []string{"capitals and spaces count: write anna "}},
			{"anna ", "secret of anna", []string{"capitals and spaces count: write anna "}},
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

// TestNamesOfThisMachine: a phone logs in by whatever name it found the machine by.
func TestNamesOfThisMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestServer(t, func(c *Config) { c.Hosts, c.Domains = []string{"raspberrypi"}, append(c.Domains, "localhost") })
		for i, host := range []string{"raspberrypi", "raspberrypi.local", "RaspberryPi.local", "raspberrypi.fritz.box", "localhost",
			"10.0.0.9", domain} {
			r := h.raw("anna", fmt.Sprintf("10.0.0.1:%d", 6000+i))
			req := r.register("<sip:anna@" + r.Addr.String() + ">")
			req.URI.Host, req.To.URI.Host, req.From.URI.Host = host, host, host
			r.wantStatus(200, req)
			call := r.request("INVITE", "sip:ben@"+host)
			call.From.URI.Host = host
			r.wantStatus(480, call)
		}
	})
}
