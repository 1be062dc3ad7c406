package audio

import "math/bits"

// alaw and ulaw are ITU-T G.711; both keep no state. A code is sign, 3 bits of segment, 4 bits of step:
//
//	 0 1 2 3 4 5 6 7
//	+-+-+-+-+-+-+-+-+
//	|S| seg | step  |   sent with the even bits inverted (A-law) or all bits inverted (mu-law)
//	+-+-+-+-+-+-+-+-+
//
// A negative sample is mirrored by its one's complement, as the ITU's own G.191 tools do.
type (
	alaw struct{}
	ulaw struct{}
)

func (alaw) Encode(payload []byte, pcm []int16) int {
	for i, v := range pcm {
		payload[i] = alawEncode(v)
	}
	return len(pcm)
}

func (alaw) Decode(pcm []int16, payload []byte) int {
	n := min(len(pcm), len(payload))
	for i, c := range payload[:n] {
		pcm[i] = alawTable[c]
	}
	return n
}

func (ulaw) Encode(payload []byte, pcm []int16) int {
	for i, v := range pcm {
		payload[i] = ulawEncode(v)
	}
	return len(pcm)
}

func (ulaw) Decode(pcm []int16, payload []byte) int {
	n := min(len(pcm), len(payload))
	for i, c := range payload[:n] {
		pcm[i] = ulawTable[c]
	}
	return n
}

// alawEncode works on the upper 12 bits (G.711 table 1): steps of 1, 1, 2, 4 ... 64 in segments of 16 steps.
func alawEncode(v int16) byte {
	sign := byte(0x80)
	if v < 0 {
		sign, v = 0, ^v
	}
	x := uint16(v) >> 4
	if x < 32 {
		return (sign | byte(x)) ^ 0x55
	}
	segment := bits.Len16(x) - 4
	return (sign | byte(segment<<4) | byte(x>>(segment-1)&0xf)) ^ 0x55
}

// ulawEncode works on the upper 14 bits (G.711 table 2), biased by 33 so that every segment starts at a power
// of two.
func ulawEncode(v int16) byte {
	sign := byte(0x80)
	if v < 0 {
		sign, v = 0, ^v
	}
	x := min(uint16(v)>>2+33, 0x1fff)
	segment := bits.Len16(x) - 6
	return sign | ^(byte(segment<<4)|byte(x>>(segment+1)&0xf))&0x7f
}

var alawTable, ulawTable = expand()

func expand() (a, u [256]int16) {
	for i := range 256 {
		x := i ^ 0x55
		segment, v := x>>4&7, x&0xf<<4|8
		if segment > 0 {
			v = (v + 0x100) << (segment - 1)
		}
		if x&0x80 == 0 {
			v = -v
		}
		a[i] = int16(v)

		x = ^i
		v = (x&0xf<<3+0x84)<<(x>>4&7) - 0x84
		if x&0x80 != 0 {
			v = -v
		}
		u[i] = int16(v)
	}
	return a, u
}
