//go:build interop

package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"portero/scripts/support/voices"
)

// Twinkle is twinkle-console told what to do on its standard input. ALSA's file plugin is its card: what it plays goes into a file,
// and its microphone is a named pipe that is filled at the pace of the clock, which is the phone's clock, too.
type Twinkle struct {
	*Process
	heard string
}

const twinkleProfile = `user_name=%[1]s
user_domain=127.0.0.1:%[3]d
auth_name=%[1]s
auth_pass=%[2]s
registrar=127.0.0.1:%[3]d
register_at_startup=yes
sip_transport=udp
codecs=g711a
dtmf_transport=rfc2833
speex_dsp_vad=no
speex_dsp_agc=no
speex_dsp_aec=no
speex_dsp_nrd=no
`

const twinkleSystem = `dev_ringtone=alsa:null
dev_speaker=alsa:ear
dev_mic=alsa:mouth
validate_audio_dev=no
play_ringtone=no
play_ringback=no
sip_port=%d
rtp_port=%d
`

const twinkleCard = `pcm.mouth {
  type file
  slave.pcm null
  file "/dev/null"
  infile "%[1]s"
  format raw
}
pcm.ear {
  type file
  slave.pcm null
  file "%[2]s"
  format raw
}
`

// StartTwinkle starts a phone as user of the registrar on 127.0.0.1:port; it says v again and again.
func StartTwinkle(t *testing.T, name, user, password string, port int, v Voice) *Twinkle {
	t.Helper()
	need(t, "twinkle-console")
	dir := t.TempDir()
	tw := &Twinkle{heard: filepath.Join(dir, "heard.raw")}
	mouth := filepath.Join(dir, "mouth")
	if err := syscall.Mkfifo(mouth, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, ".twinkle"), 0o700); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		".twinkle/phone.cfg":   fmt.Sprintf(twinkleProfile, user, password, port),
		".twinkle/twinkle.sys": fmt.Sprintf(twinkleSystem, freePort(t), freePorts(t, 4)),
		".asoundrc":            fmt.Sprintf(twinkleCard, mouth, tw.heard),
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	speak(t, mouth, v)
	tw.Process = Start(t, name, dir, []string{"HOME=" + dir}, "twinkle-console", "phone.cfg")
	return tw
}

// speak fills the pipe with v's sentence until the test ends.
func speak(t *testing.T, pipe string, v Voice) {
	t.Helper()
	clip := v.Clip.Repeat(1, 0, 0.3)
	raw := make([]byte, 0, 2*len(clip.Samples))
	for _, s := range clip.Samples {
		raw = append(raw, byte(int16(s*32767)), byte(int16(s*32767)>>8))
	}
	f, err := os.OpenFile(pipe, os.O_RDWR, 0) // both ends, so that it opens before anybody listens
	if err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() {
		close(stop)
		_ = f.Close()
		<-done
	})
	go func() {
		defer close(done)
		const frame = 2 * 8000 * 20 / 1000 // 20 ms
		pace := time.NewTicker(20 * time.Millisecond)
		defer pace.Stop()
		for at := 0; ; at += frame {
			select {
			case <-stop:
				return
			case <-pace.C:
			}
			if at+frame > len(raw) {
				at = 0
			}
			_ = f.SetWriteDeadline(time.Now().Add(10 * time.Millisecond)) // nobody hears what is said while nobody listens
			_, _ = f.Write(raw[at : at+frame])
		}
	}()
}

// Registered waits for the registrar's 200.
func (tw *Twinkle) Registered() {
	tw.t.Helper()
	tw.WaitLog(`registration succeeded`, patience)
}

// SoFar is what the phone has played: raw samples at the codec's rate.
func (tw *Twinkle) SoFar() voices.Clip {
	raw, err := os.ReadFile(tw.heard)
	if err != nil {
		return voices.Clip{}
	}
	return pcm(raw, 8000)
}
