package device

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio"
	"portero/audio/audiotest"
	"portero/sip/ua"
)

// TestChimeThatDoesNotLoad: a bell whose file is gone, or is no sound, rings with ding-dong.
func TestChimeThatDoesNotLoad(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.wav")
	if err := os.WriteFile(broken, []byte("RIFF, but no more"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"/nowhere/gong.wav", broken} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "chime = \""+file+"\"", ""), r.phone("10.0.0.2:5060")
			d.press("front")
			p.want(ua.Offered)
			time.Sleep(400 * time.Millisecond)
			if level := audiotest.ToneLevel(d.heard.Samples(), cardRate, 659.26); level < -35 { // its first note
				t.Errorf("%s: the visitor hears the chime at %.0f dBFS", file, level)
			}
		})
	}
}

// TestSoundsAreResampledOnce: at the engine's rate, so that a press waits for no resampler.
func TestSoundsAreResampledOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newRig(t).door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", "")
		s := d.sounds
		s.load()
		for name, c := range map[string]audio.Clip{"chime": s.chimes["front"], "ring-back": s.ringBack, "busy": s.busy, "opened": s.opened,
			"refused": s.refused, "signal": s.signal, "incoming": s.incoming} {
			if c.Rate != audio.ClipRate || len(c.Samples) == 0 {
				t.Errorf("%s: %d samples at %d Hz", name, len(c.Samples), c.Rate)
			}
		}
	})
}
