package audio

import "fmt"

// Clip is a sound to play on the loudspeaker.
type Clip struct {
	Samples []int16
	Rate    int     // Hz
	Gain    float64 // dB; 0 plays as is
	Loop    bool    // play again and again until stopped
	Must    bool    // wait for the card however long it takes: Done then says that it was played, or stopped
	Done    func()  // if not nil, called once by the engine after the last sample or the stop; must not block
}

// Resample returns the clip at another rate in Hz, without the filter's delay.
func (c Clip) Resample(rate int) (Clip, error) {
	if c.Rate == rate {
		return c, nil
	}
	r, err := NewResampler(c.Rate, rate)
	if err != nil {
		return c, fmt.Errorf("audio: clip: %w", err)
	}
	low := min(c.Rate, rate)
	head, tail := zeroCrossings*rate/low, zeroCrossings*c.Rate/low+1
	out := make([]int16, r.MaxOut(len(c.Samples))+r.MaxOut(tail))
	n := r.Process(out, c.Samples)
	n += r.Process(out[n:], make([]int16, tail))
	want := int(int64(len(c.Samples)) * int64(rate) / int64(c.Rate)) // 32 bits hold 45 s
	c.Samples, c.Rate = out[min(head, n):min(head+want, n)], rate
	return c, nil
}
