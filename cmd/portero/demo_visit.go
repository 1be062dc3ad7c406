package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"portero/audio"
	"portero/audio/audiotest"
	"portero/device/config"
	"portero/device/event"
)

// want waits for a station event; others before it are passed over, except failures.
func (d *demo) want(ctx context.Context, kind event.Kind) (event.Event, error) {
	for {
		ev, err := d.events.Next(ctx)
		if err != nil {
			return ev, fmt.Errorf("waiting for %s: %w", kind, err)
		}
		if ev.Kind == event.CardLost {
			d.report.RealTimeFaults++
		}
		switch ev.Kind {
		case kind:
			return ev, nil
		case event.DoorFailed, event.CodeWrong, event.RegistrationFailed:
			return ev, fmt.Errorf("waiting for %s: %s %s", kind, ev.Kind, ev.Reason)
		case event.CallEnded:
			return ev, fmt.Errorf("waiting for %s: the call ended: %s", kind, ev.Reason)
		}
	}
}

// serverAddr is where phones find the built-in server.
func (d *demo) serverAddr() netip.AddrPort {
	addr, _ := d.station.Locate() // never fails: loopback at the least
	return addr
}

func (d *demo) register(ctx context.Context) error {
	d.say("a door station with its own SIP server at %s", d.serverAddr())
	ready, up := false, false
	for !ready || !up {
		ev, err := d.events.Next(ctx)
		if err != nil {
			return fmt.Errorf("the station is not ready: %w", err)
		}
		ready = ready || ev.Kind == event.StationReady
		up = up || ev.Kind == event.RegistrationUp
		if ev.Kind == event.RegistrationFailed {
			return fmt.Errorf("the station is not registered: %d %s", ev.Status, ev.Reason)
		}
	}
	if err := d.phone.registered(ctx); err != nil {
		return err
	}
	d.report.RegisteredMS = ms(time.Since(d.began))
	d.say("station and phone are registered")
	return nil
}

func (d *demo) ring(ctx context.Context) error {
	if err := pause(ctx, 300*time.Millisecond); err != nil { // somebody walks up to the door
		return err
	}
	// The button is pressed on the simulated wire: from here on everything is the product.
	if err := d.station.Sim().Press(config.BellInput("front"), true); err != nil {
		return err
	}
	d.pressed = time.Now()
	d.say("somebody presses the bell")
	select {
	case at := <-d.invited:
		d.report.PressToInvite = ms(at.Sub(d.pressed))
	case <-ctx.Done():
		return fmt.Errorf("no INVITE: %w", ctx.Err())
	}
	rang, err := d.phone.rings(ctx)
	if err != nil {
		return err
	}
	d.report.PressToRing = ms(rang.Sub(d.pressed))
	d.say("the phone rings: %q", d.phone.caller)
	if err := d.station.Sim().Press(config.BellInput("front"), false); err != nil {
		return err
	}
	_, err = d.want(ctx, event.CallRinging)
	if err != nil {
		return err
	}
	return pause(ctx, 400*time.Millisecond)
}

// pause lets a person take the time that a person takes.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *demo) answer(ctx context.Context) error {
	if err := d.phone.answer(); err != nil {
		return err
	}
	if _, err := d.want(ctx, event.CallAnswered); err != nil {
		return err
	}
	d.report.Call.Code = 200
	d.report.PressToAnswer = ms(time.Since(d.pressed))
	d.say("the phone answers")
	return nil
}

func (d *demo) talk(ctx context.Context) error {
	d.say("both talk at once")
	longest := max(speechTime(visitorSpeech), speechTime(residentSpeech))
	err := pause(ctx, longest+500*time.Millisecond) // what a jitter buffer and two cards may hold back
	if st := d.phone.media.Session().Stats(); st.Lost == 0 {
		d.heldUp += st.Concealed
	}
	return err
}

func speechTime(wav []byte) time.Duration {
	clip, err := audio.ReadWAV(strings.NewReader(string(wav)))
	if err != nil {
		panic(err) // embedded
	}
	return time.Duration(len(clip.Samples)) * time.Second / time.Duration(clip.Rate)
}

func (d *demo) open(ctx context.Context) error {
	digits := d.code
	if d.fault == "code" {
		digits = "0000"
	}
	if err := d.phone.media.Session().SendDigits(digits + "#"); err != nil {
		return err
	}
	d.report.Digits = len(digits) + 1
	d.say("the phone sends the code, %d keys", d.report.Digits)
	if _, err := d.want(ctx, event.DoorOpened); err != nil {
		return err
	}
	d.say("the relay closes: the door is open")
	ev, err := d.want(ctx, event.DoorClosed)
	if err != nil {
		return err
	}
	d.say("the relay opens again after %d ms", ev.OnMS)
	edges := d.station.Sim().Edges(config.DoorRelay("front"))
	d.report.Relay.Switches = len(edges)
	if len(edges) == 2 {
		d.report.Relay.OnMS = ms(edges[1].At - edges[0].At)
	}
	on := time.Duration(d.report.Relay.OnMS * float64(time.Millisecond))
	if len(edges) != 2 || on < demoSwitchOn-50*time.Millisecond || on > demoSwitchOn+500*time.Millisecond {
		return fmt.Errorf("the relay moved %d times and was on for %v; want 2 and %v", len(edges), on, demoSwitchOn)
	}
	return nil
}

func (d *demo) hangUp(ctx context.Context) error {
	d.phone.call.Hangup()
	for {
		ev, err := d.events.Next(ctx)
		if err != nil {
			return fmt.Errorf("waiting for %s: %w", event.CallEnded, err)
		}
		if ev.Kind == event.CallEnded {
			d.report.Call.Reason = ev.Reason
			if ev.RTP != nil {
				d.report.Call.Codec = ev.RTP.Codec
				d.heldUp += time.Duration(ev.RTP.Late) * packetTime
				d.say("the phone hangs up; %d packets sent, %d received, %d lost", ev.RTP.Sent, ev.RTP.Received, ev.RTP.Lost)
			}
			return nil
		}
	}
}

var errUnheard = errors.New("is not heard well")

const packetTime = 20 * time.Millisecond

func (d *demo) listenBack(context.Context) error {
	for _, r := range []struct {
		what   string
		speech []byte
		card   *audio.FileCard
		file   string
		db     *float64
	}{
		{"at the phone, the visitor", visitorSpeech, d.phone.card, "at-phone.wav", &d.report.Audio.ToPhone},
		{"at the door, the resident", residentSpeech, d.door, "at-door.wav", &d.report.Audio.ToDoor},
	} {
		if err := r.card.Close(); err != nil { // completes the file
			return err
		}
		said, err := audio.ReadWAV(strings.NewReader(string(r.speech)))
		if err != nil {
			return err
		}
		if said, err = said.Resample(demoRate); err != nil {
			return err
		}
		recorded, err := audio.LoadWAV(filepath.Join(d.dir, r.file))
		if err != nil {
			return err
		}
		*r.db = math.Round(10*audiotest.UtteranceSNR(said, recorded)) / 10
		d.say("%s is heard with an SNR of %.1f dB", r.what, *r.db)
		if *r.db < enoughSNR {
			return fmt.Errorf("%s %w: an SNR of %.1f dB, less than %d", r.what, errUnheard, *r.db, enoughSNR)
		}
	}
	return nil
}
