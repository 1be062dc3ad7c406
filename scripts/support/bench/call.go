package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"portero/audio"
)

// call measures what a conversation costs: stations and baresip answer the same caller at the same time, each with a file for a
// microphone. "call" is our station as its peer runs, with a card at the file's own rate, periods of 20 ms and no echo canceller; the
// others have the station's own periods of 10 ms: at that rate, and at 48 kHz as with a real card, without and with the canceller.
func (b *bench) call() error {
	var err error
	for _, c := range []codec{audio.PCMU, audio.G722} {
		err = errors.Join(err, b.callWith(c))
	}
	return err
}

func (b *bench) callWith(c codec) error {
	speech, said, err := b.speech(c)
	if err != nil {
		return err
	}
	variants := []struct {
		name  string
		begin func(setup) (*phone, error)
		setup setup
	}{
		{"baresip", b.startBaresip, setup{rate: c.SampleRate}},
		{"call", b.startPortero, setup{rate: c.SampleRate, period: "20ms"}},
		{"call-10ms", b.startPortero, setup{rate: c.SampleRate}},
		{"call-48k", b.startPortero, setup{rate: 48000}},
		{"call-48k-echo", b.startPortero, setup{rate: 48000, echo: true}},
	}
	var phones []*phone
	var calls []*call
	for _, v := range variants {
		v.setup.name, v.setup.codec, v.setup.file = c.Name+"-"+v.name, c, speech
		p, err := v.begin(v.setup)
		if err != nil {
			return err
		}
		defer p.kill()
		phones = append(phones, p)
	}
	pause(time.Second)
	for _, p := range phones {
		k, err := place(p, c, &sound{payload: func(n int, _ time.Time) []byte { return said[n%len(said)] }})
		if err != nil {
			return err
		}
		calls = append(calls, k)
	}
	pause(3 * time.Second)
	length := among(b, 15*time.Second, time.Minute)
	say("%s calls for %v", c.Name, length)
	before := make([]int, len(calls))
	for i, k := range calls {
		before[i] = k.packets()
	}
	whole, least, err := measure(phones, length)
	if err != nil {
		return err
	}
	for i, k := range calls {
		// Half of the packets would be half of the work.
		if n := k.packets() - before[i]; float64(n) < 48*length.Seconds() {
			return phones[i].failed(fmt.Errorf("only %d packets came in %v", n, length))
		}
		if err := k.end(); err != nil {
			return err
		}
	}
	minute := 60 / length.Seconds()
	for i, v := range variants[1:] {
		for _, all := range []struct {
			suffix string
			used   []usage
		}{{"", whole}, {"-least", least}} {
			ours, theirs, name := all.used[i+1], all.used[0], v.name+"-"+c.Name
			report(name+"-cpu"+all.suffix, ours.cpu.Seconds()*minute, "s-per-60s", "baresip", theirs.cpu.Seconds()*minute)
			report(name+"-switches"+all.suffix, float64(ours.switches)/length.Seconds(), "per-s", "baresip", float64(theirs.switches)/length.Seconds())
		}
	}
	return nil
}

// speech makes the file for the microphones, long enough for a whole call, and the payloads of the caller, both of the bench's spoken sample.
func (b *bench) speech(c codec) (path string, packets [][]byte, err error) {
	clip, err := audio.LoadWAV(os.Getenv("BENCH_SPEECH"))
	if err != nil {
		return "", nil, fmt.Errorf("BENCH_SPEECH has to name a WAV file: %w", err)
	}
	if clip, err = clip.Resample(c.SampleRate); err != nil {
		return "", nil, err
	}
	frame := c.SampleRate / 50
	encoder := c.NewEncoder()
	for at := 0; at+frame <= len(clip.Samples); at += frame {
		payload := make([]byte, frame)
		packets = append(packets, payload[:encoder.Encode(payload, clip.Samples[at:at+frame])])
	}
	var long []int16
	for len(long) < 100*c.SampleRate {
		long = append(long, clip.Samples...)
	}
	path = filepath.Join(b.work, c.Name+".wav")
	f, err := os.Create(path)
	if err != nil {
		return "", nil, err
	}
	defer f.Close()
	return path, packets, audio.WriteWAV(f, long, c.SampleRate)
}
