package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// commented is a setting that the sample shows but does not set: "#" directly before a key or a header.
var commented = regexp.MustCompile(`(?m)^#([a-z\[])`)

func TestSampleIsDefault(t *testing.T) {
	c, err := Parse(Sample)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.source, want.warnings = c.source, c.warnings
	if !reflect.DeepEqual(c, want) {
		t.Errorf("the sample decodes to\n%+v\nDefault is\n%+v", c, want)
	}
}

func TestSampleUncommentedIsAStation(t *testing.T) {
	text := commented.ReplaceAllString(string(Sample), "$1")
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Warnings() {
		if f.Severity == Warning && f.Key != "server.user[0]" { // an account switches the built-in server off
			t.Errorf("warning: %v", f)
		}
	}
	// Its secrets are none: strangers can read them here.
	for i, key := range []string{"account[0].password", "server.user[0].password", "code[0].code"} {
		unsafe := c.Warnings().Of(Unsafe)
		if len(unsafe) != 3 || unsafe[i].Key != key || !strings.Contains(unsafe[i].Problem, "the sample's own") ||
			unsafe[i].Remedy == "" {
			t.Errorf("%s: %v", key, unsafe)
		}
	}
	if len(c.Codes) != 0 || c.Server.Users[0].Password != "" {
		t.Errorf("codes %+v, users %+v", c.Codes, c.Server.Users)
	}
	var account Account
	var bell Bell
	var door Door
	var input Input
	lamp := Lamp{Name: "ready", Line: "GPIO24", Shows: ShowsReady}
	account.setDefaults()
	input.setDefaults()
	bell.setDefaults()
	door.setDefaults()
	// What is not in the defaults has to be filled in by the owner; all else must show its default.
	account.Name, account.Server, account.User, account.Password = "home", "fritz.box", "doorbell", c.Accounts[0].Password
	bell.Name, bell.Line, bell.Targets = "front", "GPIO17", []string{"kitchen"}
	door.Name, door.Line = "front", "GPIO27"
	input.Name, input.Kind, input.Line, input.Door = "front contact", Contact, "GPIO23", "front"
	if !reflect.DeepEqual(c.Inputs, []Input{input}) {
		t.Errorf("input %+v\nwant %+v", c.Inputs, input)
	}
	if !reflect.DeepEqual(c.Lamps, []Lamp{lamp}) {
		t.Errorf("lamp %+v\nwant %+v", c.Lamps, lamp)
	}
	if !reflect.DeepEqual(c.Accounts, []Account{account}) {
		t.Errorf("account %+v\nwant %+v", c.Accounts, account)
	}
	if !reflect.DeepEqual(c.Bells, []Bell{bell}) {
		t.Errorf("bell %+v\nwant %+v", c.Bells, bell)
	}
	if !reflect.DeepEqual(c.Doors, []Door{door}) {
		t.Errorf("door %+v\nwant %+v", c.Doors, door)
	}
}

func TestSampleNamesEveryField(t *testing.T) {
	text := commented.ReplaceAllString(string(Sample), "$1")
	d := parseDocument("sample.toml", []byte(text))
	if len(d.faults) > 0 {
		t.Fatal(d.faults)
	}
	comments := strings.Split(text, "\n")
	n := 0
	var walk func(at string, ty reflect.Type)
	walk = func(at string, ty reflect.Type) {
		for i := range ty.NumField() {
			f := ty.Field(i)
			tag := f.Tag.Get("toml")
			if tag == "" {
				if f.IsExported() {
					t.Errorf("%s.%s has no key", ty, f.Name)
				}
				continue
			}
			key, inner := join(at, tag), f.Type
			if inner.Kind() == reflect.Slice && inner.Elem().Kind() == reflect.Struct {
				key, inner = key+"[0]", inner.Elem()
			}
			line, ok := d.lines[key]
			if !ok {
				t.Errorf("the sample lacks %s", key)
				continue
			}
			n++
			if inner.Kind() == reflect.Struct {
				walk(key, inner)
				continue
			}
			// password_file shares password's comment.
			if above := comments[line-2]; !strings.HasPrefix(above, "# ") && tag != "password_file" && !strings.HasPrefix(above, "#   ") {
				t.Errorf("line %d: %s has no comment above it", line, key)
			}
		}
	}
	walk("", reflect.TypeFor[Config]())
	if n < 95 {
		t.Errorf("only %d keys looked at", n)
	}
}

// TestEarlierSamples: a file that was right for an earlier version is the same station now, as new keys are
// optional and default to what was; with every comment sign before a key removed as well as without.
func TestEarlierSamples(t *testing.T) {
	files, err := filepath.Glob("testdata/sample-*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, edit := range []func([]byte) []byte{
			func(b []byte) []byte { return b },
			func(b []byte) []byte { return commented.ReplaceAll(b, []byte("$1")) },
		} {
			then, now := mustParse(t, string(edit(src))), mustParse(t, string(edit(Sample)))
			now.source, now.warnings, then.source, then.warnings = nil, nil, nil, nil
			if !reflect.DeepEqual(then, now) {
				t.Errorf("%s is\n%+v\nnow\n%+v", file, then, now)
			}
		}
	}
}
