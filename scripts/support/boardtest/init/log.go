package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	stationLog = home + "/portero.log"
	stopPost   = "boardtest: after ExecStopPost: " // then how the station had ended
)

// What systemd says about the unit, and the event that it is for the host; the first that fits.
var said = []struct{ text, event string }{
	{"Starting portero.service", "starting"},
	{"Started portero.service", "ready"}, // Type=notify: after READY=1
	{"Stopping portero.service", "stopping"},
	{"portero.service: Watchdog timeout", "watchdog"},
	{"portero.service: Main process exited", "died"},
	{"portero.service: Control process exited", "refused"}, // told of failures only
	{"portero.service: Deactivated successfully", "stopped"},
	{"portero.service: Scheduled restart job", "restarting"},
	{"portero.service: A process of this unit has been killed by the OOM killer", "oom"},
}

// followKernel tells the host what systemd writes into the kernel's log: that needs neither journald nor
// card.
func followKernel() error {
	log, err := os.Open("/dev/kmsg")
	if err != nil {
		return err
	}
	defer log.Close()
	record := make([]byte, 8192)
	for {
		n, err := log.Read(record) // one record (Documentation/ABI/testing/dev-kmsg)
		switch {
		case errors.Is(err, unix.EPIPE): // overwritten before it was read
			continue
		case err != nil:
			return fmt.Errorf("agent: kernel log: %w", err)
		}
		_, text, _ := strings.Cut(string(record[:n]), ";")
		text, _, _ = strings.Cut(text, "\n")
		if text, ok := strings.CutPrefix(text, "systemd[1]: "); ok {
			tell("systemd", event(text), text)
		}
	}
}

func event(text string) string {
	for _, s := range said {
		if strings.HasPrefix(text, s.text) {
			return s.event
		}
	}
	return ""
}

// followStation tells the host what the station writes. Its log is in the tmpfs; inotify says when it grows.
func followStation() error {
	log, err := os.Open(stationLog)
	if err != nil {
		return err
	}
	defer log.Close()
	watch, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return fmt.Errorf("agent: inotify: %w", err)
	}
	defer unix.Close(watch)
	if _, err := unix.InotifyAddWatch(watch, stationLog, unix.IN_MODIFY); err != nil {
		return fmt.Errorf("agent: watch %q: %w", stationLog, err)
	}
	var line []byte
	events := make([]byte, 4096)
	for b := bufio.NewReader(log); ; {
		part, err := b.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			text := string(bytes.TrimRight(line, "\n"))
			// A station that was killed may have left a line unfinished.
			text, how, stopped := strings.Cut(text, stopPost)
			if text != "" {
				tell("portero", "", text)
			}
			if stopped {
				tell("systemd", "released", how)
			}
			line = line[:0]
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			if _, err := unix.Read(watch, events); err != nil && !errors.Is(err, unix.EINTR) {
				return fmt.Errorf("agent: inotify: %w", err)
			}
		default:
			return fmt.Errorf("agent: station's log: %w", err)
		}
	}
}
