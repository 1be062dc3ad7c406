package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"strings"
	"time"

	"portero/audio"
	"portero/audio/alsa"
	"portero/device/app"
	"portero/device/config"
)

// toneVerb proves a sound card: a tone from the loudspeaker, a meter of the microphone.
func toneVerb(ctx context.Context, fs *flag.FlagSet, args []string) error {
	file := fs.String("config", "", "configuration file whose card is used")
	name := fs.String("card", "", "card, in place of the configuration's")
	list := fs.Bool("list", false, "list the sound cards")
	hz := fs.Float64("hz", 1000, "frequency of the tone in Hz")
	level := fs.Float64("level", -20, "level of the tone in dBFS")
	length := fs.Duration("for", 5*time.Second, "how long")
	loop := fs.Bool("loop", false, "test loudspeaker and microphone together and judge them, for three seconds")
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	if *list {
		return listCards()
	}
	cfg := config.Default()
	if *file != "" {
		var err error
		if cfg, err = config.Load(*file); err != nil {
			return err
		}
	}
	if *name != "" {
		cfg.Audio.Card = *name
	}
	if *level > 0 || *hz < 20 || *hz > 20000 {
		return fmt.Errorf("a tone of %g Hz at %g dBFS: want 20 to 20000 Hz and at most 0 dBFS", *hz, *level)
	}
	c, err := app.NewCard(cfg.Audio)
	if err != nil {
		return err
	}
	defer c.Close()
	card, err := c.Open(ctx, audio.FullDuplex)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { card.Close() })()
	defer card.Close()
	if *loop {
		return loopTest(ctx, card)
	}
	return playTone(ctx, card, *hz, *level, *length)
}

// loopTest prints a verdict that an installer can act on; exit status 1 when hands-free talk will not work.
func loopTest(ctx context.Context, card audio.Duplex) error {
	fmt.Printf("card at %d Hz: a sweep and a tone are played, be quiet for three seconds\n", card.Rate())
	l, err := audio.MeasureLoopback(ctx, card)
	if err != nil {
		return err
	}
	bad := false
	for _, f := range l.Verdict() {
		fmt.Printf("%-5s %s\n", f.Grade, f.What)
		if f.Remedy != "" {
			fmt.Printf("      -> %s\n", f.Remedy)
		}
		bad = bad || f.Grade == audio.Bad
	}
	if bad {
		return exit(1)
	}
	return nil
}

func playTone(ctx context.Context, card audio.Duplex, hz, level float64, length time.Duration) error {
	rate, period := card.Rate(), card.Period()
	fmt.Printf("card at %d Hz, %d frames a period; a tone of %g Hz at %g dBFS for %v\n", rate, period, hz, level, length)
	play, capture := make([]int16, period), make([]int16, period)
	amplitude := math.Pow(10, level/20) * math.MaxInt16
	var slips audio.Slip
	var power, peak float64
	every := rate / 2
	count := 0
	for n := 0; n < int(length.Seconds()*float64(rate)) && ctx.Err() == nil; {
		for i := range play {
			play[i] = int16(amplitude * math.Sin(2*math.Pi*hz*float64(n+i)/float64(rate)))
		}
		n += period
		slip, err := card.Exchange(play, capture)
		if err != nil {
			if ctx.Err() != nil {
				break
			}
			return err
		}
		slips.Captured += slip.Captured
		slips.Played += slip.Played
		for _, s := range capture {
			v := float64(s) / math.MaxInt16
			power += v * v
			peak = max(peak, math.Abs(v))
		}
		if count += period; count >= every {
			rms := 10 * math.Log10(2*power/float64(count)+1e-10) // a sine of full scale has 0 dBFS, as in the loop test
			fmt.Printf("microphone %6.1f dBFS, peak %6.1f  %s\n", rms, 20*math.Log10(peak+1e-5), strings.Repeat("#", int(max(0, (rms+60)/2))))
			power, peak, count = 0, 0, 0
		}
	}
	if slips != (audio.Slip{}) {
		fmt.Printf("xruns: %d frames captured and %d played were lost\n", slips.Captured, slips.Played)
	}
	if ctx.Err() != nil && !errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	return nil
}

func listCards() error {
	cards, err := alsa.Cards()
	if err != nil {
		return err
	}
	if len(cards) == 0 {
		fmt.Println("no sound cards (may this user open /dev/snd? group audio)")
	}
	for _, c := range cards {
		way := map[[2]bool]string{{true, true}: "playback, capture", {true, false}: "playback", {false, true}: "capture"}[[2]bool{c.Playback, c.Capture}]
		usb := ""
		if c.USB != "" {
			usb = " usb:" + c.USB
		}
		fmt.Printf("%-16s%s  %s (%s)\n", c.ID, usb, c.LongName, way)
	}
	return nil
}
