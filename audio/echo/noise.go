package echo

// noiseFloor tracks the steady noise's PSD by minimum statistics (Martin 2001, simplified): the minimum over
// 1.5 s of the periodogram smoothed over 60 ms, corrected for the bias of a minimum. It rises quickly only
// under what is as steady as noise: between the words of a long sentence the minima are the voice's own
// reverberation.
type noiseFloor struct {
	psd     []float32
	smooth  []float32
	mean    []float32 // over 1.5 s
	current []float32 // minimum of the running section
	minima  [6][]float32
	frame   int
	which   int
	started bool
}

const (
	noiseSection = 25   // frames
	noiseBias    = 1.5  // mean over minimum
	noiseRise    = 2    // at most per section
	noiseCreep   = 1.05 // where the power varies like a voice's
	noiseSteady  = 4    // mean over minimum; noise itself has 2, a voice 10 and more
	noiseLeast   = 1e-8 // what a digital silence rises from
)

func newNoiseFloor(bins int) *noiseFloor {
	n := &noiseFloor{
		psd: make([]float32, bins), smooth: make([]float32, bins),
		mean: make([]float32, bins), current: make([]float32, bins),
	}
	for i := range n.minima {
		n.minima[i] = make([]float32, bins)
		for k := range n.minima[i] {
			n.minima[i][k] = 1e30
		}
	}
	for k := range n.current {
		n.current[k] = 1e30
	}
	return n
}

// update takes a power spectrum.
func (n *noiseFloor) update(power []float32) {
	for k, p := range power {
		s := .85*n.smooth[k] + .15*p
		n.smooth[k] = s
		n.mean[k] += (p - n.mean[k]) * (1. / (6 * noiseSection))
		n.current[k] = min(s, n.current[k])
	}
	if n.frame++; n.frame < noiseSection {
		if !n.started && n.frame > 5 {
			for k, c := range n.current {
				n.psd[k] = c * noiseBias
			}
		}
		return
	}
	n.started, n.frame = true, 0
	copy(n.minima[n.which], n.current)
	copy(n.current, n.smooth)
	n.which = (n.which + 1) % len(n.minima)
	for k, p := range n.psd {
		least := n.minima[0][k]
		for _, m := range n.minima[1:] {
			least = min(least, m[k])
		}
		rise := float32(noiseCreep)
		if n.mean[k] < noiseSteady*least {
			rise = noiseRise
		}
		n.psd[k] = min(least*noiseBias, (p+noiseLeast)*rise)
	}
}
