//go:build boardtest

package boardtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"portero/scripts/support/boardtest/wire"
)

// unitFile is the systemd unit of the Debian package: the guest's init keeps the station by it.
var unitFile = filepath.Join("..", "deb", "portero.service")

// readUnit takes what the guest's init can do from a unit: ExecStart, ExecStopPost, WatchdogSec, TimeoutAbortSec, RestartSec.
// It wants Type=notify and Restart=always, which is all that init can do.
func readUnit(path string) (wire.Service, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return wire.Service{}, fmt.Errorf("boardtest: unit: %w", err)
	}
	var s wire.Service
	kind, restart := "", ""
	for line := range strings.Lines(string(raw)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		var e error
		switch key {
		case "Type":
			kind = value
		case "Restart":
			restart = value
		case "ExecStart":
			s.Exec = strings.Fields(value)
		case "ExecStopPost":
			s.StopPost = append(s.StopPost, strings.Fields(strings.TrimPrefix(value, "-")))
		case "WatchdogSec":
			s.Watchdog, e = time.ParseDuration(value)
		case "TimeoutAbortSec":
			s.Abort, e = time.ParseDuration(value)
		case "RestartSec":
			s.RestartAfter, e = time.ParseDuration(value)
		}
		err = errors.Join(err, e)
	}
	if kind != "notify" || restart != "always" || len(s.Exec) == 0 || s.Watchdog == 0 || s.Abort == 0 {
		err = errors.Join(err, fmt.Errorf("want Type=notify, Restart=always, ExecStart, WatchdogSec and TimeoutAbortSec, have %q, %q, %q, %v, %v",
			kind, restart, s.Exec, s.Watchdog, s.Abort))
	}
	if err != nil {
		return s, fmt.Errorf("boardtest: unit %q: %w", path, err)
	}
	return s, nil
}
