package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"portero/board"
)

// good is a whole station; tests replace pieces of it.
const good = `version = 1
[[account]]
name = "home"
server = "fritz.box"
user = "doorbell"
password = "secret-of-the-account"
[server]
enabled = "on"
[[server.user]]
name = "kitchen"
password = "secret-of-the-kitchen"
[[bell]]
name = "front"
line = "GPIO17"
targets = ["kitchen", "**9"]
[[bell]]
name = "back"
line = "GPIO22"
targets = ["sip:192.168.1.9:5060"]
[[door]]
name = "front"
line = "GPIO27"
[[door]]
name = "garage"
line = "GPIO5"
active_low = true
switch_on = "500ms"
[[code]]
who = "family"
code = "730159"
doors = ["front", "garage"]
[[code]]
who = "post"
code = "5913"
doors = ["front"]
`

// sensors are inputs and a lamp for the good station.
const sensors = `[[input]]
name = "exit"
kind = "rex"
line = "GPIO12"
door = "front"
[[input]]
name = "leaf"
kind = "contact"
line = "GPIO13"
active_low = false
debounce = "100ms"
door = "front"
held_open_after = "0s"
[[input]]
name = "case"
kind = "tamper"
line = "GPIO6"
[[lamp]]
name = "ready"
line = "GPIO19"
active_low = true
shows = "ready"
`

func mustParse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGood(t *testing.T) {
	c := mustParse(t, good)
	if b := c.Bells[0]; b.RingLimit != 45*time.Second || !b.ActiveLow || b.Chime != "ding-dong" {
		t.Errorf("a bell's defaults: %+v", b)
	}
	if x := c.Doors[1]; x.SwitchOn != 500*time.Millisecond || x.Longest != 10*time.Second || !x.ActiveLow {
		t.Errorf("door: %+v", x)
	}
	if a := c.Accounts[0]; !a.Register || a.Expires != 10*time.Minute || a.AOR() != "sip:doorbell@fritz.box" {
		t.Errorf("account: %+v", a)
	}
	for _, f := range c.Warnings() {
		if f.Severity != Info || !strings.Contains(f.Problem, "case") {
			t.Errorf("warning: %v", f)
		}
	}
	if n := len(c.Warnings()); n != 2 {
		t.Errorf("%d warnings, want one for each relay", n)
	}
}

