package board

import "fmt"

// owners are the lines of config.txt that usually give a pin of the header to somebody else.
var owners = map[int]string{
	2: "dtparam=i2c_arm=on", 3: "dtparam=i2c_arm=on",
	4: "dtoverlay=w1-gpio or dtoverlay=max98357a",
	7: "dtparam=spi=on", 8: "dtparam=spi=on", 9: "dtparam=spi=on", 10: "dtparam=spi=on", 11: "dtparam=spi=on",
	14: "enable_uart=1", 15: "enable_uart=1",
	16: "dtoverlay=googlevoicehat-soundcard",
	17: "dtoverlay=seeed-2mic-voicecard, a sound HAT's button,",
	18: soundHAT, 19: soundHAT, 20: soundHAT, 21: soundHAT,
}

const soundHAT = "dtparam=i2s=on or a sound HAT's dtoverlay"

// remedy says what to do about a line that somebody else has.
func remedy(at found) string {
	const other = "or use another line"
	gpio := at.line.Offset
	switch {
	case !headerChip(at.chip.Label):
		return "free it, " + other
	case owners[gpio] != "":
		return fmt.Sprintf("free GPIO%d in config.txt, where %s usually takes it, %s", gpio, owners[gpio], other)
	}
	return fmt.Sprintf("free GPIO%d in config.txt, if a peripheral has it, %s", gpio, other)
}
