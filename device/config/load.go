package config

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"unicode/utf8"
)

// Sample is the manual: a portero.toml that explains each key. As it is, it decodes to Default.
//
//go:embed sample.toml
var Sample []byte

const maxFile = 64 << 10 // bytes: five times the sample; go-toml takes quadratic time for the keys of one table

// Parse reads the text of a portero.toml. The error is a [Faults] with all that is wrong, warnings included.
// It reads no password_file and does not look at the chime's.
func Parse(src []byte) (*Config, error) {
	c, d := parse("portero.toml", src)
	return finish(c, d)
}

// Load reads the file, and the files it names. The error is a [Faults], or says why the file cannot be read.
func Load(path string) (*Config, error) {
	src, mode, err := readFile(path, maxFile)
	if err != nil {
		return nil, fmt.Errorf("config: read %q: %w", path, err)
	}
	c, d := parse(filepath.Base(path), src)
	if c != nil {
		if mode&0o004 != 0 && c.hasSecrets() {
			d.add(Fault{Severity: Warning, Problem: "every user of this machine can read the passwords and codes in it",
				Remedy: fmt.Sprintf("chmod o-rwx %s", path)})
		}
		d.readPasswords(c, readFile)
		d.lookForChimes(c)
	}
	return finish(c, d)
}

// snapshot is a configuration that needs no file.
type snapshot struct {
	Source    string            `json:"source"`
	Passwords map[string]string `json:"passwords"` // by password_file
}

// Snapshot is c with the files that it names, for [Restore]: it is as secret as they are. It is nil where c
// was not read from a file.
func (c *Config) Snapshot() []byte {
	if c.source == nil {
		return nil
	}
	s := snapshot{Source: string(*c.source), Passwords: map[string]string{}}
	for _, a := range c.Accounts {
		if a.PasswordFile != "" {
			s.Passwords[a.PasswordFile] = string(a.Password)
		}
	}
	data, err := json.Marshal(s)
	if err != nil { // strings alone
		panic("config: snapshot: " + err.Error())
	}
	return data
}

// Restore gives the configuration of a Snapshot.
func Restore(data []byte) (*Config, error) {
	var s snapshot
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("config: restore: %w", err)
	}
	c, d := parse("portero.toml", []byte(s.Source))
	if c != nil {
		d.readPasswords(c, func(path string, _ int64) ([]byte, os.FileMode, error) {
			password, ok := s.Passwords[path]
			if !ok {
				return nil, 0, fs.ErrNotExist
			}
			return []byte(password), 0o600, nil
		})
	}
	return finish(c, d)
}

func finish(c *Config, d *document) (*Config, error) {
	d.faults.sort()
	if c == nil || d.faults.Fatal() {
		return nil, d.faults
	}
	c.warnings = d.faults
	return c, nil
}

// parse returns a nil Config where nothing could be decoded.
func parse(file string, src []byte) (*Config, *document) {
	if len(src) > maxFile || !utf8.Valid(src) {
		d := &document{file: file}
		d.add(Fault{Problem: "not a text file in UTF-8 of at most 64 kB", Remedy: `save it as UTF-8, or start from "portero config"`})
		return nil, d
	}
	src = []byte(strings.TrimPrefix(string(src), "\ufeff")) // Windows editors write a byte order mark
	d := parseDocument(file, src)
	if d.tree == nil {
		return nil, d
	}
	if !d.migrate(migrations) {
		return nil, d
	}
	c := Default()
	c.source = &src
	d.bind("", d.tree, reflect.ValueOf(c).Elem())
	d.validate(c)
	return c, d
}

// migrations[i] turns a tree of version i+1 into one of version i+2. It may move keys: their faults then name
// the new place, and the line of what is around it.
var migrations = []func(tree map[string]any){}

// migrate brings the tree to the version that Config holds. It returns false when the file's version is
// unknown.
func (d *document) migrate(steps []func(map[string]any)) bool {
	current := int64(len(steps) + 1)
	value, ok := d.tree["version"]
	version, isInt := value.(int64)
	switch {
	case d.bad["version"]:
		return true
	case !ok:
		d.report(Fault{Line: 1, Key: "version", Problem: "missing", Remedy: fmt.Sprintf("write version = %d at the top of the file", current)})
		return true
	case !isInt || version < 1:
		d.report(Fault{Key: "version", Value: shown(value), Problem: "not a version of this file",
			Remedy: fmt.Sprintf("write version = %d", current)})
		return true
	case version > current:
		d.report(Fault{Key: "version", Value: shown(value),
			Problem: fmt.Sprintf("written for a later Portero; this one knows versions up to %d", current),
			Remedy:  "install that Portero, or start anew from \"portero config\""})
		return false
	}
	for _, step := range steps[version-1:] {
		step(d.tree)
	}
	d.tree["version"] = current
	return true
}

func (c *Config) hasSecrets() bool {
	for _, a := range c.Accounts {
		if a.Password != "" {
			return true
		}
	}
	return len(c.Server.Users) > 0 || len(c.Codes) > 0
}

func (d *document) readPasswords(c *Config, read func(path string, limit int64) ([]byte, os.FileMode, error)) {
	for i := range c.Accounts {
		a := &c.Accounts[i]
		if a.PasswordFile == "" || a.Password != "" {
			continue
		}
		key := fmt.Sprintf("account[%d].password_file", i)
		data, mode, err := read(a.PasswordFile, 4096)
		if err != nil {
			d.report(Fault{Key: key, Value: shown(a.PasswordFile), Problem: err.Error(), Remedy: "create it, readable by the user Portero runs as"})
			continue
		}
		a.Password = Secret(strings.TrimRight(string(data), "\r\n"))
		if a.Password == "" || strings.ContainsAny(string(a.Password), "\r\n") {
			d.report(Fault{Key: key, Value: shown(a.PasswordFile), Problem: "not one line of text", Remedy: "write the password alone into it"})
		}
		if mode&0o004 != 0 {
			d.report(Fault{Severity: Warning, Key: key, Value: shown(a.PasswordFile), Problem: "every user of this machine can read it",
				Remedy: "chmod o-rwx " + a.PasswordFile})
		}
	}
}

func (d *document) lookForChimes(c *Config) {
	for i, b := range c.Bells {
		if !strings.HasSuffix(b.Chime, ".wav") {
			continue
		}
		if f, err := os.Open(b.Chime); err != nil {
			d.report(Fault{Severity: Warning, Key: fmt.Sprintf("bell[%d].chime", i), Value: shown(b.Chime), Problem: err.Error(),
				Remedy: `the bell chimes ding-dong instead; copy the file there, or write "ding-dong"`})
		} else {
			f.Close()
		}
	}
}

func readFile(path string, limit int64) ([]byte, os.FileMode, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("larger than %d bytes", limit)
	}
	return data, fi.Mode(), err
}
