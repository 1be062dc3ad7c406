// Portero is a SIP door station: the bell is pressed, the phones ring, two people talk, a code opens the
// door.
//
// This package only wires the rooms of the house together and gives them verbs; see the doc comments of
// device, sip, audio and board for how they work.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"

	"portero/device/guard"
)

// version is set by scripts/build.
var version = ""

// verb is one subcommand.
type verb struct {
	name, args, does string
	run              func(ctx context.Context, fs *flag.FlagSet, args []string) error
}

var verbs = []verb{
	{"run", "-config FILE", "run the door station", runVerb},
	{"demo", "[-json] [-keep] [-listen ADDR:PORT]", "ring, talk and open on a simulated board, with a phone that answers", demoVerb},
	{"status", "[-socket PATH]", "ask the running station how it stands (exit status 0: good, 1: not good, 3: none runs)", statusVerb},
	{"check", "[-offline] [FILE]", "check the configuration, the hardware and every server; list every fault", checkVerb},
	{"config", "", "print the sample configuration, which is the manual", configVerb},
	{"pins", "[-config FILE] [-live]", "list GPIO chips and lines and what uses them; watch the inputs", pinsVerb},
	{"tone", "[-card CARD] [-loop] [-list]", "play a tone and meter the microphone, or test both together", toneVerb},
	{"selftest", "[-config FILE] [-report FILE]",
		"walk the wiring test: inputs, relays, lamps, sound; write a report", selftestVerb},
	{"call", "[-config FILE] [flags] URI", "place or take a bench call", callVerb},
	{"release", "-config FILE", "drive all relays to their released level (after a crash)", releaseVerb},
	{"version", "", "print the version", versionVerb},
}

// exit is an error that says only with which status to end.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func main() {
	if guard.IsGuard() {
		if err := guard.Main(); err != nil {
			fmt.Fprintln(os.Stderr, "portero:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := command(ctx, os.Args[1:])
	var status exit
	switch {
	case err == nil:
		return
	case errors.As(err, &status):
		os.Exit(int(status))
	case errors.Is(err, flag.ErrHelp):
		return
	}
	fmt.Fprintln(os.Stderr, "portero:", err)
	os.Exit(1)
}

func command(ctx context.Context, args []string) error {
	if len(args) == 0 {
		usage(os.Stderr)
		return exit(2)
	}
	switch args[0] {
	case "-h", "-help", "--help", "help":
		usage(os.Stdout)
		return nil
	}
	i := slices.IndexFunc(verbs, func(v verb) bool { return v.name == args[0] })
	if i < 0 {
		fmt.Fprintf(os.Stderr, "portero: no verb %q\n\n", args[0])
		usage(os.Stderr)
		return exit(2)
	}
	v := verbs[i]
	fs := flag.NewFlagSet("portero "+v.name, flag.ContinueOnError)
	fs.SetOutput(os.Stdout)
	fs.Usage = func() {
		fmt.Fprintf(fs.Output(), "usage: portero %s %s\n\n%s\n", v.name, v.args, v.does)
		fs.PrintDefaults()
	}
	return v.run(ctx, fs, args[1:])
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: portero VERB [flags]; portero VERB -h tells more")
	for _, v := range verbs {
		fmt.Fprintf(w, "  %-8s %s\n", v.name, v.does)
	}
}

// count is "1 fault", "2 faults".
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprint(n, " ", thing)
}

// parse reads the flags and refuses arguments beyond want.
func parse(fs *flag.FlagSet, args []string, want int) error {
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return exit(2)
	}
	if fs.NArg() > want {
		return fmt.Errorf("unexpected argument %q", fs.Arg(want))
	}
	return nil
}

func versionVerb(_ context.Context, fs *flag.FlagSet, args []string) error {
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	fmt.Println("portero", versionString())
	return nil
}

func versionString() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "dev"
}
