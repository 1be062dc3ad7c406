package playout

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"portero/audio/rtp"
)

// wire is an RTP packet as its sender numbers it.
type wire struct {
	SSRC      uint32
	Seq       uint16
	Timestamp uint32
	Payload   []byte
	At        time.Duration
}

// sent is a packet on its way; times in ms.
type sent struct {
	at float64
	p  wire
}

// receiver is a buffer behind the judge of its packets, as in a session.
type receiver struct {
	*Buffer
	source rtp.Source
}

func (r *receiver) put(p wire) {
	if seq, ok := r.source.Admit(p.SSRC, p.Seq, p.Timestamp, p.At, false); ok {
		r.Put(Packet{Epoch: r.source.Epoch(), Seq: seq, Timestamp: p.Timestamp, Payload: p.Payload, At: p.At})
	}
}

// judged are the counters of both.
type judged struct {
	Stats
	Lost uint64
}

func (r *receiver) Stats() judged { return judged{r.Buffer.Stats(), r.source.Lost()} }

func receive(rate, clockRate int, d Decoder) *receiver {
	return &receiver{Buffer: New(Config{Rate: rate, ClockRate: clockRate}, d)}
}

// tone returns the payload of linear PCM for samples [from, from+n) of a sine.
func tone(from int64, n, rate int, hz float64) []byte {
	b := make([]byte, 2*n)
	for i := range n {
		v := 10000 * math.Sin(2*math.Pi*hz*float64(from+int64(i))/float64(rate))
		binary.BigEndian.PutUint16(b[2*i:], uint16(int16(v)))
	}
	return b
}

// stream makes packets of ms each, sent from start on and arriving 5 ms later.
func stream(start float64, count, ms int, ssrc uint32, seq uint16, ts uint32, media int64, rate int) []sent {
	n := ms * rate / 1000
	var s []sent
	for i := range count {
		at := start + float64(i*ms) + 5
		s = append(s, sent{at, wire{SSRC: ssrc, Seq: seq + uint16(i), Timestamp: ts + uint32(i*n),
			Payload: tone(media+int64(i*n), n, rate, 440), At: time.Duration(at * 1e6)}})
	}
	return s
}

// run pulls until end ms and returns the sound.
func run(b *receiver, s []sent, rate int, end float64) []int16 {
	s = slices.Clone(s)
	slices.SortStableFunc(s, func(a, b sent) int {
		return int(math.Copysign(1, a.at-b.at))
	})
	var out []int16
	pcm := make([]int16, rate/100)
	for now := 0.0; now < end; now += 10 {
		for len(s) > 0 && s[0].at <= now {
			b.put(s[0].p)
			s = s[1:]
		}
		b.Get(pcm, time.Duration(now*1e6))
		out = append(out, pcm...)
	}
	return out
}

func level(x []int16) float64 {
	var e float64
	for _, v := range x {
		e += float64(v) * float64(v)
	}
	return math.Sqrt(e / float64(max(len(x), 1)))
}

func maxStep(x []int16) int {
	m := 0
	for i := 1; i < len(x); i++ {
		m = max(m, int(math.Abs(float64(x[i])-float64(x[i-1]))))
	}
	return m
}

// toneStep is what an undisturbed tone of 440 Hz steps at most, at 8 kHz.
const toneStep = 3433

// network draws a trace of n packets as the profiles of the doc do.
func network(profile string, n int, seed uint64) []Arrival {
	r := rand.New(rand.NewPCG(seed, 1))
	t := make([]Arrival, n)
	bad, x := false, 0.0
	stall := -1.0
	next := 3000 * r.ExpFloat64()
	for i := range t {
		send := float64(i) * 20
		switch profile {
		case "fast":
			send *= 1 - 1e-4
		case "slow":
			send *= 1 + 1e-4
		case "fast500":
			send *= 1 - 5e-4
		case "slow500":
			send *= 1 + 5e-4
		}
		a := send + 5
		switch profile {
		case "lan":
			a += math.Abs(0.3 * r.NormFloat64())
		case "wifi":
			a += 1.5 * r.ExpFloat64()
			if send > next {
				stall = next + 40 + 80*r.Float64()
				next = stall + 3000*r.ExpFloat64()
			}
			a = math.Max(a, stall+float64(i)*1e-6)
			if r.Float64() < .002 {
				a = -1
			}
		case "loss":
			a += 2 * r.ExpFloat64()
			if r.Float64() < .02 {
				a = -1
			}
		case "gilbert":
			a += 3 * r.ExpFloat64()
			if bad {
				bad = r.Float64() >= 1.0/3
			} else {
				bad = r.Float64() < 0.05/0.95/3
			}
			if bad {
				a = -1
			}
		case "jitter":
			x = 0.6*x + 0.8*r.NormFloat64()
			a += math.Min(math.Max(30+15*x, 0), 90)
			if r.Float64() < .005 {
				a = -1
			}
		default:
			a += 2 * r.ExpFloat64()
		}
		t[i] = Arrival{Seq: i, Send: send, Arrive: a}
	}
	return t
}

func lossOf(t []Arrival) float64 {
	n := 0
	for _, a := range t {
		if a.Arrive < 0 {
			n++
		}
	}
	return 100 * float64(n) / float64(len(t))
}

func check(t *testing.T, ok bool, format string, args ...any) {
	t.Helper()
	if !ok {
		t.Errorf(format, args...)
	}
}
