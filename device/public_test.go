package device

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/sip"
)

// TestPublicAddress is what far ends are told, by registration and call, for signalling and sound alike; the
// ports are bound on the station's own address.
func TestPublicAddress(t *testing.T) {
	for kind, account := range map[string]string{"direct": "", "account": homeAccount} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				server, phone := r.sip.NewPeer(t, "10.0.0.9:5060"), r.sip.NewPeer(t, "10.0.0.2:5060")
				target := `"sip:kitchen@10.0.0.2"`
				if account != "" {
					target = `"**9"`
				}
				d := r.door("10.0.0.1:5062", target, "", "[sip]\npublic_address = \"203.0.113.5\"\n"+account)
				door, called := netip.MustParseAddrPort("10.0.0.1:5062"), phone
				if account != "" {
					called = server
					reg := server.Request("REGISTER")
					server.Respond(reg, door, 200, func(res *sip.Response) { res.Contact = reg.Contact })
					if c := reg.Contact[0].URI.String(); !strings.Contains(c, "@203.0.113.5:5062") {
						t.Errorf("Contact of the REGISTER %q", c)
					}
				}
				d.press("front")
				invite, _ := called.Within(time.Minute)
				for invite != nil && invite.Method == "REGISTER" { // sent again before the test had looked
					invite, _ = called.Within(time.Minute)
				}
				if invite == nil {
					t.Fatal("nobody is called")
				}
				if c := invite.Contact[0].URI.String(); !strings.Contains(c, "@203.0.113.5:5062") {
					t.Errorf("Contact of the INVITE %q", c)
				}
				if sdp := string(invite.Body); !strings.Contains(sdp, "c=IN IP4 203.0.113.5\r\n") || strings.Contains(sdp, "10.0.0.1") {
					t.Errorf("offer %q", sdp)
				}
				if account == "" && (len(invite.Route) != 0 || invite.From.URI.String() != "sip:door@portero.local") {
					t.Errorf("Route %v, From %v", invite.Route, invite.From)
				}
				called.Respond(invite, door, 486, nil)
				called.Request("ACK")
			})
		})
	}
}
