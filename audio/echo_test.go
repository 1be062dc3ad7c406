package audio_test

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio"
	"portero/audio/audiotest"
)

// room is a loudspeaker beside a microphone: the echo comes 35 ms later, at half the level, with two
// reflections.
func room(card *audiotest.Card, rate int) {
	past := make([]int16, rate/10)
	at := func(ms int) int { return len(past) - rate*ms/1000 }
	card.Speaker = func(play []int16) {
		past = append(past[len(play):], play...)
	}
	card.Mic = func(capture []int16) {
		n := len(capture)
		for i := range capture {
			capture[i] = past[at(35)-n+i]/2 - past[at(42)-n+i]/5 + past[at(60)-n+i]/8
		}
	}
}

// The loudspeaker's sound, clip or call, must not come back to the caller; the reference has to fit the
// microphone in time.
func TestEngineCancelsEcho(t *testing.T) {
	level := func(off bool) (heard float64) {
		synctest.Test(t, func(t *testing.T) {
			net := &audiotest.Net{}
			a := newParty(t, net, 48000, 480, addrA, media(addrB, audio.PCMA))
			b := newParty(t, net, 16000, 160, addrB, media(addrA, audio.PCMA))
			room(a.card, 48000)
			a.engine = audio.NewEngine(a.card.Open, audio.EngineOptions{
				Log: slog.New(slog.DiscardHandler), Echo: audio.EchoOptions{Off: off},
			})
			stop := run(t, a, b)
			a.engine.Attach(a.session)
			b.engine.Attach(b.session)
			a.engine.Play(audio.Clip{Samples: voice(16000, 16000*6), Rate: 16000})
			time.Sleep(5500 * time.Millisecond)
			stop()
			s := b.rec.Samples()
			heard = audiotest.Level(s[len(s)-32000:])
		})
		return heard
	}
	loud, quiet := level(true), level(false)
	if loud < -35 || loud-quiet < 15 {
		t.Errorf("echo of %.1f dBFS without canceller, %.1f with", loud, quiet)
	}
	t.Logf("echo of %.1f dBFS without canceller, %.1f with", loud, quiet)
}
