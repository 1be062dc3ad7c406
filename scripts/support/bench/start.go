package main

import (
	"time"

	"portero/audio"
)

// start measures from the start of a process to its first REGISTER on the wire, of station and baresip in turn.
func (b *bench) start() error {
	s, err := newSink(audio.PCMU)
	if err != nil {
		return err
	}
	defer s.close()
	var ours, theirs startTimes
	for range among(b, 12, 40) {
		dir, argv, _, err := b.configurePortero(setup{name: "start", server: s.sip.port, rate: 48000})
		if err != nil {
			return err
		}
		if ours, err = s.untilRegister(ours, dir, argv); err != nil {
			return err
		}
		if dir, argv, _, _, err = b.configureBaresip(setup{name: "start-baresip", server: s.sip.port, rate: 8000}); err != nil {
			return err
		}
		if theirs, err = s.untilRegister(theirs, dir, argv); err != nil {
			return err
		}
	}
	reportTimes("exec-to-register", ours.wall, "baresip", theirs.wall)
	reportTimes("exec-to-register-cpu", ours.cpu, "baresip", theirs.cpu)
	return nil
}

type startTimes struct {
	wall []time.Duration
	cpu  []time.Duration // used until REGISTER has arrived and this program has noticed
}

func (s *sink) untilRegister(all startTimes, dir string, argv []string) (startTimes, error) {
	for len(s.registered) > 0 {
		<-s.registered
	}
	began := time.Now()
	p, err := start(dir, "start", argv...)
	if err != nil {
		return all, err
	}
	defer p.kill()
	at, err := await(s, p, s.registered, "REGISTER")
	if err != nil {
		return all, err
	}
	u, err := p.usage()
	all.wall, all.cpu = append(all.wall, at.Sub(began)), append(all.cpu, u.cpu)
	return all, err
}
