package audio

import (
	"time"

	"portero/audio/echo"
)

// EchoOptions set up the echo canceller; the zero value cancels echo and nothing else.
type EchoOptions struct {
	Off              bool          // pass the microphone as it is
	NoiseSuppression bool          // and wind
	Gain             bool          // slow gain control of the near end
	Walkie           bool          // half duplex, for hardware that cannot be cancelled
	Tail             time.Duration // length of the echo; 0: the canceller's own choice
}

// canceller is what the engine needs of package echo.
type canceller interface {
	Process(far, mic, out []int16)
	Slip(captured, played int)
}

func newCanceller(o EchoOptions) (canceller, error) {
	if o.Off {
		return nil, nil
	}
	c, err := echo.New(echo.Config{
		Rate: engineRate, Frame: blockLen,
		NoiseSuppression: o.NoiseSuppression, Gain: o.Gain, Walkie: o.Walkie, Tail: o.Tail,
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}
