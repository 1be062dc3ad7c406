package playout

import (
	"testing"
	"time"
)

func at8k() *receiver { return receive(8000, 8000, l16{}) }

func TestSilentBeforeFirstPacket(t *testing.T) {
	check(t, level(run(at8k(), nil, 8000, 1000)) == 0, "sound without a packet")
}

// Packet sizes from 10 to 60 ms, also mixed, sound like one tone.
func TestPacketSizes(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		for _, sizes := range [][]int{{10}, {20}, {30}, {40}, {60}, {20, 60, 10, 30}} {
			b := receive(rate, rate, l16{})
			var s []sent
			now, media := 0.0, int64(0)
			for i := 0; now < 4000; i++ {
				ms := sizes[i%len(sizes)]
				if ms*rate/1000*2 > maxPayload {
					ms = 40
				}
				s = append(s, stream(now+float64(ms), 1, ms, 1, uint16(i), uint32(media), media, rate)...)
				now += float64(ms)
				media += int64(ms * rate / 1000)
			}
			out := run(b, s, rate, 4000)
			x := out[rate:]
			st := b.Stats()
			check(t, level(x) > 6900 && level(x) < 7200, "%d Hz, %v ms: level %.0f", rate, sizes, level(x))
			check(t, maxStep(x) <= toneStep*3/2, "%d Hz, %v ms: a step of %d", rate, sizes, maxStep(x))
			check(t, st.ConcealedMs <= 60 && st.Lost == 0 && st.Late == 0,
				"%d Hz, %v ms: %+v", rate, sizes, st)
		}
	}
}

// The RTP clock of G.722 runs at half its sampling rate.
func TestHalfClock(t *testing.T) {
	b := receive(16000, 8000, l16{})
	s := stream(0, 200, 20, 1, 0, 0, 0, 16000)
	for i := range s {
		s[i].p.Timestamp /= 2
	}
	x := run(b, s, 16000, 3900)[1600:]
	check(t, level(x) > 7000 && maxStep(x) <= toneStep/2+200, "level %.0f, step %d", level(x), maxStep(x))
	check(t, b.Stats().ConcealedMs == 0, "%+v", b.Stats())
}

func TestWrap(t *testing.T) {
	b := at8k()
	x := run(b, stream(0, 400, 20, 1, 65400, 0xffffffff-160*200, 0, 8000), 8000, 7900)[800:]
	check(t, maxStep(x) <= toneStep*105/100 && level(x) > 7000, "step %d, level %.0f", maxStep(x), level(x))
	st := b.Stats()
	check(t, st.Lost+st.Late+st.Duplicates == 0 && st.ConcealedMs == 0, "%+v", st)
}

// Delay changes stretch a tone without a click.
func TestNoClicks(t *testing.T) {
	for _, profile := range []string{"jitter", "fast500", "slow500", "lan"} {
		b := at8k()
		var s []sent
		for _, a := range network(profile, 3000, 5) {
			if a.Arrive >= 0 || profile == "jitter" {
				p := stream(a.Send, 1, 20, 1, uint16(a.Seq), uint32(a.Seq*160), int64(a.Seq*160), 8000)[0]
				p.at = max(a.Arrive, a.Send+5)
				p.p.At = time.Duration(p.at * 1e6)
				s = append(s, p)
			}
		}
		out := run(b, s, 8000, 58000)
		check(t, maxStep(out) <= toneStep*13/10, "%s: a step of %d, the tone's own is %d",
			profile, maxStep(out), toneStep)
		check(t, b.Stats().StretchedMs > 0, "%s: nothing was stretched: the test is void", profile)
	}
}

