package config

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
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
		return nil, fmt.Errorf("config: read %q: %w; %s", path, err, readRemedy(path, err))
	}
	c, d := parse(filepath.Base(path), src)
	if c != nil {
		switch {
		case mode.IsRegular() && mode&0o002 != 0:
			d.writable(c, path)
		case mode&0o004 != 0 && c.hasSecrets():
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
	Anybodys  bool              `json:"anybodys"`  // everybody could write the file
}

// Snapshot is c with the files that it names, for [Restore]: it is as secret as they are. It is nil where c
// was not read from a file.
func (c *Config) Snapshot() []byte {
	if c.source == nil {
		return nil
	}
	s := snapshot{Source: string(*c.source), Passwords: map[string]string{}, Anybodys: c.anybodys}
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
		if s.Anybodys {
			d.writable(c, "portero.toml")
		}
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
	c.withoutUnsafe()
	return c, nil
}

// writable reports a file that everybody can write.
func (d *document) writable(c *Config, path string) {
	c.anybodys = true
	d.add(Fault{Severity: Unsafe, Problem: "every user of this machine can change it; no code opens a door, and " +
		"no caller opens one or is answered by itself", Remedy: "look through it, then: chmod o-rwx " + path})
}

// withoutUnsafe takes out of c what strangers could open the door by or listen in with: it is not there to be
// asked. Bells and the buttons inside stay.
func (c *Config) withoutUnsafe() {
	unsafe := map[string]bool{}
	for _, f := range c.warnings.Of(Unsafe) {
		unsafe[f.Key] = true
	}
	var codes []Code
	for i, code := range c.Codes {
		if !unsafe[fmt.Sprintf("code[%d].code", i)] && !c.anybodys {
			codes = append(codes, code)
		}
	}
	c.Codes = codes
	for i := range c.Server.Users {
		if unsafe[fmt.Sprintf("server.user[%d].password", i)] {
			c.Server.Users[i].Password = ""
		}
	}
	if c.anybodys {
		c.Incoming.AutoAnswer = false
		for i := range c.Incoming.Allow {
			c.Incoming.Allow[i].AutoAnswer, c.Incoming.Allow[i].MayOpen = false, false
		}
	}
}

// parse returns a nil Config where nothing could be decoded.
func parse(file string, src []byte) (*Config, *document) {
	if f, ok := isText(src); !ok {
		d := &document{file: file}
		d.add(f)
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

// isText says whether src is a text of a reasonable size, or why not.
func isText(src []byte) (why Fault, ok bool) {
	const encoding = `save it as UTF-8 (the editor's "Save as" has the encoding)`
	switch {
	case len(src) > maxFile:
		return Fault{Problem: "larger than 64 kB", Remedy: `start from "portero config"`}, false
	case bytes.HasPrefix(src, []byte("\xff\xfe")), bytes.HasPrefix(src, []byte("\xfe\xff")):
		return Fault{Problem: `saved as UTF-16, which Windows calls "Unicode"`, Remedy: encoding}, false
	}
	for i, line := range bytes.Split(src, []byte{'\n'}) {
		if !utf8.Valid(line) {
			return Fault{Line: i + 1, Problem: "a letter that is not UTF-8: an umlaut or accent saved by Windows (\"ANSI\")?",
				Remedy: encoding + ", or type that letter anew"}, false
		}
	}
	return Fault{}, true
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
			remedy := "create it, readable by the user portero: chgrp portero, chmod 640"
			if errors.Is(err, syscall.EISDIR) {
				remedy = "name a file in this folder"
			}
			d.report(Fault{Key: key, Value: shown(a.PasswordFile), Problem: reason(err), Remedy: remedy})
			continue
		}
		a.Password = Secret(strings.TrimRight(string(data), "\r\n"))
		if a.Password == "" || strings.ContainsAny(string(a.Password), "\r\n") {
			d.report(Fault{Key: key, Value: shown(a.PasswordFile), Problem: "not one line of text", Remedy: "write the password alone into it"})
		}
		switch closed := "chmod o-rwx " + a.PasswordFile; {
		case mode&0o002 != 0:
			d.report(Fault{Severity: Unsafe, Key: key, Value: shown(a.PasswordFile),
				Problem: "every user of this machine can change it, and so silence the bell", Remedy: closed})
		case mode&0o004 != 0:
			d.report(Fault{Severity: Warning, Key: key, Value: shown(a.PasswordFile), Problem: "every user of this machine can read it",
				Remedy: closed})
		}
		d.accountPassword(a, key)
	}
}

func (d *document) lookForChimes(c *Config) {
	for i, b := range c.Bells {
		if !strings.HasSuffix(b.Chime, ".wav") {
			continue
		}
		if f, err := os.Open(b.Chime); err != nil {
			d.report(Fault{Severity: Warning, Key: fmt.Sprintf("bell[%d].chime", i), Value: shown(b.Chime), Problem: reason(err),
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

// readRemedy says what to do about a file that cannot be read.
func readRemedy(path string, err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if dir := filepath.Dir(path); !isDir(dir) {
			return fmt.Sprintf("there is no folder %q either: name the file with -config", dir)
		}
		return fmt.Sprintf("name the file with -config, or begin one: portero config > %s", path)
	case errors.Is(err, fs.ErrPermission):
		dir := filepath.Dir(path)
		return fmt.Sprintf("read it as the station does, with sudo -u portero portero ..., or, if the station cannot: "+
			"sudo chgrp portero %s %s; sudo chmod 750 %s; sudo chmod 640 %s", dir, path, dir, path)
	case errors.Is(err, syscall.EISDIR):
		return fmt.Sprintf("name the file in this folder: %q", filepath.Join(path, "portero.toml"))
	}
	return "is the medium in order?"
}

// reason is an error of the file system without the path, which stands before it.
func reason(err error) string {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err.Error()
	}
	return err.Error()
}

func isDir(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.IsDir() || errors.Is(err, fs.ErrPermission)
}
