package dtmf

import "math"

// Digits holds all sixteen, row by row.
const Digits = "123A456B789C*0#D"

// rows and columns hold the frequencies in Hz (ITU-T Q.23).
var (
	rows    = [4]float64{697, 770, 852, 941}
	columns = [4]float64{1209, 1336, 1477, 1633}
)

// Frequencies returns the two frequencies of a digit in Hz; ok is false if it is none.
func Frequencies(digit rune) (row, column float64, ok bool) {
	for i, d := range Digits {
		if d == digit {
			return rows[i/4], columns[i%4], true
		}
	}
	return 0, 0, false
}

// Generator makes one tone. Each frequency has -13 dBFS, together -10 dBFS.
type Generator struct {
	stepRow, stepColumn   float64 // radians per sample
	phaseRow, phaseColumn float64
}

// Start begins a digit at a rate in Hz; it returns false, and Fill gives silence, if there is no such digit.
func (g *Generator) Start(digit rune, rate int) bool {
	row, column, ok := Frequencies(digit)
	*g = Generator{
		stepRow: 2 * math.Pi * row / float64(rate), stepColumn: 2 * math.Pi * column / float64(rate),
	}
	return ok
}

// Fill writes the next len(pcm) samples.
func (g *Generator) Fill(pcm []int16) {
	const amplitude = 32767 * 0.3166 // two sines of -13 dBFS mean square each
	for i := range pcm {
		pcm[i] = int16(amplitude * (math.Sin(g.phaseRow) + math.Sin(g.phaseColumn)))
		g.phaseRow += g.stepRow
		g.phaseColumn += g.stepColumn
	}
	g.phaseRow = math.Mod(g.phaseRow, 2*math.Pi)
	g.phaseColumn = math.Mod(g.phaseColumn, 2*math.Pi)
}
