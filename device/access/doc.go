// Package access decides whether a door opens, and is the only caller of a relay.
//
//	door.go      one door: a table of states, its relay's lease and its timers
//	doors.go     all doors: Open is the only path to a relay
//	codes.go     the codes, compared in constant time
//	entry.go     the digits of one call: what ends a code, the pause rule
//	lockout.go   wrong codes are counted across calls and restarts
//
// Everything but Lockout.Run belongs to the station's loop: no method blocks on more than the relay's ioctl, and the timers of a
// [Clock] fire on that loop. Lockout.Run writes the count of wrong codes to the medium from a goroutine of its own.
//
// A door that no code names is off: nothing opens it, neither a program nor the button inside. Two timers end an opening, the
// door's and the relay's own lease (package board), so a stuck loop does not leave a door open. A relay that cannot be released
// keeps its door in the state releasing, tried again every second: the door is reported closed only when it is.
//
// Lock-out without a battery clock: the file holds the count and whether codes are locked out, no time of day. A restart during a
// lock-out begins it anew; an unreadable file counts as a lock-out; a missing one is a new station. Limit: a power cut within the
// milliseconds before the write forgets one wrong code.
//
// Digits are kept in memory only, and only until their code ends; no event, log or error holds them.
package access
