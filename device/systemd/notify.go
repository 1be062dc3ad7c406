package systemd

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Notify sends the assignments, such as "READY=1", as one message to the service manager that started the
// process (NOTIFY_SOCKET). Without one it does nothing. A manager that is too busy to take the message is
// [unix.EAGAIN].
func Notify(assignments ...string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	if strings.HasPrefix(path, "@") { // an abstract address
		path = "\x00" + path[1:]
	}
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("systemd: notify: %w", err)
	}
	defer unix.Close(s)
	err = unix.Sendto(s, []byte(strings.Join(assignments, "\n")), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, &unix.SockaddrUnix{Name: path})
	if err != nil {
		return fmt.Errorf("systemd: notify %q: %w", assignments, err)
	}
	return nil
}

// MainPID is the assignment that makes this process the unit's main process.
func MainPID() string { return "MAINPID=" + strconv.Itoa(os.Getpid()) }

// Watchdog says how often at least the service manager wants to hear "WATCHDOG=1"; 0: it does not ask. Unlike
// sd_watchdog_enabled(3) it does not compare WATCHDOG_PID: a station that the guard has started is heard,
// too.
func Watchdog() (time.Duration, error) {
	text := os.Getenv("WATCHDOG_USEC")
	if text == "" {
		return 0, nil
	}
	us, err := strconv.ParseUint(text, 10, 48)
	if err != nil || us == 0 {
		return 0, fmt.Errorf("systemd: WATCHDOG_USEC %q: %w", text, errors.Join(err, strconv.ErrRange))
	}
	return time.Duration(us) * time.Microsecond, nil
}
