// Lab runs the product's own code on files, for measurements: block by block as in a call, with no look-ahead
// that a call has not. It is never shipped.
//
//	lab echo FAR.wav MIC.wav OUT.wav     echo canceller; prints cpu_ms_per_s X
//	lab jitter TRACE                     jitter buffer; prints mean_ms p95_ms concealed_percent
//	lab conceal IN.wav TRACE OUT.wav     jitter buffer and concealment on speech
//	lab dtmf WAV                         prints the digits heard in the sound
//	lab resample IN.wav RATE OUT.wav
//	lab g722 encode|decode IN OUT        between 16 kHz WAV and octets
//
// A trace has lines "seq send_ms arrival_ms", arrival -1 for a packet that was lost, 20 ms of sound in each
// packet.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"portero/audio"
	"portero/audio/dtmf"
	"portero/audio/echo"
	"portero/audio/g722"
	"portero/audio/playout"
)

var verbs = map[string]struct {
	args int
	run  func(fs *flag.FlagSet) error
}{
	"echo":     {3, cancel},
	"jitter":   {1, jitter},
	"conceal":  {3, conceal},
	"dtmf":     {1, digits},
	"resample": {3, resample},
	"g722":     {3, g722Verb},
}

func main() {
	usage := func() {
		names := make([]string, 0, len(verbs))
		for name := range verbs {
			names = append(names, name)
		}
		slices.Sort(names)
		fmt.Fprintf(os.Stderr, "usage: lab VERB ARGUMENTS; verbs: %v; see the package's doc comment\n", names)
	}
	if len(os.Args) < 2 {
		usage()
		os.Exit(2)
	}
	v, ok := verbs[os.Args[1]]
	fs := flag.NewFlagSet("lab "+os.Args[1], flag.ExitOnError)
	fs.Bool("ns", true, "echo: noise suppression")
	fs.Bool("gain", false, "echo: gain control")
	fs.Bool("walkie", false, "echo: half duplex")
	if !ok || fs.Parse(os.Args[2:]) != nil || fs.NArg() != v.args {
		usage()
		os.Exit(2)
	}
	if err := v.run(fs); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

func cancel(fs *flag.FlagSet) error {
	far, err := audio.LoadWAV(fs.Arg(0))
	if err != nil {
		return err
	}
	mic, err := audio.LoadWAV(fs.Arg(1))
	if err != nil {
		return err
	}
	if far.Rate != mic.Rate || len(far.Samples) != len(mic.Samples) {
		return fmt.Errorf("%s and %s differ in rate or length", fs.Arg(0), fs.Arg(1))
	}
	on := func(name string) bool { return fs.Lookup(name).Value.(flag.Getter).Get().(bool) }
	frame := far.Rate / 100
	c, err := echo.New(echo.Config{Rate: far.Rate, Frame: frame, NoiseSuppression: on("ns"), Gain: on("gain"), Walkie: on("walkie")})
	if err != nil {
		return err
	}
	n := len(mic.Samples)
	pad := make([]int16, frame-n%frame)
	f, m := append(far.Samples, pad...), append(mic.Samples, pad...)
	out := make([]int16, len(m))
	began := cpu()
	for i := 0; i < len(m); i += frame {
		c.Process(f[i:i+frame], m[i:i+frame], out[i:i+frame])
	}
	took := cpu() - began
	fmt.Printf("cpu_ms_per_s %.3f\n", took.Seconds()*1000/(float64(n)/float64(mic.Rate)))
	return write(fs.Arg(2), out[:n], mic.Rate)
}

// cpu is the time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func write(path string, samples []int16, rate int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := audio.WriteWAV(f, samples, rate); err != nil {
		return err
	}
	return f.Close()
}

func trace(path string) ([]playout.Arrival, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return playout.ReadTrace(f)
}

func jitter(fs *flag.FlagSet) error {
	t, err := trace(fs.Arg(0))
	if err != nil {
		return err
	}
	_, d := playout.Replay(t, nil, 8000)
	fmt.Printf("%.2f %.2f %.3f\n", d.MeanMs, d.P95Ms, d.Concealed)
	return nil
}

func conceal(fs *flag.FlagSet) error {
	in, err := audio.LoadWAV(fs.Arg(0))
	if err != nil {
		return err
	}
	if in.Rate != 8000 && in.Rate != 16000 {
		return fmt.Errorf("%s: %d Hz; want 8000 or 16000", fs.Arg(0), in.Rate)
	}
	t, err := trace(fs.Arg(1))
	if err != nil {
		return err
	}
	out, d := playout.Replay(t, in.Samples, in.Rate)
	fmt.Printf("%.2f %.2f %.3f\n", d.MeanMs, d.P95Ms, d.Concealed)
	return write(fs.Arg(2), playout.Align(out, d, in.Rate, len(in.Samples)), in.Rate)
}

func digits(fs *flag.FlagSet) error {
	in, err := audio.LoadWAV(fs.Arg(0))
	if err != nil {
		return err
	}
	if in.Rate != 8000 && in.Rate != 16000 {
		if in, err = in.Resample(16000); err != nil {
			return err
		}
	}
	d := dtmf.NewDetector(in.Rate)
	block := in.Rate / 100
	var text []rune
	var found []dtmf.Event
	for i := 0; i+block <= len(in.Samples); i += block {
		found = d.Process(in.Samples[i:i+block], found[:0])
		for _, e := range found {
			text = append(text, e.Digit)
		}
	}
	fmt.Println(string(text))
	return nil
}

func resample(fs *flag.FlagSet) error {
	in, err := audio.LoadWAV(fs.Arg(0))
	if err != nil {
		return err
	}
	rate, err := strconv.Atoi(fs.Arg(1))
	if err != nil {
		return fmt.Errorf("rate %q: %w", fs.Arg(1), err)
	}
	out, err := in.Resample(rate)
	if err != nil {
		return err
	}
	return write(fs.Arg(2), out.Samples, rate)
}

func g722Verb(fs *flag.FlagSet) error {
	switch fs.Arg(0) {
	case "encode":
		in, err := audio.LoadWAV(fs.Arg(1))
		if err != nil {
			return err
		}
		if in.Rate != 16000 {
			return fmt.Errorf("%s: %d Hz; want 16000", fs.Arg(1), in.Rate)
		}
		out := make([]byte, len(in.Samples))
		n := g722.NewEncoder().Encode(out, in.Samples[:len(in.Samples)&^1])
		return os.WriteFile(fs.Arg(2), out[:n], 0o644)
	case "decode":
		in, err := os.ReadFile(fs.Arg(1))
		if err != nil {
			return err
		}
		out := make([]int16, 2*len(in))
		n := g722.NewDecoder().Decode(out, in)
		return write(fs.Arg(2), out[:n], 16000)
	}
	return fmt.Errorf("g722 %q: want encode or decode", fs.Arg(0))
}