func TestBoardConfig(t *testing.T) {
	bc := mustParse(t, good+sensors).BoardConfig()
	want := board.Input{Name: "bell:front", Line: "GPIO17", ActiveLow: true, Bias: board.PullUp, Debounce: 30 * time.Millisecond, StuckAfter: 20 * time.Second}
	leaf := board.Input{Name: "input:leaf", Line: "GPIO13", Bias: board.PullUp,
		Debounce: 100 * time.Millisecond, Hold: 100 * time.Millisecond, Sensor: true}
	if len(bc.Inputs) != 5 || bc.Inputs[0] != want || bc.Inputs[3] != leaf {
		t.Errorf("inputs: %+v", bc.Inputs)
	}
	if r := (board.Output{Name: "door:garage", Line: "GPIO5", ActiveLow: true, MaxOn: 10 * time.Second}); len(bc.Relays) != 2 || bc.Relays[1] != r {
		t.Errorf("relays: %+v", bc.Relays)
	}
	if l := (board.Output{Name: "lamp:ready", Line: "GPIO19", ActiveLow: true}); len(bc.Lamps) != 1 || bc.Lamps[0] != l {
		t.Errorf("lamps: %+v", bc.Lamps)
	}
	bc.Sim = true
	b, err := board.Open(bc) // the board takes it as it is
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func TestServerOn(t *testing.T) {
	for _, test := range []struct {
		enabled  string
		accounts int
		want     bool
	}{{"auto", 0, true}, {"auto", 1, false}, {"on", 1, true}, {"off", 0, false}} {
		c := Default()
		c.Server.Enabled = test.enabled
		c.Accounts = make([]Account, test.accounts)
		if c.ServerOn() != test.want {
			t.Errorf("%+v: %v", test, c.ServerOn())
		}
	}
}

func TestTarget(t *testing.T) {
	c := mustParse(t, good)
	front := &c.Bells[0]
	named := &Bell{Account: "home"}
	for _, test := range []struct {
		bell *Bell
		text string
		want Target
	}{
		{front, "kitchen", Target{URI: "sip:kitchen@portero.local", User: "kitchen", Local: true}},
		{front, "**9", Target{URI: "sip:**9@fritz.box", User: "**9", Account: "home"}},
		{front, "#31#42", Target{URI: "sip:%2331%2342@fritz.box", User: "%2331%2342", Account: "home"}},
		{front, "sip:**9@FRITZ.box", Target{URI: "sip:**9@FRITZ.box", User: "**9", Account: "home"}},
		{front, "sip:192.168.1.9:5060", Target{URI: "sip:192.168.1.9:5060"}},
		{front, "sip:a@[fd00::1]:5070;transport=udp", Target{URI: "sip:a@[fd00::1]:5070;transport=udp", User: "a"}},
		{named, "sip:anna@example.org", Target{URI: "sip:anna@example.org", User: "anna", Account: "home"}},
	} {
		test.want.Text = test.text
		if got, err := c.Target(test.bell, test.text); err != nil || got != test.want {
			t.Errorf("%q: %+v, %v", test.text, got, err)
		}
	}
	for _, text := range []string{"", "sip:", "sip:a b@c", "sip:x@", "sips:a@b", "tel:1", "sip:a@b:0", "sip:a@b:70000", "sip:a@300.1.1.1", "a b", "a@b", "sip:a@[x]"} {
		if got, err := c.Target(front, text); err == nil {
			t.Errorf("%q is taken: %+v", text, got)
		}
	}
}

func TestParseSource(t *testing.T) {
	for text, want := range map[string]string{"account:home": "account home", "server": "server", "192.168.1.20": "192.168.1.20/32",
		"192.168.1.20/24": "192.168.1.0/24", "::ffff:10.0.0.1": "10.0.0.1/32", "fd00::/8": "fd00::/8"} {
		s, err := ParseSource(text)
		got := s.Net.String()
		if s.Account != "" {
			got = "account " + s.Account
		}
		if s.Server {
			got = "server"
		}
		if err != nil || got != want {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "account:", "home", "1.2.3", "*", "1.2.3.4/33", "fe80::1%eth0"} {
		if s, err := ParseSource(text); err == nil {
			t.Errorf("%q is taken: %+v", text, s)
		}
	}
}

func TestPorts(t *testing.T) {
	if lo, hi, err := (SIP{RTPPorts: "10000-10199", AnswersFrom: []string{}}).Ports(); lo != 10000 || hi != 10199 || err != nil {
		t.Error(lo, hi, err)
	}
	for _, s := range []string{"", "10000", "10001-10200", "10000-10200", "10000-10001", "800-1999", "65000-65536", "a-b", "10199-10000"} {
		if _, _, err := (SIP{RTPPorts: s}).Ports(); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
}

func TestSecretsDoNotLeak(t *testing.T) {
	c := mustParse(t, good)
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	logger.Info("config", "c", *c, "account", c.Accounts[0], "code", c.Codes[0].Code)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("config", "c", c.Accounts, "codes", c.Codes)
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	r := c.Redacted()
	plain := []string{string(r.Accounts[0].Password), string(r.Server.Users[0].Password), string(r.Codes[0].Code)}
	all := log.String() + string(data) + fmt.Sprintf("%v %+v %#v %s %q %v", c.Accounts, c.Codes, c.Server, c.Codes[0].Code, c.Codes, r) +
		strings.Join(plain, " ") + fmt.Sprintf("%+v %#v", *c, *c)
	for _, secret := range []string{"secret-of", "730159", "5913", "55 51 48 49 53 57", "0x37, 0x33, 0x30"} {
		if i := strings.Index(all, secret); i >= 0 {
			t.Errorf("%q leaks: ...%s", secret, all[max(0, i-40):i+len(secret)])
		}
	}
	if r.source != nil {
		t.Error("Redacted keeps the file")
	}
	if string(c.Codes[0].Code) != "730159" || c.Accounts[0].Password != "secret-of-the-account" {
		t.Error("Redacted changed the original")
	}
}
