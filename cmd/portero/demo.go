package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"portero/audio"
	"portero/device"
	"portero/device/app"
	"portero/device/config"
	"portero/device/event"
	"portero/sip/transport"
)

//go:embed speech/visitor.wav
var visitorSpeech []byte

//go:embed speech/resident.wav
var residentSpeech []byte

// report is what the demo prints with -json.
type report struct {
	OK             bool    `json:"ok"`
	Failed         string  `json:"failed,omitempty"` // the step, and why
	RegisteredMS   float64 `json:"registered_ms"`
	PressToInvite  float64 `json:"press_to_invite_ms"`
	PressToRing    float64 `json:"press_to_ring_ms"`
	PressToAnswer  float64 `json:"press_to_answer_ms"`
	Audio          heard   `json:"audio"`
	Digits         int     `json:"digits"` // how many the phone sent
	Relay          relayOn `json:"relay"`
	Call           result  `json:"call"`
	DurationMS     float64 `json:"duration_ms"`
	Version        string  `json:"version"`
	RealTimeFaults int     `json:"card_faults"` // the card was lost or late
	Takes          int     `json:"takes"`       // 2: the machine stood still during the first
}

type heard struct {
	ToPhone float64 `json:"to_phone_snr_db"`
	ToDoor  float64 `json:"to_door_snr_db"`
}

type relayOn struct {
	OnMS     float64 `json:"on_ms"`
	Switches int     `json:"switches"`
}

type result struct {
	Code   int    `json:"code"` // the SIP status of the answer
	Codec  string `json:"codec"`
	Reason string `json:"reason"`
}

// demoRate is the rate of both simulated cards in Hz: not the codec's, so that the resamplers work too.
const demoRate = 48000

const demoSwitchOn = time.Second

// enoughSNR is what a whole utterance must reach at the far card, in dB. G.711 itself allows about 37.
const enoughSNR = 20

func demoVerb(ctx context.Context, fs *flag.FlagSet, args []string) error {
	asJSON := fs.Bool("json", false, "print one JSON object on stdout; the steps go to stderr")
	keep := fs.Bool("keep", false, "stay up afterwards, for a softphone of yours")
	listen := fs.String("listen", "", "address and port of the built-in server, for phones elsewhere 0.0.0.0:5060 (default: 127.0.0.1, port 5060 or a free one)")
	fault := fs.String("fault", "", "make it fail, to see that it notices: \"audio\" cuts the sound, \"code\" sends a wrong code")
	verbose := fs.Bool("v", false, "log everything to stderr")
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	if *fault != "" && *fault != "audio" && *fault != "code" {
		return fmt.Errorf("-fault %q: want audio or code", *fault)
	}
	out := os.Stdout
	if *asJSON {
		out = os.Stderr
	}
	var d *demo
	var err error
	for take := 1; take <= 2; take++ {
		d = &demo{out: out, keep: *keep, listen: *listen, fault: *fault, verbose: *verbose, began: time.Now()}
		d.report.Takes = take
		err = d.run(ctx)
		if !errors.Is(err, errUnheard) || d.heldUp == 0 || *fault != "" {
			break
		}
		// A machine that stands still in the middle of a word proves nothing about the station.
		d.say("%v; but this machine held the sound up for %v: once more", err, d.heldUp)
	}
	d.report.OK = err == nil
	d.report.Version = versionString()
	d.report.DurationMS = ms(time.Since(d.began))
	if err != nil {
		d.report.Failed = err.Error()
		d.say("FAILED: %v", err)
	}
	if *asJSON {
		if err := json.NewEncoder(os.Stdout).Encode(d.report); err != nil {
			return err
		}
	}
	if err != nil {
		return exit(1)
	}
	return nil
}

// demo is one run: a door station, and a phone that does what a resident would.
type demo struct {
	out     io.Writer
	keep    bool
	listen  string
	fault   string
	verbose bool
	began   time.Time
	report  report

	dir      string
	code     string
	password string // of the phone
	soft     string // of the user's softphone
	station  *app.App
	door     *audio.FileCard // the station's
	events   *event.Subscription
	phone    *demoPhone
	invited  chan time.Time
	pressed  time.Time
	heldUp   time.Duration  // sound that came too late, though nothing was lost
	refused  <-chan refusal // of phones that try to log in
}

func ms(d time.Duration) float64 { return math.Round(float64(d.Microseconds())) / 1000 }

// say prints a step with its time.
func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.out, "%7.3f s  %s\n", time.Since(d.began).Seconds(), fmt.Sprintf(format, args...))
}

// demoConfig is a configuration as a user would write it.
const demoConfig = `version = 1
[station]
name = "Demo door"
data_dir = %q
[sip]
listen = %q
rtp_ports = "30000-30199"
[server]
enabled = "on"
listen = %q
[[server.user]]
name = "kitchen"
password = %q
[[server.user]]
name = "softphone"
password = %q
[[bell]]
name = "front"
line = "GPIO17"
display_name = "Front door"
targets = [%s]
[[door]]
name = "front"
line = "GPIO27"
switch_on = %q
hang_up_after = "0s"
[[code]]
who = "family"
code = %q
doors = ["front"]
[audio]
echo_cancelling = false  # there is no air between the two files
noise_suppression = false
gain_control = false
[board]
sim = true
`

