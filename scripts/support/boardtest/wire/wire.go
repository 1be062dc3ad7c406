// Package wire is what the host and the guest's agent say to each other: net/rpc with gob over the virtio
// port "ctl", service "Guest". The second port, "log", carries one [Line] of JSON per line from guest to
// host.
package wire

// Line is one line that a program in the guest wrote. Event is set where the host waits for it.
type Line struct {
	Up    float64 `json:"up"`   // seconds since the kernel started
	From  string  `json:"from"` // "portero", "systemd", "agent"
	Text  string  `json:"text"`
	Event string  `json:"event,omitempty"` // of systemd and agent: see log.go of init
}

// Names of the unit's processes (/proc/PID/comm): what is not the guard is the station.
const (
	Station = "station"
	Guard   = "portero-guard"
	All     = "all"
)

// Process is one of the unit's.
type Process struct {
	Pid   int
	Comm  string
	State string // R, S, D, T, Z ... (proc(5))
}

// Signal goes to Station, Guard or All.
type Signal struct {
	To     string
	Number int
}

// Killed tells when a signal was sent.
type Killed struct {
	Pid int
	Up  float64 // seconds since the kernel started
}

// Talk is a person in front of the board: what the loopback's other end plays, again and again with 300 ms
// between.
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
