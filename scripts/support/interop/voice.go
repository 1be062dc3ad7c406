//go:build interop

package interop

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"portero/scripts/support/voices"
)

// Voice is a sentence and a file that says it again and again for two minutes.
type Voice struct {
	Path string
	Clip voices.Clip // the sentence once, 8 kHz
}

// The speakers of the tests: different voices and texts, none similar to another.
var speakers = map[string][2]string{
	"visitor": {"en", "Good morning, this is the parcel service, I have a delivery for the second floor."},
	"kitchen": {"en+f3", "Please leave it in the hall, I am coming down in a minute."},
	"hall":    {"en+m3", "Nobody is at home before six, would you try the neighbours next door?"},
	"other":   {"en", "The quick brown fox jumps over the lazy dog near the river bank."},
}

var said struct {
	sync.Mutex
	dir string // made by TestMain
	by  map[string]Voice
}

// speaker is the voice of one of speakers, made once.
func speaker(t *testing.T, who string) Voice {
	t.Helper()
	need(t, "espeak-ng")
	said.Lock()
	defer said.Unlock()
	if v, ok := said.by[who]; ok {
		return v
	}
	clip, err := voices.Speak(said.dir, speakers[who][0], speakers[who][1])
	if err != nil {
		t.Fatal(err)
	}
	v := Voice{filepath.Join(said.dir, who+".wav"), clip}
	if err := clip.Repeat(int(120/(clip.Seconds()+0.3)), 0.2, 0.3).WriteWAV(v.Path); err != nil {
		t.Fatal(err)
	}
	said.by[who] = v
	return v
}

// sentence is the time in which a listener has heard v's sentence twice in full, wherever it came in: on a machine that has
// other things to do, one of them may suffer.
func (v Voice) sentence() time.Duration {
	return time.Duration((3*v.Clip.Seconds() + 2) * float64(time.Second))
}

// mustHear fails the test unless the recording holds the sentence of v; mustNotHear unless it does not.
func mustHear(t *testing.T, what, recording string, v Voice) {
	t.Helper()
	if m := listenTo(t, recording, v); !m.Same() {
		t.Errorf("%s: not heard: %v", what, m)
	} else {
		t.Logf("%s: %v", what, m)
	}
}

func mustNotHear(t *testing.T, what, recording string, v Voice) {
	t.Helper()
	if m := listenTo(t, recording, v); m.Same() {
		t.Errorf("%s: heard what must not be there: %v", what, m)
	}
}

func listenTo(t *testing.T, recording string, v Voice) voices.Match {
	t.Helper()
	clip, err := voices.ReadWAV(recording)
	if err != nil {
		t.Fatal(err)
	}
	return voices.Find(v.Clip, clip)
}

// talk lets real time pass: two people cannot speak faster.
func talk(d time.Duration) { time.Sleep(d) }

// only returns the single recording of a phone that had one call.
func only(t *testing.T, recordings []string) string {
	t.Helper()
	if len(recordings) != 1 {
		t.Fatalf("interop: %d recordings, want one: %q", len(recordings), recordings)
	}
	return recordings[0]
}

// silence is two minutes of nothing, for a visitor who does not speak.
func (Voice) silence() voices.Clip {
	return voices.Clip{Rate: 8000, Samples: make([]float64, 120*8000)}
}

// sprintf keeps the tests' configs on one line.
var sprintf = fmt.Sprintf
