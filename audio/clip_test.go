package audio_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio"
	"portero/audio/audiotest"
)

// TestMustPlay: a clip is given up when the card does not come, unless it must be played; that one is done
// when it was heard.
func TestMustPlay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newParty(t, &audiotest.Net{}, audio.ClipRate, 160, addrA, media(addrB, audio.PCMA))
		stop := run(t, a)
		a.card.Break(errors.New("unplugged"))
		start, done := time.Now(), map[bool]chan time.Duration{}
		for _, must := range []bool{false, true} {
			at := make(chan time.Duration, 2)
			done[must] = at
			a.engine.Play(audio.Clip{Samples: audiotest.Sine(1000, audio.ClipRate, audio.ClipRate, 8000),
				Rate: audio.ClipRate, Must: must,
				Done: func() { at <- time.Since(start) }})
		}
		if at := <-done[false]; at < 2*time.Second || at > 4*time.Second {
			t.Errorf("given up after %v", at)
		}
		time.Sleep(time.Minute)
		if len(done[true]) != 0 || len(a.rec.Samples()) != 0 {
			t.Fatal("done without a card")
		}
		a.card.Break(nil)
		<-done[true]
		if level := audiotest.ToneLevel(a.rec.Samples(), audio.ClipRate,
			1000); len(a.rec.Samples()) < audio.ClipRate || level < -20 {
			t.Errorf("done after %d samples at %.0f dBFS", len(a.rec.Samples()), level)
		}
		stop()
	})
}

// TestMustPlayStops: also without a card.
func TestMustPlayStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newParty(t, &audiotest.Net{}, audio.ClipRate, 160, addrA, media(addrB, audio.PCMA))
		stop := run(t, a)
		a.card.Break(errors.New("unplugged"))
		done := make(chan bool, 1)
		end := a.engine.Play(audio.Clip{Samples: make([]int16, 1600), Rate: audio.ClipRate, Must: true,
			Done: func() { done <- true }})
		time.Sleep(10 * time.Second)
		end()
		<-done
		stop()
	})
}
