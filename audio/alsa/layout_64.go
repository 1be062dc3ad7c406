//go:build amd64 || arm64

package alsa

// The sizes of C's structures where long has 64 bits.
const (
	sizeHWParams  = 608
	sizeSWParams  = 136
	sizeStatus    = 152
	sizeXferi     = 24
	sizePCMInfo   = 288
	sizeCardInfo  = 376
	sizeElemID    = 64
	sizeElemList  = 80
	sizeElemInfo  = 272
	sizeElemValue = 1224
)
