package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// faultsOf returns the faults of a text, warnings included.
func faultsOf(t *testing.T, text string) Faults {
	t.Helper()
	c, err := Parse([]byte(text))
	if err == nil {
		return c.Warnings()
	}
	var faults Faults
	if !errors.As(err, &faults) || !faults.Fatal() {
		t.Fatalf("not Faults: %v", err)
	}
	return faults
}

func TestFiveFaultsAreNamedAtOnce(t *testing.T) {
	text := `version = 1
[station]
nmae = "Door"
[[bell]]
name = "front"
line = "GPIO99x"
targets = []
ring_limit = 45s
[[door]]
name = "front"
line = "GPIO27"
switch_on = 3
[[code]]
who = "family"
code = "12"
doors = ["frnt"]
`
	_, err := Parse([]byte(text))
	if err == nil {
		t.Fatal("taken")
	}
	want := `portero.toml:3: station.nmae: unknown key; did you mean "name"?
portero.toml:6: bell[0].line "GPIO99x": not a line; write "GPIO17" or "pinctrl-bcm2711:17"; "portero pins" lists them
portero.toml:7: bell[0].targets: missing: the bell would ring nowhere; write targets = ["kitchen"], ["**9"] or ["sip:192.168.1.9"]
portero.toml:8: ring_limit: text without quotes; put text, numbers with units and addresses between double quotes
portero.toml:9: warning: door[0] "front": the opener is off until a code is set; add a [[code]] with doors = ["front"]
portero.toml:12: door[0].switch_on 3: a duration is text with a unit; write "3ms", "3s" or "3m"
portero.toml:15: code[0].code: 2 digits; use 4 to 32 digits
portero.toml:16: code[0].doors[0] "frnt": no such door; did you mean "front"?`
	if err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// TestFaults changes one thing in the good file; exactly one fault must come of it, with its line, key and a
// remedy.
func TestFaults(t *testing.T) {
	for _, test := range []struct{ from, to, want string }{ // want: "line key: part of the problem; part of the remedy"
		{"version = 1", "", `1 version: missing; version = 1`},
		{"version = 1", "version = 2", `1 version: later Portero; install`},
		{"version = 1", `version = "1"`, `1 version: not a version; version = 1`},
		{"version = 1", "version = 0", `1 version: not a version; version = 1`},
		{"version = 1", "version = 1\nbells = 1", `2 bells: unknown key; did you mean "bell"`},
		{"version = 1", "version = 1\nring_limit = \"3s\"", `2 ring_limit: unknown key; belongs in [[bell]]`},
		{"version = 1", "version = 1\nbell = 3", `: already; [[bell]]`},
		{"version = 1", "version = 1\n[station]\nname = 5", `3 station.name: text is wanted; quotes`},
		{"version = 1", "version = 1\n[station]\nname = \"a\\nb\"", `3 station.name: control character; remove`},
		{"version = 1", "version = 1\n[station]\nname = \"\"", `3 station.name: missing; name`},
		{"version = 1", "version = 1\n[station]\ndata_dir = \"data\"", `3 station.data_dir: not an absolute path; /var/lib`},
		{"version = 1", "version = 1\n[[station]]\nname = \"x\"", `2 station: a table is wanted; [station]`},
		{"version = 1", "version = 1\n[sip]\nlisten = \"5062\"", `3 sip.listen: not an address; ":5062"`},
		{"version = 1", "version = 1\n[sip]\nlisten = \"box:5062\"", `3 sip.listen: not an address; ":5062"`},
		{"version = 1", "version = 1\n[sip]\nlisten = \"127.0.0.1:5060\"", `server.listen: same port; :5062`},
		{"version = 1", "version = 1\n[sip]\nanswers_from = [\"pbx.lan\"]", `3 sip.answers_from[0]: not an IP address or network; 192.0.2.7`},
		{"version = 1", "version = 1\n[sip]\nanswers_from = [\"0.0.0.0/0\"]", `3 sip.answers_from[0]: whole world; address`},
		{"version = 1", "version = 1\n[sip]\npublic_address = \"a b\"", `3 sip.public_address: not an IP address; without port`},
		{"version = 1", "version = 1\n[sip]\npublic_address = \"door.example.org\"", `3 sip.public_address: not an IP address; host name`},
		{"version = 1", "version = 1\n[sip]\npublic_address = \"203.0.113.5:5062\"", `3 sip.public_address: not an IP address; without port`},
		{"version = 1", "version = 1\n[sip]\npublic_address = \"203.0.113.5\"\nlisten = \":0\"", `3 sip.public_address: port; :5062`},
		{"version = 1", "version = 1\n[sip]\npublic_address = \"0.0.0.0\"", `3 sip.public_address: not an IP address; without port`},
		{"version = 1", "version = 1\n[sip]\nrtp_ports = \"10001-10100\"", `3 sip.rtp_ports: even; 10000-10199`},
		{"version = 1", "version = 1\n[sip]\nrtp_ports = \"10000-10003\"", `3 sip.rtp_ports: fewer than; 10000-10199`},
		{"version = 1", "version = 1\n[sip]\nrtp_ports = \"5000-5999\"", `3 sip.rtp_ports: holds the port 5062; 10000-10199`},
		{"version = 1", "version = 1\n[audio]\nvolume = 5", `3 audio.volume: a table is wanted; 80`},
		{"version = 1", "version = 1\n[audio.volume]\nSpeaker = 120", `3 audio.volume.Speaker: out of range; percentage`},
		{"version = 1", "version = 1\n[audio]\ncodecs = \"PCMA\"", `3 audio.codecs: a list is wanted; ["a", "b"]`},
		{"version = 1", "version = 1\n[audio]\ncodecs = [\"PCMA\",\n \"G729\"]", `4 audio.codecs[1]: unknown value; "G722"`},
		{"version = 1", "version = 1\n[audio]\ncodecs = [\"PCMA\", \"PCMA\"]", `3 audio.codecs[1]: twice; remove`},
		{"version = 1", "version = 1\n[audio]\ncodecs = []", `3 audio.codecs: no codec; PCMA`},
		{"version = 1", "version = 1\n[audio]\nrate = 48.0", `3 audio.rate: whole number; without quotes`},
		{"version = 1", "version = 1\n[audio]\nrate = 48", `3 audio.rate: not a sampling rate; 48000`},
		{"version = 1", "version = 1\n[audio]\nperiod = \"1s\"", `3 audio.period: out of range; "5ms" to "40ms"`},
		{"version = 1", "version = 1\n[audio]\nwalkie = 1", `3 audio.walkie: true or false; without quotes`},
		{"version = 1", "version = 1\n[audio]\ncard = \"wav:a\"", `3 audio.card: two files; wav:IN`},
		{"version = 1", "version = 1\n[audio]\nring_back = \"Germany\"", `3 audio.ring_back: not a country; two letters`},
		{"version = 1", "version = 1\n[audio]\nring_back = \"DE\"", `3 audio.ring_back: not a country; "ch", "cz", "de", "dk"`},
		{"version = 1", "version = 1\n[log]\nlevel = \"inf\"", `3 log.level: unknown value; "info"`},
		{"version = 1", "version = 1\n[log]\nformat = “json”", `3 format: ; straight quotes`},
		{"version = 1", "version = 1\n[log]\nformat = \"json", `3 format: ; close the double quotes`},
		{"version = 1", "version = 1\n[access]\nwrong_limit = 0", `3 access.wrong_limit: out of range; 1 to 20`},
		{"version = 1", "version = 1\n[access]\nlock_out = \"1s\"", `3 access.lock_out: out of range; "10s" to "24h"`},
		{"version = 1", "version = 1\n[access]\ndigit_pause = \"-5s\"", `3 access.digit_pause: not a duration; "3s"`},
		{"version = 1", "version = 1\n[access]\nend_with = \"*\"", `3 access.end_with: unknown value; "length"`},
		{"version = 1", "version = 1\n[access]\nend_with = \"length\"", `code[1].code: not as long; one length`},
		{"version = 1", "version = 1\n[access]\ntamper_block = \"1s\"", `3 access.tamper_block: out of range; "10s" to "24h"`},
		{`server = "fritz.box"`, `server = "sip:fritz.box"`, `4 account[0].server: not a server; "fritz.box"`},
		{`server = "fritz.box"`, `server = "fritz.box:99999"`, `4 account[0].server: not a server; host:port`},
		{`server = "fritz.box"`, `outbound_proxy = "p"`, `2 account[0].server: missing; fritz.box`},
		{`server = "fritz.box"`, "server = \"fritz.box\"\noutbound_proxy = \"a b\"", `5 account[0].outbound_proxy: not a server; host`},
		{`server = "fritz.box"`, "server = \"fritz.box\"\npassword_file = \"/x\"", `5 account[0].password_file: password as well; one of the two`},
		{`password = "secret-of-the-account"`, `password_file = "x"`, `6 account[0].password_file: absolute; root`},
		{`password = "secret-of-the-account"`, `password = 12345`, `6 account[0].password: text is wanted; quotes`},
		{`password = "secret-of-the-account"`, `passwort = "secret-of-the-account"`, `6 account[0].passwort: unknown key; "password"`},
		{`user = "doorbell"`, `user = "doorbell@fritz.box"`, `5 account[0].user: not a user name; before the @`},
		{`user = "doorbell"`, `user = ""`, `5 account[0].user: missing; user name`},
		{`user = "doorbell"`, "user = \"doorbell\"\nuser = \"b\"", `6 user: already defined; one of the two`},
		{`user = "doorbell"`, "user = \"doorbell\"\nexpires = \"1s\"", `6 account[0].expires: out of range; "1m" to "24h"`},
		{`user = "doorbell"`, "user = \"doorbell\"\ndomain = \"a b\"", `6 account[0].domain: not a domain; without port`},
		{`enabled = "on"`, `enabled = "yes"`, `8 server.enabled: unknown value; "auto"`},
		{`enabled = "on"`, `enabled = true`, `8 server.enabled: text is wanted; quotes`},
		{`name = "kitchen"`, `name = "Door"`, `10 server.user[0].name: station's own; another`},
		{`name = "kitchen"`, `name = "kit chen"`, `10 server.user[0].name: not a user name; letters`},
		{`password = "secret-of-the-kitchen"`, `password = "short"`, `11 server.user[0].password: shorter; random`},
		{`password = "secret-of-the-kitchen"`, ``, `9 server.user[0].password: no default; 8 characters`},
		{`name = "back"`, `name = "Front"`, `17 bell[1].name: the bell in line 13; own name`},
		{`name = "back"`, ``, `16 bell[1].name: missing; name`},
		{`name = "back"`, "name = \"back\"\naccount = \"hom\"", `18 bell[1].account: no such account; "home"`},
		{`name = "back"`, "name = \"back\"\nstrategy = \"paralel\"", `18 bell[1].strategy: unknown value; "parallel"`},
		{`name = "back"`, "name = \"back\"\nbias = \"up\"", `18 bell[1].bias: unknown value; pull-up`},
		{`name = "back"`, "name = \"back\"\nring_limit = \"0s\"", `18 bell[1].ring_limit: out of range; "5s" to "10m"`},
		{`name = "back"`, "name = \"back\"\ntalk_limit = \"1s\"", `18 bell[1].talk_limit: out of range; "10s" to "1h"`},
		{`name = "back"`, "name = \"back\"\ndebounce = \"2s\"", `18 bell[1].debounce: out of range; "1s"`},
		{`name = "back"`, "name = \"back\"\nhold = \"3s\"", `18 bell[1].hold: out of range; "0s" to "2s"`},
		{`name = "back"`, "name = \"back\"\nstuck_after = \"1ms\"", `18 bell[1].stuck_after: out of range; "1s"`},
		{`name = "back"`, "name = \"back\"\nchime = \"gong\"", `18 bell[1].chime: unknown chime; .wav`},
		{`name = "back"`, "name = \"back\"\nwhen_busy = \"queue\"", `18 bell[1].when_busy: unknown value; "replace"`},
		{`["sip:192.168.1.9:5060"]`, `["sip:192.168.1.9:5060", "sips:a@b"]`, `19 bell[1].targets[1]: TLS; sip:`},
		{`["sip:192.168.1.9:5060"]`, `["anna@example.org"]`, `19 bell[1].targets[0]: not a SIP URI; "sip:anna@example.org"`},
		{`["sip:192.168.1.9:5060"]`, `["sip:@"]`, `19 bell[1].targets[0]: not a SIP URI; sip:user@host`},
		{`["sip:192.168.1.9:5060"]`, `["a b"]`, `19 bell[1].targets[0]: dialled; **9`},
		{`["sip:192.168.1.9:5060"]`, `[""]`, `19 bell[1].targets[0]: empty; remove`},
		{`["sip:192.168.1.9:5060"]`, `"kitchen"`, `19 bell[1].targets: a list; ["a", "b"]`},
		{"GPIO22", "GPIO17", `18 bell[1].line: the bell in line 14; own line`},
		{"GPIO27", "gpio17", `22 door[0].line: a button would open the door; own line`},
		{"GPIO27", "pinctrl-bcm2711:22", `22 door[0].line: a button would open the door; own line`},
		{`"GPIO5"`, `"GPIO6x"`, `25 door[1].line: not a line; portero pins`},
		{`"500ms"`, `"0s"`, `27 door[1].switch_on: too short; 100ms`},
		{`"500ms"`, `"11s"`, `27 door[1].switch_on: longer than longest (10s); raise`},
		{`"500ms"`, "\"3s\"\nlongest = \"1h\"", `28 door[1].longest: out of range; "2m"`},
		{`"500ms"`, "\"3s\"\ntrigger_delay = \"2m\"", `28 door[1].trigger_delay: out of range; "1m"`},
		{`"500ms"`, "\"3s\"\nhang_up_after = \"1h\"", `28 door[1].hang_up_after: out of range; "10m"`},
		{`"5913"`, `"591a"`, `34 code[1].code: not digits; 0 to 9`},
		{`"5913"`, `5913`, `34 code[1].code: text is wanted; quotes`},
		{`"5913"`, `0913`, `34 code: this is not TOML; double quotes`},
		{`"5913"`, `"7301"`, `34 code[1].code: begins with the other: the code in line 30; another`},
		{`"5913"`, `"0159"`, `34 code[1].code: ends with the other; another`},
		{`"5913"`, `"730159"`, `34 code[1].code: the same as the code in line 30; another`},
		{`"5913"`, `"` + strings.Repeat("17", 17) + `"`, `34 code[1].code: 34 digits; 4 to 32`},
		{`code = "5913"`, ``, `32 code[1].code: no default; 4 digits`},
		{`who = "post"`, ``, `32 code[1].who: missing; family`},
		{`doors = ["front"]`, `doors = []`, `35 code[1].doors: open nothing; ["front"]`},
		{`doors = ["front"]`, `doors = ["back"]`, `35 code[1].doors[0]: no such door; known: ["front" "garage"]`},
		{`doors = ["front"]`, "doors = [\"front\"]\n[[incoming.allow]]\nfrom = \"sip:*@box\"\nsource = \"quux\"\n", `38 incoming.allow[0].source: not a source; account:NAME`},
		{`doors = ["front"]`, "doors = [\"front\"]\n[[incoming.allow]]\nfrom = \"sip:a@*\"\nsource = \"server\"\n", `37 incoming.allow[0].from: wildcards; each caller`},
		{`doors = ["front"]`, "doors = [\"front\"]\n[[incoming.allow]]\nfrom = \"kitchen\"\nsource = \"account:home\"\n", `37 incoming.allow[0].from: not an exact caller; source = "server"`},
		{`doors = ["front"]`, "doors = [\"front\"]\n[[incoming.allow]]\nfrom = \"kitchem\"\nsource = \"server\"\n", `37 incoming.allow[0].from: no such user; "kitchen"`},
		{`doors = ["front"]`, "doors = [\"front\"]\n[[incoming.allow]]\nfrom = \"sip:a@b\"\n", `36 incoming.allow[0].source: forged; account:NAME`},
		{`doors = ["front"]`, "doors = [\"front\"]\n[[incoming.allow]]\nfrom = \"sip:a@b\"\nsource = \"account:hone\"\n", `38 incoming.allow[0].source: no such account; "account:home"`},
		{`doors = ["front"]`, "doors = [\"front\"]\n[[incoming.allow]]\nfrom = \"sip:a@b\"\nsource = \"0.0.0.0/0\"\n", `38 incoming.allow[0].source: nobody; home network`},
		{`doors = ["front"]`, "doors = [\"front\"]\nincoming = { allow = [{ from = \"x\" }] }", `36 code[1].incoming: unknown key; known here`},
		{`doors = ["front"]`, "doors = [\"front\"]\n[[code]\nwho = \"x\"", `36 : ; [[name]]`},
	} {
		text := strings.Replace(good, test.from, test.to, 1)
		if test.from == `doors = ["front"]` {
			i := strings.LastIndex(good, test.from)
			text = good[:i] + test.to + good[i+len(test.from):]
		}
		if text == good {
			t.Fatalf("%q is not in the good file", test.from)
		}
		var fatal Faults
		for _, f := range faultsOf(t, text) {
			if f.Severity == Error {
				fatal = append(fatal, f)
			}
			if n := strings.Count(text, "\n") + 1; f.Line > n {
				t.Errorf("%v: the file has %d lines", f, n)
			}
		}
		where, what, _ := strings.Cut(test.want, ": ")
		problem, remedy, _ := strings.Cut(what, "; ")
		if len(fatal) != 1 {
			t.Errorf("%s -> %s: %d faults, want one:\n%v", test.from, test.to, len(fatal), fatal)
			continue
		}
		f := fatal[0]
		if at := fmt.Sprintf("%d %s", f.Line, f.Key); !strings.HasSuffix(at, where) || !strings.Contains(f.Problem, problem) || !strings.Contains(f.Remedy, remedy) || f.Remedy == "" {
			t.Errorf("%s -> %s:\ngot  %v\nwant %s", test.from, test.to, f, test.want)
		}
		for _, secret := range []string{"secret-of", "730159", "5913", "591a", "12345", "0913", "kitchen1"} {
			if strings.Contains(f.Error(), secret) {
				t.Errorf("a secret leaks: %v", f)
			}
		}
	}
}

// TestSensorFaults does the same with the inputs and lamps behind the good file, whose 35 lines are not
// touched.
func TestSensorFaults(t *testing.T) {
	mustParse(t, good+sensors)
	for _, test := range []struct{ from, to, want string }{
		{`kind = "rex"`, `kind = "exit"`, `38 input[0].kind: unknown value; "contact"`},
		{`kind = "rex"`, "kind = \"rex\"\ndebounce = \"9ms\"", `39 input[0].debounce: out of range; "10ms"`},
		{`kind = "rex"`, "kind = \"rex\"\nhold = \"9ms\"", `39 input[0].hold: out of range; "10ms" to "10s"`},
		{`kind = "tamper"`, "kind = \"tamper\"\nhold = \"49ms\"",
			`52 input[2].hold: out of range; "50ms" to "10s"`},
		{`kind = "contact"`, "kind = \"contact\"\nhold = \"11s\"",
			`44 input[1].hold: out of range; "10ms" to "10s"`},
		{`kind = "rex"`, "kind = \"rex\"\nac = true", `36 input[0].hold: two spikes; hold = "50ms"`},
		{`kind = "rex"`, "kind = \"rex\"\nac = true\nhold = \"49ms\"",
			`40 input[0].hold: out of range; "50ms" to "10s"`},
		{`kind = "rex"`, "kind = \"rex\"\nac = 1", `39 input[0].ac: true or false; without quotes`},
		{`kind = "rex"`, ``, `36 input[0].kind: unknown value; "rex"`},
		{`kind = "rex"`, "kind = \"rex\"\nbias = \"up\"", `39 input[0].bias: unknown value; pull-up`},
		{`kind = "rex"`, "kind = \"rex\"\nopens = \"front\"", `39 input[0].opens: unknown key; known here`},
		{`name = "exit"`, ``, `36 input[0].name: missing; name`},
		{`name = "leaf"`, `name = "Exit"`, `42 input[1].name: the input in line 37; own name`},
		{`door = "front"`, `door = "frnt"`, `40 input[0].door: no such door; "front"`},
		{`door = "front"`, ``, `36 input[0].door: would open nothing; "front"`},
		{"door = \"front\"\nheld_open_after = \"0s\"", ``, `41 input[1].door: which door; "front"`},
		{`held_open_after = "0s"`, `held_open_after = "10ms"`, `48 input[1].held_open_after: out of range; "1s" to "24h"`},
		{`debounce = "100ms"`, `debounce = "2s"`, `46 input[1].debounce: out of range; "1s"`},
		{`line = "GPIO6"`, "line = \"GPIO6\"\ndoor = \"front\"", `53 input[2].door: belongs to no door; remove`},
		{`line = "GPIO6"`, `line = "GPIO13"`, `52 input[2].line: also the line of the input in line 44; own line`},
		{`line = "GPIO6"`, `line = "GPIO17"`, `52 input[2].line: also the line of the bell in line 14; own line`},
		{`line = "GPIO6"`, ``, `49 input[2].line: missing; portero pins`},
		{`line = "GPIO19"`, `line = "GPIO6"`, `55 lamp[0].line: also the line of the input in line 52; own line`},
		{`line = "GPIO19"`, `line = "GPIO99"`, `55 lamp[0].line: not a line; portero pins`},
		{`shows = "ready"`, `shows = "on"`, `57 lamp[0].shows: unknown value; "open"`},
		{`shows = "ready"`, `shows = "redy"`, `57 lamp[0].shows: unknown value; "ready"`},
		{`shows = "ready"`, "shows = \"ready\"\n[[lamp]]\nname = \"ready\"\nline = \"GPIO20\"\nshows = \"open\"", `59 lamp[1].name: the lamp in line 54; own name`},
	} {
		text := good + strings.Replace(sensors, test.from, test.to, 1)
		if text == good+sensors {
			t.Fatalf("%q is not in the file", test.from)
		}
		wantOneFault(t, text, test.from+" -> "+test.to, test.want)
	}
	// The relay's line is told as the one at fault, whatever stands first.
	for line, why := range map[string]string{"GPIO12": "a button would open the door", "GPIO19": "the lamp would open the door"} {
		wantOneFault(t, strings.Replace(good, "GPIO27", line, 1)+sensors, line, `22 door[0].line: `+why+`; own line`)
	}
}

func wantOneFault(t *testing.T, text, what, want string) {
	t.Helper()
	where, rest, _ := strings.Cut(want, ": ")
	problem, remedy, _ := strings.Cut(rest, "; ")
	var fatal Faults
	for _, f := range faultsOf(t, text) {
		if f.Severity == Error {
			fatal = append(fatal, f)
		}
	}
	if len(fatal) != 1 {
		t.Errorf("%s: %d faults, want one:\n%v", what, len(fatal), fatal)
		return
	}
	if f := fatal[0]; fmt.Sprintf("%d %s", f.Line, f.Key) != where || !strings.Contains(f.Problem, problem) || !strings.Contains(f.Remedy, remedy) {
		t.Errorf("%s:\ngot  %v\nwant %s", what, f, want)
	}
}

// TestSensorWarnings: a button at its resting level would open the door when its wire is cut; contacts may
// rest there on purpose.
func TestSensorWarnings(t *testing.T) {
	of := func(text string) (got []string) {
		for _, f := range mustParse(t, text).Warnings() {
			if f.Severity == Warning {
				got = append(got, f.Key+" "+f.Problem)
			}
		}
		return got
	}
	if got := of(good + sensors); len(got) != 0 {
		t.Errorf("%q", got)
	}
	if got := of(good + strings.Replace(sensors, `kind = "rex"`, "kind = \"rex\"\nactive_low = false", 1)); len(got) != 1 ||
		!strings.HasPrefix(got[0], "input[0].bias") || !strings.Contains(got[0], "a cut wire opens the door") {
		t.Errorf("%q", got)
	}
	// A door with a button inside is not off.
	noCode := strings.Replace(good, `doors = ["front", "garage"]`, `doors = ["front"]`, 1)
	if got := of(noCode + sensors); len(got) != 1 || !strings.HasPrefix(got[0], "door[1] the opener is off") {
		t.Errorf("%q", got)
	}
	if got := of(noCode + strings.Replace(sensors, `door = "front"`, `door = "garage"`, 1)); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

func TestWarnings(t *testing.T) {
	for _, test := range []struct{ from, to, want string }{
		{`password = "secret-of-the-account"`, ``, `account[0].password: no password`},
		{`enabled = "on"`, ``, `server.user[0]: off`},
		{`name = "back"`, "name = \"back\"\nbias = \"pull-down\"", `bell[1].bias: pressed level`},
		{`["kitchen", "**9"]`, "[\"a\", \"b\", \"c\", \"d\"]\nstrategy = \"serial\"", `bell[0].ring_limit: the last of 4 targets`},
		{`doors = ["front", "garage"]`, `doors = ["front"]`, `door[1]: off until a code is set`},
		{`"5913"`, `"2580"`, `code[1].code: easily guessed`},
		{"version = 1", "version = 1\n[[incoming.allow]]\nfrom = \"sip:a@b\"\nsource = \"192.168.1.20\"\nmay_open = true", `incoming.allow[0].may_open: address only`},
	} {
		c := mustParse(t, strings.Replace(good, test.from, test.to, 1))
		key, problem, _ := strings.Cut(test.want, ": ")
		if !slices.ContainsFunc(c.Warnings(), func(f Fault) bool {
			return f.Severity == Warning && f.Key == key && strings.Contains(f.Problem, problem) && f.Remedy != "" && f.Line > 0
		}) {
			t.Errorf("%s -> %s: want %s, have\n%v", test.from, test.to, test.want, c.Warnings())
		}
	}
}

func TestTargetsWithoutAccount(t *testing.T) {
	noAccount := strings.Replace(good[:strings.Index(good, "[[account]]")]+good[strings.Index(good, "[server]"):], `enabled = "on"`, "", 1)
	f := faultsOf(t, noAccount)
	if !slices.ContainsFunc(f, func(f Fault) bool { return f.Key == "bell[0].targets[1]" && strings.Contains(f.Problem, "neither") }) {
		t.Errorf("**9 without an account:\n%v", f)
	}
	f = faultsOf(t, strings.Replace(noAccount, `"**9"`, `"kichen"`, 1))
	if !slices.ContainsFunc(f, func(f Fault) bool { return f.Key == "bell[0].targets[1]" && strings.Contains(f.Remedy, `"kitchen"`) }) {
		t.Errorf("a misspelt user:\n%v", f)
	}
	mustParse(t, strings.Replace(noAccount, `, "**9"`, "", 1))
}

func TestNotText(t *testing.T) {
	for _, text := range []string{"\xff\xfe", strings.Repeat("#", maxFile+1)} {
		if f := faultsOf(t, text); len(f) != 1 || f[0].Remedy == "" {
			t.Errorf("%v", f)
		}
	}
	mustParse(t, "\ufeff"+good)
	mustParse(t, strings.ReplaceAll(good, "\n", "\r\n"))
}

func TestLargeFilesAreQuick(t *testing.T) {
	start := time.Now()
	for _, piece := range []string{"[[code]]\ncode=\"1234\"\n", "x%d=1\n", "a=\n", "[[bell]]\ntargets=[[[[[", "a.b.c%d.d={e=[{f=1}]}\n", "["} {
		var b strings.Builder
		for i := 0; b.Len() < maxFile/2; i++ {
			b.WriteString(strings.ReplaceAll(piece, "%d", fmt.Sprint(i)))
		}
		if _, err := Parse([]byte(b.String())); err == nil {
			t.Errorf("%q is taken", piece)
		}
		t.Logf("%v after %q", time.Since(start), piece)
	}
	if d := time.Since(start); d > time.Minute {
		t.Errorf("took %v", d)
	}
}

func TestMigrate(t *testing.T) {
	d := parseDocument("portero.toml", []byte("version = 1\n[old]\nx = 1\n"))
	steps := []func(map[string]any){
		func(tree map[string]any) { tree["new"] = tree["old"]; delete(tree, "old") },
		func(tree map[string]any) { tree["new"].(map[string]any)["y"] = int64(2) },
	}
	if !d.migrate(steps) {
		t.Fatal(d.faults)
	}
	want := map[string]any{"version": int64(3), "new": map[string]any{"x": int64(1), "y": int64(2)}}
	if !reflect.DeepEqual(d.tree, want) {
		t.Errorf("%v", d.tree)
	}
}

func TestEveryFieldTypeBinds(t *testing.T) {
	// set panics on a field of a type it does not know: a new one must not wait for a user's file.
	d := parseDocument("portero.toml", []byte(commented.ReplaceAllString(string(Sample), "$1")))
	c := Default()
	d.bind("", d.tree, reflect.ValueOf(c).Elem())
	if len(d.faults) > 0 {
		t.Error(d.faults)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Sample)
	f.Add([]byte(good + sensors))
	f.Add([]byte("version = 1\n[[bell]]\nx = [[1, {a.b = 2}], \"\"\"\n"))
	f.Add([]byte("version=1\nserver.user = [{name=\"a\"},{}]\nbell.x=1\n[door.y]\n"))
	f.Add([]byte("a = 3s\na = \nb = \n[c\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		c, err := Parse(src)
		if (c == nil) == (err == nil) {
			t.Fatalf("%v, %v", c, err)
		}
		var faults Faults
		if errors.As(err, &faults); err != nil && !faults.Fatal() {
			t.Fatalf("%v", err)
		}
		if c != nil {
			faults = c.Warnings()
			for i := range c.Bells {
				for _, text := range c.Bells[i].Targets {
					if _, err := c.Target(&c.Bells[i], text); err != nil && len(faults.Of(Ignored)) == 0 {
						t.Fatal(err)
					}
				}
			}
		}
		for i, f := range faults {
			if f.Line > strings.Count(string(src), "\n")+1 || f.Line < 0 || i > 0 && f.Line < faults[i-1].Line {
				t.Fatalf("line of %v", f)
			}
			if f.Problem == "" {
				t.Fatalf("%+v", f)
			}
		}
	})
}

// TestUnsafePins: a relay on a pin that moves at boot is a fault of its own kind, which keeps no station from
// starting.
func TestUnsafePins(t *testing.T) {
	for _, test := range []struct{ from, to, want string }{
		{`"GPIO27"`, `"GPIO4"`, `22 door[0].line unsafe: high from power-on; GPIO22 to GPIO27`},
		{`"GPIO27"`, `"GPIO14"`, `22 door[0].line unsafe: moves at each boot; GPIO22 to GPIO27`},
		{`"GPIO27"`, `"gpio0"`, `22 door[0].line unsafe: EEPROM; GPIO22 to GPIO27`},
		{`"GPIO27"`, `"rp1-gpio:15"`, `22 door[0].line unsafe: serial console; GPIO22 to GPIO27`},
		{`"GPIO27"`, `"GPIO3"`, `22 door[0].line unsafe: high from power-on; GPIO22 to GPIO27`},
		{`"GPIO27"`, `"GPIO18"`, `22 door[0].line warning: I2S; config.txt`},
		{`"GPIO27"`, `"GPIO10"`, `22 door[0].line warning: SPI; config.txt`},
		{`"GPIO5"`, `"GPIO16"`, `25 door[1].line unsafe: low from power-on; GPIO5 or GPIO6`},
		{`"GPIO5"`, `"pinctrl-rp1:16"`, `25 door[1].line unsafe: low from power-on; GPIO5 or GPIO6`},
		{`"GPIO5"`, `"GPIO1"`, `25 door[1].line unsafe: moves at each boot; GPIO5 or GPIO6`},
	} {
		text := strings.Replace(good, test.from, test.to, 1)
		c := mustParse(t, text)
		var told Faults
		for _, f := range c.Warnings() {
			if f.Severity != Info {
				told = append(told, f)
			}
		}
		where, what, _ := strings.Cut(test.want, ": ")
		problem, remedy, _ := strings.Cut(what, "; ")
		if len(told) != 1 || fmt.Sprintf("%d %s %s", told[0].Line, told[0].Key, told[0].Severity) != where ||
			!strings.Contains(told[0].Problem, problem) || !strings.Contains(told[0].Remedy, remedy) {
			t.Errorf("%s -> %s:\ngot  %v\nwant %s", test.from, test.to, told, test.want)
		}
		if unsafe := c.Warnings().Of(Unsafe); (len(unsafe) == 1) != strings.Contains(where, "unsafe") {
			t.Errorf("%s: unsafe %v", test.to, unsafe)
		}
	}
}

// TestLastGoodHasItsRelays: the copy opens no door, but it knows which relays the station had.
func TestLastGoodHasItsRelays(t *testing.T) {
	dir := t.TempDir()
	if err := mustParse(t, good).SaveLastGood(dir, nil); err != nil {
		t.Fatal(err)
	}
	c, err := LoadLastGood("absent.toml", dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*Config{c, mustParse(t, good)} {
		if !c.HasRelay("GPIO27", false) || !c.HasRelay("GPIO5", true) || c.HasRelay("GPIO27", true) ||
			c.HasRelay("GPIO17", true) {
			t.Errorf("%+v", c.Doors)
		}
	}
}
