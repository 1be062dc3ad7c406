package config

import (
	"fmt"
	"testing"

	"portero/sip"
)

// TestHostsRun builds of each server, domain, user and target that is accepted the URIs that the station uses:
// what is accepted here runs.
func TestHostsRun(t *testing.T) {
	const file = `version = 1
[[account]]
name = "home"
server = %q
domain = %q
user = %q
password = "kettle-on-8-oclock"
[[bell]]
name = "front"
line = "GPIO17"
targets = [%q]
`
	for _, c := range []struct {
		server, domain, user, target string
		good                         bool
	}{
		{"fritz.box", "", "door", "**9", true},
		{"[fd00::1]:5060", "", "door", "**9", true},
		{"[fd00::1]", "", "door", "sip:9@[fd00::1]:5060", true},
		{"[fd00::1]:5060", "[fd00::2]", "door", "sip:[fd00::3]", true},
		{"192.168.178.1:5060", "", "door", "sip:9@192.168.178.1", true},
		{"pbx.local.:5062", "", "door", "**9", true},
		{"[fe80::1%eth0]:5060", "", "door", "**9", false},
		{"fd00::1", "", "door", "**9", false},
		{"fritz.box", "[fe80::1%eth0]", "door", "**9", false},
		{"fritz.box", "", "tür", "**9", false},
		{"fritz.box", "", "50%", "**9", false},
		{"fritz.box", "", "door", "sip:50%@fritz.box", false},
		{"fritz.box", "", "door", "sip:9@[fe80::1%eth0]", false},
	} {
		text := fmt.Sprintf(file, c.server, c.domain, c.user, c.target)
		cfg, err := Parse([]byte(text))
		taken := err == nil && len(cfg.Warnings().Of(Ignored)) == 0
		if c.good != taken {
			t.Errorf("%+v: %v", c, err)
		}
		if !taken {
			continue
		}
		a := &cfg.Accounts[0]
		target, err := cfg.Target(&cfg.Bells[0], c.target)
		if err != nil || target.Account != "home" && target.Text != "sip:[fd00::3]" {
			t.Errorf("target %+v, %v", target, err)
		}
		for _, uri := range []string{a.AOR(), "sip:" + a.Server, target.URI} {
			if _, err := sip.ParseURI(uri); err != nil {
				t.Error(err)
			}
		}
	}
}
