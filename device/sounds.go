package device

import (
	"fmt"
	"log/slog"
	"sync"

	"portero/audio"
	"portero/device/config"
)

// sounds are what the station's loudspeaker plays by itself.
type sounds struct {
	engine   *audio.Engine
	chimes   map[string]audio.Clip // by bell
	ringBack audio.Clip
	busy     audio.Clip
	opened   audio.Clip
	refused  audio.Clip
	signal   audio.Clip // somebody listens now: no microphone opens before it was heard
	incoming audio.Clip

	load    func()   // makes the clips, once; whoever needs one calls it
	playing []func() // stop what sounds
}

// newSounds makes the sounds of a station; load makes the clips.
func newSounds(cfg *config.Config, engine *audio.Engine, log *slog.Logger) *sounds {
	s := &sounds{engine: engine, chimes: map[string]audio.Clip{}}
	s.load = sync.OnceFunc(func() { s.makeClips(cfg, log) })
	return s
}

// makeClips makes all clips ready at the engine's rate: nobody waits for a resampler when a bell is pressed,
// and a start does not wait for the tones.
func (s *sounds) makeClips(cfg *config.Config, log *slog.Logger) {
	dingDong := audio.ChimeTone()
	s.signal = dingDong
	s.signal.Must = true
	s.ringBack, s.busy = audio.RingbackTone(cfg.Audio.RingBack), audio.BusyTone(cfg.Audio.RingBack)
	s.opened, s.refused = audio.OpenedTone(), audio.RefusedTone()
	s.incoming = s.ringBack
	for _, b := range cfg.Bells {
		switch b.Chime {
		case "none":
		case "ding-dong":
			s.chimes[b.Name] = dingDong
		default:
			clip, err := chimeFile(b.Chime)
			if err != nil { // a bell without its own sound is a bell
				log.Error("chime not read, ding-dong takes its place", "bell", b.Name, "err", err)
				clip = dingDong
			}
			s.chimes[b.Name] = clip
		}
	}
}

func chimeFile(path string) (audio.Clip, error) {
	clip, err := audio.LoadWAV(path)
	if err != nil {
		return clip, err
	}
	if clip, err = clip.Resample(audio.ClipRate); err == nil && len(clip.Samples) == 0 {
		err = fmt.Errorf("device: %q holds no sound", path)
	}
	return clip, err
}

// play ends what sounds and plays a clip.
func (s *sounds) play(c audio.Clip) {
	s.stop()
	s.follow(c)
}

// follow plays a clip and lets a chime before it ring out.
func (s *sounds) follow(c audio.Clip) {
	if len(c.Samples) > 0 {
		s.playing = append(s.playing, s.engine.Play(c))
	}
}

// overlay plays a clip once above what sounds.
func (s *sounds) overlay(c audio.Clip) {
	c.Loop = false
	if len(c.Samples) > 0 {
		s.engine.Play(c)
	}
}

func (s *sounds) stop() {
	for _, stop := range s.playing {
		stop()
	}
	s.playing = nil
}
