package dtmf

import "math"

// Event is one digit found.
type Event struct {
	Digit  rune
	At     int // samples from the start of the stream to the start of the tone, within 10 ms
	Length int // samples of tone heard when the digit was certain
}

// Detector finds digits in a stream. A window of 20 ms, Hann-weighted, moves in steps of 5 ms. In each, the
// strongest row and column are measured at the tones' own frequency: the phase's advance from step to step
// tells how far it is off, and the level is corrected for that. The pair counts if together it makes up most
// of the window's energy. Four windows in a row make a digit, six without it end it.
type Detector struct {
	wide        bool // 16 kHz
	window, hop int
	weight      []float64
	weightPower float64 // sum of squares of weight
	bin         float64 // width of a bin, Hz
	tones       [8]tone

	half   [11]float64 // the last samples at 16 kHz
	odd    bool
	ring   []float64
	filled int
	total  int

	run     int // windows in a row with digit
	digit   int // -1: none
	missing int // windows in a row without
	last    int // digit being held, -1: none
}

type tone struct {
	hz       float64
	cos, sin []float64 // weighted, over one window
	turn     float64   // phase advance per hop, radians
	phase    float64
	off      float64 // Hz
	power    float64
}

// The detector's limits.
const (
	maxOff    = 0.025 // of the nominal frequency: Q.24 accepts 1.5 % and refuses 3.5 %
	minPower  = -41.0 // dBFS of both tones together
	minShare  = 0.80  // of the window's energy: an SNR of 10 dB leaves 0.91
	maxTwist  = 8.0   // dB
	confirm   = 4     // windows: a tone of 40 ms fills four at least, one of 20 ms passes in three
	hangover  = 6     // windows: a hole of 10 ms spoils five, a pause of 40 ms eight
	fullScale = 32768.0 * 32768
)

// NewDetector makes a detector for samples at 8000 Hz, or at 16000 Hz of which it hears the lower half.
func NewDetector(sampleRate int) *Detector {
	const rate = 8000
	d := &Detector{
		wide: sampleRate == 16000, window: rate / 50, hop: rate / 200, bin: 50, digit: -1, last: -1,
	}
	d.weight = make([]float64, d.window)
	d.ring = make([]float64, d.window)
	var sum float64
	for i := range d.weight {
		d.weight[i] = 0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/float64(d.window))
		sum += d.weight[i]
		d.weightPower += d.weight[i] * d.weight[i]
	}
	for i := range d.tones {
		t := &d.tones[i]
		if i < 4 {
			t.hz = rows[i]
		} else {
			t.hz = columns[i-4]
		}
		t.cos, t.sin = make([]float64, d.window), make([]float64, d.window)
		for k, w := range d.weight {
			a := 2 * math.Pi * t.hz * float64(k) / float64(rate)
			t.cos[k], t.sin[k] = 2/sum*w*math.Cos(a), -2/sum*w*math.Sin(a)
		}
		t.turn = 2 * math.Pi * t.hz * float64(d.hop) / float64(rate)
	}
	return d
}

// Process takes the next samples and appends the digits that became certain in them to found.
func (d *Detector) Process(pcm []int16, found []Event) []Event {
	for _, v := range pcm {
		d.total++
		x := float64(v)
		if d.wide {
			copy(d.half[:], d.half[1:])
			d.half[10] = x
			if d.odd = !d.odd; d.odd {
				continue
			}
			x = halfBand(&d.half)
		}
		d.ring[d.filled] = x
		if d.filled++; d.filled < d.window {
			continue
		}
		digit := d.analyse()
		copy(d.ring, d.ring[d.hop:])
		d.filled -= d.hop
		if d.step(digit) {
			length := d.window + (confirm-1)*d.hop
			if d.wide {
				length *= 2
			}
			found = append(found, Event{rune(Digits[digit]), max(0, d.total-length), length})
		}
	}
	return found
}

// halfBand is a low-pass of 4 kHz for samples at 16 kHz: an 11-tap half-band filter.
func halfBand(x *[11]float64) float64 {
	return (256*x[5] + 150*(x[4]+x[6]) - 25*(x[2]+x[8]) + 3*(x[0]+x[10])) / 512
}

// step follows the windows; it returns true when digit has become certain.
func (d *Detector) step(digit int) bool {
	if digit >= 0 && digit == d.digit {
		d.run++
	} else {
		d.digit, d.run = digit, 1
	}
	if digit >= 0 && digit == d.last {
		d.missing = 0
		return false
	}
	if d.last >= 0 {
		if d.missing++; d.missing >= hangover {
			d.last = -1
		}
	}
	if digit < 0 || d.run < confirm {
		return false
	}
	d.last, d.missing = digit, 0
	return true
}

// analyse returns the digit in the window, an index of Digits, or -1.
func (d *Detector) analyse() int {
	var energy float64
	for i, v := range d.ring {
		w := v * d.weight[i]
		energy += w * w
	}
	power := energy / d.weightPower // mean square
	if 10*math.Log10(power/fullScale+1e-20) < minPower {
		return -1
	}
	for i := range d.tones {
		d.tones[i].measure(d.ring)
	}
	row, column := strongest(d.tones[:4]), strongest(d.tones[4:])
	r, c := &d.tones[row], &d.tones[4+column]
	if !r.near() || !c.near() {
		return -1
	}
	pr, pc := r.corrected(d.bin), c.corrected(d.bin)
	if (pr+pc)/power < minShare {
		return -1
	}
	if twist := 10 * math.Log10(pc/pr); twist > maxTwist || twist < -maxTwist {
		return -1
	}
	return row*4 + column
}

func strongest(t []tone) int {
	best := 0
	for i := range t {
		if t[i].power > t[best].power {
			best = i
		}
	}
	return best
}

// measure takes amplitude and phase at the nominal frequency, and the true frequency from the phase's
// advance.
func (t *tone) measure(x []float64) {
	var re, im float64
	for i, v := range x {
		re += v * t.cos[i]
		im += v * t.sin[i]
	}
	phase := math.Atan2(im, re)
	advance := math.Remainder(phase-t.phase-t.turn, 2*math.Pi)
	t.off = advance / t.turn * t.hz
	t.phase = phase
	t.power = (re*re + im*im) / 2
}

func (t *tone) near() bool { return math.Abs(t.off) <= maxOff*t.hz }

// corrected is the tone's mean square, made up for what the window loses off its nominal frequency: bin is
// the width of a bin in Hz.
func (t *tone) corrected(bin float64) float64 {
	g := hann(t.off / bin)
	return t.power / (g * g)
}

// hann is the response of the Hann window x bins off its centre.
func hann(x float64) float64 {
	if math.Abs(x) < 1e-6 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x) / (1 - x*x)
}
