package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// settings writes each key of a configuration with its value, `bell[0].line = "GPIO17"`; secrets as text.
func settings(at string, v reflect.Value) (out []string) {
	switch {
	case v.Type() == someType && v.Len() < 2: // what was one text once
		out = append(out, fmt.Sprintf("%s = %q", at, strings.Join(v.Interface().(OneOrMore), "")))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if tag := v.Type().Field(i).Tag.Get("toml"); tag != "" {
				out = append(out, settings(join(at, tag), v.Field(i))...)
			}
		}
	case v.Kind() == reflect.Slice:
		out = append(out, fmt.Sprintf("%s: %d", at, v.Len()))
		for i := range v.Len() {
			out = append(out, settings(fmt.Sprintf("%s[%d]", at, i), v.Index(i))...)
		}
	case v.Type() == secretType:
		out = append(out, fmt.Sprintf("%s = %q", at, v.String()))
	case v.Kind() == reflect.String:
		out = append(out, fmt.Sprintf("%s = %q", at, v.String()))
	default:
		out = append(out, fmt.Sprintf("%s = %v", at, v.Interface()))
	}
	return out
}

// TestEarlierStations: each key of a whole station of an earlier version means what it meant then, as written
// down by that version; those that came later are added.
func TestEarlierStations(t *testing.T) {
	files, err := filepath.Glob("testdata/station-*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		golden, err := os.ReadFile(strings.TrimSuffix(file, "toml") + "txt")
		if err != nil {
			t.Fatal(err)
		}
		c := mustParse(t, string(src))
		now := settings("", reflect.ValueOf(*c))
		then := strings.Split(strings.TrimSpace(string(golden)), "\n")
		if len(then) < 100 {
			t.Errorf("%s: only %d keys then", file, len(then))
		}
		for _, line := range then {
			if !slices.Contains(now, line) {
				t.Errorf("%s: then %s", file, line)
			}
		}
		if off := c.Warnings().Of(Error, Unsafe); len(off) != 0 {
			t.Errorf("%s: %v", file, off)
		}
	}
}
