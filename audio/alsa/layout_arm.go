package alsa

// The sizes of C's structures of 32-bit ARM (EABI: long long is aligned to 8).
const (
	sizeHWParams  = 604
	sizeSWParams  = 104
	sizeStatus    = 108
	sizeXferi     = 12
	sizePCMInfo   = 288
	sizeCardInfo  = 376
	sizeElemID    = 64
	sizeElemList  = 72
	sizeElemInfo  = 272
	sizeElemValue = 712
)
