package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}

func TestLoadWarnsOfReadableSecrets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "door.toml")
	for mode, want := range map[os.FileMode]int{0o644: 1, 0o640: 0, 0o600: 0} {
		write(t, path, good, mode)
		c, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, f := range c.Warnings() {
			if strings.Contains(f.Problem, "every user") {
				n++
				if f.Severity != Warning || f.File != "door.toml" || !strings.Contains(f.Remedy, "chmod") {
					t.Errorf("%+v", f)
				}
			}
		}
		if n != want {
			t.Errorf("mode %o: %d warnings, want %d", mode, n, want)
		}
	}
	write(t, path, string(Sample), 0o644)
	if c, err := Load(path); err != nil || strings.Contains(c.Warnings().Error(), "every user") {
		t.Errorf("a file without secrets: %v", err)
	}
}

func TestLoadErrors(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "absent.toml")); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "config: read ") {
		t.Errorf("%v", err)
	}
	if _, err := Load(t.TempDir()); err == nil {
		t.Error("a directory is taken")
	}
}

func TestPasswordFile(t *testing.T) {
	dir := t.TempDir()
	path, secret := filepath.Join(dir, "portero.toml"), filepath.Join(dir, "secret")
	write(t, path, strings.Replace(good, `password = "secret-of-the-account"`, `password_file = "`+secret+`"`, 1), 0o600)
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "portero.toml:6: account[0].password_file") {
		t.Errorf("absent: %v", err)
	}
	write(t, secret, "from the file\n", 0o600)
	if c, err := Load(path); err != nil || c.Accounts[0].Password != "from the file" {
		t.Errorf("%v", err)
	}
	write(t, secret, "from the file\n", 0o644)
	if c, err := Load(path); err != nil || !strings.Contains(c.Warnings().Error(), "every user of this machine can read it") {
		t.Errorf("%v", err)
	}
	for _, text := range []string{"", "\n", "two\nlines\n"} {
		write(t, secret, text, 0o600)
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "not one line") || strings.Contains(err.Error(), "two") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestChimeFile(t *testing.T) {
	dir := t.TempDir()
	path, wav := filepath.Join(dir, "portero.toml"), filepath.Join(dir, "gong.wav")
	write(t, path, strings.Replace(good, `name = "back"`, "name = \"back\"\nchime = \""+wav+`"`, 1), 0o600)
	c, err := Load(path)
	if err != nil || !strings.Contains(c.Warnings().Error(), "bell[1].chime") {
		t.Errorf("the bell must ring without its chime: %v", err)
	}
	write(t, wav, "x", 0o600)
	if c, err = Load(path); err != nil || strings.Contains(c.Warnings().Error(), "chime") {
		t.Errorf("%v", err)
	}
}

// TestSnapshot: a configuration comes back whole when neither its file nor its password's can be read any
// more.
func TestSnapshot(t *testing.T) {
	dir := t.TempDir()
	password, path := filepath.Join(dir, "password"), filepath.Join(dir, "portero.toml")
	text := strings.Replace(good, `password = "secret-of-the-account"`, fmt.Sprintf("password_file = %q", password), 1)
	for file, content := range map[string]string{password: "long-and-secret\n", path: text} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	got, err := Restore(want.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	if string(*got.source) != string(*want.source) {
		t.Error("the restored source differs")
	}
	got.source, got.warnings = want.source, want.warnings
	if !reflect.DeepEqual(got, want) || got.Accounts[0].Password != "long-and-secret" {
		t.Errorf("restored\n%+v\nwant\n%+v", got, want)
	}
	if Default().Snapshot() != nil {
		t.Error("a snapshot of what no file says")
	}
	if _, err := Restore([]byte("{")); err == nil {
		t.Error("half a snapshot was restored")
	}
}
