package device

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio"
	"portero/audio/audiotest"
	"portero/device/event"
)

// TestSpeech lets two whole stations talk to each other for 40 s, both at once, and holds what each hears
// against what the other said: from card to card through codec, late and lost packets, jitter buffer and
// concealment, with nobody's sound treated. Single seeds scatter by .01, so a bound is for the mean of the
// seeds. DEVICE_TEST_SEEDS=10 takes more of them.
func TestSpeech(t *testing.T) {
	for _, c := range []struct {
		codec *audio.Codec
		loss  float64
		seeds uint64
		least float64 // STOI, each way
	}{
		{audio.PCMA, 0.05, 2, .96},
		{audio.PCMA, 0, 1, .99},
		{audio.G722, 0.05, 6, .96}, // twenty seeds have .964 and .964
	} {
		if testing.Short() {
			c.seeds = 1
		}
		if n, err := strconv.ParseUint(os.Getenv("DEVICE_TEST_SEEDS"), 10, 8); err == nil && n > 0 {
			c.seeds = n
		}
		t.Run(fmt.Sprintf("%s %.0f%%", c.codec.Name, 100*c.loss), func(t *testing.T) {
			var resident, visitor float64
			for seed := range c.seeds {
				synctest.Test(t, func(t *testing.T) {
					toResident, toVisitor := converse(t, c.codec, c.loss, 1+seed)
					t.Logf("seed %d: the resident hears %.4f, the visitor %.4f", 1+seed, toResident, toVisitor)
					resident, visitor = resident+toResident/float64(c.seeds), visitor+toVisitor/float64(c.seeds)
				})
			}
			t.Logf("the resident hears %.4f, the visitor %.4f: means of %d", resident, visitor, c.seeds)
			if !(resident >= c.least) || !(visitor >= c.least) {
				t.Errorf("STOI is %.4f at the resident and %.4f at the visitor, want at least %.2f", resident, visitor, c.least)
			}
		})
		if testing.Short() {
			break
		}
	}
}

const (
	chimesTime = 5 * time.Second  // until the chimes have rung out on both sides
	speechTime = 41 * time.Second // the last half second of it is still on its way
)

// converse calls one station from another and returns the STOI of what resident and visitor hear.
func converse(t *testing.T, codec *audio.Codec, loss float64, seed uint64) (toResident, toVisitor float64) {
	r := newRig(t)
	line := &gilbert{loss: loss, burst: 3, jitter: 20 * time.Millisecond, seed: seed, ways: map[uint64]*way{}}
	r.rtp.Drop, r.rtp.Delay = line.drop, line.delay
	front := r.door("10.0.0.1:5062", `"sip:door@10.0.0.2:5062"`, `talk_limit = "2m"`, "")
	hall := r.door("10.0.0.2:5062", `"sip:door@10.0.0.1:5062"`, "", `
[[incoming.allow]]
from = "sip:door@portero.local"
source = "10.0.0.1"
auto_answer = true
`)
	front.media.Codecs, hall.media.Codecs = []*audio.Codec{codec}, []*audio.Codec{codec}
	visitor, resident := speak(t, front, "visitor"), speak(t, hall, "resident")
	front.press("front")
	front.want(event.CallAnswered)
	time.Sleep(chimesTime)
	synctest.Wait()
	for _, recording := range []*audiotest.Recorder{visitor, resident, &front.heard, &hall.heard} {
		recording.Reset()
	}
	time.Sleep(speechTime)
	synctest.Wait()
	toResident = understood(t, visitor.Samples(), hall.heard.Samples())
	toVisitor = understood(t, resident.Samples(), front.heard.Samples())
	front.do(HangUp{})
	for _, d := range []*door{front, hall} {
		rtp := d.want(event.CallEnded).RTP
		if rtp == nil || rtp.Codec != codec.Name {
			t.Fatalf("the call had %+v, want %s", rtp, codec.Name)
		}
		t.Logf("seed %d: %+v", seed, *rtp)
		if share := float64(rtp.Lost) / float64(rtp.Lost+rtp.Received); share < loss/2 || share > 2*loss {
			t.Errorf("%.1f %% of the packets were lost, want about %.1f %%", 100*share, 100*loss)
		}
	}
	return toResident, toVisitor
}

