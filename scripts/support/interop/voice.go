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

// hearing is a sentence on its way to a listener.
type hearing struct {
	what  string             // who hears whom
	sofar func() voices.Clip // what the listener has recorded so far, empty if nothing yet
	voice Voice
}

// converse lets a call last until every listener has understood, and fails the test for those who have not after some 40 s. On a
// machine that has other things to do a peer runs dry now and then: who has not understood listens on, as people do.
func converse(t *testing.T, all ...hearing) {
	t.Helper()
	longest := 0.0
	for _, h := range all {
		longest = max(longest, h.voice.Clip.Seconds())
	}
	talk(seconds(2*longest + 2)) // once in full, wherever the listener came in
	const attempts = 6
	for i := 1; ; i++ {
		var not []hearing
		for _, h := range all {
			switch m := h.listen(); {
			case m.Same():
				t.Logf("%s: %v, attempt %d", h.what, m, i)
			case i == attempts:
				t.Errorf("%s: not heard in %d attempts: %v", h.what, i, m)
			default:
				not = append(not, h)
			}
		}
		if all = not; len(all) == 0 {
			return
		}
		talk(seconds(longest + 0.5))
	}
}

// sofar reads a recording that still grows.
func sofar(path string) voices.Clip {
	clip, err := voices.ReadWAV(path)
	if err != nil {
		return voices.Clip{} // begun, and still without its head
	}
	return clip
}

// pcm is sound of 16 bits without a head.
func pcm(raw []byte, rate int) voices.Clip {
	c := voices.Clip{Rate: rate, Samples: make([]float64, len(raw)/2)}
	for i := range c.Samples {
		c.Samples[i] = float64(int16(uint16(raw[2*i])|uint16(raw[2*i+1])<<8)) / 32768
	}
	return c
}

// listen looks for the sentence in the newest part of the recording, which holds it three times.
func (h hearing) listen() voices.Match {
	clip := h.sofar()
	newest := int((3*h.voice.Clip.Seconds() + 2) * float64(clip.Rate))
	clip.Samples = clip.Samples[max(0, len(clip.Samples)-newest):]
	return voices.Find(h.voice.Clip, clip)
}

// mustNotHear fails the test when the recording holds the sentence of v.
func mustNotHear(t *testing.T, what, recording string, v Voice) {
	t.Helper()
	clip, err := voices.ReadWAV(recording)
	if err != nil {
		t.Fatal(err)
	}
	if m := voices.Find(v.Clip, clip); m.Same() {
		t.Errorf("%s: heard what must not be there: %v", what, m)
	}
}

// talk lets real time pass: two people cannot speak faster.
func talk(d time.Duration) { time.Sleep(d) }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

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
