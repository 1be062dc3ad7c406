package audio

import (
	"strings"

	"portero/audio/g722"
	"portero/audio/playout"
)

// Codec describes a voice codec and makes its coders. Codecs are compared by pointer.
type Codec struct {
	Name        string // as in SDP's a=rtpmap (RFC 3551, table 4)
	PayloadType uint8  // the static payload type of RFC 3551
	ClockRate   int    // RTP clock, Hz
	SampleRate  int    // of the PCM side, Hz

	NewEncoder func() Encoder
	NewDecoder func() Decoder
}

// Encoder turns 16-bit samples into octets and returns how many it wrote; payload has room for len(pcm) of
// them.
type Encoder interface {
	Encode(payload []byte, pcm []int16) int
}

// Decoder turns one payload into samples and returns how many it wrote into pcm.
type Decoder = playout.Decoder

// The codecs.
var (
	G722 = &Codec{
		Name: "G722", PayloadType: 9,
		ClockRate:  8000, // RFC 3551, 4.5.2: an erratum of RFC 1890 that stayed
		SampleRate: 16000,
		NewEncoder: func() Encoder { return g722.NewEncoder() },
		NewDecoder: func() Decoder { return g722.NewDecoder() },
	}
	PCMA = &Codec{
		Name: "PCMA", PayloadType: 8, ClockRate: 8000, SampleRate: 8000,
		NewEncoder: func() Encoder { return alaw{} },
		NewDecoder: func() Decoder { return alaw{} },
	}
	PCMU = &Codec{
		Name: "PCMU", PayloadType: 0, ClockRate: 8000, SampleRate: 8000,
		NewEncoder: func() Encoder { return ulaw{} },
		NewDecoder: func() Decoder { return ulaw{} },
	}
)

// Codecs returns all codecs, the best sounding first.
func Codecs() []*Codec { return []*Codec{G722, PCMA, PCMU} }

// CodecByName finds a codec by its rtpmap name in any case; nil if there is none.
func CodecByName(name string) *Codec {
	for _, c := range Codecs() {
		if strings.EqualFold(c.Name, name) {
			return c
		}
	}
	return nil
}
