package main

import (
	"fmt"
	"time"

	"portero/audio"
)

// agent measures a station and a baresip that are registered and idle side by side, and how they place calls.
func (b *bench) agent() error {
	var phones [2]*phone
	var sinks [2]*sink
	for i, begin := range []func(setup) (*phone, error){b.startPortero, b.startBaresip} {
		s, err := newSink(audio.PCMU)
		if err != nil {
			return err
		}
		defer s.close()
		// Neither has a file or a card: ours hears silence, baresip what it plays itself.
		p, err := begin(setup{name: fmt.Sprint("agent", i), server: s.sip.port, rate: []int{48000, 8000}[i]})
		if err != nil {
			return err
		}
		defer p.kill()
		if _, err := await(s, p.process, s.registered, "REGISTER"); err != nil {
			return err
		}
		phones[i], sinks[i] = p, s
	}
	pause(3 * time.Second) // what only a start costs
	length := among(b, 15*time.Second, time.Minute)
	say("idle for %v", length)
	used, _, err := measure(phones[:], length)
	if err != nil {
		return err
	}
	seconds := length.Seconds()
	report("idle-cpu", percent(used[0], length), "%", "baresip", percent(used[1], length))
	report("idle-switches", float64(used[0].switches)/seconds, "per-s", "baresip", float64(used[1].switches)/seconds)
	if err := reportRSS("rss-idle", phones); err != nil {
		return err
	}
	var invite, sound [2][]time.Duration
	for range among(b, 8, 30) {
		for i, p := range phones {
			began := time.Now()
			if err := p.dial(); err != nil {
				return err
			}
			c, err := await(sinks[i], p.process, sinks[i].calls, "INVITE and sound")
			if err != nil {
				return err
			}
			invite[i] = append(invite[i], c.invited.Sub(began))
			sound[i] = append(sound[i], c.heard.Sub(c.invited))
			pause(700 * time.Millisecond) // BYE, and the station at rest again
		}
	}
	reportTimes("dial-to-invite", invite[0], "baresip", invite[1])
	reportTimes("invite-to-rtp", sound[0], "baresip", sound[1])
	var calls [2]*call
	for i, p := range phones {
		if calls[i], err = place(p, audio.PCMU, nil); err != nil {
			return err
		}
	}
	pause(5 * time.Second)
	err = reportRSS("rss-call", phones)
	for _, c := range calls {
		if e := c.end(); err == nil {
			err = e
		}
	}
	return err
}

// pause lets real time pass: nothing tells that a process has come to rest.
func pause(d time.Duration) { time.Sleep(d) }

func percent(u usage, d time.Duration) float64 { return 100 * u.cpu.Seconds() / d.Seconds() }

func reportRSS(name string, phones [2]*phone) error {
	ours, err := phones[0].rss()
	if err != nil {
		return err
	}
	theirs, err := phones[1].rss()
	if err != nil {
		return err
	}
	report(name, ours, "MB", "baresip", theirs)
	if ours, err = phones[0].pss(); err != nil {
		return err
	}
	if theirs, err = phones[1].pss(); err != nil {
		return err
	}
	report(name+"-locked-with-guard", ours, "MB", "baresip", theirs)
	return nil
}

// measure takes the usage of all phones over the same time: all of it, and that of each one's quietest fifth, scaled to the whole.
func measure(phones []*phone, length time.Duration) (whole, least []usage, err error) {
	const slices = 5
	whole, least = make([]usage, len(phones)), make([]usage, len(phones))
	last := make([]usage, len(phones))
	for k := range slices + 1 {
		if k > 0 {
			pause(length / slices)
		}
		for i, p := range phones {
			u, err := p.usage()
			if err != nil {
				return nil, nil, err
			}
			if d := u.since(last[i]); k > 0 {
				whole[i].cpu += d.cpu
				whole[i].switches += d.switches
				if k == 1 || d.cpu*slices < least[i].cpu {
					least[i].cpu = d.cpu * slices
				}
				if k == 1 || d.switches*slices < least[i].switches {
					least[i].switches = d.switches * slices
				}
			}
			last[i] = u
		}
	}
	return whole, least, nil
}
