package main

import (
	"context"
	"errors"
	"time"

	"portero/audio"
	"portero/audio/alsa"
	"portero/scripts/support/boardtest/wire"
)

// talk is one person in front of the board.
type talk struct {
	card  audio.Duplex
	heard wire.Heard
	stop  chan struct{}
	done  chan struct{}
}

// TalkStart opens the far end of the loopback and speaks and records until TalkStop, or until the card is
// taken away.
func (g *Guest) TalkStart(w wire.Talk, _ *bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.talking != nil {
		return errors.New("somebody talks already")
	}
	want := alsa.Config{Card: "hw:0,1", Rate: w.Rate, Period: 100 * time.Millisecond}
	card, err := alsa.Open(context.Background(), want, audio.FullDuplex)
	if err != nil {
		return err
	}
	t := &talk{card: card, heard: wire.Heard{Rate: card.Rate()}}
	t.stop, t.done = make(chan struct{}), make(chan struct{})
	g.talking = t
	go t.run(w.Says)
	return nil
}

func (t *talk) run(says []int16) {
	defer close(t.done)
	defer t.card.Close()
	if err := alsa.Realtime(); err != nil {
		tell("agent", "", "no real-time priority: "+err.Error())
	}
	// No allocation while it talks: five minutes are enough for any call here.
	t.heard.Samples = make([]int16, 0, 300*t.card.Rate())
	play, capture := make([]int16, t.card.Period()), make([]int16, t.card.Period())
	pause := t.card.Rate() * 3 / 10
	for at := 0; ; {
		select {
		case <-t.stop:
			return
		default:
		}
		for i := range play {
			play[i] = 0
			if at < len(says) {
				play[i] = says[at]
			}
			if at++; at >= len(says)+pause {
				at = 0
			}
		}
		slip, err := t.card.Exchange(play, capture)
		if err != nil {
			t.heard.Err = err.Error()
			return
		}
		t.heard.Slipped += slip.Captured
		if len(t.heard.Samples)+len(capture) <= cap(t.heard.Samples) {
			t.heard.Samples = append(t.heard.Samples, capture...)
		}
	}
}

// TalkStop ends the talk and returns what was heard.
func (g *Guest) TalkStop(_ bool, heard *wire.Heard) error {
	g.mu.Lock()
	t := g.talking
	g.talking = nil
	g.mu.Unlock()
	if t == nil {
		return errors.New("nobody talks")
	}
	close(t.stop)
	<-t.done
	*heard = t.heard
	return nil
}
