package app

import (
	"context"
	"strings"

	"portero/audio"
	"portero/audio/alsa"
	"portero/device/config"
	"portero/device/event"
)

// Card opens what audio.card of the configuration names.
type Card struct {
	Open audio.Opener
	File *audio.FileCard
}

// NewCard makes the card that audio.card names: nothing is opened yet, but a recording is begun.
func NewCard(c config.Audio) (*Card, error) {
	if files, ok := strings.CutPrefix(c.Card, "wav:"); ok {
		in, out, _ := strings.Cut(files, ",")
		file, err := audio.NewFileCard(audio.FileCardConfig{Rate: c.Rate, Period: c.Period, Capture: in, Record: out})
		if err != nil {
			return nil, err
		}
		return &Card{Open: file.Open, File: file}, nil
	}
	if c.Card == "none" {
		file, err := audio.NewFileCard(audio.FileCardConfig{Rate: c.Rate, Period: c.Period})
		if err != nil {
			return nil, err
		}
		return &Card{Open: file.Open, File: file}, nil
	}
	ac := alsa.Config{Card: c.Card, Rate: c.Rate, Period: c.Period, Volumes: c.Volume}
	return &Card{Open: func(ctx context.Context, use audio.Use) (audio.Duplex, error) { return alsa.Open(ctx, ac, use) }}, nil
}

// Close completes a recording.
func (c *Card) Close() error {
	if c.File != nil {
		return c.File.Close()
	}
	return nil
}

func cardEvent(ev audio.CardEvent) event.Event {
	e := event.Event{Mic: ev.Use == audio.FullDuplex}
	switch ev.State {
	case audio.CardOpened:
		e.Kind = event.CardOpened
	case audio.CardClosed:
		e.Kind = event.CardClosed
	case audio.CardLost:
		e.Kind = event.CardLost
	case audio.CardRecovered:
		e.Kind = event.CardRecovered
	}
	if ev.Err != nil {
		e.Reason = ev.Err.Error()
	}
	return e
}
