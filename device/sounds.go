package device

import (
	"fmt"

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
	signal   audio.Clip // somebody listens now
	incoming audio.Clip

	playing []func() // stop what sounds
}

func loadSounds(cfg *config.Config, engine *audio.Engine) (sounds, error) {
	s := sounds{engine: engine, chimes: map[string]audio.Clip{},
		ringBack: audio.RingbackTone(cfg.Audio.RingBack), busy: audio.BusyTone(cfg.Audio.RingBack),
		opened: audio.OpenedTone(), refused: audio.RefusedTone(), signal: audio.ChimeTone()}
	s.incoming = audio.RingbackTone(cfg.Audio.RingBack)
	for _, b := range cfg.Bells {
		switch b.Chime {
		case "none":
		case "ding-dong":
			s.chimes[b.Name] = audio.ChimeTone()
		default:
			clip, err := audio.LoadWAV(b.Chime)
			if err != nil {
				return s, fmt.Errorf("device: chime of bell %q: %w", b.Name, err)
			}
			s.chimes[b.Name] = clip
		}
	}
	return s, nil
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

// over plays a clip once above what sounds.
func (s *sounds) over(c audio.Clip) {
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
