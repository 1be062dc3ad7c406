package audio

// Duplex is an open sound card. One goroutine calls Exchange; Close may be called from any.
//
// Samples are 16-bit signed, one channel. A card with more channels plays the sample on each of them and
// captures their first; a card of another rate or format is converted below this interface.
type Duplex interface {
	// Rate returns the sample rate in Hz.
	Rate() int
	// Period returns the number of frames that one Exchange moves.
	Period() int
	// Exchange writes one period to the loudspeaker and reads one from the microphone; it returns when both
	// are done, so it is the clock of whoever calls it. The pair keeps a constant offset in time until a Slip
	// says otherwise. A card opened for playback alone leaves capture untouched and accepts nil. The error is
	// final: the card is gone or closed.
	Exchange(play, capture []int16) (Slip, error)
	// Close ends the card and unblocks Exchange. A second call does nothing.
	Close() error
}

// Slip tells how many frames an xrun lost on either side before the period that the same Exchange moved.
type Slip struct{ Captured, Played int }

// Use says which directions of a card a caller needs.
type Use uint8

// The uses of a card. A caller that only plays must not open the microphone.
const (
	Playback   Use = iota + 1 // loudspeaker alone
	FullDuplex                // loudspeaker and microphone
)