func TestDuplicatesAndReordering(t *testing.T) {
	b := at8k()
	s := stream(0, 500, 20, 1, 7, 99, 0, 8000)
	for i := range s {
		s[i].at += 30 // a steady path, so that the swaps below are learned from
		if i%10 == 3 {
			s[i].at += 22 // comes after its successor
		}
	}
	twice := append(s, s...)
	x := run(b, twice, 8000, 9900)
	st := b.Stats()
	check(t, st.Duplicates == 500-uint64(5) || st.Duplicates > 480, "%+v", st)
	check(t, st.Lost == 0 && st.ConcealedMs < 60, "%+v", st)
	check(t, maxStep(x[16000:]) <= toneStep*5/4, "step %d", maxStep(x[16000:]))
}

// A pause with silence suppression: no loss is counted, the next talkspurt sounds at once and whole.
func TestDTX(t *testing.T) {
	for _, pause := range []float64{200, 300, 1000, 5000, 600e3} {
		b := at8k()
		s := stream(0, 100, 20, 1, 0, 0, 0, 8000)
		again := 2000 + pause
		s = append(s, stream(again, 100, 20, 1, 100, uint32(again*8), int64(again*8), 8000)...)
		out := run(b, s, 8000, again+1900)
		at := func(ms float64) int { return int(ms * 8) }
		check(t, b.Stats().ConcealedMs == 0 && b.Stats().Lost == 0, "pause of %g ms: %+v", pause, b.Stats())
		check(t, level(out[at(again+60):]) > 7000, "pause of %g ms: level after it %.0f",
			pause, level(out[at(again+60):]))
		check(t, maxStep(out[at(1900):]) <= toneStep*5/4 || pause < 300, "pause of %g ms: step %d",
			pause, maxStep(out[at(1900):]))
		if pause > 500 {
			check(t, level(out[at(2300):at(again)]) < 20, "pause of %g ms is not silent: %.0f",
				pause, level(out[at(2300):at(again)]))
		}
	}
}

// A far end that freezes its time stamps while it pauses, one that starts all over, one that changes SSRC in
// full flow.
func TestNewTimeLines(t *testing.T) {
	for name, second := range map[string][]sent{
		"frozen stamps, 5 s":     stream(7000, 100, 20, 1, 100, 16000, 16000, 8000),
		"frozen stamps, 0.5 s":   stream(2500, 100, 20, 1, 100, 16000, 16000, 8000),
		"restart":                stream(2000, 100, 20, 1, 40000, 777777, 16000, 8000),
		"SSRC":                   stream(2000, 100, 20, 2, 5, 5, 16000, 8000),
		"SSRC after a pause":     stream(4000, 100, 20, 2, 5, 5, 16000, 8000),
		"stamps leap":            stream(2000, 100, 20, 1, 100, 3e9, 16000, 8000),
		"stamps leap back":       stream(2000, 100, 20, 1, 100, 4294967295-9e6, 16000, 8000),
		"1 h, other clock 300ms": stream(3602300, 100, 20, 1, 100, 3600000*8+16000, 16000, 8000),
	} {
		b := at8k()
		start := second[0].at
		out := run(b, append(stream(0, 100, 20, 1, 0, 0, 0, 8000), second...), 8000, start+1900)
		x := out[int((start+150)*8):]
		check(t, level(x) > 7000 && maxStep(x) <= toneStep*5/4, "%s: level %.0f, step %d",
			name, level(x), maxStep(x))
		check(t, b.Stats().DelayMs < 40, "%s: %+v", name, b.Stats())
	}
}

// Strays, of another SSRC or with mad numbers, do not disturb the stream.
func TestStrays(t *testing.T) {
	b := at8k()
	s := stream(0, 300, 20, 1, 0, 0, 0, 8000)
	for i := 10; i < 290; i += 7 {
		p := s[i]
		p.at += 3
		switch i % 4 {
		case 0:
			p.p.SSRC = 0xbad
		case 1:
			p.p.Seq += 30000
		case 2:
			p.p.Seq, p.p.Timestamp = p.p.Seq+50, p.p.Timestamp+1<<30
		case 3:
			p.p.Payload = nil
		}
		s = append(s, p)
	}
	x := run(b, s, 8000, 5900)[800:]
	check(t, maxStep(x) <= toneStep*105/100 && level(x) > 7000, "step %d, level %.0f", maxStep(x), level(x))
	check(t, b.Stats().ConcealedMs == 0, "%+v", b.Stats())
}