func (d *demo) run(ctx context.Context) (err error) {
	if d.dir, err = os.MkdirTemp("", "portero-demo-"); err != nil {
		return err
	}
	defer os.RemoveAll(d.dir)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if err := d.furnish(d.logger()); err != nil {
		return err
	}
	stationDone := make(chan error, 1)
	go func() { stationDone <- d.station.Run(ctx) }()
	phoneDone := make(chan error, 1)
	go func() { phoneDone <- d.phone.run(ctx) }()
	defer func() {
		stop()
		err = errors.Join(err, <-stationDone, <-phoneDone)
	}()
	limit := 15 * time.Second
	if os.Getenv("PORTERO_DEMO_SLOW") != "" { // an emulated processor
		limit = 2 * time.Minute
	}
	acts, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for _, act := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"register", d.register}, {"ring", d.ring}, {"answer", d.answer}, {"talk", d.talk}, {"open the door", d.open},
		{"hang up", d.hangUp}, {"listen to the recordings", d.listenBack},
	} {
		if err := act.do(acts); err != nil {
			return fmt.Errorf("%s: %w", act.name, err)
		}
	}
	d.summary()
	if d.keep {
		d.phone.leave()
		d.stay(ctx, os.Stdin)
	}
	return nil
}

func (d *demo) furnish(log *slog.Logger) error {
	if d.listen == "" {
		var err error
		if d.listen, err = freePort(); err != nil {
			return err
		}
	}
	host, _, err := net.SplitHostPort(d.listen)
	if err != nil {
		return fmt.Errorf("-listen %q: %w", d.listen, err)
	}
	d.password, d.soft = rand.Text(), strings.ToLower(rand.Text()[:10])
	targets := `"kitchen"`
	if d.keep {
		targets = `"kitchen", "softphone"`
	}
	n, err := rand.Int(rand.Reader, big.NewInt(9000))
	if err != nil {
		return err
	}
	d.code = fmt.Sprint(n.Int64() + 1000)
	cfg, err := config.Parse(fmt.Appendf(nil, demoConfig, d.dir, net.JoinHostPort(host, "0"), d.listen, d.password, d.soft, targets,
		demoSwitchOn.String(), d.code))
	if err != nil {
		return err
	}
	visitor, resident := filepath.Join(d.dir, "visitor.wav"), filepath.Join(d.dir, "resident.wav")
	if err := errors.Join(os.WriteFile(visitor, visitorSpeech, 0o600), os.WriteFile(resident, residentSpeech, 0o600)); err != nil {
		return err
	}
	if d.fault == "audio" {
		visitor = ""
	}
	door, err := audio.NewFileCard(audio.FileCardConfig{Rate: demoRate, Period: 10 * time.Millisecond, Capture: visitor, Loop: d.keep,
		Record: filepath.Join(d.dir, "at-door.wav")})
	if err != nil {
		return err
	}
	d.door = door
	events := event.NewLog(100)
	d.events = events.Subscribe(1000)
	d.invited = make(chan time.Time, 1)
	tap := func(t transport.Transport) transport.Transport { return &inviteTap{Transport: t, seen: d.invited} }
	d.station, err = app.Build(cfg, log, events, app.Options{About: device.About{Version: versionString()}, Tap: tap, World: app.World{
		OpenCard: func(config.Audio) (*app.Card, error) { return &app.Card{Open: door.Open, File: door}, nil }}})
	if err != nil {
		door.Close()
		return err
	}
	d.phone, err = newDemoPhone(d, net.JoinHostPort(host, "0"), resident, filepath.Join(d.dir, "at-phone.wav"), log)
	if err != nil {
		d.station.Close()
	}
	return err
}

// freePort returns 127.0.0.1:5060, or a port that nobody holds.
func freePort() (string, error) {
	c, err := net.ListenPacket("udp", "127.0.0.1:5060")
	if err != nil {
		if c, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			return "", err
		}
	}
	defer c.Close()
	return c.LocalAddr().String(), nil
}

// inviteTap notes when the first INVITE leaves.
type inviteTap struct {
	transport.Transport
	seen chan time.Time
}

func (t *inviteTap) Send(id uint64, to transport.Target, wire []byte) error {
	err := t.Transport.Send(id, to, wire)
	if strings.HasPrefix(string(wire[:min(len(wire), 7)]), "INVITE ") {
		select {
		case t.seen <- time.Now():
		default:
		}
	}
	return err
}

func (d *demo) summary() {
	r := d.report
	fmt.Fprintf(d.out, "\nAll of it worked: registered in %.0f ms, INVITE %.1f ms after the press, ringing after %.1f ms;\nvoices at %.0f and %.0f dB; the relay was on for %.0f ms.\n",
		r.RegisteredMS, r.PressToInvite, r.PressToRing, r.Audio.ToPhone, r.Audio.ToDoor, r.Relay.OnMS)
}
