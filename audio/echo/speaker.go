package echo

import "math"

// speaker models the loudspeaker's memoryless distortion ahead of the linear filter: a Hammerstein model
// with an adaptive preprocessor (Stenger and Kellermann 2000). The reference becomes x + sum theta_j
// basis_j(x): two saturations of which one sets in early and one late, and an even term for asymmetry.
// Small loudspeakers at door volume distort by -25 to -10 dB, and a linear filter alone could never reach
// more.
//
// The weights, and the clock drift with them, come from one small regularised recursive least-squares
// problem. The filter's error is regressed on what each basis would add through the filter's strongest
// partition, on the echo itself, whose level is the filter's own business, and on the echo's slope. The
// slope is the part that a late or early reference leaves.
type speaker struct {
	theta  [bases]float32
	drift  float64 // samples per frame by which the echo comes earlier
	fft    *fft
	phi    []float32
	wide   []float32 // a basis at the reference's rate
	re, im []float32
	e      []float32
	u      [regressors][]float32
	a      [regressors][regressors]float64 // lower triangle of the correlation
	b      [regressors]float64
}

const (
	bases      = 3
	level      = bases
	slope      = bases + 1
	regressors = bases + 2

	learnKeep  = .99 // per update, 40 or 80 ms apart
	learnStep  = .3
	learnRidge = 1e-3
	learnPre   = .9  // pre-emphasis: the error counts where speech is weak, too
	learnPrior = .3  // inverse variance that theta starts from, in updates whose echo equals their error
	slopePrior = 10  // the same for a delay error in samples
	driftGain  = .01 // of the second-order loop
)

func newSpeaker(size, hop, wide int) *speaker {
	s := &speaker{
		wide: make([]float32, wide), fft: newFFT(size), phi: make([]float32, size),
		re: make([]float32, size/2+1), im: make([]float32, size/2+1),
	}
	s.e = make([]float32, hop)
	for i := range s.u {
		s.u[i] = make([]float32, hop)
	}
	return s
}

func (s *speaker) reset() {
	s.theta, s.a, s.b, s.drift = [bases]float32{}, [regressors][regressors]float64{}, [regressors]float64{}, 0
}

func basis(j int, x float32) float32 {
	switch j {
	case 0:
		return tanh(3*x)*(1./3) - x
	case 1:
		return tanh(9*x)*(1./9) - x
	}
	t := tanh(5 * x)
	return t * t * .2
}

// tanh is a Pade approximant, good to .02 and exact at 0 and from 3 on.
func tanh(x float32) float32 {
	if x > 3 {
		return 1
	}
	if x < -3 {
		return -1
	}
	q := x * x
	return x * (27 + q) / (27 + 9*q)
}

// distort applies the model in place.
func (s *speaker) distort(x []float32) {
	t0, t1, t2 := s.theta[0], s.theta[1], s.theta[2]
	if t0 == 0 && t1 == 0 && t2 == 0 {
		return
	}
	for i, v := range x {
		x[i] = v + t0*basis(0, v) + t1*basis(1, v) + t2*basis(2, v)
	}
}

// learn takes the undistorted window of the reference, as the reference keeps it, that a partition of the
// filter saw in this block, that partition's weights, the echo estimate and the error.
func (s *speaker) learn(window, wr, wi, echo, e []float32) {
	hop, size := len(e), len(s.phi)
	for j := range bases {
		for i, x := range window {
			s.wide[i] = basis(j, x)
		}
		if len(s.wide) == size {
			copy(s.phi, s.wide)
		} else {
			decimate(s.phi, s.wide)
		}
		s.fft.forward(s.re, s.im, s.phi)
		for k, a := range s.re {
			b := s.im[k]
			s.re[k], s.im[k] = a*wr[k]-b*wi[k], a*wi[k]+b*wr[k]
		}
		s.fft.inverse(s.phi, s.re, s.im)
		copy(s.u[j], s.phi[size-hop:])
	}
	copy(s.u[level], echo)
	d := s.u[slope]
	for i := 1; i < hop-1; i++ {
		d[i] = (echo[i+1] - echo[i-1]) * .5
	}
	d[0], d[hop-1] = 0, 0
	copy(s.e, e)
	for _, u := range s.u {
		emphasise(u)
	}
	emphasise(s.e)

	ee, yy := dot(s.e, s.e), dot(s.u[level], s.u[level])
	if yy < 1e-7*float64(hop) {
		return
	}
	// A block counts by the inverse of its error's power: double talk says little.
	w := 1 / (ee + 1e-3*yy + 1e-9)
	for i, u := range s.u {
		for j := range i + 1 {
			s.a[i][j] = learnKeep*s.a[i][j] + w*dot(u, s.u[j])
		}
		s.b[i] = learnKeep*s.b[i] + w*dot(u, s.e)
	}
	s.update()
}

func emphasise(x []float32) {
	for i := len(x) - 1; i > 0; i-- {
		x[i] -= learnPre * x[i-1]
	}
	x[0] = 0
}

func dot(a, b []float32) float64 {
	var sum float32
	for i, v := range a {
		sum += v * b[i]
	}
	return float64(sum)
}

// update moves theta and the drift by a share of the solution and takes the same share out of b, as the error
// will.
func (s *speaker) update() {
	var x [regressors]float64
	if !s.solve(&x) {
		return
	}
	step := x
	for i := range step {
		step[i] *= learnStep
	}
	bound := [bases][2]float32{{-.3, 1}, {-.3, 1}, {-.5, .5}}
	for j, t := range s.theta {
		s.theta[j] = max(bound[j][0], min(bound[j][1], t+float32(step[j])))
		step[j] = float64(s.theta[j] - t)
	}
	s.drift += driftGain * x[slope]
	for i := range s.b {
		for j, v := range step {
			s.b[i] -= s.a[max(i, j)][min(i, j)] * v
		}
	}
}

// solve finds x of a x = b by Cholesky, with the priors on the diagonal; false if a is not positive.
func (s *speaker) solve(x *[regressors]float64) bool {
	prior := [regressors]float64{learnPrior, learnPrior, learnPrior, 0, slopePrior}
	var l [regressors][regressors]float64
	for i := range l {
		for j := range i + 1 {
			v := s.a[i][j]
			if i == j {
				v += learnRidge*v + prior[i] + 1e-12
			}
			for k := range j {
				v -= l[i][k] * l[j][k]
			}
			switch {
			case i != j:
				l[i][j] = v / l[j][j]
			case v > 0:
				l[i][i] = math.Sqrt(v)
			default:
				return false
			}
		}
	}
	for i := range x {
		v := s.b[i]
		if i < bases {
			v -= learnPrior * float64(s.theta[i])
		}
		for k := range i {
			v -= l[i][k] * x[k]
		}
		x[i] = v / l[i][i]
	}
	for i := regressors - 1; i >= 0; i-- {
		v := x[i]
		for k := i + 1; k < regressors; k++ {
			v -= l[k][i] * x[k]
		}
		x[i] = v / l[i][i]
	}
	return true
}