// speak lets somebody at d say the demo's sentences over and over, and records it.
func speak(t *testing.T, d *door, who string) *audiotest.Recorder {
	t.Helper()
	clip, err := audio.LoadWAV("../cmd/portero/speech/" + who + ".wav")
	if err == nil {
		clip, err = clip.Resample(cardRate)
	}
	if err != nil {
		t.Fatal(err)
	}
	said, play := &audiotest.Recorder{}, audiotest.Player(clip.Samples, true)
	d.card.Mic = func(capture []int16) {
		play(capture)
		said.Write(capture)
	}
	return said
}

// In samples of the card, but for the last.
const (
	longestDelay = cardRate / 5       // from one card to the other
	slipReach    = cardRate * 3 / 100 // how far a jitter buffer may have moved what is heard
	sentenceMin  = cardRate
	pauseMin     = cardRate * 15 / 100
	audible      = 0 // dB of a sentence over all else; one that was lost for the most part resembles anything
)

// understood judges the whole after aligning sentence by sentence, since a jitter buffer that adapts moves
// all that follows.
func understood(t *testing.T, said, heard []int16) float64 {
	t.Helper()
	said = said[:len(said)-cardRate/2]
	if len(heard) < len(said)+longestDelay+slipReach {
		t.Fatalf("%d samples were said and %d heard", len(said), len(heard))
	}
	_, first := audiotest.SNR(said[:3*cardRate], heard[:4*cardRate], longestDelay)
	delay := first
	aligned := make([]int16, 0, len(said))
	for from := 0; from < len(said); {
		to := sentenceEnd(said, from)
		if here, _ := audiotest.SNR(said[from:to], heard[from+delay:], 0); here < audible {
			lo := max(0, from+first-slipReach)
			there, lag := audiotest.SNR(said[from:to], heard[lo:to+first+slipReach], from+first+slipReach-lo)
			if there > audible {
				delay = lo + lag - from
				t.Logf("from %.1f s on it is heard %.1f ms later", float64(from)/cardRate, 1e3*float64(delay)/cardRate)
			}
		}
		aligned = append(aligned, heard[from+delay:to+delay]...)
		from = to
	}
	return audiotest.STOI(said, aligned, cardRate)
}

// sentenceEnd returns where the sentence that begins at from ends: in the middle of a pause.
func sentenceEnd(said []int16, from int) int {
	const frame = cardRate / 100
	quiet := 0
	for at := from; at+frame <= len(said); at += frame {
		if audiotest.Level(said[at:at+frame]) < -60 {
			quiet += frame
			continue
		}
		if end := at - quiet/2; quiet >= pauseMin && end-from >= sentenceMin && len(said)-end >= sentenceMin {
			return end
		}
		quiet = 0
	}
	return len(said)
}

// gilbert is a network that loses packets in bursts (Gilbert, "Capacity of a Burst-Noise Channel", Bell
// System Technical Journal 39, 1960) and delays them by 5 ms and more. Each way has its own fate, whatever
// the other one carries at the same moment.
type gilbert struct {
	loss   float64       // share of the packets
	burst  float64       // mean length of a loss, in packets
	jitter time.Duration // evenly spread above the least delay
	seed   uint64
	ways   map[uint64]*way // by host and kind
}

type way struct {
	*rand.Rand
	bad bool
}

// way finds the one that a packet takes: RTP goes to even ports, RTCP to odd ones.
func (g *gilbert) way(p audiotest.Packet) *way {
	key := uint64(p.To.Addr().As4()[3])<<1 | uint64(p.To.Port()&1)
	if g.ways[key] == nil {
		g.ways[key] = &way{Rand: rand.New(rand.NewPCG(g.seed, key))}
	}
	return g.ways[key]
}

func (g *gilbert) drop(p audiotest.Packet) bool {
	w := g.way(p)
	if w.bad {
		w.bad = w.Float64() >= 1/g.burst
	} else {
		w.bad = w.Float64() < g.loss/(1-g.loss)/g.burst
	}
	return w.bad
}

func (g *gilbert) delay(p audiotest.Packet) time.Duration {
	return 5*time.Millisecond + time.Duration(g.way(p).Float64()*float64(g.jitter))
}
