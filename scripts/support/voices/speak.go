package voices

import (
	"fmt"
	"os/exec"
	"path/filepath"
)

// Speak has espeak-ng say text, in dir, and returns it at 8 kHz. Voice is one of espeak-ng's, such as "en" or "en+f3".
func Speak(dir, voice, text string) (Clip, error) {
	path := filepath.Join(dir, "speech.wav")
	if out, err := exec.Command("espeak-ng", "-v", voice, "-s", "150", "-w", path, text).CombinedOutput(); err != nil {
		return Clip{}, fmt.Errorf("voices: speak %q: %w: %s", text, err, out)
	}
	clip, err := ReadWAV(path)
	if err != nil {
		return Clip{}, err
	}
	return clip.At(rate), nil
}