// Concealment fades; nothing buzzes on.
func TestFade(t *testing.T) {
	b := at8k()
	out := run(b, stream(0, 100, 20, 1, 0, 0, 0, 8000), 8000, 3000)
	end := 2020 * 8
	check(t, level(out[end+160:end+320]) > 3500, "20 ms into the loss the level is %.0f",
		level(out[end+160:end+320]))
	check(t, level(out[end+200*8:]) < 10, "200 ms into the loss the level is %.0f", level(out[end+200*8:]))
	check(t, maxStep(out) <= toneStep*3/2, "step %d", maxStep(out))
}

// A stall is followed by all that was said; the delay then returns.
func TestStall(t *testing.T) {
	b := at8k()
	s := stream(0, 500, 20, 1, 0, 0, 0, 8000)
	for i := 100; i < 110; i++ {
		s[i].at = s[110].at
	}
	run(b, s, 8000, 9900)
	st := b.Stats()
	check(t, st.Late == 0 && st.Lost == 0, "%+v", st)
	check(t, st.ConcealedMs > 100 && st.ConcealedMs <= 220, "%+v", st)
	check(t, st.DelayMs < 60, "%+v", st)
}

// The card was away for 3 s: what came meanwhile is old.
func TestCardGap(t *testing.T) {
	b := at8k()
	s := stream(0, 400, 20, 1, 0, 0, 0, 8000)
	pcm := make([]int16, 80)
	var out []int16
	for now := 0.0; now < 7900; now += 10 {
		for len(s) > 0 && s[0].at <= now {
			b.put(s[0].p)
			s = s[1:]
		}
		if now < 2000 || now >= 5000 {
			b.Get(pcm, time.Duration(now*1e6))
			out = append(out, pcm...)
		}
	}
	x := out[2200*8:]
	check(t, level(x) > 7000 && maxStep(x) <= toneStep*105/100, "level %.0f, step %d", level(x), maxStep(x))
	check(t, b.Stats().DelayMs < 30, "%+v", b.Stats())
}

func TestSetDecoder(t *testing.T) {
	b := at8k()
	run(b, stream(0, 100, 20, 1, 0, 0, 0, 8000), 8000, 1900)
	b.SetDecoder(l16{}, Config{Rate: 16000, ClockRate: 16000})
	pcm := make([]int16, 160)
	var out []int16
	s := stream(2000, 100, 20, 1, 100, 16000, 0, 16000)
	for now := 1900.0; now < 3900; now += 10 {
		for len(s) > 0 && s[0].at <= now {
			b.put(s[0].p)
			s = s[1:]
		}
		b.Get(pcm, time.Duration(now*1e6))
		out = append(out, pcm...)
	}
	x := out[200*16:]
	check(t, level(x) > 7000 && maxStep(x) <= toneStep/2+200, "level %.0f, step %d", level(x), maxStep(x))
	b.SetDecoder(nil, Config{})
	b.Put(Packet{Payload: []byte{1}})
	b.Get(pcm[:80], 4*time.Second)
}

// refuse declines every fifth payload.
type refuse struct{ n int }

func (r *refuse) Decode(pcm []int16, payload []byte) int {
	if r.n++; r.n%5 == 0 {
		return 0
	}
	return l16{}.Decode(pcm, payload)
}

func TestRefusedPayload(t *testing.T) {
	b := receive(8000, 8000, &refuse{})
	x := run(b, stream(0, 200, 20, 1, 0, 0, 0, 8000), 8000, 3900)[800:]
	st := b.Stats()
	check(t, st.Invalid >= 38 && st.ConcealedMs > 600 && level(x) > 6000, "level %.0f, %+v", level(x), st)
}
