package audio

import (
	"portero/audio/echo"
)

// EchoOptions set up the echo canceller; the zero value cancels echo and nothing else.
type EchoOptions struct {
	Off              bool // pass the microphone as it is
	NoiseSuppression bool // and wind
	Gain             bool // slow gain control of the near end
	Walkie           bool // half duplex, for hardware that cannot be cancelled
}

// newCanceller returns nil for a microphone that is passed on as it is.
func newCanceller(o EchoOptions) (*echo.Canceller, error) {
	if o.Off {
		return nil, nil
	}
	return echo.New(echo.Config{
		Rate: engineRate, Frame: blockLen,
		NoiseSuppression: o.NoiseSuppression, Gain: o.Gain, Walkie: o.Walkie,
	})
}
