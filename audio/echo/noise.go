package echo

// noiseFloor tracks the steady noise's PSD by minimum statistics (Martin 2001, simplified): the minimum over 1.5 s of the
// periodogram smoothed over 60 ms, corrected for the bias of a minimum, and slow to rise.
type noiseFloor struct {
	psd     []float32
	smooth  []float32
	current []float32 // minimum of the running section
	minima  [6][]float32
	frame   int
	which   int
	started bool
}

const (
	noiseSection = 25   // frames
	noiseBias    = 1.3  // mean over minimum
	noiseRise    = 2    // at most per section
	talkRise     = 1.05 // while somebody talks: between words the minima are the voice's reverberation
	noiseLeast   = 1e-8 // what a digital silence rises from
)

func newNoiseFloor(bins int) *noiseFloor {
	n := &noiseFloor{psd: make([]float32, bins), smooth: make([]float32, bins), current: make([]float32, bins)}
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

// update takes a power spectrum and whether the near end talks in it.
func (n *noiseFloor) update(power []float32, talk bool) {
	for k, p := range power {
		s := .85*n.smooth[k] + .15*p
		n.smooth[k] = s
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
	rise := float32(noiseRise)
	if talk {
		rise = talkRise
	}
	for k, p := range n.psd {
		least := n.minima[0][k]
		for _, m := range n.minima[1:] {
			least = min(least, m[k])
		}
		n.psd[k] = min(least*noiseBias, (p+noiseLeast)*rise)
	}
}
