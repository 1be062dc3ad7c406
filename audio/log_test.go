package audio_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio"
	"portero/audio/audiotest"
)

// The engine's lines can be found by part=sound, and a card that has gone is a warning with its cause.
func TestEngineLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		card := audiotest.NewCard(16000, 160)
		engine := audio.NewEngine(card.Open,
			audio.EngineOptions{Log: slog.New(slog.NewTextHandler(&log, nil))})
		stop := run(t, &party{engine: engine})
		engine.Play(audio.Clip{})
		engine.Play(audio.Clip{Rate: 16000, Samples: make([]int16, 160), Loop: true})
		time.Sleep(50 * time.Millisecond)
		card.Break(errors.New("no such device"))
		time.Sleep(time.Second)
		card.Break(nil)
		time.Sleep(2 * time.Second)
		stop()
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		for i, want := range []string{
			`level=ERROR msg="clip not played" part=sound samples=0`,
			`level=INFO msg="sound card opened" part=sound microphone=false`,
			`level=WARN msg="sound card lost" part=sound err=`,
			`level=INFO msg="sound card recovered" part=sound microphone=false`,
			`level=INFO msg="sound card closed" part=sound`,
		} {
			if i >= len(lines) || !strings.Contains(lines[i], want) {
				t.Errorf("line %d of\n%s\nwant %s", i, log.String(), want)
			}
		}
	})
}
