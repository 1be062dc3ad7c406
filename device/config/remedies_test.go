package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestRemedies makes the mistakes of newcomers, one at a time: the one fault has the line and the key, and says
// what to write.
func TestRemedies(t *testing.T) {
	const allow = "[[incoming.allow]]\nfrom = %q\nsource = %q\n"
	caller := func(from, source string) string { return "version = 1\n" + fmt.Sprintf(allow, from, source) }
	for _, test := range []struct{ from, to, want string }{ // want: "line key: problem; remedy"
		// true and false
		{"active_low = true", "active_low = True", `26 active_low: lower case; active_low = true`},
		{"active_low = true", "active_low = FALSE # the relay", `26 active_low: lower case; active_low = false`},
		{"active_low = true", "active_low = yes", `26 active_low: yes and no; active_low = true`},
		{"active_low = true", "active_low = Off", `26 active_low: yes and no; active_low = false`},
		{`enabled = "on"`, "enabled = on", `8 enabled: text without quotes; double quotes`},
		// IPv6 addresses
		{`"fritz.box"`, `"fd00::1"`, `4 account[0].server: not a server; "[fd00::1]" or "[fd00::1]:5060"`},
		{`"fritz.box"`, `"fd00::1:5060"`, `4 account[0].server: not a server; brackets: "[fd00::1]:5060"`},
		{`"fritz.box"`, `"[fe80::1%eth0]"`, `4 account[0].server: not a server; zone`},
		{`"doorbell"`, "\"doorbell\"\noutbound_proxy = \"fd00::1\"", `6 account[0].outbound_proxy: not a server; "[fd00::1]"`},
		{`"doorbell"`, "\"doorbell\"\ndomain = \"fd00::1\"", `6 account[0].domain: not a domain; brackets: "[fd00::1]"`},
		{`"**9"]`, `"sip:9@fd00::1"]`, `15 bell[0].targets[1]: not a SIP URI; "sip:9@[fd00::1]"`},
		{`"**9"]`, `"sip:fd00::1"]`, `15 bell[0].targets[1]: not a SIP URI; "sip:[fd00::1]"`},
		{"version = 1", "version = 1\n[sip]\nlisten = \"fd00::1\"", `3 sip.listen: not an address; brackets: "[fd00::1]:5062"`},
		{"version = 1", "version = 1\n[sip]\nlisten = \"fd00::1:5062\"", `3 sip.listen: not an address; brackets: "[fd00::1]:5062"`},
		{"version = 1", "version = 1\n[sip]\nlisten = \"192.168.1.5\"", `3 sip.listen: not an address; "192.168.1.5:5062"`},
		{"version = 1", "version = 1\n[sip]\nlisten = 5062", `3 sip.listen: text is wanted; ":5062"`},
		{`enabled = "on"`, "enabled = \"on\"\nlisten = \"fd00::1\"", `9 server.listen: not an address; brackets: "[fd00::1]:5060"`},
		{"version = 1", "version = 1\n[sip]\npublic_address = \"[fd00::1]\"", `3 sip.public_address: not an IP address; "fd00::1", without`},
		{"version = 1", caller("sip:a@fd00::1", "server"), `3 incoming.allow[0].from: not an exact; "sip:a@[fd00::1]"`},
		{"version = 1", caller("sip:a@b", "[fd00::1]"), `4 incoming.allow[0].source: not a source; write "fd00::1"`},
		// servers with more than their name
		{`"fritz.box"`, `"sips:fritz.box"`, `4 account[0].server: TLS; "fritz.box" alone`},
		{`"fritz.box"`, `"http://fritz.box/"`, `4 account[0].server: not a server; "fritz.box" alone`},
		{`"fritz.box"`, `"doorbell@fritz.box:5060;transport=udp"`, `4 account[0].server: not a server; "fritz.box:5060" alone`},
		// callers
		{"version = 1", caller("**610", "account:home"), `3 incoming.allow[0].from: not an exact; "sip:**610@fritz.box"`},
		{"version = 1", caller("sip:**610", "account:home"), `3 incoming.allow[0].from: not an exact; "sip:**610@fritz.box"`},
		{"version = 1", caller("**610@fritz.box", "account:home"), `3 incoming.allow[0].from: not an exact; "sip:**610@fritz.box"`},
		{"version = 1", caller("sip:**610@fritz.box:5060;user=phone", "account:home"), `3 incoming.allow[0].from: not an exact; "sip:**610@fritz.box"`},
		{"version = 1", caller("**610", "192.168.178.1"), `3 incoming.allow[0].from: not an exact; "sip:**610@fritz.box"`},
		{"version = 1", caller("anna@example.org", "server"), `3 incoming.allow[0].from: not an exact; "sip:anna@example.org"`},
		{"version = 1", caller("tel:+4930123", "account:home"), `3 incoming.allow[0].from: not an exact; "sip:+4930123@fritz.box"`},
		{"version = 1", caller("Anna <sip:anna@example.org>", "server"), `3 incoming.allow[0].from: not an exact; "sip:anna@example.org"`},
		{"version = 1", caller("sip:anna@*", "server"), `3 incoming.allow[0].from: no wildcards; each caller`},
		{"version = 1", caller("sip:a@b", "home"), `4 incoming.allow[0].source: not a source; "account:home"`},
		{"version = 1", caller("sip:a@b", "fritz.box"), `4 incoming.allow[0].source: not a source; "account:home"`},
		{"version = 1", caller("sip:a@b", "kitchen"), `4 incoming.allow[0].source: not a source; "server"`},
		{"version = 1", caller("sip:a@b", "192.168.1.7:5060"), `4 incoming.allow[0].source: not a source; write "192.168.1.7"`},
		// lines
		{`"GPIO27"`, `27`, `22 door[0].line: text is wanted; write "GPIO27"`},
		{`"GPIO27"`, `GPIO27`, `22 line: text without quotes; double quotes`},
		{`line = "GPIO27"`, `line: "GPIO27"`, `22 : no = behind; line = "text"`},
		{`line = "GPIO27"`, `line == "GPIO27"`, `22 line: two =; one =`},
		{`line = "GPIO27"`, `line =`, `22 line: no value; remove the line`},
		{`line = "GPIO27"`, `line = "GPIO27" // strike`, `22 line: more behind; #`},
		{`line = "GPIO27"`, `line = "GPIO27";`, `22 line: more behind; remove it`},
		{`line = "GPIO27"`, "; strike\nline = \"GPIO27\"", `22 : not a comment; #`},
		{`line = "GPIO27"`, "line\u00a0= \"GPIO27\"", `22 line: invisible; anew`},
		{`line = "GPIO27"`, "\u00a0line = \"GPIO27\"", `22 line: invisible; anew`},
		{`line = "GPIO27"`, "\u200bline = \"GPIO27\"", `22 line: invisible; anew`},
		{`"GPIO27"`, `„GPIO27“`, `22 line: word processor; straight`},
		{`"kitchen", "**9"`, `“kitchen”, “**9”`, `15 targets: word processor; straight`},
		// lists
		{`"kitchen", "**9"`, `"kitchen" "**9"`, `15 targets: ; comma between`},
		{`"kitchen", "**9"]`, `"kitchen", "**9"`, `15 targets: ; ] behind`},
		// tables
		{"[[bell]]\nname = \"back\"", "[bell]\nname = \"back\"", `16 : already exists; [[bell]] with double brackets`},
		{"[[door]]\nname = \"front\"", "[server]\ndomain = \"\"\n[[door]]\nname = \"front\"", `20 : already exists; the [server] in line 7`},
		{"[[server.user]]", "[[user]]", `9 user: unknown key; [[server.user]]`},
		{"[[door]]\nname = \"front\"", "door:\nname = \"front\"", `20 : not a table; [[door]]`},
		// durations
		{`"500ms"`, `500`, `27 door[1].switch_on: with a unit; "500ms"`},
		{`"500ms"`, `"0,5s"`, `27 door[1].switch_on: not a duration; "0.5s"`},
		{`"500ms"`, `"3 Sek"`, `27 door[1].switch_on: not a duration; write "3s"`},
		{`"500ms"`, `"3"`, `27 door[1].switch_on: not a duration; write "3s"`},
		{`"500ms"`, `"soon"`, `27 door[1].switch_on: not a duration; "30ms"`},
		// backslashes and quotes in the text
		{`"secret-of-the-account"`, `"secret-of\pe"`, `6 password: not TOML; twice: \\`},
		{`"secret-of-the-account"`, `"secret-of\the-account"`, `6 account[0].password: control character; twice: \\`},
		{`"secret-of-the-account"`, `"secret-of"the-account"`, `6 password: not TOML; \"`},
		// the whole file
		{`"front"`, "\"T\xfcr\"", `13 : not UTF-8; "Save as"`},
		{"version = 1", "\xff\xfev\x00", `0 : UTF-16; UTF-8`},
	} {
		text := strings.Replace(good, test.from, test.to, 1)
		if strings.HasPrefix(test.want, "26 active_low") {
			text = strings.Replace(good, "switch_on", test.to+"\nswitch_on", 1)
			text = strings.Replace(text, "active_low = true\n", "", 1)
		}
		if test.from == "version = 1" && strings.HasPrefix(test.to, "version = 1\n[[") {
			text = strings.Replace(good, "version = 1\n", test.to, 1)
		}
		if text == good {
			t.Fatalf("%q is not in the good file", test.from)
		}
		wantOneFault(t, text, fmt.Sprintf("%s -> %s", test.from, test.to), test.want)
		for _, f := range faultsOf(t, text) {
			if strings.Contains(f.Error(), "secret-of") {
				t.Errorf("a secret leaks: %v", f)
			}
		}
	}
}

