// Package wire is what the host and the guest's init say to each other: net/rpc with gob over the virtio port "ctl", service
// "Guest". The second port, "log", carries one [Line] of JSON per line from guest to host.
package wire

import "time"

// Line is one line that a program in the guest wrote, or, with Event set, something that init saw or did.
type Line struct {
	Up    float64 `json:"up"` // seconds since the kernel started
	From  string  `json:"from"`
	Text  string  `json:"text"`
	Event string  `json:"event,omitempty"` // "started", "ready", "watchdog", "died", "released"
}

// Service is a unit with Type=notify and Restart=always, as systemd would keep it.
type Service struct {
	Exec         []string      // ExecStart
	StopPost     [][]string    // ExecStopPost: run one after the other whenever Exec has ended, however that was
	Watchdog     time.Duration // of silence, then SIGABRT; 0: none
	Abort        time.Duration // after SIGABRT, then SIGKILL
	RestartAfter time.Duration
}

// Killed tells when a signal was sent.
type Killed struct {
	Pid int
	Up  float64 // seconds since the kernel started
}

// Talk is a person in front of the board: what the loopback's other end plays, again and again with 300 ms between.
type Talk struct {
	Rate int     // Hz
	Says []int16 // nil: silence
}

// Heard is what the loopback's other end recorded from [Talk] to its end.
type Heard struct {
	Rate    int // Hz
	Samples []int16
	Slipped int    // frames that xruns lost
	Err     string // why it ended early: the card was taken away
}

// File is a file of the guest.
type File struct {
	Path string
	Data []byte
}

// Result is how a program ended.
type Result struct {
	Output  string
	Code    int
	Seconds float64
}
