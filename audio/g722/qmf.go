package g722

// history is a delay line of 24 samples in two phases; writing each sample twice keeps the last 12 of a phase
// contiguous.
type history struct {
	even, odd [24]int32
	at        int
}

// push appends one pair of samples and returns the last 12 of each phase, oldest first.
func (h *history) push(even, odd int32) (e, o *[12]int32) {
	h.even[h.at], h.even[h.at+12] = even, even
	h.odd[h.at], h.odd[h.at+12] = odd, odd
	if h.at++; h.at == 12 {
		h.at = 0
	}
	return (*[12]int32)(h.even[h.at:]), (*[12]int32)(h.odd[h.at:])
}

// convolve returns the sums of both phases; the filter is symmetric, so the odd phase runs through it
// backwards.
func convolve(e, o *[12]int32) (even, odd int32) {
	for i, c := range qmf {
		even += e[i] * c
		odd += o[i] * qmf[11-i]
	}
	return even, odd
}
