package main

import (
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"portero/sip"
)

//go:embed sip/*.sip
var messageFiles embed.FS

// messages measures parsing and serialising on this program's own CPU clock, and parsing by libre, which BENCH_LIBRE names.
func (b *bench) messages() error {
	for _, m := range []struct {
		file, name   string
		parse, write float64 // goals, ns
	}{{"invite.sip", "INVITE", 1500, 400}, {"register.sip", "REGISTER", 1300, 400}, {"ok.sip", "200", 1100, 400}} {
		wire, err := messageFiles.ReadFile("sip/" + m.file)
		if err != nil {
			return err
		}
		req, res, err := sip.Parse(wire)
		if err != nil {
			return err
		}
		parse, parseAllocs := fastest(func() { _, _, err = sip.Parse(wire) })
		if err != nil {
			return err
		}
		buf := make([]byte, 0, 4096)
		write, writeAllocs := fastest(func() {
			if req != nil {
				buf = req.Append(buf[:0])
			} else {
				buf = res.Append(buf[:0])
			}
		})
		report("parse-"+m.name, parse, "ns", "goal", m.parse)
		report("parse-"+m.name+"-allocs", parseAllocs, "allocs", "goal", 4)
		report("serialise-"+m.name, write, "ns", "goal", m.write)
		report("serialise-"+m.name+"-allocs", writeAllocs, "allocs", "goal", 0)
		if libre := os.Getenv("BENCH_LIBRE"); libre != "" {
			path := filepath.Join(b.work, m.file)
			if err := os.WriteFile(path, wire, 0o600); err != nil {
				return err
			}
			var theirs float64
			out, err := exec.Command(libre, path).Output()
			if err == nil {
				_, err = fmt.Sscanf(string(out), "parse_ns %g", &theirs)
			}
			if err != nil {
				return fmt.Errorf("libre: %w", err)
			}
			report("parse-"+m.name+"-beside", parse, "ns", "libre", theirs)
		}
	}
	return nil
}

// fastest is the CPU time in ns of one call of f, in the quickest of many short rounds, which on a busy machine is one that nobody
// disturbed; and its allocations. The collector's own threads count, as they do in the program.
func fastest(f func()) (ns, allocs float64) {
	const rounds, calls = 200, 50
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		began := ownCPU()
		for range calls {
			f()
		}
		if t := float64(ownCPU()-began) / calls; ns == 0 || t < ns {
			ns = t
		}
	}
	runtime.ReadMemStats(&after)
	return ns, float64((after.Mallocs - before.Mallocs) / (rounds * calls))
}

func ownCPU() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
