package event

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// era is the year before which no station runs: boards without a battery clock start in 1970, or when their
// system was built.
const era = 2025

// staUnsync is STA_UNSYNC of linux/timex.h: nobody disciplines the kernel's clock.
const staUnsync = 0x0040

// believed stays: the kernel gives a clock up nine hours after its last time server, but it is not off by
// more than seconds then.
var believed atomic.Bool

// TimeKnown says whether the time of day can be believed: a time server disciplines the kernel's clock, or
// has since this program started, or a battery clock agrees with it. A plausible time alone may have been
// read from a file at boot (fake-hwclock) and be slow by as long as the board was off. Where the kernel may
// not be asked (seccomp), a plausible time has to do.
//
// Trap: NTP clients that only set the clock (settimeofday) leave the kernel's clock undisciplined.
func TimeKnown() bool {
	now := time.Now()
	if now.Year() < era { // it was set back
		return false
	}
	if !believed.Load() && timeKnown(now, synchronised, "/sys/class/rtc") {
		believed.Store(true)
	}
	return believed.Load()
}

func timeKnown(now time.Time, synchronised func() (bool, error), rtcs string) bool {
	ok, err := synchronised()
	return now.Year() >= era && (ok || err != nil || rtcAgrees(now, rtcs))
}

// synchronised is STA_UNSYNC of adjtimex(2); without modes it only asks.
func synchronised() (bool, error) {
	var t unix.Timex
	_, err := unix.Adjtimex(&t)
	return t.Status&staUnsync == 0, err
}

// rtcAgrees says whether a battery clock in a directory like /sys/class/rtc tells the same time, within a
// minute.
func rtcAgrees(now time.Time, rtcs string) bool {
	files, _ := filepath.Glob(filepath.Join(rtcs, "*", "since_epoch"))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if s, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64); err == nil && now.Sub(time.Unix(s, 0)).Abs() < time.Minute {
			return true
		}
	}
	return false
}
