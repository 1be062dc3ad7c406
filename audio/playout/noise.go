package playout

const (
	forgetFloor = 4    // s, half the span over which the quietest moment is searched
	noiseMax    = 1000 // rms: louder is no background
)

// noise is the comfort noise: the spectrum and level of the quietest 10 ms of the last seconds.
type noise struct {
	perMs, ord int
	lpc        [order]float32
	mem        [order]float32
	gain       float32
	floor      float32 // energy per sample of the frame that lpc comes from
	age        int     // samples since then
	rng        uint32
}

func (s *noise) reset(rate int) {
	*s = noise{perMs: rate / 1000, ord: 10, floor: -1, rng: 7}
	if rate >= 16000 {
		s.ord = order
	}
}

// learn looks for a quieter moment in decoded sound.
func (s *noise) learn(pcm []int16) {
	n := 10 * s.perMs
	for ; len(pcm) >= n; pcm = pcm[n:] {
		var e float32
		for _, v := range pcm[:n] {
			e += float32(v) * float32(v)
		}
		e /= float32(n)
		s.age += n
		if s.floor >= 0 && e > s.floor && s.age < forgetFloor*1000*s.perMs {
			continue
		}
		s.age, s.floor = 0, e
		if e > noiseMax*noiseMax {
			s.gain = 0
			continue
		}
		var x [10 * 16]float32
		for i, v := range pcm[:n] {
			x[i] = float32(v)
		}
		s.gain = predictor(s.lpc[:s.ord], x[:n])
	}
}

// next returns one sample of background.
func (s *noise) next() float32 {
	if s.gain == 0 {
		return 0
	}
	s.rng = s.rng*1664525 + 1013904223
	u := s.gain * float32(int32(s.rng)) * (1.7320508 / (1 << 31))
	for k := range s.ord {
		u += s.lpc[k] * s.mem[k]
	}
	copy(s.mem[1:s.ord], s.mem[:s.ord-1])
	s.mem[0] = u
	return u
}
