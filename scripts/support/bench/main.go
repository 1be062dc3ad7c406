package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"time"
)

// bench is what all parts share.
type bench struct {
	portero string // the binary
	work    string // a directory to be thrown away
	quick   bool
}

// among picks a count or length by the mode.
func among[T any](b *bench, quick, full T) T {
	if b.quick {
		return quick
	}
	return full
}

var parts = []struct {
	name string
	run  func(*bench) error
}{{"messages", (*bench).messages}, {"start", (*bench).start}, {"agent", (*bench).agent}, {"call", (*bench).call}, {"delay", (*bench).delay}, {"server", (*bench).server}}

func main() {
	runtime.LockOSThread() // children end with the thread that started them, and this one lives as long as the program
	var b bench
	flag.StringVar(&b.portero, "portero", "", "the station's binary")
	flag.BoolVar(&b.quick, "quick", false, "less of everything")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: bench -portero BINARY [-quick] messages|start|agent|call|delay|server ...")
	}
	flag.Parse()
	if b.portero == "" || flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := b.all(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (b *bench) all(names []string) (err error) {
	if b.work, err = os.MkdirTemp("", "portero-bench."); err != nil {
		return err
	}
	defer os.RemoveAll(b.work)
	for _, name := range names {
		i := 0
		for i < len(parts) && parts[i].name != name {
			i++
		}
		if i == len(parts) {
			return fmt.Errorf("no part %q", name)
		}
		say("%s", name)
		// One part that fails leaves the others their figures.
		if e := parts[i].run(b); e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", name, e))
		}
	}
	return err
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// report prints a BENCH line. The peer "goal" is a figure to reach, not a measurement.
func report(name string, ours float64, unit, peer string, theirs float64) {
	ratio := "nan"
	if theirs != 0 {
		ratio = fmt.Sprintf("%.3f", ours/theirs)
	}
	fmt.Printf("BENCH %s ours=%.6g unit=%s peer=%s:%.6g ratio=%s\n", name, ours, unit, peer, theirs, ratio)
}

// reportTimes prints minimum and median of wall times.
func reportTimes(name string, ours []time.Duration, peer string, theirs []time.Duration) {
	slices.Sort(ours)
	slices.Sort(theirs)
	report(name+"-min", ms(ours[0]), "ms", peer, ms(theirs[0]))
	report(name+"-median", ms(ours[len(ours)/2]), "ms", peer, ms(theirs[len(theirs)/2]))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func need(program string) error {
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Errorf("the peer %s is not installed: %w", program, err)
	}
	return nil
}
