package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeptOutputs(t *testing.T) {
	for _, c := range []struct {
		kept, known bool
		where, want string
	}{
		{true, true, "/sys/x",
			"stays on until Portero or `portero release` lets it go; dtparam=strict_gpiod"},
		{false, true, "/sys/x", "an input at once"},
		{false, false, "/sys/x", "does not tell whether it keeps outputs (/sys/x): count on a relay"},
		{false, false, "", "no Raspberry Pi header"},
	} {
		if got := keptOutputs(c.kept, c.known, c.where); !strings.HasPrefix(got, "info: ") ||
			!strings.Contains(got, c.want) {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// TestCheckOffline: the file may be an argument; offline no server is asked; and what the station has already
// is no fault, as a reload takes it too.
func TestCheckOffline(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "portero.toml")
	registrar := peer(t, "403 Forbidden")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.Replace(fmt.Sprintf(runConfig, dir), "[[bell]]",
		fmt.Sprintf("[[account]]\nname = \"home\"\nserver = %q\nuser = \"61\"\npassword = \"of the account\"\n[[bell]]", registrar), 1)
	write(file, text)
	check := func(want int, said string, args ...string) {
		t.Helper()
		if code, out, errs := status(t, append([]string{"check"}, args...)...); code != want || !strings.Contains(out, said) {
			t.Errorf("check %v: exit %d, want %d and %q\n%s%s", args, code, want, said, out, errs)
		}
	}
	check(1, `portero.toml: account[0] "home": `+registrar+` takes no user "61" (403 Forbidden)`, file)
	check(0, "is good", "-offline", file)
	check(0, "is good", "-offline", "-config", file)
	check(0, "is good", file, "-offline")
	unsafe := strings.Replace(text, `"GPIO27"`, `"GPIO14"`, 1)
	write(file, unsafe)
	check(1, "unsafe: door[0].line", "-offline", file)
	write(filepath.Join(dir, "last-good.toml"), unsafe)
	check(0, "unsafe: door[0].line", "-offline", file)
	check(1, "unsafe: door[0].line", file)
	write(file, strings.Replace(text, `"GPIO27"`, `"GPIO15"`, 1))
	check(1, "unsafe: door[0].line", "-offline", file)
	write(file, strings.Replace(text, `line = "GPIO27"`, "line = \"GPIO14\"\nactive_low = true", 1))
	check(1, "unsafe: door[0].line", "-offline", file)
	write(file, strings.Replace(text, `"none"`, `"no such card"`, 1))
	check(1, "audio.card", "-offline", file)
	write(filepath.Join(dir, "last-good.toml"), strings.Replace(text, `"none"`, `"no such card"`, 1))
	check(0, "warning: audio.card", "-offline", file)
	if code, _, errs := status(t, "check", file, "and", "more"); code != 1 || !strings.Contains(errs, `unexpected argument "and"`) {
		t.Errorf("exit %d: %s", code, errs)
	}
}
