package ua_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"portero/sip"
	"portero/sip/digest"
	"portero/sip/siptest"
	"portero/sip/transaction"
	"portero/sip/transport"
	"portero/sip/ua"
)

// asking is an agent that asks a scripted registrar about an account.
type asking struct {
	*testing.T
	*guarded
	told chan ua.Answer
}

func ask(t *testing.T, n *siptest.Network, edits ...func(*ua.AccountConfig)) *asking {
	a := startUA(t, n, "10.0.0.1:5060")
	q := &asking{T: t, guarded: newGuarded(t, n, a, edits...), told: make(chan ua.Answer, 8)}
	a.Query(q.acct, func(ans ua.Answer) { q.told <- ans })
	return q
}

// want returns what was told, once.
func (q *asking) want() ua.Answer {
	q.Helper()
	synctest.Wait()
	if len(q.told) != 1 {
		q.Fatalf("told %d times", len(q.told))
	}
	return <-q.told
}

// question is the next REGISTER, which must change no binding.
func (q *asking) question() *sip.Request {
	q.Helper()
	req := q.Request("REGISTER")
	if len(req.Contact) > 0 || req.Expires >= 0 || req.URI.String() != "sip:example.net" {
		q.Fatalf("no mere question:\n%s", req)
	}
	return req
}

func TestQuery(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		q := ask(t, n)
		q.challenge(q.question(), 401, q.auth.Challenges(time.Now(), false)...)
		req := q.question()
		q.check(req, "Authorization")
		other := sip.Address{URI: mustURI(t, "sip:door@10.0.0.77")}
		q.answer(req, 200, "r", func(res *sip.Response) { res.Contact = []sip.Address{other} })
		ans := q.want()
		if ans.Status != 200 || !ans.Proved || ans.Denied || ans.Err != nil || len(ans.Contacts) != 1 ||
			ans.Server.Addr.String() != "10.0.0.9:5060" {
			t.Errorf("%+v", ans)
		}
		q.Silence(time.Hour)
	})
}

// TestQueryShowsAPasswordOnce: servers lock accounts that keep trying.
func TestQueryShowsAPasswordOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(q *asking, req *sip.Request)
		denied bool
	}{
		"rejected": {func(q *asking, req *sip.Request) {
			q.challenge(req, 401, q.auth.Challenges(time.Now(), false)...)
		}, true},
		"forbidden": {func(q *asking, req *sip.Request) { q.challenge(req, 403) }, true},
		"stale, it says": {func(q *asking, req *sip.Request) {
			q.challenge(req, 401, q.auth.Challenges(time.Now(), true)...)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *siptest.Network) {
				q := ask(t, n, func(c *ua.AccountConfig) { c.Password = "wrong" })
				first := q.question()
				q.hasNone(first)
				q.challenge(first, 401, q.auth.Challenges(time.Now(), false)...)
				tt.answer(q, q.question())
				if ans := q.want(); ans.Denied != tt.denied || !ans.Proved || ans.Status/100 != 4 {
					t.Errorf("%+v", ans)
				}
				q.Silence(time.Hour)
			})
		})
	}
}

func TestQueryUnanswered(t *testing.T) {
	t.Run("no password", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *siptest.Network) {
			q := ask(t, n, func(c *ua.AccountConfig) { c.Password = "" })
			q.challenge(q.question(), 401, q.auth.Challenges(time.Now(), false)...)
			if ans := q.want(); ans.Status != 401 || ans.Proved || ans.Denied || ans.Err != nil {
				t.Errorf("%+v", ans)
			}
		})
	})
	t.Run("foreign realm", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *siptest.Network) {
			q := ask(t, n, func(c *ua.AccountConfig) { c.Realms = []string{"elsewhere"} })
			q.challenge(q.question(), 401, q.auth.Challenges(time.Now(), false)...)
			if ans := q.want(); ans.Status != 401 || ans.Proved || ans.Denied || !errors.Is(ans.Err, ua.ErrRealm) {
				t.Errorf("%+v", ans)
			}
		})
	})
	t.Run("silence", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *siptest.Network) {
			q := ask(t, n)
			q.question()
			time.Sleep(10 * time.Second)
			if ans := q.want(); ans.Status != 0 || !errors.Is(ans.Err, ua.ErrSilent) {
				t.Errorf("%+v", ans)
			}
			time.Sleep(time.Minute) // the transaction's own end tells nothing more
			if len(q.told) != 0 {
				t.Errorf("told again: %+v", <-q.told)
			}
		})
	})
}

// TestQueryElsewhere: an address that says nothing does not hide the next one, and is not answered when it
// speaks after all.
func TestQueryElsewhere(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := &testAgent{events: make(chan heard, 16)}
		a.Agent = ua.New(ua.Config{})
		silent, second := n.NewPeer(t, "10.0.0.8:5060"), n.NewPeer(t, "10.0.0.9:5060")
		found := []transport.Target{{Proto: sip.UDP, Addr: silent.Addr}, {Proto: sip.UDP, Addr: second.Addr}}
		lookup := func(context.Context, sip.URI) ([]transport.Target, error) { return found, nil }
		local := n.Listen("10.0.0.1:5060")
		runStack(t, transaction.NewStack(transaction.Config{Lookup: lookup}, a.Agent, local))
		acct := ua.NewAccount(ua.AccountConfig{AOR: mustURI(t, "sip:door@example.net"), Server: mustURI(t, "sip:example.net"),
			Password: password})
		told := make(chan ua.Answer, 8)
		a.Query(acct, func(ans ua.Answer) { told <- ans })
		late := silent.Request("REGISTER")
		second.Respond(second.Request("REGISTER"), local.Addr(), 200, nil)
		synctest.Wait()
		if ans := <-told; ans.Status != 200 || ans.Server.Addr != second.Addr || ans.Proved {
			t.Errorf("%+v", ans)
		}
		auth := digest.NewServer("example.net", nil)
		silent.Respond(late, local.Addr(), 401, func(res *sip.Response) {
			res.Add("WWW-Authenticate", auth.Challenges(time.Now(), false)[0])
		})
		for req, _ := silent.Within(time.Hour); req != nil; req, _ = silent.Within(time.Hour) {
			if req.Get("Authorization") != "" {
				t.Fatal("the password was shown to one who was given up")
			}
		}
		if len(told) != 0 {
			t.Errorf("told again: %+v", <-told)
		}
	})
}

func TestQueryUnknownHost(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := &testAgent{events: make(chan heard, 16)}
		a.Agent = ua.New(ua.Config{})
		unknown := &net.DNSError{Err: "no such host", Name: "example.net", IsNotFound: true}
		lookup := func(context.Context, sip.URI) ([]transport.Target, error) { return nil, unknown }
		runStack(t, transaction.NewStack(transaction.Config{Lookup: lookup}, a.Agent, n.Listen("10.0.0.1:5060")))
		acct := ua.NewAccount(ua.AccountConfig{AOR: mustURI(t, "sip:door@example.net"), Server: mustURI(t, "sip:example.net")})
		told := make(chan ua.Answer, 8)
		a.Query(acct, func(ans ua.Answer) { told <- ans })
		if ans := <-told; ans.Status != 0 || !errors.Is(ans.Err, unknown) {
			t.Errorf("%+v", ans)
		}
	})
}
