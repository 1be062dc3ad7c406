package registrar

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/sip"
)

func (h *testServer) contacts(user string) (list []string) {
	for _, b := range h.Bindings() {
		if b.User == user {
			list = append(list, b.Contact.String())
		}
	}
	return list
}

func (h *testServer) wantContacts(user string, want ...string) {
	h.t.Helper()
	if got := h.contacts(user); !slices.Equal(got, want) {
		h.t.Fatalf("contacts of %s: %q, want %q", user, got, want)
	}
}

func TestRegisterLifeOfAnAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestServer(t, nil)
		p := h.registered("anna", "10.0.0.1:5060")
		if len(h.Bindings()) != 1 || h.Bindings()[0].Source.String() != "10.0.0.1:5060" {
			t.Fatalf("bindings %+v", h.Bindings())
		}
		sha := false
		for _, m := range h.net.Log() {
			sha = sha || strings.Contains(m.Wire, "Authorization: Digest") &&
				strings.Contains(m.Wire, "algorithm=SHA-256")
		}
		if !sha {
			t.Fatal("the agent did not answer with SHA-256")
		}
		first := h.Bindings()[0].Expires
		if ev := p.regEvent(); !ev.Registered { // the refresh, with the nonce of before: it is stale by now
			t.Fatalf("refresh %+v", ev)
		}
		if again := h.Bindings()[0].Expires; len(h.Bindings()) != 1 || !again.After(first) {
			t.Fatalf("bindings after the refresh: %+v", h.Bindings())
		}
		p.reg.Stop()
		if ev := p.regEvent(); ev.Registered {
			t.Fatal("still registered")
		}
		h.wantContacts("anna")
		h.onLoop(func() {
			if got := strings.Join(h.changes, ", "); got != "anna 1, anna 0" {
				t.Errorf("told of %q", got)
			}
		})
	})
}

func TestRegisterMD5(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestServer(t, nil)
		r := h.raw("anna", "10.0.0.1:5060")
		r.md5 = true
		r.wantStatus(200, r.register("<sip:anna@10.0.0.1>"))
		h.wantContacts("anna", "sip:anna@10.0.0.1")
	})
}

// TestRegisterKnownToChoke need not fail first.
func TestRegisterKnownToChoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestServer(t, nil)
		r := h.raw("anna", "10.0.0.1:5060")
		for agent, want := range map[string]int{"baresip v1.0.0 (x86_64/linux)": 1,
			"baresip v4.1.0 (arm64/linux)": 2, "Linphone": 2} {
			req := r.register("<sip:anna@10.0.0.1>")
			req.Set("User-Agent", agent)
			if n := len(r.finalOf(r.send(req)).Values("WWW-Authenticate")); n != want {
				t.Errorf("%s: %d challenges, want %d", agent, n, want)
			}
		}
	})
}

// TestRegisterChokingOnSHA256 is baresip 1.0: at a challenge it does not know it gives up, and tries anew
// later.
func TestRegisterChokingOnSHA256(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestServer(t, nil)
		r := h.raw("anna", "10.0.0.1:5060")
		offers := func() int {
			t.Helper()
			sent := r.send(r.register("<sip:anna@10.0.0.1>"))
			for range 2 { // with a repetition
				if n := len(r.finalOf(sent).Values("WWW-Authenticate")); n != 2 {
					return n
				}
				time.Sleep(3 * time.Second)
				r.Send(serverAddr, sent.Append(nil))
			}
			return len(r.finalOf(sent).Values("WWW-Authenticate"))
		}
		if n := offers(); n != 2 {
			t.Fatalf("%d challenges at first", n)
		}
		time.Sleep(30 * time.Second)
		if n := offers(); n != 1 {
			t.Fatalf("%d challenges to one who choked", n)
		}
		r.wantStatus(200, r.register("<sip:anna@10.0.0.1>"))
		time.Sleep(10 * time.Minute)
		sent := r.send(r.register("<sip:anna@10.0.0.1>")) // the nonce is stale
		if v := r.finalOf(sent).Values("WWW-Authenticate"); len(v) != 1 || !strings.Contains(v[0],
			"algorithm=MD5") || !strings.Contains(v[0], "stale=true") {
			t.Fatalf("refresh: %q", v)
		}
		other := h.raw("ben", "10.0.0.2:5060")
		other.wantStatus(200, other.register("<sip:ben@10.0.0.2>"))
		h.onLoop(func() {
			if len(h.md5Only.offers) != 1 {
				t.Errorf("%d offers kept", len(h.md5Only.offers))
			}
			for i := range 3 * maxOffers {
				h.md5Only.challenged(netip.AddrPortFrom(netipOf(i), 5060), sent, true, time.Now())
			}
			if len(h.md5Only.offers) > maxOffers {
				t.Errorf("%d offers kept", len(h.md5Only.offers))
			}
		})
	})
}

func TestRegisterReplacesQueriesRemoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestServer(t, nil)
		r := h.raw("anna", "10.0.0.1:5060")
		r.wantStatus(200, r.register("<sip:anna@10.0.0.1>;q=0.5;expires=100",
			"<sip:anna@10.0.0.1:5070>;+sip.instance=\"<urn:uuid:1>\""))
		h.wantContacts("anna", "sip:anna@10.0.0.1:5070", "sip:anna@10.0.0.1") // by q
		r.wantStatus(200, r.register("<sip:anna@10.0.0.1>;expires=200"))
		h.wantContacts("anna", "sip:anna@10.0.0.1:5070", "sip:anna@10.0.0.1")
		time.Sleep(50*time.Second + time.Millisecond)
		res := r.wantStatus(200, r.register()) // a query
		got := fmt.Sprint(res.Contact)
		if want := `[<sip:anna@10.0.0.1:5070>;+sip.instance="<urn:uuid:1>";expires=550 ` +
			`<sip:anna@10.0.0.1>;expires=150]`; got != want {
			t.Fatalf("listed %s\nwant   %s", got, want)
		}
		if res.Get("Date") == "" {
			t.Error("no Date")
		}
		time.Sleep(151 * time.Second)
		h.wantContacts("anna", "sip:anna@10.0.0.1:5070") // the other expired
		r.wantStatus(200, r.register("<sip:anna@10.0.0.1:5071>", "<sip:anna@10.0.0.1:5070>;expires=0"))
		h.wantContacts("anna", "sip:anna@10.0.0.1:5071")
		r.wantStatus(400, r.register("*"))
		h.wantContacts("anna", "sip:anna@10.0.0.1:5071")
		all := r.register("*")
		all.Expires = 0
		r.wantStatus(200, all)
		h.wantContacts("anna")
	})
}

func TestRegisterRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestServer(t, func(c *Config) { c.MaxExpires = 2 * time.Hour })
		r := h.raw("anna", "10.0.0.1:5060")
		ok := "<sip:anna@10.0.0.1>"
		r.wantStatus(200, r.register(ok))
		many := make([]string, maxBindings+1)
		for i := range many {
			many[i] = fmt.Sprintf("<sip:anna@10.0.0.1:%d>", 6000+i)
		}
		for _, c := range []struct {
			name     string
			status   int
			contacts []string
			edit     func(*sip.Request)
		}{
			{"another user's AOR", 403, []string{ok}, func(r *sip.Request) { r.To.URI.User = "ben" }},
			{"unknown AOR", 403, []string{ok}, func(r *sip.Request) { r.To.URI.User = "nobody" }},
			{"foreign AOR", 404, []string{ok}, func(r *sip.Request) { r.To.URI.Host = "example.com" }},
			{"foreign domain", 403, []string{ok}, func(r *sip.Request) { r.URI.Host = "example.com" }},
			{"tel contact", 400, []string{"<tel:+49123>"}, nil},
			{"sips contact", 400, []string{"<sips:anna@10.0.0.1>"}, nil},
			{"us as contact", 400, []string{"<sip:anna@10.0.0.9>"}, nil},
			{"one bad of two", 400, []string{"<sip:anna@10.0.0.1:5090>", "<tel:+49123>"}, nil},
			{"one too brief of two", 423, []string{"<sip:anna@10.0.0.1:5090>",
				"<sip:anna@10.0.0.1:5091>;expires=59"}, nil},
			{"too many", 400, many, nil},
			{"required extension", 420, []string{ok}, func(r *sip.Request) {
				r.Add("Require",
					"path, gruu")
			}},
			{"order", 500, []string{"<sip:anna@10.0.0.1:5090>", ok}, func(r *sip.Request) { r.CSeq.Seq = 2 }},
			{"broken path", 400, []string{ok}, func(r *sip.Request) { r.Add("Path", "<sip:") }},
		} {
			req := r.register(c.contacts...)
			var edits []func(*sip.Request)
			if c.edit != nil {
				edits = append(edits, c.edit)
			}
			res := r.final(req, edits...)
			if res.Status != c.status {
				t.Errorf("%s: %d %s, want %d", c.name, res.Status, res.Reason, c.status)
			}
			if c.status == 423 && res.Get("Min-Expires") != "60" {
				t.Errorf("%s: Min-Expires %q", c.name, res.Get("Min-Expires"))
			}
			if c.status == 420 && res.Get("Unsupported") != "gruu" {
				t.Errorf("%s: Unsupported %q", c.name, res.Get("Unsupported"))
			}
			h.wantContacts("anna", "sip:anna@10.0.0.1")
		}
		long := r.register("<sip:anna@10.0.0.1>;expires=999999999")
		if res := r.wantStatus(200, long); !strings.Contains(res.Contact[0].String(), "expires=7200") {
			t.Errorf("granted %s", res.Contact[0])
		}
	})
}

func TestRegisterMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestServer(t, nil)
		r := h.raw("anna", "10.0.0.1:5060")
		for i := range 25 {
			r.wantStatus(200, r.register(fmt.Sprintf("<sip:anna@10.0.0.1:%d>", 6000+i)))
			time.Sleep(time.Second)
		}
		got := h.contacts("anna")
		if len(got) != maxBindings || got[0] != "sip:anna@10.0.0.1:6015" ||
			got[maxBindings-1] != "sip:anna@10.0.0.1:6024" {
			t.Fatalf("contacts %q", got)
		}
		time.Sleep(time.Hour)
		h.wantContacts("anna")
	})
}

func TestGuessing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestServer(t, nil)
		good := h.raw("anna", "10.0.0.1:5060")
		good.wantStatus(200, good.register("<sip:anna@10.0.0.1>"))
		bad := h.raw("anna", "10.0.0.1:7000") // another program at the same address
		for i := range maxFailures {
			bad.cred.Forget()
			bad.cred.Password = fmt.Sprint("guess ", i)
			if res := bad.wantStatus(401,
				bad.register("<sip:anna@10.0.0.1:7000>")); len(res.Values("WWW-Authenticate")) != 2 {
				t.Fatal("no challenges")
			}
		}
		bad.cred.Forget()
		bad.cred.Password = "secret of anna"
		bad.wantStatus(403, bad.register("<sip:anna@10.0.0.1:7000>")) // right at last, but unheard
		// the phone of that address is not silenced
		good.wantStatus(200, good.register("<sip:anna@10.0.0.1>"))
		time.Sleep(time.Minute)
		bad.cred.Forget()
		bad.wantStatus(200, bad.register("<sip:anna@10.0.0.1:7000>"))
		unknown := h.raw("nobody", "10.0.0.2:5060")
		unknown.wantStatus(401, unknown.register("<sip:nobody@10.0.0.2>"))
	})
}

func TestStrangerHoldsNoMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestServer(t, nil)
		r := h.raw("anna", "10.0.0.1:5060")
		for i := range 10000 {
			req := r.register("<sip:anna@10.0.0.1>")
			if i%2 == 1 {
				req = r.request("INVITE", "sip:anna@"+domain)
			}
			req.CallID = fmt.Sprint("stranger-", i)
			sent := r.send(req, func(q *sip.Request) {
				q.Add("Authorization",
					fmt.Sprintf(`Digest username="u%d", realm="%s", nonce="n%d", `+
						`uri="sip:x", response="00", qop=auth, nc=00000001, cnonce="c"`, i, domain, i))
			})
			if _, res := r.Within(time.Second); res == nil || res.Status != 401 && res.Status != 407 &&
				res.Status != 403 || res.CSeq != sent.CSeq {
				t.Fatalf("request %d: %v", i, res)
			}
		}
		h.onLoop(func() {
			if h.requests != 0 || len(h.Bindings()) != 0 || len(h.guard.sources) != 1 ||
				len(h.locals.known) > maxLocals {
				t.Errorf("%d transactions, %d bindings, %d sources, %d addresses", h.requests,
					len(h.Bindings()), len(h.guard.sources), len(h.locals.known))
			}
		})
	})
}

func TestGuardIsBounded(t *testing.T) {
	var g guard
	now := time.Now()
	for i := range 5 * maxSources {
		g.failed(netipOf(1000+i), now)
	}
	if len(g.sources) > maxSources {
		t.Fatalf("%d sources", len(g.sources))
	}
	for range maxFailures {
		if g.blocked(netipOf(1), now) {
			t.Fatal("blocked too soon")
		}
		g.failed(netipOf(1), now)
	}
	if !g.blocked(netipOf(1), now) || g.blocked(netipOf(1), now.Add(guardFor)) {
		t.Fatal("not blocked for a minute")
	}
	g.sources = nil
	for i := range maxFailures { // an IPv6 household is one source
		g.failed(netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i)), now)
	}
	if !g.blocked(netip.MustParseAddr("2001:db8::ffff"), now) ||
		g.blocked(netip.MustParseAddr("2001:db8:0:1::1"), now) {
		t.Fatal("the /64 is not what is blocked")
	}
}

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]Config{
		"no password": {Users: []User{{"anna", ""}}},
		"no name":     {Users: []User{{"", "x"}}},
		"twice":       {Users: []User{{"anna", "x"}, {"anna", "y"}}},
		"domain":      {Domains: []string{"sip:home"}},
		"expiry":      {MinExpires: time.Hour, MaxExpires: time.Minute},
	} {
		if _, err := New(c); err == nil || !strings.HasPrefix(err.Error(), "registrar: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func netipOf(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}
