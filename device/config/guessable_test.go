package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestSecretsOfTheSamples: what any version's manual shows as a code or a password is nobody's secret.
func TestSecretsOfTheSamples(t *testing.T) {
	files, err := filepath.Glob("testdata/sample-*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range append(files, "sample.toml") {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, m := range regexp.MustCompile(`(?m)^#?\s*(?:code|password)\s*=\s*"([^"]+)"`).FindAllSubmatch(src, -1) {
			n++
			if !ofTheManual(Secret(m[1])) {
				t.Errorf("%s: %s is not known", file, m[0])
			}
		}
		if n < 3 {
			t.Errorf("%s: %d secrets found", file, n)
		}
	}
	for _, s := range []Secret{"", "7301580", "long-random-password"} {
		if ofTheManual(s) {
			t.Errorf("%q is not the manual's", string(s))
		}
	}
}

func TestEasyCodes(t *testing.T) {
	easy := []string{"1111", "000000", "1234", "0123", "7890", "9012", "4321", "3210", "98765432", "12345678901234567890123456789012",
		"2580", "0852", "1379", "1397", "9317", "2684", "147258", "741852", "7410", "0147", "1590", "0951",
		"3570", "0963", "1478", "1236", "159357", "159753", "123789", "147369", "1212", "1122", "1001", "123123",
		"47114711", "1357", "2468", "8642", "1970", "2026", "2412", "1224", "240597", "24052012", "20120524", "05242012"}
	fine := []string{"4711", "5913", "730159", "8050", "1300", "9174", "4827", "7305", "1941730", "24051877", "3208", "1842", "90210"}
	for _, digits := range slices.Concat(easy, fine) {
		if why := easyCode(digits); slices.Contains(fine, digits) != (why == "") {
			t.Errorf("%s: %q", digits, why)
		}
	}
	// Whoever takes digits by lot is told of a pattern in few of them.
	n := 0
	for i := 0; i < 1000000; i += 7 {
		if why := easyCode(fmt.Sprintf("%06d", i)); why != "" {
			n++
		}
	}
	if n > 75000/7 {
		t.Errorf("%d of a million codes are called easy", 7*n)
	}
}

// TestEasyCodeIsTold: check refuses the sample's, and it opens nothing; a pattern is told and opens.
func TestEasyCodeIsTold(t *testing.T) {
	for code, want := range map[string]struct {
		severity Severity
		problem  string
	}{
		"1111":   {Warning, "one digit"},
		"6789":   {Warning, "in their order"},
		"730158": {Unsafe, "the sample's own"},
		"2580":   {Warning, "keypad"},
		"1212":   {Warning, "two digits"},
		"2412":   {Warning, "date"},
	} {
		c := mustParse(t, strings.Replace(good, `"5913"`, `"`+code+`"`, 1))
		i := slices.IndexFunc(c.Warnings(), func(f Fault) bool { return f.Key == "code[1].code" })
		if i < 0 {
			t.Fatalf("%s: %v", code, c.Warnings())
		}
		f := c.Warnings()[i]
		if f.Severity != want.severity || !strings.Contains(f.Problem, want.problem) || f.Remedy == "" || f.Line != 34 {
			t.Errorf("%s: %v", code, f)
		}
		if strings.Contains(f.Error(), code) {
			t.Errorf("the code leaks: %v", f)
		}
		off := len(c.Codes) == 1 && c.Codes[0].Who == "family"
		if off != (want.severity == Unsafe) || len(c.Doors) != 2 || len(c.Bells) != 2 {
			t.Errorf("%s: codes %v", code, c.Codes)
		}
	}
}

// TestEasyPasswordIsOff: the user stays a target of bells, and nobody logs in as that.
func TestEasyPasswordIsOff(t *testing.T) {
	for password, problem := range map[string]string{
		"kitchen1": "own name", "Kitchen-2026": "own name", "kitchenKitchen": "own name", "1kitchen": "own name",
		"Passwort": "the first", "aaaaaaaa": "the first", "another-long-random-password": "the sample's own",
		"A-Long-Random-Password": "the sample's own",
	} {
		c := mustParse(t, strings.Replace(good, "secret-of-the-kitchen", password, 1))
		unsafe := c.Warnings().Of(Unsafe)
		if len(unsafe) != 1 || unsafe[0].Key != "server.user[0].password" || unsafe[0].Line != 11 ||
			!strings.Contains(unsafe[0].Problem, problem) || !strings.Contains(unsafe[0].Remedy, "random") {
			t.Errorf("%s: %v", password, unsafe)
		}
		if strings.Contains(strings.ToLower(unsafe.Error()), strings.ToLower(password)) {
			t.Errorf("the password leaks: %v", unsafe)
		}
		if c.Server.Users[0].Password != "" || len(c.Codes) != 2 {
			t.Errorf("%s: %+v", password, c)
		}
		if target, err := c.Target(&c.Bells[0], "kitchen"); err != nil || !target.Local {
			t.Errorf("%+v, %v", target, err)
		}
	}
	for _, password := range []string{"secret-of-the-kitchen", "my-kitchen-has-2-doors", "kitchenette-7"} {
		if c := mustParse(t, strings.Replace(good, "secret-of-the-kitchen", password, 1)); len(c.Warnings().Of(Unsafe)) != 0 {
			t.Errorf("%s: %v", password, c.Warnings())
		}
	}
}

// TestEasyAccountPassword: the sample's is refused by check, others are warned of, and all are used: the bell
// rings through the account.
func TestEasyAccountPassword(t *testing.T) {
	for password, want := range map[string]Severity{"a-long-random-password": Unsafe, "doorbell2": Warning, "Password1": Warning} {
		c := mustParse(t, strings.Replace(good, "secret-of-the-account", password, 1))
		told := c.Warnings().Of(want)
		if len(told) != 1 || told[0].Key != "account[0].password" || told[0].Line != 6 || told[0].Remedy == "" ||
			string(c.Accounts[0].Password) != password {
			t.Errorf("%s: %v", password, told)
		}
	}
	dir := t.TempDir()
	secret, path := filepath.Join(dir, "secret"), filepath.Join(dir, "portero.toml")
	write(t, secret, "a-long-random-password\n", 0o600)
	write(t, path, strings.Replace(good, `password = "secret-of-the-account"`, fmt.Sprintf("password_file = %q", secret), 1), 0o600)
	if c, err := Load(path); err != nil || len(c.Warnings().Of(Unsafe)) != 1 {
		t.Errorf("in a file of its own: %v, %v", c.Warnings(), err)
	}
	write(t, secret, "kettle-on-8-oclock\n", 0o602)
	if c, err := Load(path); err != nil || len(c.Warnings().Of(Unsafe)) != 1 ||
		c.Warnings().Of(Unsafe)[0].Key != "account[0].password_file" {
		t.Errorf("a file that everybody can write: %v, %v", c.Warnings(), err)
	}
}

// TestWritableFile: what everybody could have written rings, but opens no door by code or caller and lets
// nobody listen in, also in the snapshot of its station.
func TestWritableFile(t *testing.T) {
	const callers = `[incoming]
auto_answer = true
[[incoming.allow]]
from = "sip:kitchen@portero.local"
source = "server"
auto_answer = true
may_open = true
`
	path := filepath.Join(t.TempDir(), "portero.toml")
	for mode, open := range map[os.FileMode]bool{0o666: true, 0o602: true, 0o664: false, 0o620: false} {
		write(t, path, good+sensors+callers, mode)
		loaded, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		restored, err := Restore(loaded.Snapshot())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []*Config{loaded, restored} {
			told := c.Warnings().Of(Unsafe)
			if (len(told) == 1) != open || open && (told[0].Line != 0 || !strings.Contains(told[0].Remedy, "chmod o-rwx")) {
				t.Errorf("mode %o: %v", mode, told)
			}
			caller := c.Incoming.Allow[0]
			if (len(c.Codes) == 0) != open || caller.MayOpen == open || caller.AutoAnswer == open || c.Incoming.AutoAnswer == open {
				t.Errorf("mode %o: codes %v, %+v", mode, c.Codes, c.Incoming)
			}
			if len(c.Bells) != 2 || len(c.Doors) != 2 || c.Inputs[0].Kind != REX || c.Server.Users[0].Password == "" {
				t.Errorf("mode %o: %+v", mode, c)
			}
		}
	}
}

// TestOnceGoodIsIgnored: values that an earlier version took cost themselves and not the station.
func TestOnceGoodIsIgnored(t *testing.T) {
	for from, to := range map[string]string{
		"version = 1":            "version = 1\n[audio]\nring_back = \"sk\"",
		`["kitchen", "**9"]`:     `["kitchen", "sip:50%@192.168.1.7"]`,
		`"sip:192.168.1.9:5060"`: `"sip:50%zz@192.168.1.7", "sip:192.168.1.9:5060"`,
	} {
		c := mustParse(t, strings.Replace(good, from, to, 1))
		if told := c.Warnings().Of(Ignored); len(told) != 1 || told[0].Line == 0 || told[0].Remedy == "" {
			t.Errorf("%s: %v", to, c.Warnings())
		}
	}
}
