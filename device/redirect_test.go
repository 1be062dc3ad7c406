package device

import (
	"fmt"
	"log/slog"
	"net/netip"
	"testing"

	"portero/device/config"
	"portero/sip"
)

// TestRedirect follows a redirection to the parties that the file names, each through its own account, and to others only with
// follow_redirects.
func TestRedirect(t *testing.T) {
	const file = `version = 1
[sip]
follow_redirects = %v
[server]
enabled = "on"
[[server.user]]
name = "kitchen"
password = "secret-of-the-kitchen"
[[account]]
name = "home"
server = "fritz.box"
user = "door"
password = "a-long-random-password"
[[bell]]
name = "front"
line = "GPIO17"
targets = ["**9", "sip:hall@10.0.0.7"]
`
	for _, follow := range []bool{false, true} {
		cfg, err := config.Parse(fmt.Appendf(nil, file, follow))
		if err != nil {
			t.Fatal(err)
		}
		p, err := NewPhone(cfg, &BuiltIn{User: "door", Password: "x",
			Locate: func() (netip.AddrPort, error) { return netip.MustParseAddrPort("10.0.0.1:5060"), nil }},
			slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		home := p.accounts["home"]
		for _, c := range []struct {
			to, account string
			known       bool
		}{
			{"sip:**9@fritz.box", "home", true},
			{"sip:**9@FRITZ.BOX:5060;user=phone", "home", true},
			{"sip:hall@10.0.0.7", "", true},
			{"sip:kitchen@portero.local", builtIn, true},
			{"sip:kitchen@10.0.0.1", builtIn, true},
			{"sip:kitchen@10.0.0.1:5062", "home", false},
			{"sip:cellar@portero.local", "home", false},
			{"sip:**9@10.0.0.66", "home", false},
			{"sip:0900123@fritz.box", "home", false},
			{"sip:hall@10.0.0.7:5070", "home", false},
		} {
			to, err := sip.ParseURI(c.to)
			if err != nil {
				t.Fatal(err)
			}
			acct, ok := p.redirect(home, to)
			if ok != (c.known || follow) || acct != p.accounts[c.account] {
				t.Errorf("follow_redirects = %v: %s: %v by %+v", follow, c.to, ok, acct)
			}
		}
	}
}
