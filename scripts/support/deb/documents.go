package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// notices writes every licence and notice of the modules.
func (b *binary) notices(w io.Writer) error {
	var all strings.Builder
	fmt.Fprintf(&all, "%s %s is linked with the parts below. Each is under its own licence, which follows word by word.\n\n", b.name, b.version)
	for _, m := range b.modules {
		fmt.Fprintf(&all, "  %-40s %-12s %s\n", m.title(), m.version, m.licence)
	}
	for _, m := range b.modules {
		for _, t := range m.texts {
			fmt.Fprintf(&all, "\n%s\n%s %s, %s\n%[1]s\n\n%[5]s", strings.Repeat("=", 78), m.title(), m.version, t.file, t.body)
		}
	}
	_, err := io.WriteString(w, all.String())
	return err
}

func (m module) title() string {
	if m.path == "std" {
		return "the Go standard library"
	}
	return m.path
}

// The document of SPDX 2.3, as far as it is used here.
type (
	spdxDocument struct {
		Version           string             `json:"spdxVersion"`
		DataLicense       string             `json:"dataLicense"`
		ID                string             `json:"SPDXID"`
		Name              string             `json:"name"`
		DocumentNamespace string             `json:"documentNamespace"`
		CreationInfo      spdxCreation       `json:"creationInfo"`
		Packages          []spdxPackage      `json:"packages"`
		Relationships     []spdxRelationship `json:"relationships"`
	}
	spdxCreation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	}
	spdxPackage struct {
		ID               string         `json:"SPDXID"`
		Name             string         `json:"name"`
		Version          string         `json:"versionInfo"`
		DownloadLocation string         `json:"downloadLocation"`
		FilesAnalyzed    bool           `json:"filesAnalyzed"`
		Purpose          string         `json:"primaryPackagePurpose"`
		LicenseConcluded string         `json:"licenseConcluded"`
		LicenseDeclared  string         `json:"licenseDeclared"`
		CopyrightText    string         `json:"copyrightText"`
		Comment          string         `json:"comment,omitempty"`
		Checksums        []spdxChecksum `json:"checksums,omitempty"`
		ExternalRefs     []spdxRef      `json:"externalRefs,omitempty"`
	}
	spdxChecksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	spdxRef struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	spdxRelationship struct {
		Element string `json:"spdxElementId"`
		Type    string `json:"relationshipType"`
		Related string `json:"relatedSpdxElement"`
	}
)

var notSPDXID = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// spdx writes the bill of materials. A module's sum of go.sum is a comment: it hashes the list of files, not the zip that SPDX means.
func (b *binary) spdx(w io.Writer, created time.Time) error {
	sum := hex.EncodeToString(b.sum[:])
	doc := spdxDocument{
		Version: "SPDX-2.3", DataLicense: "CC0-1.0", ID: "SPDXRef-DOCUMENT",
		Name:              fmt.Sprintf("%s-%s-linux-%s", b.name, b.version, b.goarch),
		DocumentNamespace: fmt.Sprintf("https://spdx.org/spdxdocs/%s-%s", b.name, sum),
		CreationInfo:      spdxCreation{created.UTC().Format(time.RFC3339), []string{"Tool: portero/scripts/support/deb"}},
	}
	const root = "SPDXRef-portero"
	doc.Packages = append(doc.Packages, spdxPackage{ID: root, Name: b.name, Version: b.version, Purpose: "APPLICATION",
		LicenseConcluded: b.licence, LicenseDeclared: b.licence, CopyrightText: "NOASSERTION", DownloadLocation: "NOASSERTION",
		Checksums: []spdxChecksum{{"SHA256", sum}}})
	doc.Relationships = append(doc.Relationships, spdxRelationship{doc.ID, "DESCRIBES", root})
	for _, m := range b.modules {
		p := spdxPackage{ID: "SPDXRef-" + notSPDXID.ReplaceAllString(m.path, "-"), Name: m.path, Version: m.version, Purpose: "LIBRARY",
			LicenseConcluded: m.licence, LicenseDeclared: m.licence, CopyrightText: copyrights(m.texts),
			DownloadLocation: "NOASSERTION", // the purl tells
			ExternalRefs:     []spdxRef{{"PACKAGE-MANAGER", "purl", fmt.Sprintf("pkg:golang/%s@%s", m.path, m.version)}}}
		if m.path == "std" {
			p.Version = strings.TrimPrefix(m.version, "go")
			p.DownloadLocation = fmt.Sprintf("https://go.dev/dl/%s.src.tar.gz", m.version)
			p.ExternalRefs[0].Locator = "pkg:golang/std@" + p.Version
		}
		if m.sum != "" {
			p.Comment = "go.sum " + m.sum
		}
		doc.Packages = append(doc.Packages, p)
		doc.Relationships = append(doc.Relationships, spdxRelationship{root, "STATIC_LINK", p.ID})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(doc)
}

// copyrights returns the lines that claim it; the licence texts' own words about copyright do not begin like them.
func copyrights(texts []text) string {
	var lines []string
	for _, t := range texts {
		for line := range strings.Lines(t.body) {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "Copyright ") && strings.ContainsAny(line, "0123456789") && !strings.Contains(line, "[yyyy]") {
				lines = append(lines, line)
			}
		}
	}
	if len(lines) == 0 {
		return "NOASSERTION"
	}
	return strings.Join(lines, "\n")
}
