package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBillOfPortero bills the real binary.
func TestBillOfPortero(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it builds the program")
	}
	path := filepath.Join(t.TempDir(), "portero")
	build := exec.Command("go", "build", "-o", path, "portero/cmd/portero")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := read(path, "1.2.3", "../../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	licences := map[string]string{}
	for _, m := range b.modules {
		licences[m.path] = m.licence
	}
	for path, want := range map[string]string{"std": "BSD-3-Clause", "github.com/pion/rtp": "MIT", "periph.io/x/host/v3": "Apache-2.0"} {
		if licences[path] != want {
			t.Errorf("licence of %s: %q, want %q", path, licences[path], want)
		}
	}

	var notices bytes.Buffer
	if err := b.notices(&notices); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"github.com/pion/rtp", "The Pion community", "Copyright 2009 The Go Authors", "Apache License"} {
		if !strings.Contains(notices.String(), want) {
			t.Errorf("the notices lack %q", want)
		}
	}

	var first, again bytes.Buffer
	if err := b.spdx(&first, time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	if err := b.spdx(&again, time.Unix(1e9, 0).In(time.FixedZone("", 3600))); err != nil || first.String() != again.String() {
		t.Errorf("the second document differs (%v)", err)
	}
	var doc spdxDocument
	if err := json.Unmarshal(first.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{doc.ID: true}
	for _, p := range doc.Packages {
		if ids[p.ID] {
			t.Errorf("two elements are %s", p.ID)
		}
		ids[p.ID] = true
		if len(p.Checksums) == 0 && !strings.HasPrefix(p.Comment, "go.sum h1:") && p.Name != "std" {
			t.Errorf("%s has no sum", p.Name)
		}
	}
	for _, r := range doc.Relationships {
		if !ids[r.Element] || !ids[r.Related] {
			t.Errorf("%+v relates what is not there", r)
		}
	}
	if len(doc.Packages) != len(b.modules)+1 || doc.CreationInfo.Created != "2001-09-09T01:46:40Z" {
		t.Errorf("%d packages of %s", len(doc.Packages), doc.CreationInfo.Created)
	}
}

func TestUnknownLicenceIsRefused(t *testing.T) {
	dir := t.TempDir()
	m := module{path: "example.org/x", version: "v1.0.0"}
	if err := m.readTexts(dir); !errors.Is(err, errNoLicence) {
		t.Errorf("no licence at all: %v", err)
	}
	gpl := "GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\n"
	if err := os.WriteFile(filepath.Join(dir, "COPYING"), []byte(gpl), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := m.readTexts(dir); !errors.Is(err, errNoLicence) {
		t.Errorf("GPL: %v", err)
	}
}

func TestClassify(t *testing.T) {
	bsd := "Redistribution and use in source and binary\nforms, with or without modification"
	for body, want := range map[string]string{
		"Apache License\n   Version 2.0, January 2004":                                  "Apache-2.0",
		"Permission is hereby granted, free of\ncharge, to any person obtaining a copy": "MIT",
		bsd + " ... Neither the name of Google":                                         "BSD-3-Clause",
		bsd:                                                                             "BSD-2-Clause",
		bsd + " All advertising materials mentioning":                                   "",
		"Permission to use, copy, modify, and/or distribute this software for any purpose with": "ISC",
		"All rights reserved.": "",
	} {
		if got := classify(body); got != want {
			t.Errorf("classify(%q) = %q, want %q", body, got, want)
		}
	}
}
