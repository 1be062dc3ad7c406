package registrar

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/sip"
	"portero/sip/ua"
)

// TestSaveAndLoad is a power cut: a user that still exists is reachable at once at the next start, for as
// long as a registration lasts.
func TestSaveAndLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := newTestServer(t, nil)
		for i, user := range []string{"anna", "ben", "cleo", "dora"} {
			r := before.raw(user, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}),
				5060).String())
			r.wantStatus(200, r.register(`"`+user+`" <sip:`+user+"@"+r.Addr.String()+";line=7>;q=0.5"))
		}
		synctest.Wait()
		data, err := before.Save()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "secret of") {
			t.Error("a password was saved")
		}
		after := newTestServer(t, func(c *Config) {
			c.Users[3].Password = "another"                                                     // cleo's
			c.Users = slices.DeleteFunc(c.Users, func(u User) bool { return u.Name == "dora" }) // has left
			c.DefaultExpires = 2 * time.Minute
		})
		again := after.raw("anna", "10.0.0.1:5060")
		again.wantStatus(200, again.register("<sip:anna@10.0.0.1:5060;line=7>;expires=600"))
		here := after.Bindings()
		if err := after.Load(data); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		want := append(here, before.Bindings()[1])
		want[1].Expires = time.Now().Add(2 * time.Minute)
		if got := after.Bindings(); want[1].User != "ben" || !slices.Equal(got, want) {
			t.Fatalf("loaded %+v, want %+v", got, want)
		}
		was, is := before.location.of("ben")[0], after.location.of("ben")[0]
		if is.callID != was.callID || is.seq != was.seq || is.callID == "" || is.hop.Addr != was.hop.Addr ||
			is.contact.String() != was.contact.String() {
			t.Errorf("loaded %+v, was %+v", is, was)
		}
		ben := after.phone("ben", "10.0.0.2:5060")
		after.registered("door", "10.0.0.6:5060").call("sip:ben@" + domain)
		ben.want(ua.Offered)
		time.Sleep(2*time.Minute + time.Second)
		synctest.Wait()
		if len(after.contacts("ben")) != 0 {
			t.Error("ben's binding never ends")
		}
	})
}

// TestLoadOfUDP reads a file of the time when UDP was the only transport and went without saying.
func TestLoadOfUDP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data, err := os.ReadFile("testdata/phones-udp.json")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "transport") {
			t.Fatal("not a file of that time")
		}
		h := newTestServer(t, nil)
		if err := h.Load(data); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for user, want := range map[string]struct{ contact, at, path, agent string }{
			"anna": {`"Anna" <sip:anna@10.0.0.1:5060;line=7>;q=0.5`, "10.0.0.1:5060", "[]", "baresip v1.0.0"},
			"ben":  {"<sip:ben@192.168.1.2:5060>", "10.0.0.2:40000", "[<sip:10.0.0.7;lr>]", ""},
		} {
			list := h.location.of(user)
			if len(list) != 1 {
				t.Fatalf("%s: %d bindings, want one", user, len(list))
			}
			b := list[0]
			if got := b.hop; got.Proto != sip.UDP || got.Addr.String() != want.at || got.Flow.Conn != 0 {
				t.Errorf("%s: reached at %+v, want %s by UDP", user, got, want.at)
			}
			if b.contact.String() != want.contact || fmt.Sprint(b.path) != want.path ||
				b.userAgent != want.agent {
				t.Errorf("%s: %s, path %v, %q; want %+v", user, b.contact, b.path, b.userAgent, want)
			}
		}
		again, err := h.Save()
		if err != nil || strings.Count(string(again), `"transport": "UDP"`) != 2 {
			t.Errorf("saved again, %v:\n%s", err, again)
		}
	})
}

// TestLoadRefuses takes nothing of what it does not understand.
func TestLoadRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestServer(t, nil)
		for i, user := range []string{"anna", "ben"} {
			r := h.raw(user, []string{"10.0.0.1:5060", "10.0.0.2:5060"}[i])
			r.wantStatus(200, r.register("<sip:"+user+"@"+r.Addr.String()+">"),
				func(req *sip.Request) { req.Add("Path", "<sip:10.0.0.7;lr>") })
		}
		good, err := h.Save()
		if err != nil {
			t.Fatal(err)
		}
		next := newTestServer(t, nil)
		for _, edit := range [][2]string{{"{", "["}, {"sip:ben@10.0.0.2:5060", "sips:ben@10.0.0.2:5060"},
			{"sip:ben@10.0.0.2:5060", "*"},
			{`"10.0.0.2:5060"`, `"10.0.0.2:0"`}, {`"10.0.0.2:5060"`, `"phone"`},
			{"sip:10.0.0.7;lr", "tel:112"}, {`"UDP"`, `"PIGEON"`}, {`"phones": [`, `"phones": "`}} {
			bad := strings.Replace(string(good), edit[0], edit[1], 1)
			if bad == string(good) {
				t.Fatalf("%q is not in %s", edit[0], good)
			}
			if err := next.Load([]byte(bad)); err == nil {
				t.Errorf("%q in place of %q was taken", edit[1], edit[0])
			}
			synctest.Wait()
			if got := next.Bindings(); len(got) != 0 {
				t.Fatalf("%+v is left of it", got)
			}
		}
		if err := next.Load(good); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if b := next.location.of("ben"); len(b) != 1 || len(b[0].path) != 1 {
			t.Errorf("%+v", b)
		}
	})
}