// TestDoubts: what is taken, but is hardly meant, is told.
func TestDoubts(t *testing.T) {
	for _, test := range []struct{ from, to, want string }{
		{`"kitchen", `, `"kichen", `, `bell[0].targets[0]: dialled at the account "home"; "kitchen"`},
		{`"GPIO27"`, `"27"`, `door[0].line: a number alone; "GPIO27"`},
		{`"front"`, "\"front\u00a0door\"", `bell[0].name: invisible; anew`},
		{"version = 1", "version = 1\n[[incoming.allow]]\nfrom = \"sip:6*@fritz.box\"\nsource = \"account:home\"",
			`incoming.allow[0].from: no wildcards; each caller`},
	} {
		c := mustParse(t, strings.Replace(good, test.from, test.to, 1))
		key, what, _ := strings.Cut(test.want, ": ")
		problem, remedy, _ := strings.Cut(what, "; ")
		if !slices.ContainsFunc(c.Warnings(), func(f Fault) bool {
			return f.Severity == Warning && f.Key == key && strings.Contains(f.Problem, problem) && strings.Contains(f.Remedy, remedy)
		}) {
			t.Errorf("%s: want %s, have\n%v", test.to, test.want, c.Warnings())
		}
	}
	for _, from := range []string{"sip:**610@fritz.box", "sip:*31@fritz.box", "sip:kitchen@portero.local"} {
		c := mustParse(t, good+fmt.Sprintf("[[incoming.allow]]\nfrom = %q\nsource = \"account:home\"\n", from))
		if len(c.Warnings().Of(Warning)) != 0 {
			t.Errorf("%s: %v", from, c.Warnings())
		}
	}
}

// TestUnreadableFile: the error begins with the file and the cause, and ends with what to do.
func TestUnreadableFile(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]struct {
		is     error
		remedy string
	}{
		filepath.Join(dir, "absent.toml"):         {fs.ErrNotExist, "portero config > " + filepath.Join(dir, "absent.toml")},
		filepath.Join(dir, "none", "absent.toml"): {fs.ErrNotExist, "no folder"},
		dir: {syscall.EISDIR, filepath.Join(dir, "portero.toml")},
	} {
		_, err := Load(path)
		if !errors.Is(err, want.is) || !strings.HasPrefix(err.Error(), fmt.Sprintf("config: read %q: ", path)) ||
			!strings.Contains(err.Error(), want.remedy) {
			t.Errorf("%v, want %q", err, want.remedy)
		}
	}
	// A superuser may read everything: the remedy alone is looked at.
	remedy := readRemedy("/etc/portero/portero.toml", &fs.PathError{Op: "open", Path: "x", Err: os.ErrPermission})
	if !strings.Contains(remedy, "sudo chmod 640 /etc/portero/portero.toml") || !strings.Contains(remedy, "sudo -u portero") {
		t.Errorf("%q", remedy)
	}
}
