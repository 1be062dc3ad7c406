package alsa

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// sampleFormat is a little-endian signed format: the bytes of a sample and where in them the upper 16 bits
// lie.
type sampleFormat struct {
	name      string
	code      uint32 // SNDRV_PCM_FORMAT_*
	width, at int
}

// In the order of preference. All keep silence at zero.
var sampleFormats = [...]sampleFormat{
	{"S16_LE", 2, 2, 0},
	{"S32_LE", 10, 4, 2},
	{"S24_LE", 6, 4, 1},
	{"S24_3LE", 32, 3, 1},
}

// plain reports whether the hardware's samples are ours: every architecture of this package is little-endian.
func (f sampleFormat) plain(channels int) bool { return f.width == 2 && channels == 1 }

// encode writes each sample of src to all channels of a frame of dst.
func (f sampleFormat) encode(dst []byte, channels int, src []int16) {
	if f.plain(channels) {
		copy(unsafe.Slice((*int16)(unsafe.Pointer(unsafe.SliceData(dst))), len(dst)/2), src)
		return
	}
	signed := f.at+2 < f.width // S24_LE: the sign goes on through the fourth byte
	for _, s := range src {
		for range channels {
			b := dst[f.at : f.at+2]
			b[0], b[1] = byte(s), byte(s>>8)
			if signed {
				dst[3] = byte(s >> 15)
			}
			dst = dst[f.width:]
		}
	}
}

// decode takes the first channel of each frame of src, cut to 16 bits.
func (f sampleFormat) decode(dst []int16, src []byte, channels int) {
	if f.plain(channels) {
		copy(dst, unsafe.Slice((*int16)(unsafe.Pointer(unsafe.SliceData(src))), len(src)/2))
		return
	}
	frame := f.width * channels
	for n := range dst {
		b := src[f.at : f.at+2]
		dst[n] = int16(b[0]) | int16(b[1])<<8
		src = src[frame:]
	}
}

func pickFormat(m mask) (sampleFormat, error) {
	for _, f := range sampleFormats {
		if m[f.code/32]&(1<<(f.code%32)) != 0 {
			return f, nil
		}
	}
	return sampleFormat{}, unix.EINVAL
}
