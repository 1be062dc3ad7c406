package playout

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

// Arrival is one packet of a recorded network trace; times in ms. Arrive is negative for a packet that was
// lost.
type Arrival struct {
	Seq          int
	Send, Arrive float64
}

const (
	packetMs = 20      // of a trace
	maxTrace = 1 << 20 // packets, 5.8 hours
	tailMs   = 200     // that a replay goes on after the last packet was sent
)

// ReadTrace reads lines "seq send_ms arrival_ms".
func ReadTrace(r io.Reader) ([]Arrival, error) {
	var t []Arrival
	s := bufio.NewScanner(r)
	for line := 1; s.Scan(); line++ {
		var a Arrival
		if _, err := fmt.Sscan(s.Text(), &a.Seq, &a.Send, &a.Arrive); err != nil {
			return nil, fmt.Errorf("playout: trace line %d %q: %w", line, s.Text(), err)
		}
		const end = maxTrace * packetMs
		if a.Seq < 0 || a.Seq > maxTrace || !(a.Send >= 0 && a.Send <= end && a.Arrive <= end) {
			return nil, fmt.Errorf("playout: trace line %d %q: out of range", line, s.Text())
		}
		t = append(t, a)
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("playout: read trace: %w", err)
	}
	if len(t) == 0 {
		return nil, fmt.Errorf("playout: trace is empty")
	}
	return t, nil
}

// Delays is what a trace costs a listener.
type Delays struct {
	MeanMs, P95Ms float64 // play-out minus sending, less the 5 ms that a trace's fastest path takes
	Concealed     float64 // % of the time, network loss included
	Stats         Stats
}

// l16 is linear PCM, big-endian (RFC 3551 4.5.11).
type l16 struct{}

func (l16) Decode(pcm []int16, payload []byte) int {
	n := min(len(payload)/2, len(pcm))
	for i := range n {
		pcm[i] = int16(binary.BigEndian.Uint16(payload[2*i:]))
	}
	return n
}

// Replay runs in, mono 16-bit at rate Hz, through a buffer over the network of the trace: 20 ms packets, 10
// ms Gets, no look-ahead. The result starts at the wall clock's zero, as the first packet is sent. in may be
// nil: something like a voice is sent.
func Replay(trace []Arrival, in []int16, rate int) ([]int16, Delays) {
	if in == nil {
		in = hum((trace[len(trace)-1].Seq+1)*packetMs*rate/1000, rate)
	}
	b := New(Config{Rate: rate, ClockRate: rate}, l16{})
	order := make([]int, 0, len(trace))
	for i, a := range trace {
		if a.Arrive >= 0 && (a.Seq+1)*packetMs*rate/1000 <= len(in) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case trace[i].Arrive < trace[j].Arrive:
			return -1
		case trace[i].Arrive > trace[j].Arrive:
			return 1
		}
		return 0
	})
	n := packetMs * rate / 1000
	block := rate / 100
	count := min(len(trace), len(in)/n)
	if count == 0 {
		return nil, Delays{}
	}
	end := trace[count-1].Send + packetMs + tailMs
	payload := make([]byte, 2*n)
	out := make([]int16, 0, int(end)*rate/1000+block)
	sent := make(map[int]float64, len(trace))
	for _, a := range trace {
		sent[a.Seq] = a.Send
	}
	var delays []float64
	var concealed int64
	pcm := make([]int16, block)
	for now := 0.0; now < end; now += 10 {
		for len(order) > 0 && trace[order[0]].Arrive <= now {
			a := trace[order[0]]
			order = order[1:]
			for i := range n {
				binary.BigEndian.PutUint16(payload[2*i:], uint16(in[a.Seq*n+i]))
			}
			b.Put(Packet{Seq: int64(a.Seq), Timestamp: uint32(a.Seq * n), Payload: payload,
				At: time.Duration(a.Arrive * float64(time.Millisecond))})
		}
		b.Get(pcm, time.Duration(now*float64(time.Millisecond)))
		out = append(out, pcm...)
		if now < end-tailMs {
			concealed = b.total.concealed
		}
		if b.started && b.voiced && !b.idle {
			// The block just played ends at the position of the next sample.
			media := b.position() - int64(block) - b.in.baseAt + b.in.base
			if s, ok := sent[int(media/int64(n))]; ok {
				delays = append(delays, now-s-float64(media%int64(n))*1000/float64(rate)-5)
			}
		}
	}
	st := b.Stats()
	d := Delays{Stats: st, Concealed: 100 * float64(concealed) / float64(int(end-tailMs)*rate/1000)}
	for _, v := range delays {
		d.MeanMs += v / float64(len(delays))
	}
	if len(delays) > 0 {
		slices.Sort(delays)
		d.P95Ms = delays[len(delays)*95/100]
	}
	return out, d
}

// hum makes n samples of syllables with a gliding pitch, 80 to 200 Hz.
func hum(n, rate int) []int16 {
	pcm := make([]int16, n)
	phase := 0.0
	for i := range pcm {
		t := float64(i) / float64(rate)
		phase += (140 + 60*math.Sin(2*math.Pi*0.31*t)) / float64(rate)
		s, c := math.Sincos(2 * math.Pi * phase)
		v, before := 0.0, 0.0
		for k, sk := 1.0, s; k < 12; k++ {
			v += sk / k // sin(k phase) by Chebyshev's recurrence
			before, sk = sk, 2*c*sk-before
		}
		loud := math.Max(math.Sin(2*math.Pi*1.7*t), 0) * math.Max(math.Sin(2*math.Pi*0.2*t)+0.5, 0)
		pcm[i] = int16(4000 * v * loud)
	}
	return pcm
}

// Align drops the beginning of a replay by its mean delay, less 5 ms, so that it lies beside what was sent,
// and cuts or fills it with silence to n samples.
func Align(out []int16, d Delays, rate, n int) []int16 {
	aligned := make([]int16, n)
	copy(aligned, out[min(max(int(d.MeanMs*float64(rate)/1000), 0), len(out)):])
	return aligned
}
