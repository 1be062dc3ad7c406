package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// binary is what is billed.
type binary struct {
	name, version, goarch string
	licence               string // SPDX identifier
	sum                   [sha256.Size]byte
	modules               []module // sorted by path; the first is Go's standard library
}

// module is a part of the binary that others wrote.
type module struct {
	path, version string
	sum           string // of go.sum, "h1:..."; "" for the standard library
	licence       string // SPDX identifier
	texts         []text
}

// text is a licence or a notice, word by word.
type text struct{ file, body string }

// read lists the modules that the linker put into the binary: fewer than go.mod names.
func read(path, version, licence string) (*binary, error) {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the modules of %q: %w", path, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	own, err := os.ReadFile(licence)
	if err != nil {
		return nil, err
	}
	b := &binary{name: info.Main.Path, version: version, licence: classify(string(own)), sum: sha256.Sum256(data)}
	if b.licence == "" {
		return nil, fmt.Errorf("%s: not a licence that is known", licence)
	}
	for _, s := range info.Settings {
		if s.Key == "GOARCH" {
			b.goarch = s.Value
		}
	}
	if info.GoVersion != runtime.Version() {
		return nil, fmt.Errorf("%q was built by %s, its licence is read from %s", path, info.GoVersion, runtime.Version())
	}
	goroot, err := goCommand("env", "GOROOT")
	if err != nil {
		return nil, err
	}
	std := module{path: "std", version: info.GoVersion}
	if err := std.readTexts(strings.TrimSpace(string(goroot))); err != nil {
		return nil, err
	}
	b.modules = append(b.modules, std)
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			return nil, fmt.Errorf("%s is replaced by %s: a release is built of published modules", dep.Path, dep.Replace.Path)
		}
		m := module{path: dep.Path, version: dep.Version, sum: dep.Sum}
		dir, err := moduleDir(dep.Path, dep.Version)
		if err != nil {
			return nil, err
		}
		if err := m.readTexts(dir); err != nil {
			return nil, err
		}
		b.modules = append(b.modules, m)
	}
	return b, nil
}

func goCommand(args ...string) ([]byte, error) {
	cmd := exec.Command("go", args...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, complaint.String())
	}
	return out, nil
}

// moduleDir finds a module in the module cache, and downloads it when it is not there.
func moduleDir(path, version string) (string, error) {
	out, err := goCommand("mod", "download", "-json", path+"@"+version)
	if err != nil {
		return "", err
	}
	var at struct{ Dir string }
	if err := json.Unmarshal(out, &at); err != nil {
		return "", fmt.Errorf("go mod download %s@%s: %w", path, version, err)
	}
	return at.Dir, nil
}

var textFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|copyright|notice|patents)([.-].*)?$`)

// readTexts takes the licence and all notices from the module's top folder.
func (m *module) readTexts(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() || !textFile.MatchString(e.Name()) {
			continue
		}
		body, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		m.texts = append(m.texts, text{e.Name(), strings.TrimRight(string(body), "\n") + "\n"})
		if id := classify(string(body)); id != "" && m.licence != "" && id != m.licence {
			m.licence += " AND " + id
		} else if id != "" {
			m.licence = id
		}
	}
	if m.licence == "" {
		return fmt.Errorf("%s %s: %w in %s", m.path, m.version, errNoLicence, dir)
	}
	return nil
}

var errNoLicence = errors.New("no licence that is known")

// classify returns the SPDX identifier of a licence text, "" when it is none of those that may be linked into the binary.
func classify(body string) string {
	words := strings.Join(strings.Fields(body), " ")
	has := func(phrase string) bool { return strings.Contains(words, phrase) }
	switch {
	case has("Apache License") && has("Version 2.0, January 2004"):
		return "Apache-2.0"
	case has("Permission is hereby granted, free of charge, to any person obtaining a copy"):
		return "MIT"
	case has("Redistribution and use in source and binary forms") && has("Neither the name"):
		return "BSD-3-Clause"
	case has("Redistribution and use in source and binary forms") && !has("advertising materials"):
		return "BSD-2-Clause"
	case has("Permission to use, copy, modify, and/or distribute this software"):
		return "ISC"
	}
	return ""
}
