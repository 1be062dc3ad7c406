// Bill reads from a binary which modules are linked into it, and writes what has to go with it: the licences and notices of
// all of them, and a bill of materials in SPDX 2.3 JSON. It fails when a module has no licence that it knows, so that nothing is
// shipped unread. The same binary and date give the same bytes.
//
// Modules come from the module cache: build the binary first. The rest of this folder packs the Debian package (package) and
// installs it in a booted Debian (test).
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

func main() {
	if err := bill(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bill:", err)
		os.Exit(1)
	}
}

func bill(args []string) error {
	fs := flag.NewFlagSet("bill", flag.ContinueOnError)
	binary := fs.String("binary", "", "the binary to bill")
	version := fs.String("version", "", "its version")
	licence := fs.String("licence", "LICENSE", "the project's own licence")
	date := fs.String("date", "", "SOURCE_DATE_EPOCH, in s")
	notices := fs.String("notices", "", "where the licences go")
	sbom := fs.String("sbom", "", "where the SPDX document goes")
	if err := fs.Parse(args); err != nil {
		return err
	}
	epoch, err := strconv.ParseInt(*date, 10, 64)
	if err != nil {
		return fmt.Errorf("-date %q: not seconds since 1970: %w", *date, err)
	}
	b, err := read(*binary, *version, *licence)
	if err != nil {
		return err
	}
	if err := write(*notices, b.notices); err != nil {
		return err
	}
	return write(*sbom, func(w io.Writer) error { return b.spdx(w, time.Unix(epoch, 0)) })
}

func write(path string, to func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := to(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
